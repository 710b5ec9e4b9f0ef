"""Whether the public URL leads here, safely: for links to outputs, for the API, and for the gateway."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from orchestrator import wiring
from orchestrator.cli.findings import Finding
from orchestrator.cli.probing import Answered, Request, Unanswered, ask
from orchestrator.cli.processes_checks import HEALTHY, web_answers
from orchestrator.cli.receiver_checks import ANSWER_WITHIN, Prober
from orchestrator.settings import Settings

WHAT = "public url"
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - only compared with


def public_url(settings: Settings) -> list[Finding]:
    """Reached by its name, with a certificate that holds, and answered by one of ours."""
    url = settings.public_url
    if url is None:
        return []
    prober = Prober(wiring.public_tls(), wiring.wall_clock, web_answers(settings).status == "ok")
    answer = ask(Request("GET", f"{url}/healthz"), ANSWER_WITHIN, prober.tls)
    if isinstance(answer, Unanswered):
        return [prober.unanswered(WHAT, url, answer)]
    plain = f"http://{urlsplit(url).netloc}" if urlsplit(url).port is None else ""
    return [
        *_who_answers(prober, url, answer),
        *prober.certificate(WHAT, url, answer),
        *_addresses(url),
        *(plain_too(prober, plain) if plain and url.startswith("https://") else []),
    ]


def plain_too(prober: Prober, url: str) -> list[Finding]:
    """Whether the API answers without TLS as well, where callers should be sent to TLS or nowhere."""
    answer = ask(Request("GET", f"{url}/v1/jobs"), ANSWER_WITHIN, prober.tls)
    if isinstance(answer, Unanswered) or answer.document.get("code") != "unauthorized":
        return []
    found = f"the API also answers over plain http, at {url}: whoever is on the way reads keys"
    return [Finding("warn", "exposure", found, "let the proxy redirect plain http to https, or refuse it")]


def _who_answers(prober: Prober, url: str, answer: Answered) -> list[Finding]:
    if answer.redirects:
        return [prober.redirected(WHAT, url, answer)]
    if (answer.status, answer.body) == (200, HEALTHY):
        return [Finding("ok", WHAT, f"{url} is answered by an orchestrator")]
    if answer.status == 404:  # a proxy that passes webhooks alone, as it should
        return [Finding("ok", WHAT, f"{url} is reached; /healthz is not passed on")]
    if answer.document.get("code"):
        return [Finding("ok", WHAT, f"{url} is answered by an orchestrator, with {answer.status}")]
    found = f"{url}/healthz is answered with {answer.status}, as no orchestrator does"
    hint = "let the proxy lead to ORCHESTRATOR_HOST and ORCHESTRATOR_PORT, or correct ORCHESTRATOR_PUBLIC_URL"
    return [Finding("fail" if prober.running else "warn", WHAT, found, hint)]


def _addresses(url: str) -> list[Finding]:
    """The gateway calls no private address, whatever name it has."""
    host = urlsplit(url).hostname or ""
    try:
        told = {str(row[4][0]) for row in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return []
    private = sorted(one for one in told if not ipaddress.ip_address(one.partition("%")[0]).is_global)
    if not private:
        return []
    found = f"{host} is {', '.join(private)} here, which the gateway does not call"
    return [Finding("warn", WHAT, found, "let public DNS give it a public address, for webhooks")]


def exposure(settings: Settings) -> list[Finding]:
    """Keys and tokens in plain text over a network."""
    url = settings.public_url or ""
    found = []
    if urlsplit(url).scheme == "http" and not _only_here(urlsplit(url).hostname or ""):
        words = f"{url} is plain http: whoever is on the way reads keys and links"
        hint = "put something that terminates TLS in front, and give ORCHESTRATOR_PUBLIC_URL its https URL"
        found.append(Finding("warn", "exposure", words, hint))
    found += _open_port(settings)
    return found


def _open_port(settings: Settings) -> list[Finding]:
    host = settings.api_address[0] if settings.api_address else settings.host
    if _only_here(host) or settings.trusted_proxies:
        return []
    to_all = "every address of this machine" if host in EVERY_ADDRESS else host
    served = "the API and the dashboard" if settings.dashboard else "the API"
    found = f"{served} can be reached over plain http at {to_all}, past any proxy"
    hint = (
        "listen where the proxy alone comes (ORCHESTRATOR_HOST, ORCHESTRATOR_API_HOST), or shut the port by "
        "a firewall and name the proxy in ORCHESTRATOR_TRUSTED_PROXIES"
    )
    return [Finding("warn", "exposure", found, hint)]


def _only_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""Whether the public URL leads here, safely: for links to outputs, for the API, and for the gateway."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

from orchestrator import wiring
from orchestrator.cli.findings import Finding
from orchestrator.cli.probing import Answered, Request, Unanswered, ask
from orchestrator.cli.processes_checks import HEALTHY, answers_here
from orchestrator.cli.receiver_checks import ANSWER_WITHIN, Prober
from orchestrator.settings import Settings

WHAT = "public url"
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - only compared with


def public_url(settings: Settings) -> Iterator[Finding]:
    """Reached by its name, with a certificate that holds, and answered by one of ours."""
    url = settings.public_url
    if url is None:
        return
    prober = Prober(wiring.public_tls(), wiring.wall_clock, partial(answers_here, settings))
    answer = ask(Request("GET", f"{url}/healthz"), ANSWER_WITHIN, prober.tls)
    if isinstance(answer, Unanswered):
        yield prober.unanswered(WHAT, url, answer)
        return
    yield from _who_answers(prober, url, answer, has_healthz=settings.api_address is None)
    yield from prober.certificate(WHAT, url, answer)
    yield from _addresses(url)
    if url.startswith("https://") and urlsplit(url).port is None:
        yield from plain_too(prober, f"http://{urlsplit(url).netloc}")


def plain_too(prober: Prober, url: str) -> list[Finding]:
    """Whether the API answers without TLS as well, where callers should be sent to TLS or nowhere."""
    answer = ask(Request("GET", f"{url}/v1/jobs"), ANSWER_WITHIN, prober.tls)
    if isinstance(answer, Unanswered) or answer.document.get("code") != "unauthorized":
        return []
    found = f"the API also answers over plain http, at {url}: anybody on the way can read keys"
    return [Finding("warn", "exposure", found, "let the proxy redirect plain http to https, or refuse it")]


def _who_answers(prober: Prober, url: str, answer: Answered, *, has_healthz: bool) -> list[Finding]:
    if answer.redirects:
        return [prober.redirected(WHAT, url, answer)]
    if (answer.status, answer.body) == (200, HEALTHY):
        return [Finding("ok", WHAT, f"{url} is answered by an orchestrator")]
    prefix = urlsplit(url).path
    if prefix and has_healthz and answer.document.get("code") == "no_such_path":
        found = f"{url}/healthz: an orchestrator answers, and is asked for another path than its own"
        hint = f"let the proxy take {prefix} off the path, or leave it out of ORCHESTRATOR_PUBLIC_URL"
        return [Finding("fail", WHAT, found, hint)]
    if answer.status == 404:  # a proxy that passes webhooks alone, as it should
        return [Finding("ok", WHAT, f"{url} is reached; /healthz is not passed on")]
    if answer.document.get("code"):
        return [Finding("ok", WHAT, f"{url} is answered by an orchestrator, with {answer.status}")]
    found = f"{url}/healthz is answered with {answer.status}, as no orchestrator does"
    hint = "let the proxy lead to ORCHESTRATOR_HOST and ORCHESTRATOR_PORT, or correct ORCHESTRATOR_PUBLIC_URL"
    return [Finding("fail" if prober.running() else "warn", WHAT, found, hint)]


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
    what = "a private address" if host in private else f"{', '.join(private)} here"
    found = f"{host} is {what}, which the gateway does not call"
    return [Finding("warn", WHAT, found, "let public DNS give it a public address, for webhooks")]


def exposure(settings: Settings) -> list[Finding]:
    """Keys and tokens in plain text over a network."""
    url = settings.public_url or ""
    found = []
    if urlsplit(url).scheme == "http" and not _only_here(urlsplit(url).hostname or ""):
        words = f"{url} is plain http: anybody on the way can read keys and links"
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

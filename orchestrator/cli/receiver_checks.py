"""Whether a call from outside comes to our receiver, unchanged: asked as the gateway would call it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from orchestrator.cli.findings import Finding
from orchestrator.cli.probing import Answered, Request, Unanswered, Way, ask
from orchestrator.core.signatures import sign
from orchestrator.engine.receive import CHECK

ANSWER_WITHIN = 5.0  # seconds for each answer; the gateway waits 30
DAY = 86_400.0
CERTIFICATE_ENDS_SOON = 14 * DAY
_START = "start `orchestrator up` or `web`, and check again"
_OF_A_PROXY = (502, 503, 504)  # it cannot reach what is behind it
_BARRED = (401, 403, 407)
# What no start of a receiver mends, and what does.
_NEVER = {
    Way.NAME: "correct the host name, or let it resolve publicly: the gateway asks public DNS",
    Way.TLS: "let a proxy that terminates TLS answer there, or correct the port of the URL",
    Way.CERTIFICATE: "give the host name a certificate of a public authority; the gateway believes no other",
}
# By what our receiver answers to a signed check (docs/reference/receiver.md).
_REFUSALS = {
    "forged": (
        "the receiver there does not know this account's newest secret, or the body is changed on the way",
        "restart `up` or `web` with the settings of this command; a proxy must pass bodies as they are",
    ),
    "no_secret": (
        "the receiver there has no secret for this account",
        "give it the same ORCHESTRATOR_WEBHOOK_SECRETS, or the database and ORCHESTRATOR_SECRET_KEYS",
    ),
    "no_signature": (
        "the headers x-phaseo-signature and x-phaseo-timestamp are lost on the way",
        "let the proxy pass all headers that begin with x-phaseo-",
    ),
    "stale": (
        "the clock of the receiver there differs from this one by more than 300 s",
        "synchronize both by NTP: webhooks would be refused",
    ),
    "unknown_account": (
        "the receiver there does not know this account: it has another database",
        "let ORCHESTRATOR_DATABASE_URL be the same for it and for this command",
    ),
    "store_unavailable": ("the receiver there cannot use its database", "its log says why"),
    "unreadable": ("the receiver there is of an earlier version", "let every process run the same version"),
}


@dataclass(frozen=True, slots=True)
class Prober:
    """Asks as a stranger. `running` tells whether a receiver of ours answers on this machine."""

    tls: ssl.SSLContext
    clock: Callable[[], float]
    running: Callable[[], bool]

    def receiver(self, what: str, url: str, secret: str | None) -> list[Finding]:
        """Whether our receiver is at the URL of an account's webhooks and, if given, has that secret."""
        headers = {"Content-Type": "text/plain", "Content-Length": "0"}
        answer = ask(Request("POST", url, b"", headers), ANSWER_WITHIN, self.tls)
        if isinstance(answer, Unanswered):
            return [self.unanswered(what, url, answer)]
        # Refused for its type before anything is read or kept.
        if answer.document.get("code") != "unsupported_media_type":
            return [self._foreign(what, url, answer)]
        certificate = self.certificate(what, url, answer)
        return [*certificate, *(self._signed(what, url, secret) if secret else [_ours(what, url)])]

    def unanswered(self, what: str, url: str, answer: Unanswered) -> Finding:
        """No answer: what is wrong between here and there."""
        found = f"{url}: {answer.words}"
        if answer.way in _NEVER:
            return Finding("fail", what, found, _NEVER[answer.way])
        hint = "see the proxy and the firewall" if (running := self.running()) else _START
        return Finding("fail" if running else "warn", what, found, hint)

    def redirected(self, what: str, url: str, answer: Answered) -> Finding:
        """Sent somewhere else, where the gateway does not go."""
        to = answer.headers.get("location", "")
        found = f"{url} is answered with {answer.status}, a redirect to {to}: the gateway follows none"
        hint = "set ORCHESTRATOR_PUBLIC_URL to where it leads, or let the proxy pass this path on"
        return Finding("fail", what, found, hint)

    def certificate(self, what: str, url: str, answer: Answered) -> list[Finding]:
        """A certificate that is about to end."""
        if answer.certificate_until is None:
            return []
        left = answer.certificate_until - self.clock()
        if left > CERTIFICATE_ENDS_SOON:
            return []
        host = urlsplit(url).hostname
        hint = "renew it: once it has ended no webhook arrives, and links to outputs do not open"
        return [Finding("warn", what, f"the certificate of {host} ends in {left / DAY:.0f} days", hint)]

    def _foreign(self, what: str, url: str, answer: Answered) -> Finding:
        if answer.redirects:
            return self.redirected(what, url, answer)
        if answer.status in _OF_A_PROXY:
            hint = (
                "let the proxy reach the receiver's host and port" if (running := self.running()) else _START
            )
            found = f"{url} is answered with {answer.status} by something that does not reach the receiver"
            return Finding("fail" if running else "warn", what, found, hint)
        if answer.status in _BARRED:
            hint = (
                "let it pass this path without credentials: what the gateway did not sign is refused anyway"
            )
            return Finding(
                "fail", what, f"{url} is answered with {answer.status} by something in front", hint
            )
        if answer.document.get("code") in ("no_such_path", "method_not_allowed"):
            hint = (
                "let the proxy keep the path as it is, and lead to ORCHESTRATOR_PORT, not to that of the API"
            )
            return Finding("fail", what, f"{url}: an orchestrator answers, and takes no webhooks there", hint)
        kind = answer.headers.get("content-type", "no content type")
        hint = "let the proxy lead to the receiver's host and port, with the path as it is"
        return Finding("fail", what, f"{url}: another program answers, with {answer.status} and {kind}", hint)

    def _signed(self, what: str, url: str, secret: str) -> list[Finding]:
        """Something that only this account's receiver believes; it keeps nothing of it."""
        body = CHECK + ',"text":"\\u00e4 ä  "}'.encode()  # which whoever writes JSON anew changes
        signed = sign(secret, str(int(self.clock())), body) | {"Content-Type": "application/json"}
        answer = ask(Request("POST", url, body, signed), ANSWER_WITHIN, self.tls)
        if isinstance(answer, Unanswered):
            return [self.unanswered(what, url, answer)]
        if answer.status == 200 and answer.document.get("status") == "checked":
            return [_ours(what, url), *_forwarded(url, answer)]
        found, hint = _REFUSALS.get(
            str(answer.document.get("code")),
            (f"a signed check is answered with {answer.status}", "see its log"),
        )
        return [Finding("fail", what, f"{url}: {found}", hint)]


def _ours(what: str, url: str) -> Finding:
    return Finding("ok", what, f"{url} is answered by our receiver")


def _forwarded(url: str, answer: Answered) -> list[Finding]:
    """What the receiver thinks we came by, where a proxy in front of it took TLS off."""
    scheme, client = answer.document.get("scheme"), answer.document.get("client")
    if urlsplit(url).scheme != "https" or scheme == "https":
        return []
    found = f"behind https the receiver sees {scheme} from {client}: it does not believe its proxy"
    hint = (
        f"set ORCHESTRATOR_TRUSTED_PROXIES={client} and let it send X-Forwarded-Proto and X-Forwarded-For; "
        "else logs name the proxy, and cookies are not for https alone"
    )
    return [Finding("warn", "proxy", found, hint)]

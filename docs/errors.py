"""What the reference page of errors holds: every code of the API, every exit code, every kind of error."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path

import orchestrator.web
from docs import exit_codes
from orchestrator import errors
from orchestrator.cli.exits import code_of
from orchestrator.core.signatures import Refusal
from orchestrator.errors import OrchestratorError
from orchestrator.web.problems import BUG, STATUSES

Table = Callable[[tuple[str, ...], Iterable[tuple[str, ...]]], str]
WEB = Path(orchestrator.web.__path__[0])
_INTRO = (
    "What can go wrong, and what to do. An error over HTTP is a problem document ([RFC "
    "9457](https://www.rfc-editor.org/rfc/rfc9457), `application/problem+json`) with the `status`, a `code` "
    "that never changes, `detail` (what happened), usually a `hint` (what to do), and the `request_id` to "
    "look for in the log."
)

# Each code with its cause and its remedy. One that `orchestrator/web` names and is not here fails the page.
CAUSES: dict[str, tuple[str, str]] = {
    "ambiguous_length": (
        "the body has a `Content-Length` and is also sent in chunks, or is sent in chunks over HTTP/1.0",
        "send only one of them; check what a proxy in between does to requests",
    ),
    "bad_timestamp": (
        "a webhook's timestamp is not in epoch seconds, epoch milliseconds or ISO 8601",
        "find out what changes headers on the way; the gateway sends a correct one",
    ),
    "beyond_the_end": (
        "the range begins beyond the end of the output",
        "ask for less; `Content-Range` has the size",
    ),
    "busy": (
        "the request bodies being received would take more memory than allowed",
        "ask again after `Retry-After`",
    ),
    "damaged": (
        "the archived file is not what was put there",
        "[deliver the output again](../explanation/archive.md#verified-when-it-is-read): it is fetched again",
    ),
    "forbidden": (
        "the key lacks the scope, the token is not for this, or the page's origin is not allowed",
        (
            "make a key with the scope that `detail` names, or allow the origin with `orchestrator tenants "
            "change`"
        ),
    ),
    "forged": (
        "none of the account's current secrets made the webhook's signature",
        "set the endpoint's secret, then `orchestrator replay --rejected`. Or a stranger is calling",
    ),
    "gone": (
        "the gateway never had the output, or the archive has it no longer",
        "replay its hand-off: it is fetched again, if the provider still has it",
    ),
    "idempotency_key_reused": (
        "the `Idempotency-Key` was used for another request",
        "send the same request again, or use another key for a different one",
    ),
    "idempotent_jobs_gone": (
        "the jobs made with this `Idempotency-Key` were purged",
        "use another key if you want them made once more",
    ),
    "internal_error": (
        "a bug in the orchestrator",
        "look for `request_id` in the log, and report what you find",
    ),
    "invalid_json": (
        "the body is not JSON, or is ambiguous: a key appears twice, NaN, a number beyond 64 bits",
        "send JSON as a library writes it",
    ),
    "invalid_request": (
        "something in the request is wrong",
        "`errors` names each place and what is wrong there",
    ),
    "method_not_allowed": ("the path does not have this method", "`Allow` lists those it has"),
    "no_secret": (
        "the account has no signing secret",
        "set `ORCHESTRATOR_WEBHOOK_SECRETS`, then `orchestrator replay --rejected`",
    ),
    "no_signature": (
        "the header with the signature or the timestamp is missing or empty",
        "let the proxy pass `x-phaseo-*`. Or a stranger is calling",
    ),
    "no_such_path": (
        "nothing is served at this path",
        (
            "see [the operations](http.md), and [which port serves "
            "what](../how-to/serve-the-api.md#one-port-or-two)"
        ),
    ),
    "not_allowed": (
        "it exists, but not in a state where this makes sense",
        "`detail` names the state; read it again",
    ),
    "not_kept": (
        "outputs are not kept here: only the gateway has it",
        "read it there, with the key of the gateway account",
    ),
    "not_fetched": ("the output is not in the archive yet", "ask again after `Retry-After`"),
    "not_found": (
        "it does not exist, or belongs to another tenant; the answer is the same",
        "check that the id is complete, and whose key you use: `GET /v1/whoami`",
    ),
    "rate_limited": (
        "the tenant sends too many requests, or has too many streams open",
        (
            "wait for `Retry-After` seconds, or raise the limit: `orchestrator tenants change NAME "
            "--requests-per-minute N`"
        ),
    ),
    "stale": (
        "the webhook's signature is right, but its timestamp is more than 300 s off",
        "synchronize the clock; the gateway tries again, and polling goes on",
    ),
    "store_unavailable": (
        "the database is unavailable, read-only, or did not answer in time",
        "ask again after `Retry-After`; the log has the database's own message",
    ),
    "too_large": (
        "the body is larger than `ORCHESTRATOR_API_MAX_BYTES`, or a webhook than `…_WEBHOOK_MAX_BYTES`",
        "send fewer jobs at once",
    ),
    "too_long_a_url": ("path and query are longer than 8,192 bytes", "use fewer filters"),
    "too_many_headers": ("there are more than 100 headers, or more than 32 KiB of them", "send fewer"),
    "too_slow": ("the body did not arrive in time", "send it again over a faster connection"),
    "unauthorized": (
        "there is no key or token, or it is wrong, expired, revoked, or in a URL",
        "send `Authorization: Bearer hjo_…`; `orchestrator keys make` makes a key",
    ),
    "unavailable": (
        "the database or the archive cannot be used, or did not answer within 15 s",
        "ask again after `Retry-After`; the log says what is wrong",
    ),
    "unknown_account": (
        "the webhook's path does not name an account",
        "`orchestrator accounts list` shows the webhook URL of each account",
    ),
    "unknown_output": (
        "the link has no signature or a wrong one, or the output does not exist; the answer is the same",
        "take a new link from a document; keep the key that signed it in `ORCHESTRATOR_SECRET_KEYS`",
    ),
    "unreadable": (
        "the webhook is signed, but is not a UTF-8 JSON object with `data.id`",
        "nothing; it is kept among the rejected ones, as evidence for the gateway's support",
    ),
    "unsupported_media_type": (
        "the body is not `application/json` in UTF-8",
        "send `Content-Type: application/json`",
    ),
}
_OVER_HTTP = (
    "Of [the API](api.md), of [outputs](outputs.md), and of [the receiver](receiver.md), whose answers "
    "only the gateway sees."
)


def statuses() -> dict[str, list[int]]:
    """Every code that an answer may have, with its statuses, as the code of the doors names them."""
    found = [(status, code) for _, status, code in STATUSES] + [BUG]
    for file in sorted(WEB.rglob("*.py")):
        found += [(int(a), b) for a, b in re.findall(r'\b([45]\d\d)[,:] "([a-z]\w+)"', file.read_text())]
    found += [(401, str(one)) for one in Refusal] + [(400, "unreadable")]
    names = sorted({code for _, code in found})
    return {name: sorted({status for status, code in found if code == name}) for name in names}


def parts(table: Table, comments: Callable[[type[Enum]], dict[str, str]]) -> Iterator[str]:
    """The page, part by part."""
    codes = statuses()
    assert codes.keys() == CAUSES.keys(), f"say cause and remedy of {codes.keys() ^ CAUSES.keys()}"
    yield _INTRO
    yield "## Codes over HTTP"
    yield _OVER_HTTP
    rows = [(f"`{code}`", ", ".join(map(str, codes[code])), *CAUSES[code]) for code in codes]
    yield table(("code", "status", "cause", "remedy"), sorted(rows, key=lambda row: (row[1], row[0])))
    yield from exit_codes.parts(table, comments)
    yield "## Kinds of errors"
    yield "In Python and in logs. *Again* says whether asking again can help."
    yield table(("error", "what happened", "what to do", "again", "exit code", "over HTTP"), _kinds())


def _kinds() -> Iterator[tuple[str, ...]]:
    for name, kind in vars(errors).items():
        if not (inspect.isclass(kind) and issubclass(kind, OrchestratorError)) or kind is OrchestratorError:
            continue
        meaning = inspect.getdoc(kind) or ""
        yield (
            f"`{name}`",
            meaning.partition("\n\n")[0].replace("\n", " ").rstrip("."),
            kind.default_hint,
            "yes" if kind.default_retry.again else "no",
            f"{code_of(kind.__new__(kind)):d}",
            next((f"{status} `{code}`" for base, status, code in STATUSES if issubclass(kind, base)), ""),
        )

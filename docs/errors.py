"""What the reference page of errors holds: every code of the API, every exit code, every kind of error."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path

import orchestrator.web
from orchestrator import errors
from orchestrator.cli.exits import Exit, code_of
from orchestrator.core.signatures import Refusal
from orchestrator.errors import OrchestratorError
from orchestrator.web.problems import BUG, STATUSES

Table = Callable[[tuple[str, ...], Iterable[tuple[str, ...]]], str]
WEB = Path(orchestrator.web.__path__[0])
_INTRO = (
    "What can go wrong, how it is called, and what to do. An error over HTTP is a problem document ([RFC "
    "9457](https://www.rfc-editor.org/rfc/rfc9457), `application/problem+json`): `status`, a `code` that "
    "never changes, `detail` (what happened), mostly a `hint` (what to do), and `request_id`, under which "
    "the log has it. On the command line the first line says what happened, the second what to do, and "
    "the exit code is for scripts."
)

# Each code with its cause and its remedy. One that `orchestrator/web` names and is not here fails the page.
CAUSES: dict[str, tuple[str, str]] = {
    "ambiguous_length": (
        "the body has a `Content-Length` and comes in chunks, or in chunks where HTTP has none",
        "send one of them; see what a proxy in between does to requests",
    ),
    "bad_timestamp": (
        "a webhook's timestamp is neither epoch seconds or milliseconds nor ISO 8601",
        "see what on the way changes headers; the gateway sends it right",
    ),
    "beyond_the_end": (
        "the range begins beyond the end of the output",
        "ask for less: `Content-Range` says the size",
    ),
    "busy": ("the bodies under way would take more memory than is allowed", "ask again after `Retry-After`"),
    "damaged": (
        "the archive has other bytes than were put there",
        "[deliver the output again](../explanation/archive.md#verified-when-it-is-read): it is fetched anew",
    ),
    "forbidden": (
        "the key lacks the scope, or the token is not for this, or the page's origin is not allowed",
        "make a key with the scope that `detail` names; allow the origin: `orchestrator tenants change`",
    ),
    "forged": (
        "no live secret of the account made the webhook's signature",
        "set the endpoint's secret, then `orchestrator replay --rejected`; or somebody else is calling",
    ),
    "gone": (
        "the gateway never had the output, or the archive has it no longer",
        "replay its hand-off, which fetches it again while the provider has it",
    ),
    "idempotency_key_reused": (
        "the `Idempotency-Key` was used for another request",
        "send the same request again, or use another key for another one",
    ),
    "idempotent_jobs_gone": (
        "what this `Idempotency-Key` made was purged",
        "use another key, if you want it made once more",
    ),
    "internal_error": (
        "a bug of the orchestrator's",
        "look up `request_id` in the log, and report what is there",
    ),
    "invalid_json": (
        "the body is no JSON, or none that means one thing only: a key twice, NaN, a number beyond 64 bits",
        "send what a JSON library writes",
    ),
    "invalid_request": ("something of it is not as it must be", "`errors` says where and what"),
    "method_not_allowed": ("the path has no such method", "`Allow` names those that it has"),
    "no_secret": (
        "the account has no signing secret",
        "set `ORCHESTRATOR_WEBHOOK_SECRETS`, then `orchestrator replay --rejected`",
    ),
    "no_signature": (
        "the header with the signature or the timestamp is missing or empty",
        "let the proxy pass `x-phaseo-*`; or somebody else is calling",
    ),
    "no_such_path": (
        "nothing is served under the path",
        "see [the operations](http.md), and which port serves what",
    ),
    "not_allowed": (
        "it is there, but not in a state where this makes sense",
        "`detail` says which; read it anew",
    ),
    "not_fetched": ("the output is not in the archive yet", "ask again after `Retry-After`"),
    "not_found": (
        "there is none, or it is another tenant's: nobody can tell which",
        "see whether the id is whole, and whose key it is: `GET /v1/whoami`",
    ),
    "rate_limited": (
        "the tenant sent too many requests, or holds too many streams open",
        "wait for `Retry-After` seconds; `orchestrator tenants change NAME --requests-per-minute N`",
    ),
    "stale": (
        "the webhook's signature is right, and older or newer than 300 s",
        "synchronize the clock; the gateway sends again, and looks go on",
    ),
    "store_unavailable": (
        "the database cannot be used now, is read-only, or did not answer in time",
        "ask again after `Retry-After`; the log says what the database said",
    ),
    "too_large": (
        "the body has more than `ORCHESTRATOR_API_MAX_BYTES`, or a webhook than `…_WEBHOOK_MAX_BYTES`",
        "send fewer jobs at once",
    ),
    "too_long_a_url": ("the path with its query has more than 8,192 bytes", "ask with fewer filters"),
    "too_many_headers": ("more than 100 headers, or more than 32 KiB of them", "send fewer"),
    "too_slow": ("the body did not come within its time", "send it again, over a better connection"),
    "unauthorized": (
        "there is no key or token, or it is not a good one: wrong, expired, revoked, or in a URL",
        "send `Authorization: Bearer hjo_…`; `orchestrator keys make` makes a key",
    ),
    "unavailable": (
        "the database or the archive cannot be used, or did not answer within 15 s",
        "ask again after `Retry-After`; the log says what is wrong",
    ),
    "unknown_account": (
        "the path of a webhook names no account",
        "`orchestrator accounts list` says where webhooks of each arrive",
    ),
    "unknown_output": (
        "the link has no signature or a wrong one, or there is no such output: the same answer for all",
        "take the link from a document anew; keep the key that signed it in `ORCHESTRATOR_SECRET_KEYS`",
    ),
    "unreadable": (
        "the webhook is signed, and no UTF-8 JSON object with `data.id`",
        "nothing: it is kept among the rejected ones, for whoever asks the gateway",
    ),
    "unsupported_media_type": (
        "the body is not `application/json` in UTF-8",
        "send `Content-Type: application/json`",
    ),
}
_REMEDIES: dict[Exit, str] = {
    Exit.OK: "nothing",
    Exit.OTHERWISE: "`orchestrator show JOB` says what became of it, `check` what to do about each finding",
    Exit.USAGE: "the second line says what to give; see `--help` and [Settings](settings.md)",
    Exit.REFUSED: "`orchestrator jobs`, `inbox` and `dead-letters` list what there is",
    Exit.STORE: "`orchestrator check` says what is wrong; `orchestrator migrate` brings it to this version",
    Exit.GATEWAY: "check the address and the network, and ask again: nothing is lost",
    Exit.INTERRUPTED: "nothing: jobs that were kept go on",
}


_OVER_HTTP = (
    "Of [the API](api.md), of [outputs](outputs.md), and of [the receiver](receiver.md), whose answers "
    "only the gateway sees."
)
_EXITS = (
    "In more words, and for each command: [Exit codes](exit-codes.md). A process of ours that cannot go "
    "on exits with 70."
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
    rows = [(", ".join(map(str, codes[code])), f"`{code}`", *CAUSES[code]) for code in codes]
    yield table(("status", "code", "cause", "remedy"), sorted(rows))
    yield "## Exit codes"
    yield _EXITS
    meanings = comments(Exit)
    exits = [(f"{one:d}", meanings[str(one.value)], _REMEDIES[one]) for one in Exit]
    yield table(("code", "cause", "remedy"), exits)
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

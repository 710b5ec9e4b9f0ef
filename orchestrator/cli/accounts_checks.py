"""Whether each gateway account can be used: its secrets opened, its key taken, its clock like ours."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from orchestrator import wiring
from orchestrator.cli.findings import Finding
from orchestrator.cli.looking import Rows
from orchestrator.cli.side_by_side import Check
from orchestrator.core.signatures import TOLERANCE
from orchestrator.engine.account_secrets import Opened
from orchestrator.engine.alarms import CLOCK_MAY_DIFFER
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import OrchestratorError
from orchestrator.gateway.client import Greeting
from orchestrator.settings import Settings
from orchestrator.store import accounts
from orchestrator.store.schema import DEFAULT

MAY_LAG = 2.0  # seconds: an answer's Date is cut to whole ones, and servers write it once a second
# What the gateway itself says of keys (contract 0 and 1).
_MANAGEMENT = "phaseo_v1_mk_"
_OLD = "aistats_v1_"


def each(settings: Settings, rows: Rows) -> list[tuple[str, Opened]]:
    """Every account, the default one first, by what its findings are about: empty for that one."""
    opened = wiring.opener(settings)
    entries = sorted(rows.read(accounts.every), key=lambda one: one.id != DEFAULT)
    found = [("" if one.id == DEFAULT else f" {one.tenant_id}/{one.name}", opened(one)) for one in entries]
    return found or [("", opened.default)]


def gateways(settings: Settings, rows: Rows) -> Iterator[Check]:
    """One for the default account, under the name gateway, and one for each of a tenant's own."""
    for name, opened in each(settings, rows):
        what = f"account{name}" if name else "gateway"
        yield Check(what, partial(_asked, settings, what, opened))


def _asked(settings: Settings, what: str, opened: Opened) -> Iterator[Finding]:
    key = opened.api_key.get_secret_value()
    if opened.problem is None and not key:
        found = f"not asked: there is no key for {opened.base_url}"
        hint = "set ORCHESTRATOR_GATEWAY_API_KEY; `orchestrator demo` needs none"
        yield Finding("warn", what, found, hint)
        return
    before = wiring.wall_clock()
    try:
        greeting = _greeted(settings, opened)
    except OrchestratorError as error:
        yield Finding("fail", what, f"{opened.base_url}: {error.message}", _hint(key, error))
        return
    refusal = greeting.refusal
    if refusal is None:
        yield Finding("ok", what, f"{opened.base_url} answers and takes the key")
        yield from _old_key(what, key)
    else:
        yield Finding("fail", what, f"{opened.base_url}: {refusal.message}", _hint(key, refusal))
    # What refuses in the gateway's words tells the gateway's time; a page of whatever else does not.
    if greeting.told_at is not None and (refusal is None or refusal.code):
        yield _clock(opened.base_url, _off(before, greeting.told_at))


def _greeted(settings: Settings, opened: Opened) -> Greeting:
    gateway, http = wiring.connected(settings, opened.account()), HttpLoop()
    try:
        return http.run(gateway.greet())
    finally:
        http.stop(gateway.aclose)


def _off(before: float, told: float) -> float:
    """Seconds by which our clock is ahead of the gateway's, surely; `before` we asked."""
    return max(0.0, before - told - MAY_LAG) + min(0.0, wiring.wall_clock() - told)


def _clock(where: str, off: float) -> Finding:
    if abs(off) <= CLOCK_MAY_DIFFER:
        return Finding("ok", "clock", f"within {CLOCK_MAY_DIFFER:.0f} s of that of {where}")
    way = "ahead of" if off > 0 else "behind"
    found = f"this clock is {abs(off):.0f} s {way} that of {where}"
    hint = f"synchronize it by NTP: webhooks signed more than {TOLERANCE:.0f} s from it are refused"
    return Finding("fail" if abs(off) > TOLERANCE else "warn", "clock", found, hint)


def _old_key(what: str, key: str) -> list[Finding]:
    if not key.startswith(_OLD):
        return []
    hint = "make a key in the gateway's console, and put it in the place of this one"
    return [
        Finding("warn", what, "its key is of an old kind, which the gateway takes until 2027-01-01", hint)
    ]


def _hint(key: str, error: OrchestratorError) -> str:
    if key.startswith(_MANAGEMENT):
        return "this is a management key, for webhook endpoints alone: give an API key (phaseo_v1_sk_…)"
    if key[:1] in ("'", '"'):
        return "the key has quotes around it: leave them out where the setting is written"
    return error.hint

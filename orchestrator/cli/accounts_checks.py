"""Whether each gateway account can be used: its secrets opened, its key taken, its clock like ours."""

from __future__ import annotations

from orchestrator import wiring
from orchestrator.cli.catalogued import existing_store
from orchestrator.cli.findings import Finding
from orchestrator.core.signatures import TOLERANCE
from orchestrator.engine.account_secrets import Opened
from orchestrator.engine.alarms import CLOCK_MAY_DIFFER
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import OrchestratorError, StoreError
from orchestrator.settings import Settings
from orchestrator.store import accounts
from orchestrator.store.accounts import Entry
from orchestrator.store.schema import DEFAULT

MAY_LAG = 2.0  # seconds: an answer's Date is cut to whole ones, and servers write it once a second
# What the gateway itself says of keys (contract 0 and 1).
_MANAGEMENT = "phaseo_v1_mk_"
_OLD = "aistats_v1_"


def each(settings: Settings) -> list[tuple[str, Opened]]:
    """Every account, the default one first, by what its findings are about: empty for that one."""
    opened = wiring.opener(settings)
    found = [
        ("" if one.id == DEFAULT else f" {one.tenant_id}/{one.name}", opened(one))
        for one in _entries(settings)
    ]
    return found or [("", opened.default)]


def gateways(settings: Settings) -> list[Finding]:
    """One for the default account, under the name gateway, and one for each of a tenant's own."""
    return [one for name, opened in each(settings) for one in _asked(settings, name, opened)]


def _entries(settings: Settings) -> list[Entry]:
    try:
        with existing_store(settings) as store:
            if store is None:
                return []
            with store.read() as tx:
                found = accounts.every(tx)
    except StoreError:
        return []  # said by the check of the database
    return sorted(found, key=lambda one: one.id != DEFAULT)


def _asked(settings: Settings, name: str, opened: Opened) -> list[Finding]:
    what, key = f"account{name}" if name else "gateway", opened.api_key.get_secret_value()
    if opened.problem is None and not key:
        found = f"not asked: there is no key for {opened.base_url}"
        hint = "set ORCHESTRATOR_GATEWAY_API_KEY; `orchestrator demo` needs none"
        return [Finding("warn", what, found, hint)]
    try:
        off = _off(settings, opened)
    except OrchestratorError as error:
        return [Finding("fail", what, f"{opened.base_url}: {error.message}", _hint(key, error))]
    found = f"{opened.base_url} answers and takes the key"
    return [Finding("ok", what, found), *_old_key(what, key), *_clock(opened.base_url, off)]


def _off(settings: Settings, opened: Opened) -> float | None:
    """Seconds by which our clock is ahead of the gateway's, surely; None where it does not tell its time."""
    gateway, http = wiring.connected(settings, opened.account()), HttpLoop()
    before = wiring.wall_clock()
    try:
        told = http.run(gateway.what_time())
    finally:
        http.stop(gateway.aclose)
    if told is None:
        return None
    return max(0.0, before - told - MAY_LAG) + min(0.0, wiring.wall_clock() - told)


def _clock(where: str, off: float | None) -> list[Finding]:
    if off is None or abs(off) <= CLOCK_MAY_DIFFER:
        return []
    way = "ahead of" if off > 0 else "behind"
    found = f"this clock is {abs(off):.0f} s {way} that of {where}"
    hint = f"synchronize it by NTP: webhooks signed more than {TOLERANCE:.0f} s from it are refused"
    return [Finding("fail" if abs(off) > TOLERANCE else "warn", "clock", found, hint)]


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

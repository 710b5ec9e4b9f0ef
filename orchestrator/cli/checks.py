"""Every check, in the order in which people read what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from orchestrator.cli import (
    accounts_checks,
    catalogued,
    database_checks,
    destinations_checks,
    folder_checks,
    limits_checks,
    port_checks,
    processes_checks,
    public_checks,
    webhooks_checks,
)
from orchestrator.cli.findings import Finding
from orchestrator.cli.side_by_side import Check, look_at_all
from orchestrator.settings import Problem, Settings

WITHIN = 20.0  # seconds for all of them; a connection that hangs is mostly given up sooner

_DATABASE = frozenset({"data_dir", "database_url", "database_connections"})
_ARCHIVE = _DATABASE | {"archive_dir", "destinations_file", "secret_keys"}
_ACCOUNTS = _DATABASE | {
    "gateway_url",
    "gateway_api_key",
    "secret_keys",
    "webhook_endpoint_id",
    "webhook_secrets",
}
_LISTENING = frozenset({"host", "port", "api_host", "api_port"})
_PUBLIC = _LISTENING | {"public_url", "trusted_proxies", "dashboard"}


def every_check(
    settings: Settings, problems: Sequence[Problem] = (), *, destinations: bool = False
) -> list[Finding]:
    """What all of them found; with `destinations` also those that write there."""
    found = look_at_all(_checks(settings, destinations), settings, problems, within=WITHIN)
    return [*_settings(problems), *found]


def _settings(problems: Sequence[Problem]) -> list[Finding]:
    hint = "correct it, or take it away; `orchestrator check --settings` says what each is for"
    wrong = [Finding("fail", "settings", one.words, hint) for one in problems]
    return wrong or [Finding("ok", "settings", "all known and readable")]


def _checks(settings: Settings, write: bool) -> list[Check]:
    said = _ARCHIVE | {"output_dir"}
    return [
        Check("database", database_checks.database, _DATABASE),
        *([Check("broker", lambda one: [processes_checks.broker(one)])] if settings.scaled else []),
        Check("output folder", folder_checks.output_folder, frozenset({"output_dir"})),
        Check("archive", partial(folder_checks.archive, write=write), _ARCHIVE),
        Check("disk", folder_checks.disk, _ARCHIVE | {"output_dir"}),
        Check("secrets", destinations_checks.secrets, _ARCHIVE),
        Check("gateway", accounts_checks.gateways, _ACCOUNTS),
        Check("webhooks", webhooks_checks.webhooks, _ACCOUNTS | _PUBLIC),
        Check("hook health", webhooks_checks.health, _DATABASE),
        Check("public url", public_checks.public_url, _PUBLIC),
        Check("exposure", public_checks.exposure, _PUBLIC),
        Check("port", port_checks.port, _LISTENING),
        Check("limits", limits_checks.limits, _DATABASE),
        Check("destinations", catalogued.probes if write else destinations_checks.destinations, said),
    ]

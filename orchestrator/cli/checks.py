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
from orchestrator.cli.looking import Rows
from orchestrator.cli.side_by_side import Check, look_at_all
from orchestrator.settings import Problem, Settings

WITHIN = 20.0  # seconds for all of them; a connection that hangs is mostly given up sooner
GATEWAY_WITHIN = 8.0  # seconds for an answer of the gateway: a look may take longer

_DATABASE = frozenset({"data_dir", "database_url", "database_connections"})
_ARCHIVE = frozenset({"data_dir", "archive_dir", "destinations_file", "secret_keys"})
_LISTENING = frozenset({"host", "port", "api_host", "api_port"})
_ENDPOINT = frozenset({"gateway_url", "webhook_endpoint_id", "webhook_secrets"})


def every_check(
    settings: Settings, problems: Sequence[Problem] = (), *, destinations: bool = False
) -> list[Finding]:
    """What all of them found; with `destinations` also those that write there."""
    wrong = frozenset(name for one in problems for name in one.fields)
    hasty = {"look_timeout_seconds": min(settings.look_timeout_seconds, GATEWAY_WITHIN)}
    checks = _checks(settings.model_copy(update=hasty), wrong, destinations)
    return [*_settings(problems), *look_at_all(checks, wrong, within=WITHIN)]


def _settings(problems: Sequence[Problem]) -> list[Finding]:
    hint = "correct it, or take it away; `orchestrator check --settings` says what each is for"
    wrong = [Finding("fail", "settings", one.words, hint) for one in problems]
    return wrong or [Finding("ok", "settings", "all known and readable")]


def _checks(settings: Settings, wrong: frozenset[str], write: bool) -> list[Check]:
    """Each needs as little as it can: what is wrong with one setting hides nothing of the others."""
    rows = Rows(settings, usable=not wrong & _DATABASE)
    # Without the keys the accounts of the database cannot be opened: those of the settings are looked at.
    sealed = Rows(settings, usable=rows.usable and "secret_keys" not in wrong)
    return [
        Check("database", partial(database_checks.database, settings), _DATABASE),
        Check("broker", partial(processes_checks.brokers, settings), frozenset({"broker_url"})),
        Check("output folder", partial(folder_checks.output_folder, settings), frozenset({"output_dir"})),
        Check("archive", partial(folder_checks.archive, settings, write=write), _ARCHIVE),
        Check("disk", partial(folder_checks.disk, settings, wrong)),
        Check("secrets", partial(destinations_checks.secrets, settings, rows), frozenset({"secret_keys"})),
        Check(
            "gateway",
            partial(accounts_checks.gateways, settings, sealed),
            frozenset({"gateway_url", "gateway_api_key"}),
        ),
        Check("webhooks", partial(webhooks_checks.webhooks, settings, sealed), _ENDPOINT),
        Check("hook health", partial(webhooks_checks.health, rows)),
        Check("public url", partial(public_checks.public_url, settings), frozenset({"public_url"})),
        Check(
            "exposure",
            partial(public_checks.exposure, settings),
            _LISTENING | {"public_url", "trusted_proxies"},
        ),
        Check("port", partial(port_checks.port, settings, rows), _LISTENING),
        Check(
            "metrics port", partial(port_checks.metrics_port, settings, rows), frozenset({"metrics_address"})
        ),
        Check("limits", partial(limits_checks.limits, settings, rows)),
        Check(
            "destinations",
            partial(catalogued.probes, settings)
            if write
            else partial(destinations_checks.destinations, settings, rows),
            frozenset({"destinations_file", "secret_keys"})
            | (_DATABASE | {"output_dir"} if write else frozenset()),
        ),
    ]

"""Whether webhooks come: the endpoint at the gateway, the way to our receiver, and how they came so far."""

from __future__ import annotations

from contextlib import closing

from orchestrator import wiring
from orchestrator.cli.accounts_checks import each
from orchestrator.cli.findings import Finding
from orchestrator.cli.management import KEY_VARIABLE, management_at
from orchestrator.cli.processes_checks import web_answers
from orchestrator.cli.receiver_checks import Prober
from orchestrator.core.learned.hooks import Health
from orchestrator.engine import endpoint_standing, hook_health
from orchestrator.engine.account_secrets import Opened
from orchestrator.engine.endpoint_standing import Trouble
from orchestrator.engine.hook_health import Standing
from orchestrator.errors import GatewayError, OrchestratorError, SettingError
from orchestrator.gateway.endpoints import Endpoint
from orchestrator.settings import Settings
from orchestrator.store import migrate
from orchestrator.store.database import sqlite_path
from orchestrator.store.schema import DEFAULT

NO_ENDPOINT = "no endpoint: jobs are followed by looks alone"


def webhooks(settings: Settings) -> list[Finding]:
    """Of each account that has an endpoint; of the default one also that it has none."""
    accounts = each(settings)
    called = any(opened.webhook_endpoint_id for _, opened in accounts)
    running = called and web_answers(settings).status == "ok"
    prober = Prober(wiring.public_tls(), wiring.wall_clock, running)
    return [one for name, opened in accounts for one in _of(settings, name, opened, prober)]


def _of(settings: Settings, name: str, opened: Opened, prober: Prober) -> list[Finding]:
    what = f"webhooks{name}"
    if not opened.webhook_endpoint_id:
        hint = "`orchestrator webhooks register` makes one, and keeps its id and its secret"
        return [Finding("warn", what, NO_ENDPOINT, hint)] if opened.id == DEFAULT else []
    if opened.problem is not None:
        return []  # said of the account
    count = len(opened.webhook_secrets)
    secrets = "1 secret" if count == 1 else f"{count} secrets"
    held = Finding("ok", what, f"endpoint {opened.webhook_endpoint_id}, {secrets}")
    troubles = [*endpoint_standing.unfinished(opened), *endpoint_standing.odd_secrets(opened)]
    endpoint, asked = _at_the_gateway(settings, what, opened)
    return [
        held,
        *(_finding(what, one) for one in troubles),
        *asked,
        *_way(settings, f"receiver{name}", opened, endpoint, prober),
    ]


def _at_the_gateway(settings: Settings, what: str, opened: Opened) -> tuple[Endpoint | None, list[Finding]]:
    """The endpoint as the gateway shows it, where a management key lets it be asked."""
    try:
        with management_at(settings, opened) as asking:
            if asking is None:
                hint = f"export {KEY_VARIABLE} for this command alone: a management key with settings:read"
                return None, [Finding("warn", what, "the gateway was not asked about the endpoint", hint)]
            management, http = asking
            endpoint = http.run(management.get(opened.webhook_endpoint_id or ""))
    except (GatewayError, SettingError) as error:
        status = "fail" if opened.id == DEFAULT else "warn"
        return None, [Finding(status, what, f"the endpoint: {error.message}", error.hint)]
    if endpoint is None and opened.id != DEFAULT:  # that key may be of the default account's workspace
        hint = "see `orchestrator webhooks status --account … --management-key-env …`, with its own key"
        return None, [
            Finding("warn", what, f"{KEY_VARIABLE} shows no endpoint {opened.webhook_endpoint_id}", hint)
        ]
    found = [_finding(what, one) for one in endpoint_standing.wrong_with(endpoint, opened, settings)]
    return endpoint, found or [Finding("ok", what, "at the gateway: active, with every event and this URL")]


def _finding(what: str, one: Trouble) -> Finding:
    return Finding("fail" if one.serious else "warn", what, one.found, one.hint)


def _way(
    settings: Settings, what: str, opened: Opened, endpoint: Endpoint | None, prober: Prober
) -> list[Finding]:
    """From the URL that the gateway calls, or that we think it calls, to our receiver."""
    if endpoint is not None:
        url = endpoint.url
    elif endpoint_standing.public(settings):
        url = endpoint_standing.url_of(settings, opened.id)
    else:
        hint = "set ORCHESTRATOR_PUBLIC_URL to the URL at which the outside reaches the receiver"
        return [Finding("warn", what, "it is not known at which URL the gateway calls", hint)]
    secret = next((one.get_secret_value() for one in opened.webhook_secrets), None)
    return prober.receiver(what, url, secret)


def health(settings: Settings) -> list[Finding]:
    """How the webhooks of each endpoint come, once some were awaited."""
    path = sqlite_path(settings.resolved_database_url)
    if path is not None and not path.exists():
        return []
    try:
        with closing(wiring.open_store(settings)) as store:
            if not migrate.version(store).current:
                return []  # said by the check of the database, as what fails is
            with store.read() as tx:
                return [_comes(one) for one in hook_health.of_every(tx) if one.provider is None]
    except OrchestratorError:
        return []


def _comes(one: Standing) -> Finding:
    status = "warn" if one.health in (Health.SILENT, Health.DEGRADED) else "ok"
    hint = "looks make up for them; `orchestrator hooks health` tells of each provider"
    return Finding(status, "hook health", f"{one.account}: {one.health}, {one.why}", hint)

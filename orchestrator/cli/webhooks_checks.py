"""Whether webhooks come: the endpoint at the gateway, the way to our receiver, and how they came so far."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from orchestrator import wiring
from orchestrator.cli.accounts_checks import each
from orchestrator.cli.findings import Finding
from orchestrator.cli.looking import Rows
from orchestrator.cli.management import KEY_VARIABLE, management_at
from orchestrator.cli.processes_checks import answers_here
from orchestrator.cli.receiver_checks import Prober
from orchestrator.cli.side_by_side import Check
from orchestrator.core.learned.hooks import Health
from orchestrator.engine import endpoint_standing, hook_health
from orchestrator.engine.account_secrets import Opened
from orchestrator.engine.endpoint_standing import Trouble
from orchestrator.engine.hook_health import Standing
from orchestrator.errors import GatewayError, RequestError, SettingError
from orchestrator.gateway.endpoints import Endpoint
from orchestrator.settings import Settings
from orchestrator.store.schema import DEFAULT

NO_ENDPOINT = "no endpoint: jobs are followed by looks alone"


def webhooks(settings: Settings, rows: Rows) -> Iterator[Check | Finding]:
    """Of each account that has an endpoint; of the default one also that it has none."""
    prober = Prober(wiring.public_tls(), wiring.wall_clock, partial(answers_here, settings))
    for name, opened in each(settings, rows):
        if opened.webhook_endpoint_id:
            yield Check(f"webhooks{name}", partial(_of, settings, name, opened, prober))
        elif opened.id == DEFAULT and opened.problem is None:  # that is said of the account
            hint = (
                f"`orchestrator webhooks register` makes one: it takes {KEY_VARIABLE} and a public https URL"
            )
            yield Finding("warn", "webhooks", NO_ENDPOINT, hint)


def _of(settings: Settings, name: str, opened: Opened, prober: Prober) -> Iterator[Finding]:
    what, count = f"webhooks{name}", len(opened.webhook_secrets)
    secrets = "1 secret" if count == 1 else f"{count} secrets"
    yield Finding("ok", what, f"endpoint {opened.webhook_endpoint_id}, {secrets}")
    options = _options(name)
    for one in (*endpoint_standing.unfinished(opened, options), *endpoint_standing.odd_secrets(opened)):
        yield _finding(what, one)
    endpoint, asked = _at_the_gateway(settings, what, opened, options)
    yield from asked
    yield from _way(settings, f"receiver{name}", opened, endpoint, prober)


def _at_the_gateway(
    settings: Settings, what: str, opened: Opened, options: str
) -> tuple[Endpoint | None, list[Finding]]:
    """The endpoint as the gateway shows it, where a management key lets it be asked."""
    try:
        with management_at(settings, opened) as asking:
            if asking is None:
                hint = f"export {KEY_VARIABLE} for this command alone: a management key with settings:read"
                return None, [Finding("warn", what, "the gateway was not asked about the endpoint", hint)]
            management, http = asking
            endpoint = http.run(management.get(opened.webhook_endpoint_id or ""))
    except RequestError as error:  # it is not for this account's gateway
        return None, [Finding("warn", what, f"the endpoint: {error.message}", error.hint)]
    except (GatewayError, SettingError) as error:
        status = "fail" if opened.id == DEFAULT else "warn"
        return None, [Finding(status, what, f"the endpoint: {error.message}", error.hint)]
    if endpoint is None and opened.id != DEFAULT:  # that key may be of the default account's workspace
        hint = f"see `orchestrator webhooks status{options} --management-key-env …`, with its own key"
        return None, [
            Finding("warn", what, f"{KEY_VARIABLE} shows no endpoint {opened.webhook_endpoint_id}", hint)
        ]
    found = [_finding(what, one) for one in endpoint_standing.wrong_with(endpoint, opened, settings, options)]
    return endpoint, found or [Finding("ok", what, "at the gateway: active, with every event and this URL")]


def _options(name: str) -> str:
    tenant, _, account = name.strip().partition("/")
    return endpoint_standing.options_for(tenant, account) if name else ""


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


def health(rows: Rows) -> list[Finding]:
    """How the webhooks of each endpoint come, once some were awaited."""
    return [_comes(one) for one in rows.read(hook_health.of_every) if one.provider is None]


def _comes(one: Standing) -> Finding:
    status = "warn" if one.health in (Health.SILENT, Health.DEGRADED) else "ok"
    hint = "looks make up for them; `orchestrator hooks health` has each provider"
    return Finding(status, "hook health", f"{one.account}: {one.health}, {one.why}", hint)

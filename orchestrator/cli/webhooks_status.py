"""How an account's webhooks are set up and how they come: what the gateway says of them, and what we saw."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator import wiring
from orchestrator.cli.webhooks_desk import Desk
from orchestrator.engine import endpoint_standing, hook_health
from orchestrator.engine.endpoint_standing import SecretUse, Trouble
from orchestrator.engine.hook_health import Standing
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import GatewayError
from orchestrator.gateway.deliveries import Try
from orchestrator.gateway.endpoints import Endpoint


@dataclass(frozen=True, slots=True)
class Status:
    """How an account's webhooks are set up, and how they come."""

    account: str
    url: str
    endpoint_id: str | None
    endpoint: Endpoint | None
    troubles: list[Trouble]
    secrets: list[SecretUse]
    health: list[Standing]
    deliveries: list[Try]
    now: float


def status(desk: Desk, deliveries: int) -> Status:
    """What can be known; what cannot is among the troubles. Raises GatewayError."""
    there, troubles = _at_the_gateway(desk)
    tried, why = _tried(desk, deliveries)
    secrets, health, now = _received(desk)
    return Status(
        account=desk.entry.name,
        url=endpoint_standing.url_of(desk.settings, desk.opened.id),
        endpoint_id=desk.opened.webhook_endpoint_id,
        endpoint=there,
        troubles=[
            *endpoint_standing.unfinished(desk.opened, _options(desk)),
            *endpoint_standing.odd_secrets(desk.opened),
            *troubles,
            *why,
        ],
        secrets=secrets,
        health=health,
        deliveries=tried,
        now=now,
    )


def _at_the_gateway(desk: Desk) -> tuple[Endpoint | None, list[Trouble]]:
    endpoint_id = desk.opened.webhook_endpoint_id
    if endpoint_id is None:
        hint = f"`orchestrator webhooks register{_options(desk)}` makes one"
        return None, [Trouble("no endpoint: jobs are followed by looks alone", hint, serious=False)]
    if desk.asking is None:
        found = f"the gateway was not asked: there is no {desk.variable}"
        return None, [Trouble(found, "export a management key with settings:read", serious=False)]
    management, http = desk.asking
    there = http.run(management.get(endpoint_id))
    return there, endpoint_standing.wrong_with(there, desk.opened, desk.settings, _options(desk))


def _options(desk: Desk) -> str:
    return endpoint_standing.options_for(desk.entry.tenant_id, desk.entry.name)


def _received(desk: Desk) -> tuple[list[SecretUse], list[Standing], float]:
    if desk.store is None:
        return [], [], wiring.wall_clock()
    with desk.store.read() as tx:
        uses = endpoint_standing.uses(tx, desk.opened, desk.settings)
        health = [one for one in hook_health.of_every(tx) if one.account == desk.opened.id]
        return uses, health, tx.now


def _tried(desk: Desk, many: int) -> tuple[list[Try], list[Trouble]]:
    """What the gateway tells of attempts, by the account's own key."""
    if not many or not desk.opened.api_key.get_secret_value():
        return [], []
    gateway, http = wiring.connected(desk.settings, desk.opened.account()), HttpLoop()
    try:
        tried = http.run(gateway.deliveries())
    except GatewayError as error:
        return [], [Trouble(f"the deliveries: {error.message}", error.hint, serious=False)]
    finally:
        http.stop(gateway.aclose)
    ours = [one for one in tried if one.endpoint_id == desk.opened.webhook_endpoint_id]
    return ours[:many], []

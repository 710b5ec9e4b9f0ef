"""How an account's webhooks are set up: its endpoint, its secrets, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import SecretStr

from orchestrator.core.signatures import signer
from orchestrator.engine.account_secrets import Opened
from orchestrator.engine.endpoint import leads_to, missing, same_url
from orchestrator.gateway.endpoints import Endpoint
from orchestrator.settings import Settings
from orchestrator.store import inbox
from orchestrator.store.database import Transaction
from orchestrator.store.schema import DEFAULT

LATEST = 500  # deliveries that are asked who signed them
MADE_HERE = 40  # characters: secrets of the gateway have 49, and four of them tell nothing
_TOLD = 4


class Origin(StrEnum):
    """Where a secret is kept."""

    DATABASE = "database"
    SETTINGS = "settings"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong, and what to do; `serious` where webhooks do not come because of it."""

    found: str
    hint: str
    serious: bool


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A signing secret by its last letters: where it is, until when it is believed, and its last use.

    Times are in epoch seconds. `until` is None for one that is not replaced; `last_used_at` is None where
    none of the latest deliveries was signed with it.
    """

    ends_with: str
    origin: Origin
    until: float | None
    deliveries: int
    last_used_at: float | None


def path_of(account_id: str) -> str:
    """Where an account's webhooks arrive."""
    return f"/webhooks/gateway/{account_id}"


def url_of(settings: Settings, account_id: str) -> str:
    """The URL of an account's webhooks, as far as the settings say what the outside reaches."""
    return settings.receiver_url + path_of(account_id)


def public(settings: Settings) -> bool:
    """Whether the settings say at which URL the outside reaches the receiver."""
    return settings.public_url is not None and settings.api_address is None


def options_for(tenant: str, account: str) -> str:
    """What a command about this account's endpoint needs to be told."""
    return "" if (tenant, account) == (DEFAULT, DEFAULT) else f" --tenant {tenant} --account {account}"


def wrong_with(
    endpoint: Endpoint | None, opened: Opened, settings: Settings, options: str = ""
) -> list[Trouble]:
    """Everything that is wrong with the endpoint as the gateway shows it; None where it has no such one.

    `options` are those that a command needs to mend it.
    """
    register = f"`orchestrator webhooks register{options}`"
    mends = f"{register} mends it"
    if endpoint is None:
        words = f"the gateway has no endpoint {opened.webhook_endpoint_id} for this management key"
        hint = f"it was deleted, or is another workspace's: {register} makes one"
        return [Trouble(words, hint, serious=True)]
    found = []
    if not endpoint.active:
        found.append(
            Trouble(f"the endpoint is {endpoint.status}: nothing is sent to it", mends, serious=True)
        )
    if lacking := missing(endpoint.events):
        words = f"the endpoint is not subscribed to {', '.join(lacking)}"
        hint = f"{mends}; jobs of this orchestrator ask for their own events, those of others do not"
        found.append(Trouble(words, hint, serious=False))
    return [*found, *_wrong_url(endpoint, opened, settings, mends)]


def _wrong_url(endpoint: Endpoint, opened: Opened, settings: Settings, mends: str) -> list[Trouble]:
    if not leads_to(endpoint.url, path_of(opened.id)):
        words = (
            f"the endpoint's URL {endpoint.url} is not of this account, whose path is {path_of(opened.id)}"
        )
        return [Trouble(words, mends, serious=True)]
    if public(settings) and not same_url(endpoint.url, url_of(settings, opened.id)):
        words = f"the endpoint's URL is {endpoint.url}, and by ORCHESTRATOR_PUBLIC_URL it is "
        return [Trouble(words + url_of(settings, opened.id), mends, serious=False)]
    return []


def unfinished(opened: Opened, options: str = "") -> list[Trouble]:
    """A rotation that began and did not end."""
    if opened.begun_at is None:
        return []
    words = (
        "replacing its signing secret was begun and not finished: the gateway may sign with one nobody has"
    )
    return [Trouble(words, f"`orchestrator webhooks rotate{options}` finishes it", serious=True)]


def odd_secrets(opened: Opened) -> list[Trouble]:
    """Secrets that were surely not pasted whole."""
    odd = [one for one in opened.webhook_secrets if not one.get_secret_value().startswith("whsec_")]
    if not odd:
        return []
    words = f"{len(odd)} of its {len(opened.webhook_secrets)} signing secrets does not begin with whsec_"
    hint = "the key is the whole text that the gateway shows, without quotes around it"
    return [Trouble(words, hint, serious=False)]


def uses(tx: Transaction, opened: Opened, settings: Settings) -> list[SecretUse]:
    """Each secret that is believed or was, with its last use among the latest deliveries."""
    secrets = [*opened.webhook_secrets, *(one.secret for one in opened.retired)]
    in_settings = {one.secret for one in settings.signing_secrets}
    until = [None] * len(opened.webhook_secrets) + [one.until for one in opened.retired]
    signed = _signed(tx, opened.id, secrets)
    return [
        SecretUse(
            _last_letters(secret),
            Origin.SETTINGS if secret in in_settings else Origin.DATABASE,
            until[number],
            len(signed[number]),
            max(signed[number], default=None),
        )
        for number, secret in enumerate(secrets)
    ]


def _signed(tx: Transaction, account_id: str, secrets: Sequence[SecretStr]) -> list[list[float]]:
    values = [one.get_secret_value() for one in secrets]
    found: list[list[float]] = [[] for _ in values]
    for entry in inbox.recent(tx, limit=LATEST):
        if entry.account_id == account_id:
            by = signer(entry.headers, entry.body, values)
            if by is not None:
                found[by].append(entry.last_received_at)
    return found


def _last_letters(secret: SecretStr) -> str:
    value = secret.get_secret_value()
    return value[-_TOLD:] if len(value) >= MADE_HERE else ""

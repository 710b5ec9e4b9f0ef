"""Adding and removing destinations by command."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import SecretStr, ValidationError

from orchestrator.core.vault import Vault
from orchestrator.engine.building import kept_of
from orchestrator.engine.destination_settings import (
    DestinationSettings,
    for_kind,
    problems,
    purpose,
    require_name,
)
from orchestrator.errors import NotAllowed, NotFound, SettingError
from orchestrator.sinks import kinds
from orchestrator.store import configured
from orchestrator.store.database import Store


def described(name: str, kind: str, said: Mapping[str, Any], secrets: Collection[str]) -> DestinationSettings:
    """What is said of a new destination; its options are checked already. Raises SettingError."""
    require_name(name)
    try:
        given = {**said, "name": name, "type": kind, "secrets": dict.fromkeys(secrets)}
        return for_kind(DestinationSettings.model_validate(given), kinds.find(kind))
    except ValidationError as error:
        told = [f"{field}: {words}" for field, words in problems(error, said)]
    raise SettingError(f"destination {name}: {'; '.join(told)}", hint="`--help` lists every option")


def sealed(vault: Vault, settings: DestinationSettings, secrets: Mapping[str, Any]) -> DestinationSettings:
    """The same with its secrets, encrypted. Raises SettingError where there is no key for that."""
    if not secrets:
        return settings
    token = vault.seal(purpose(settings.name), json.dumps(_shown(secrets)))
    return settings.model_copy(update={"sealed": token})


def add(store: Store, settings: DestinationSettings, *, replace: bool) -> None:
    """Keep a destination; with `replace` in the place of one there is. Raises NotAllowed and NotFound."""
    row = (settings.name, settings.type, kept_of(settings), settings.sealed)
    with store.write() as tx:
        if replace and not configured.replace(tx, *row):
            raise _nowhere(settings.name)
        if not replace and not configured.add_once(tx, *row):
            raise NotAllowed(
                f"there is a destination {settings.name} already",
                hint="`--replace` changes everything about it; `orchestrator destinations list` shows all",
            )


def remove(store: Store, name: str, *, force: bool) -> int:
    """Forget a destination. Returns how many hand-offs are still owed there: only with `force` any may be.

    Raises NotFound and NotAllowed.
    """
    with store.write() as tx:
        if not configured.remove(tx, name):
            raise _nowhere(name)
        owed = configured.owed(tx, name)
        if owed and not force:
            raise NotAllowed(
                f"{owed} hand-offs are owed to {name}",
                hint="let them arrive first; with `--force` they are dead letters in about a day",
            )
    return owed


def _nowhere(name: str) -> NotFound:
    return NotFound(
        f"no destination {name} was added by command",
        hint="`orchestrator destinations list` shows all, and where each is from",
    )


def _shown(value: Any) -> Any:
    """Secrets as they are, for the vault alone."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return {name: _shown(one) for name, one in value.items()}
    return [_shown(one) for one in value]

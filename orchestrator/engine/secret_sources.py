"""Where the secrets of destinations are read: in the environment, in a file of their own, or from a token."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from orchestrator.core.vault import MARK, Vault
from orchestrator.engine.destination_settings import KindSettings, purpose
from orchestrator.errors import SettingError
from orchestrator.settings import GATEWAY_S_OWN_KEY, PREFIX
from orchestrator.sinks.kinds import Installed, is_table

LARGEST = 65_536  # bytes of a file that holds a secret
HOW = '{ env = "NAME" }, { file = "/path" }'
FILLED_IN = SecretStr("to be filled in")


@dataclass(frozen=True, slots=True)
class Reference:
    """One place: `how` is env, file or sealed."""

    how: str
    where: str = field(repr=False)


def reference(value: Any, seal: str) -> Reference:
    """What stands in the file in place of a secret. Raises SettingError; `seal` is what would be sealed."""
    if isinstance(value, str):
        if value.startswith(MARK):
            return Reference("sealed", value)
        raise SettingError(
            "it would lie in the file in plain text: give what `orchestrator secrets seal "
            f"{seal}` prints, or one of {HOW}"
        )
    if isinstance(value, dict) and len(value) == 1:
        (how, where), *_ = value.items()
        if how in ("env", "file") and isinstance(where, str) and where:
            return _permitted(Reference(how, where))
    raise SettingError(
        f'is a secret: give one of {HOW}, or "{MARK}…" from `orchestrator secrets seal {seal}`'
    )


def read_each(value: Any, read: Callable[[Any], SecretStr], *, table: bool) -> Any:
    """The same shape with something in the place of each secret: one, a list of them, or a table."""
    if table and isinstance(value, dict):
        return {name: read(one) for name, one in value.items()}
    if isinstance(value, list):
        return [read(one) for one in value]
    return read(value)


@dataclass(frozen=True, slots=True)
class SecretSources:
    """Reads secrets. Nothing of it is printed."""

    vault: Vault = field(repr=False)
    environment: Mapping[str, str] = field(repr=False)

    def of(self, settings: KindSettings, kind: type[Installed]) -> dict[str, Any]:
        """The secret options with their values. Raises SettingError naming the option, never the value."""
        if settings.sealed is not None:
            return self._unsealed(settings)
        return {name: self._read(settings, kind, name) for name in settings.secrets}

    def _unsealed(self, settings: KindSettings) -> dict[str, Any]:
        opened = json.loads(self.vault.open(purpose(settings.name), settings.sealed or ""))
        return {name: _hidden(value) for name, value in opened.items()}

    def _read(self, settings: KindSettings, kind: type[Installed], name: str) -> Any:
        seal = f"{settings.name}.{name}"

        def read(value: Any) -> SecretStr:
            return SecretStr(self._value(reference(value, seal), purpose(settings.name, name)))

        try:
            return read_each(settings.secrets[name], read, table=is_table(kind.Options, name))
        except SettingError as error:
            raise SettingError(f"{name}: {error.message}", hint=error.hint) from None

    def _value(self, source: Reference, sealed_for: str) -> str:
        if source.how == "sealed":
            return self.vault.open(sealed_for, source.where)
        return (
            from_environment(self.environment, source.where)
            if source.how == "env"
            else from_file(source.where)
        )


def from_environment(environment: Mapping[str, str], name: str) -> str:
    """The secret in a variable. Raises SettingError."""
    _require_not_ours(name)
    if value := environment.get(name):
        return value
    raise SettingError(
        f"the environment variable {name} is not set",
        hint="set it for every process that hands off, and for commands that check",
    )


def from_file(path: str) -> str:
    """The secret in a file, without the line end that editors put there. Raises SettingError."""
    try:
        with Path(path).open("rb") as file:
            found = file.read(LARGEST + 1)
        text = found.decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise SettingError(
            f"the file {path} cannot be read: {why}", hint="let the user that runs the orchestrator read it"
        ) from None
    if len(found) > LARGEST or not text.strip():
        why = f"is larger than {LARGEST} bytes" if text.strip() else "is empty"
        raise SettingError(f"the file {path} {why}", hint="let it hold the secret and nothing else")
    return without_line_end(text)


def without_line_end(text: str) -> str:
    """What a person meant by one line."""
    return text.removesuffix("\n").removesuffix("\r")


def _permitted(source: Reference) -> Reference:
    if source.how == "env":
        _require_not_ours(source.where)
    if source.how == "file" and not Path(source.where).is_absolute():
        raise SettingError("`file` is not an absolute path: processes may be started elsewhere")
    return source


def _require_not_ours(name: str) -> None:
    # A destination sends what it is given: the gateway's key or the secret keys would leave the machine.
    if name.startswith(PREFIX) or name == GATEWAY_S_OWN_KEY:
        raise SettingError(
            f"{name} is a setting of the orchestrator, which no destination is given",
            hint="put the destination's own secret into a variable of another name",
        )


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        return SecretStr(value)
    if isinstance(value, dict):
        return {name: _hidden(one) for name, one in value.items()}
    return [_hidden(one) for one in value]

"""The list of all settings: value, origin and meaning."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from orchestrator import wiring
from orchestrator.cli.screen import text
from orchestrator.settings import PREFIX, Settings

MASK = "**********"


@dataclass(frozen=True, slots=True)
class Shown:
    """One setting as a person may see it: secrets are masked. `origin` is environment or default."""

    name: str
    value: str
    origin: str
    description: str


def every_setting() -> list[Shown]:
    """All settings, also when some are wrong: values of the environment are shown as they are."""
    given = wiring.environment()
    return [_shown(PREFIX + name.upper(), field, given) for name, field in Settings.model_fields.items()]


def print_settings(found: list[Shown]) -> None:
    """Two lines for each."""
    for one in found:
        print(f"{one.name}={text(one.value)}  ({one.origin})")
        print(textwrap.fill(one.description, 78, initial_indent="    ", subsequent_indent="    "))


def _shown(name: str, field: FieldInfo, given: dict[str, str]) -> Shown:
    origin = "environment" if name in given else "default"
    value: Any = given.get(name, _default(field))
    secret = "Secret" in str(field.annotation)
    return Shown(name, MASK if secret and value else value, origin, field.description or "")


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or "Secret" in str(field.annotation):
        return ""
    return str(value)

"""All settings together, read from the environment with the prefix ORCHESTRATOR_."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ConfigDict, ValidationError

from orchestrator.errors import SettingError
from orchestrator.settings.base import PREFIX, Group
from orchestrator.settings.doors import Doors
from orchestrator.settings.following import Following
from orchestrator.settings.gateway import Gateway
from orchestrator.settings.keeping import Keeping
from orchestrator.settings.limits import Limits
from orchestrator.settings.places import Places
from orchestrator.settings.telling import Telling
from orchestrator.settings.work import Work

GATEWAY_S_OWN_KEY = "PHASEO_API_KEY"  # as the gateway's documents tell people to call it
# As a page has them.
GROUPS: tuple[type[Group], ...] = (Places, Gateway, Doors, Following, Work, Limits, Keeping, Telling)
_NAMED = re.compile(PREFIX + "([A-Z_]+)")


class Problem(NamedTuple):
    """What is wrong, in words that name the setting; `fields` are those that cannot be used."""

    fields: frozenset[str]
    words: str


class Settings(Telling, Keeping, Limits, Work, Following, Doors, Gateway, Places):
    """The settings of one process, in the order of GROUPS: the fields of the last base come first."""

    model_config = ConfigDict(defer_build=False)


def load(environment: Mapping[str, str], **overrides: Any) -> Settings:
    """Read the settings from an environment. Raises SettingError naming each unknown or wrong one."""
    settings, problems = read(environment, **overrides)
    if problems:
        raise SettingError("; ".join(one.words for one in problems))
    return settings


def read(environment: Mapping[str, str], **overrides: Any) -> tuple[Settings, list[Problem]]:
    """The settings, each wrong one as if it were not given, and everything that is wrong."""
    problems, wrong = _unknown(environment), set[str]()
    names = {PREFIX + name.upper(): name for name in Settings.model_fields}
    given: dict[str, Any] = {names[name]: value for name, value in environment.items() if name in names}
    given |= {name: value for name, value in overrides.items() if value is not None}
    while True:  # what is wrong together shows once each by itself is right
        try:
            return Settings.model_validate(given), problems
        except ValidationError as error:
            found = [_explained(one) for one in error.errors(include_input=False, include_url=False)]
        problems += [one for one in found if not one.fields & wrong]
        wrong |= {name for one in found for name in one.fields}
        given = {name: value for name, value in given.items() if name not in wrong}


def _unknown(environment: Mapping[str, str]) -> list[Problem]:
    known = [name.upper() for name in Settings.model_fields]
    found = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in known:
            close = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1)
            meant = f" (did you mean {PREFIX}{close[0]}?)" if close else ""
            found.append(Problem(frozenset(), f"unknown setting {name}{meant}"))
    return found


def _explained(error: Any) -> Problem:
    words = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return Problem(frozenset(name.lower() for name in _NAMED.findall(words)), words)
    field = str(error["loc"][0])
    return Problem(frozenset({field}), f"{PREFIX}{field.upper()}: {words}")

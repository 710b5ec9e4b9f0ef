"""What is said about one destination, in the file or by command, checked against its kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from orchestrator.core.redaction import Redactor
from orchestrator.core.routes import ARCHIVE, Outcome, Route
from orchestrator.errors import SettingError
from orchestrator.sinks import SinkOptions, kinds
from orchestrator.sinks.kinds import Installed

NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
WHAT_NAMES_ARE = "a name is 1 to 63 small letters, digits, `-` and `_`, the first of them a letter or digit"
NO_OPTION = "is not an option of this kind"
MASK = "********"  # in the place of a secret


class KindSettings(BaseModel):
    """A kind and its options.

    `secrets` tells for each option that is a secret where it is read, or only its name where `sealed` is the
    one token that all of them are in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)

    name: str = Field(pattern=NAME)
    type: str
    options: dict[str, Any] = Field({}, repr=False)
    secrets: dict[str, Any] = Field({}, repr=False)
    sealed: str | None = Field(None, repr=False)


class DestinationSettings(KindSettings):
    """A destination: the kind of it, and what goes there in which way."""

    outcomes: tuple[Outcome, ...] = Field(
        tuple(Outcome), min_length=1, description="Which outcomes it gets. Default: all."
    )
    deliver: Literal["files", "link"] | None = Field(
        None,
        description="`files`: outputs are copied there; `link`: it gets links to them. Default: files, if "
        "the kind takes them.",
    )
    default: bool = Field(True, description="Whether jobs that name no destination go there.")
    at_once: int | None = Field(
        None,
        ge=1,
        description="How many hand-offs to it may run at once, per worker. Default: all threads but two.",
    )

    tenants: tuple[str, ...] | None = Field(
        None,
        min_length=1,
        description="Only jobs of these tenants may go there; for others it does not exist. Default: all.",
    )

    @property
    def link(self) -> bool:
        """Whether it is told where outputs are, instead of being brought them."""
        return self.deliver == "link"

    @property
    def route(self) -> Route:
        """As a job keeps it."""
        return Route(self.name, self.outcomes, self.link)


def for_kind(settings: DestinationSettings, kind: type[Installed]) -> DestinationSettings:
    """The same with what follows from the kind filled in. Raises SettingError."""
    if settings.deliver == "files" and not kind.takes_files:
        raise SettingError(
            f"deliver: {settings.type} takes no files", hint='say `deliver = "link"`, or leave it out'
        )
    deliver = settings.deliver or ("files" if kind.takes_files else "link")
    return settings.model_copy(update={"deliver": deliver})


def require_name(name: str) -> None:
    """Raise SettingError for what cannot be the name of a destination."""
    if name == ARCHIVE:
        raise SettingError(
            f"no destination may be called {ARCHIVE}", hint="every output is brought to the archive first"
        )
    try:
        KindSettings(name=name, type="any")
    except ValidationError:
        raise SettingError(f"{name!r} cannot be the name of a destination", hint=WHAT_NAMES_ARE) from None


def purpose(name: str, field: str = "") -> str:
    """What a sealed secret is for: one option of the file, or all secrets of a destination by command."""
    return f"destination {name}.{field}" if field else f"destination {name}"


def split(kind: type[Installed], options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options that may be read by anybody, and the secret ones."""
    secret = kinds.secret_fields(kind.Options)
    plain = {name: value for name, value in options.items() if name not in secret}
    return plain, {name: value for name, value in options.items() if name in secret}


def legible_options(settings: KindSettings) -> dict[str, Any]:
    """The options as anybody may see them: secrets are masked, and of a URL whatever may be one."""
    plain = {name: _without_secrets(value) for name, value in settings.options.items()}
    return plain | dict.fromkeys(settings.secrets, MASK)


def _without_secrets(value: Any) -> Any:
    """A URL without user, password and query; anything else as it is."""
    if not isinstance(value, str) or "://" not in value:
        return value
    scheme, _, rest = value.partition("://")
    place, mark, _ = rest.partition("?")
    host, slash, path = place.partition("/")
    user, at, bare = host.rpartition("@")
    return f"{scheme}://{MASK + at if user else ''}{bare}{slash}{path}{mark + MASK if mark else ''}"


def problems(error: ValidationError, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each field that is wrong, with why; no value that was given is repeated."""
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        place = [str(part) for part in one["loc"]]
        words = str(one["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
        field = place[0] if place else ""
        if one["type"] == "extra_forbidden":
            words = NO_OPTION
        elif one["type"] == "missing":
            words = "is missing"
        elif one["type"] in ("value_error", "assertion_error"):  # others' words, with whatever they put in
            words = Redactor(texts(given.get(field, given))).text(words)
        yield ".".join(place), words


def check(
    options: type[SinkOptions], plain: Mapping[str, Any], secrets: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """What is wrong with the options, as far as that shows without the secrets.

    `secrets` has something of the right shape in the place of each.
    """
    given = {**plain, **secrets}
    try:
        options.model_validate(given)
    except ValidationError as error:
        told = _with_known(problems(error, given), options)
        return [one for one in told if one[0].partition(".")[0] not in secrets and (one[0] or not secrets)]
    except Exception:  # somebody's kind: what it does to a placeholder says nothing of the secret
        if not secrets:
            raise
    return []


def _with_known(told: Iterable[tuple[str, str]], options: type[SinkOptions]) -> Iterator[tuple[str, str]]:
    """What is no option is told with those there are."""
    for field, words in told:
        there = f"; there are {', '.join(options.model_fields)}" if words == NO_OPTION else ""
        yield field, words + there


def texts(value: Any) -> Iterator[str]:
    """Every text in it, secret ones too."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts(one)

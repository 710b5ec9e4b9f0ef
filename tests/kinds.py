"""Kinds of destinations for tests, and how they come to be installed: here, or for a child process."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import pytest
from pydantic import Field, SecretStr, field_validator

from orchestrator.errors import DestinationError, SettingError
from orchestrator.sinks import Delivered, Parcel, SinkOptions, Staging, Tools, kinds
from orchestrator.sinks.documents import Document

OURS = {"noted": "tests.kinds:Noted", "leaky": "tests.kinds:Leaky"}


class Noted:
    """Keeps documents in memory, and remembers what it was told and whether it was closed."""

    takes_files: ClassVar[bool] = False

    class Options(SinkOptions):
        """Memory, with every shape of option."""

        label: str
        size: int = 1
        many: tuple[str, ...] = ()
        facts: dict[str, str] = Field(default_factory=dict)
        token: SecretStr | None = None
        tokens: tuple[SecretStr, ...] = ()
        headers: dict[str, SecretStr] = Field(default_factory=dict)

        @field_validator("label")
        @classmethod
        def _no_spaces(cls, value: str) -> str:
            if " " in value:
                raise ValueError(f"{value!r} has a space")
            return value

    @classmethod
    def build(cls, options: Any, tools: Tools) -> "Noted":
        if options.label == "unbuildable":
            raise SettingError("it cannot be built", hint="name it otherwise")
        return cls(options)

    def __init__(self, options: "Noted.Options") -> None:
        self.options = options
        self.there: dict[str, bytes] = {}
        self.closed = 0
        self.checked = 0

    def find(self, parcel: Parcel) -> Delivered | None:
        return self._told(parcel.name) if parcel.name in self.there else None

    def stage(self, parcel: Parcel, attempt: int) -> Staging:
        return Document(parcel, self._deliver)

    def check(self) -> None:
        self.checked += 1

    def close(self) -> None:
        self.closed += 1

    def _deliver(self, parcel: Parcel, body: bytes) -> Delivered:
        self.there.setdefault(parcel.name, body)
        return self._told(parcel.name)

    def _told(self, name: str) -> Delivered:
        return Delivered(f"memory:{name}", len(self.there[name]), "")


class Leaky:
    """Says its secret wherever it can: `how` tells where."""

    takes_files: ClassVar[bool] = False

    class Options(SinkOptions):
        """A secret that is told to everybody."""

        how: str
        token: SecretStr

        @field_validator("token")
        @classmethod
        def _loud(cls, value: SecretStr, info: Any) -> SecretStr:
            if info.data["how"] == "options":
                raise ValueError(f"{value.get_secret_value()} is no good token")
            if info.data["how"] == "options broke":
                raise KeyError(value.get_secret_value())
            return value

    @classmethod
    def build(cls, options: Any, tools: Tools) -> "Leaky":
        if options.how == "build":
            raise SettingError(
                f"no {options.token.get_secret_value()}", hint=options.token.get_secret_value()
            )
        if options.how == "build broke":
            raise RuntimeError(options.token.get_secret_value())
        return cls(options.how, options.token.get_secret_value())

    def __init__(self, how: str, token: str) -> None:
        self._how = how
        self._token = token

    def find(self, parcel: Parcel) -> Delivered | None:
        return self._fail()

    def stage(self, parcel: Parcel, attempt: int) -> Staging:
        if self._how == "late":
            return Document(parcel, lambda parcel, body: self._fail())
        return self._fail()

    def check(self) -> None:
        self._fail()

    def close(self) -> None:
        raise DestinationError(f"cannot close {self._token}")

    def _fail(self) -> NoReturn:
        if self._how == "bug":
            raise KeyError(self._token)
        if self._how == "cause":
            try:
                raise OSError(f"refused: {self._token}")
            except OSError as error:
                raise DestinationError("it was refused") from error
        words = f"refused {self._token} at https://me:{self._token}@host/"
        raise DestinationError(words, hint=f"not {self._token}", preview=f"you sent {self._token}")


def install(monkeypatch: pytest.MonkeyPatch, more: Mapping[str, str] | None = None) -> None:
    """Let this process find our kinds, and these."""
    named = {**OURS, **(more or {})}
    entries = [EntryPoint(name, value, kinds.GROUP) for name, value in named.items()]
    real = kinds.installed()
    monkeypatch.setattr(kinds, "installed", lambda: (*real, *entries))


def package_of(folder: Path, named: Mapping[str, str]) -> Path:
    """A folder that is, on the path of a child process, an installed package with these kinds."""
    information = folder / "kinds_for_tests-1.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: kinds-for-tests\nVersion: 1\n")
    lines = [f"{name} = {value}" for name, value in named.items()]
    (information / "entry_points.txt").write_text("\n".join([f"[{kinds.GROUP}]", *lines, ""]))
    return folder

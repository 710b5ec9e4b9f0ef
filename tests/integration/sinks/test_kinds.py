"""Kinds of destinations: found by entry point, and refused in words where one cannot be used."""

from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, Field, SecretStr

from orchestrator.errors import SettingError
from orchestrator.sinks import SinkOptions, kinds
from orchestrator.sinks.folder import FolderSink
from tests import kinds as for_tests
from tests.kinds import Noted


class NoOptions:
    takes_files: ClassVar[bool] = True


class WithDefault(Noted):
    class Options(SinkOptions):
        default: str = ""


class WithoutWord(Noted):
    takes_files: ClassVar[Any] = None


class Inner(BaseModel):
    key: SecretStr


class Shapes(SinkOptions):
    plain: str = ""
    alone: SecretStr
    perhaps: SecretStr | None = None
    several: tuple[SecretStr, ...] = ()
    named: dict[str, SecretStr] = Field(default_factory=dict)
    named_perhaps: dict[str, tuple[SecretStr, ...]] | None = None
    inner: Inner | None = None
    table: dict[str, str] = Field(default_factory=dict)


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {name: f"{__name__}:{name}" for name in ("NoOptions", "WithDefault", "WithoutWord", "nothing")}
    for_tests.install(monkeypatch, {**here, "gone": "no.such.module:Sink"})


def found(name: str) -> object:
    return kinds.find(name)


def refused(name: str) -> str:
    with pytest.raises(SettingError) as caught:
        kinds.find(name)
    return f"{caught.value.message}; {caught.value.hint}"


def test_our_own_kinds_and_those_of_other_packages_are_found_by_name() -> None:
    assert found("folder") is FolderSink
    assert found("noted") is Noted
    assert {"folder", "noted"} <= set(kinds.names())


def test_a_kind_that_nobody_has_is_refused_with_those_there_are() -> None:
    said = refused("fodler")
    assert "there is no kind 'fodler'" in said
    assert "did you mean folder?" in said
    assert "noted" in said


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gone", "cannot be loaded: ModuleNotFoundError"),
        ("nothing", "cannot be loaded: AttributeError"),
        ("NoOptions", "`Options` is not a subclass of SinkOptions"),
        ("WithDefault", "its option 'default' means something else"),
        ("WithoutWord", "it has no `takes_files`"),
    ],
)
def test_a_kind_that_does_not_work_is_refused_with_the_reason(name: str, why: str) -> None:
    assert why in refused(name)


def test_two_packages_with_one_name_are_refused_and_one_that_is_found_twice_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for_tests.install(monkeypatch, {"folder": "tests.kinds:Noted"})
    assert found("noted") is Noted  # `install` has made it known a second time
    said = refused("folder")
    assert "several packages have a kind 'folder'" in said
    assert "tests.kinds:Noted" in said


def test_secrets_are_seen_in_every_shape() -> None:
    names = {"alone", "perhaps", "several", "named", "named_perhaps", "inner"}
    assert kinds.secret_fields(Shapes) == names
    assert {name for name in Shapes.model_fields if kinds.is_table(Shapes, name)} == {
        "named",
        "named_perhaps",
        "table",
    }
    assert {name for name in Shapes.model_fields if kinds.is_list(Shapes, name)} == {"several"}
    assert not kinds.is_list(Shapes, "nothing")

"""Checks made at the same time: in their order, none held up by another, and no bug kept silent."""

import io
import sys
import threading
from collections.abc import Callable

import pytest

from orchestrator.cli.findings import Finding
from orchestrator.cli.side_by_side import Check, look_at_all
from orchestrator.settings import Problem, Settings
from tests.patience import LONG

Look = Callable[[Settings], list[Finding]]


def saying(what: str) -> Look:
    return lambda _: [Finding("ok", what, "looked at")]


def looked(*looks: Look, within: float = LONG, problems: tuple[Problem, ...] = ()) -> list[Finding]:
    checks = [Check(f"check {number}", look, frozenset({"port"})) for number, look in enumerate(looks)]
    return look_at_all(checks, Settings(), problems, within=within)


def test_all_are_under_way_at_once_and_told_in_their_order() -> None:
    together = threading.Barrier(3, timeout=LONG)

    def after_the_others(what: str) -> Look:
        def look(settings: Settings) -> list[Finding]:
            together.wait()
            return saying(what)(settings)

        return look

    assert [one.what for one in looked(*map(after_the_others, "abc"))] == ["a", "b", "c"]


def test_one_that_hangs_is_given_up_and_the_others_are_told() -> None:
    let_go = threading.Event()

    def hang(_: Settings) -> list[Finding]:
        let_go.wait(LONG)
        return []

    found = looked(hang, saying("b"), within=0.2)
    let_go.set()
    assert [(one.status, one.what) for one in found] == [("fail", "check 0"), ("ok", "b")]
    assert found[0].hint


def test_a_bug_in_one_is_not_kept_silent() -> None:
    def broken(_: Settings) -> list[Finding]:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        looked(saying("a"), broken)


def test_one_whose_setting_is_wrong_is_not_made() -> None:
    (finding,) = looked(saying("a"), problems=(Problem(frozenset({"port"}), "wrong"),))
    assert (finding.status, finding.found) == ("warn", "not looked at: ORCHESTRATOR_PORT is wrong")


def test_a_person_who_looks_on_sees_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    looked(saying("a"))
    assert "checking" in screen.getvalue()
    monkeypatch.setattr(sys, "stderr", quiet := io.StringIO())
    looked(saying("a"))
    assert not quiet.getvalue()

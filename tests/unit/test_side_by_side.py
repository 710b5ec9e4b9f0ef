"""Checks made at the same time: in their order, none held up by another, and no bug kept silent."""

import io
import sys
import threading
from collections.abc import Callable, Iterable

import pytest

from orchestrator.cli.findings import Finding
from orchestrator.cli.side_by_side import Check, look_at_all
from tests.patience import LONG

Look = Callable[[], Iterable[Finding | Check]]


def saying(what: str) -> Look:
    return lambda: [Finding("ok", what, "looked at")]


def looked(*looks: Look, within: float = LONG, wrong: str = "") -> list[Finding]:
    checks = [Check(f"check {number}", look, frozenset({"port"})) for number, look in enumerate(looks)]
    return look_at_all(checks, frozenset({wrong}), within=within)


def names(found: list[Finding]) -> list[str]:
    return [one.what for one in found]


def test_all_are_under_way_at_once_and_told_in_their_order() -> None:
    together = threading.Barrier(3, timeout=LONG)

    def after_the_others(what: str) -> Look:
        def look() -> Iterable[Finding | Check]:
            together.wait()
            return saying(what)()

        return look

    assert names(looked(*map(after_the_others, "abc"))) == ["a", "b", "c"]


def test_one_that_hangs_is_given_up_and_all_else_is_told_its_own_beginning_too() -> None:
    let_go = threading.Event()

    def hang() -> Iterable[Finding | Check]:
        yield Finding("ok", "first", "looked at")
        let_go.wait(LONG)

    found = looked(hang, saying("b"), within=0.2)
    let_go.set()
    assert [(one.status, one.what) for one in found] == [("ok", "first"), ("fail", "check 0"), ("ok", "b")]
    assert found[1].hint


def test_checks_that_a_check_finds_are_made_at_the_same_time_and_told_in_its_place() -> None:
    together = threading.Barrier(2, timeout=LONG)

    def after_the_other() -> Iterable[Finding | Check]:
        together.wait()
        yield Finding("ok", "inner", "looked at")

    def find() -> Iterable[Finding | Check]:
        yield Check("one", after_the_other)
        yield Finding("ok", "between", "looked at")
        yield Check("two", after_the_other)

    assert names(looked(find, saying("b"))) == ["inner", "between", "inner", "b"]


def test_a_bug_in_one_is_told_without_its_words_and_the_others_are_told_too() -> None:
    def broken() -> Iterable[Finding | Check]:
        yield Finding("ok", "first", "looked at")
        raise KeyError("postgresql://me:hunter2@host")

    found = looked(saying("a"), broken, saying("c"))
    assert [(one.status, one.what) for one in found] == [
        ("ok", "a"),
        ("ok", "first"),
        ("fail", "check 1"),
        ("ok", "c"),
    ]
    assert found[2].found.startswith("the check broke: KeyError in test_side_by_side.py, line ")
    assert "hunter2" not in str(found)


def test_one_that_needs_a_setting_that_is_wrong_is_not_made() -> None:
    (finding,) = looked(saying("a"), wrong="port")
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

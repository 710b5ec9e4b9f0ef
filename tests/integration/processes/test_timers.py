"""What happens again and again goes on when it fails, and the log is not filled with that."""

import logging

import pytest

from orchestrator.processes import timers
from orchestrator.processes.timers import Timer, running
from orchestrator.telemetry import Event
from tests.acceptance.waiting import until


def test_a_timer_that_goes_on_failing_says_so_once_and_then_now_and_then(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        if len(calls) != 50:
            raise OSError("the disk is away")

    def lines() -> list[int]:
        return [vars(one)["facts"]["times"] for one in caplog.records if one.msg == Event.TIMER_FAILED]

    with caplog.at_level(logging.INFO, "orchestrator"), running(Timer("disk", 0.001, fail)):
        until("it went on", lambda: len(calls) > 60)
        assert lines() == [1, 1], "once it had worked in between, it is news again"
        monkeypatch.setattr(timers, "SAID_AGAIN_AFTER", 0.0)
        until("it is said again, with how often it failed", lambda: lines()[-1] > 10)

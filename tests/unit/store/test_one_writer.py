"""Turns to write where there is one writer: those that yield come last, and come all the same."""

import threading
from time import monotonic

import pytest

from orchestrator.store import one_writer
from orchestrator.store.one_writer import OneWriter
from tests.patience import LONG
from tests.sandbox.harness import until


def begin(writer: OneWriter, done: list[str], name: str, *, yields: bool) -> threading.Thread:
    def write() -> None:
        with writer.turn(yields=yields):
            done.append(name)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def test_one_that_yields_writes_once_nobody_else_waits() -> None:
    writer, done = OneWriter(), list[str]()
    with writer.turn(yields=False):
        threads = [begin(writer, done, "create", yields=True)]
        threads += [begin(writer, done, "webhook", yields=False) for _ in range(3)]
        until(lambda: len(writer.queue) == 3)
        assert done == []
    for thread in threads:
        thread.join(LONG)
    assert done == ["webhook"] * 3 + ["create"]


def test_one_that_yields_writes_at_once_where_nobody_does() -> None:
    writer, done = OneWriter(), list[str]()
    began = monotonic()
    begin(writer, done, "create", yields=True).join(LONG)
    assert done == ["create"]
    assert monotonic() - began < one_writer.YIELDS_FOR / 2


def test_several_that_yield_all_get_their_turn() -> None:
    writer, done = OneWriter(), list[str]()
    with writer.turn(yields=False):
        threads = [begin(writer, done, "create", yields=True) for _ in range(8)]
    for thread in threads:
        thread.join(LONG)
    assert len(done) == 8


def test_one_that_yields_to_an_endless_queue_gets_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_writer, "YIELDS_FOR", 0.05)
    writer, done = OneWriter(), list[str]()
    stopped = threading.Event()

    def write_on() -> None:
        while not stopped.is_set():
            with writer.turn(yields=False):
                stopped.wait(0.001)

    others = [threading.Thread(target=write_on) for _ in range(3)]
    for thread in others:
        thread.start()
    begin(writer, done, "create", yields=True).join(LONG)
    stopped.set()
    for thread in others:
        thread.join(LONG)
    assert done == ["create"]


def test_a_turn_ends_with_an_error_too() -> None:
    writer = OneWriter()
    with pytest.raises(KeyError), writer.turn(yields=False):
        raise KeyError
    with writer.turn(yields=True):
        pass

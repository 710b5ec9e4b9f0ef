"""A line of the log: whose it is, what it is about, and what a query finds it by."""

import json
import logging

from orchestrator.telemetry import Event, JsonLines


def line(logger: str, message: str, **more: object) -> dict[str, object]:
    record = logging.LogRecord(logger, logging.WARNING, "", 0, message, (), None)
    vars(record).update(more)
    return dict(json.loads(JsonLines().format(record)))


def test_a_line_of_ours_is_named_by_its_event_and_has_its_facts() -> None:
    told = line("orchestrator", Event.HANDED_OFF, facts={"job": "job_1", "destination": "folder"})
    assert told.pop("at")
    assert told == {"level": "warning", "event": "handed_off", "job": "job_1", "destination": "folder"}


def test_what_a_library_says_has_one_name_too_and_its_words_apart() -> None:
    told = line("opentelemetry.sdk", "Queue full, dropping Span.")
    assert told.pop("at")
    assert told == {
        "level": "warning",
        "event": "library_said",
        "logger": "opentelemetry.sdk",
        "message": "Queue full, dropping Span.",
    }

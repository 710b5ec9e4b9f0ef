"""Who is told traces: the same share in every process, as the submitter wishes; nobody where it is off."""

import socket
from collections.abc import Iterator
from importlib import util
from time import monotonic

import pytest

from orchestrator import wiring
from orchestrator.core.tracing import Part, Span, Trace, trace_of
from orchestrator.errors import SettingError
from orchestrator.otlp import CLOSE_WITHIN, Spans
from orchestrator.settings import load
from tests.acceptance.collector import Collector, collecting
from tests.patience import LONG
from tests.sandbox.harness import until

HEX, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
        yield made


def span(trace: Trace, part: Part = Part.CREATE, **more: object) -> Span:
    return Span(trace, part, "", 1_000.0, 1_002.5, {"create.attempt": 1, **more})  # type: ignore[dict-item]


def test_what_is_told_arrives_with_its_times_its_facts_and_its_parent(collector: Collector) -> None:
    spans, trace = Spans({"service.name": "here"}), trace_of("job_1", f"00-{HEX}-{PARENT}-01")
    spans.tell(span(trace, Part.JOB))
    spans.tell(Span(trace, Part.CREATE, "job_1.1", 1_001.0, 1_000.5, failed="it was cut off", called=True))
    spans.close()
    own, create = collector.of("job_1")
    assert (own.trace, own.parent, own.id) == (HEX, PARENT, trace.span_id(Part.JOB))
    assert (own.began, own.ended, own.failed) == (1_000.0, 1_002.5, False)
    assert own.facts == {"job.id": "job_1", "create.attempt": 1}
    assert (create.trace, create.parent, create.failed) == (HEX, own.id, True)
    assert create.ended == create.began, "clocks that step do not make it negative"
    assert create.process["service.name"] == "here"


def test_a_share_of_the_traces_is_the_same_in_every_process(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    traces = [trace_of(f"job_{number}", None) for number in range(200)]
    one, other = Spans({}), Spans({})
    chosen = [trace for trace in traces if one.sampled(trace)]
    assert chosen == [trace for trace in traces if other.sampled(trace)]
    assert 60 < len(chosen) < 140
    for trace in traces:
        for part in (Part.JOB, Part.CREATE):
            one.tell(span(trace, part))
    one.close()
    other.close()
    assert {told.trace for told in collector.spans} == {trace.id for trace in chosen}
    assert len(collector.spans) == 2 * len(chosen), "whole, or not at all"


@pytest.mark.parametrize(("flags", "told"), [("00", 0), ("01", 2)])
def test_a_submitter_says_whether_its_trace_is_told(collector: Collector, flags: str, told: int) -> None:
    spans, trace = Spans({}), trace_of("job_1", f"00-{HEX}-{PARENT}-{flags}")
    assert spans.sampled(trace) == bool(told)
    for part in (Part.JOB, Part.CREATE):
        spans.tell(span(trace, part))
    spans.close()
    assert len(collector.spans) == told


def test_spans_are_sent_while_the_process_goes_on(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    spans = Spans({})
    spans.tell(span(trace_of("job_1", None)))
    until(lambda: collector.of("job_1"), LONG)
    spans.close()


def test_where_it_is_off_nobody_is_told_and_where_the_packages_lack_it_says_which(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert wiring.spans(load({})) is None
    monkeypatch.setattr(util, "find_spec", lambda _: None)
    with pytest.raises(SettingError, match="ORCHESTRATOR_TRACING") as refused:
        wiring.spans(load({}, tracing=True))
    assert "[tracing]" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://me:pa55word@[::1/v1"),
    ],
)
def test_what_the_exporter_would_find_out_in_the_middle_of_work_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=name) as refused:
        wiring.spans(load({}, tracing=True))
    assert "4318" in str(refused.value.hint)
    assert "pa55word" not in str(refused.value)


def test_a_collector_that_hangs_holds_up_neither_work_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        monkeypatch.setenv(
            "OTEL_EXPORTER_OTLP_TIMEOUT", "1"
        )  # so that nothing is tried when the test is over
        spans = wiring.spans(load({}, tracing=True))
        assert spans is not None
        begun = monotonic()
        for number in range(5_000):  # more than the exporter keeps
            spans.tell(span(trace_of(f"job_{number}", None)))
        told = monotonic() - begun
        spans.close()
        assert told < 30, "each is a matter of microseconds, on the busiest machine of milliseconds"
        assert monotonic() - begun - told < CLOSE_WITHIN + 10


def test_variables_that_cannot_be_used_are_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "-1")
    with pytest.raises(SettingError, match="OTEL_"):
        wiring.spans(load({}, tracing=True))

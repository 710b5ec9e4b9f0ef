"""What others call a request is taken where it is sane, and nothing else is."""

import pytest

from orchestrator.core.tracing import (
    Part,
    Span,
    sane_request_id,
    sane_traceparent,
    trace_of,
    traceparent_of,
)

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize("given", ["a", "01jc-9_x.y:z~", "x" * 100])
def test_a_sane_request_id_is_taken_as_it_is(given: str) -> None:
    assert sane_request_id(given) == given


@pytest.mark.parametrize("given", ["", "x" * 101, "a b", "a\nb", "a\n", "é", 'a"b', "a,b", "<b>"])
def test_what_could_break_a_header_or_a_log_is_no_request_id(given: str) -> None:
    assert sane_request_id(given) is None


def test_a_parent_of_the_first_version_is_taken() -> None:
    assert sane_traceparent(PARENT) == PARENT


def test_of_a_later_version_the_part_that_is_known_is_taken() -> None:
    assert sane_traceparent(f"01-{TRACE}-{SPAN}-01-more-of-it") == PARENT


def test_flags_that_are_not_known_are_not_passed_on() -> None:
    assert sane_traceparent(f"00-{TRACE}-{SPAN}-ff") == PARENT
    assert sane_traceparent(f"00-{TRACE}-{SPAN}-fe") == f"00-{TRACE}-{SPAN}-00"


@pytest.mark.parametrize(
    "given",
    [
        "",
        f"{PARENT}-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"{PARENT}\n",
        f"{PARENT}, {PARENT}",
    ],
)
def test_what_the_standard_calls_invalid_is_no_parent(given: str) -> None:
    assert sane_traceparent(given) is None


def test_a_job_goes_on_in_the_trace_of_its_submitter() -> None:
    trace = trace_of("job_1", PARENT)
    assert (trace.id, trace.parent, trace.sampled) == (TRACE, SPAN, True)
    assert trace_of("job_1", f"00-{TRACE}-{SPAN}-00").sampled is False


def test_a_job_without_a_submitters_trace_has_its_own_and_always_the_same() -> None:
    trace = trace_of("job_1", None)
    assert trace == trace_of("job_1", None)
    assert trace.id != trace_of("job_2", None).id
    assert (len(trace.id), trace.parent, trace.sampled) == (32, None, None)


@pytest.mark.parametrize("parent", [None, PARENT])
def test_the_spans_of_a_job_are_children_of_its_own_in_every_process(parent: str | None) -> None:
    def span(part: Part, name: object) -> Span:
        return Span(trace_of("job_1", parent), part, name, 1.0, 2.0)

    own, parts = span(Part.JOB, ""), [span(part, name) for part in Part for name in (1, 2)]
    assert own.parent == (SPAN if parent else None)
    assert {one.parent for one in parts if one.part is not Part.JOB} == {own.id}
    assert len({one.id for one in parts}) == len(parts), "one id for each, whatever their names"
    assert span(Part.LOOK, 2).id == span(Part.LOOK, 2).id
    assert own.id != Span(trace_of("job_2", parent), Part.JOB, "", 1.0, 2.0).id


@pytest.mark.parametrize(("sampled", "flags"), [(True, "01"), (False, "00")])
def test_what_is_sent_with_a_call_can_be_read_again(sampled: bool, flags: str) -> None:
    trace = trace_of("job_1", PARENT)
    sent = traceparent_of(trace, trace.span_id(Part.CREATE, "job_1.1"), sampled=sampled)
    assert sane_traceparent(sent) == sent
    assert sent.startswith(f"00-{TRACE}-")
    assert sent.endswith(f"-{flags}")

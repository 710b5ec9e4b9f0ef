"""What others call a request is taken where it is sane, and nothing else is."""

import pytest

from orchestrator.core.tracing import sane_request_id, sane_traceparent

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
    later = f"01-{TRACE}-{SPAN}-01"
    assert sane_traceparent(f"{later}-more-of-it") == later


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

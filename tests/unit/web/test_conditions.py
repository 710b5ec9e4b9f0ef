"""Ranges and ETags as RFC 9110 has them: what is no single range is answered by everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from orchestrator.web.conditions import Span, Unsatisfiable, asked_span, is_known

ETAG = '"abc"'


def asked(value: str | None, size: int = 10, if_range: str | None = None) -> Span | None:
    headers = {"range": value, "if-range": if_range}
    return asked_span(Headers({name: text for name, text in headers.items() if text is not None}), ETAG, size)


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("bytes=0-", Span(0, 10)),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=3-5", Span(3, 6)),
        ("bytes=9-", Span(9, 10)),
        ("bytes=3-9", Span(3, 10)),
        ("bytes=3-10000", Span(3, 10)),
        ("bytes=-1", Span(9, 10)),
        ("bytes=-10", Span(0, 10)),
        ("bytes=-10000", Span(0, 10)),
        ("Bytes= 3-5 ", Span(3, 6)),
    ],
)
def test_one_range_is_understood(value: str, span: Span) -> None:
    assert asked(value) == span


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "bytes", "bytes=", "bytes=-", "bytes=5-3", "bytes=0-1,3-4", "bytes=0-1,", "bytes=a-b"),
        *("bytes=-1-2", "bytes=1", "chunks=0-1", "bytes=²-³", "bytes=+1-2", "bytes=1.0-2", "bytes:0-1"),
        *("bytes=0-" + "9" * 5000, "bytes=" + "9" * 5000 + "-"),
    ],
)
def test_what_is_no_single_range_means_everything(value: str | None) -> None:
    assert asked(value) is None


@pytest.mark.parametrize("value", ["bytes=10-", "bytes=10-12", "bytes=999999999999999999-", "bytes=-0"])
def test_a_range_beyond_the_end_cannot_be_given(value: str) -> None:
    with pytest.raises(Unsatisfiable):
        asked(value)


@pytest.mark.parametrize("value", ["bytes=0-", "bytes=-5", "bytes=7-9"])
def test_of_nothing_there_is_no_part(value: str) -> None:
    assert asked(value, size=0) is None


@pytest.mark.parametrize(
    ("condition", "span"),
    [
        ('"abc"', Span(3, 6)),
        (' "abc" ', Span(3, 6)),
        ('W/"abc"', None),
        ('"other"', None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("", None),
    ],
)
def test_a_range_of_another_version_means_everything(condition: str, span: Span | None) -> None:
    assert asked("bytes=3-5", if_range=condition) == span


@given(value=st.text(alphabet="bytes=-0123456789, \t", max_size=20), size=st.integers(0, 30))
def test_whatever_is_asked_for_lies_within(value: str, size: int) -> None:
    try:
        span = asked(value, size)
    except Unsatisfiable:
        return
    assert span is None or 0 <= span.start < span.end <= size


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", W/"abc" ,"y"', True),
        ("*", True),
        ('"ABC"', False),
        ("abc", False),
        ("", False),
    ],
)
def test_what_the_client_has_is_known_by_its_etag(value: str, known: bool) -> None:
    assert is_known(Headers({"if-none-match": value}), ETAG) is known


def test_a_client_that_says_nothing_has_nothing() -> None:
    assert not is_known(Headers({}), ETAG)

"""What is made of an answer: how long to wait, and what of it may be shown."""

from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sinks.calls import LONGEST_RETRY_AFTER, PREVIEW, Answer, preview, retry_after

NOW = 1_780_000_000.0


def answer(body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(503, httpx.Headers(named, encoding="utf-8"), bytearray(body))


def http_date(at: float) -> str:
    return format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("86401", LONGEST_RETRY_AFTER),
        ("999999999999999", LONGEST_RETRY_AFTER),
        ("9" * 5000, 0.0),
        (http_date(NOW + 90), 90.0),
        (http_date(NOW - 90), 0.0),
        (http_date(NOW + 1e6), LONGEST_RETRY_AFTER),
        (http_date(NOW + 90).replace("GMT", "-0000"), 90.0),
        ("", 0.0),
        ("-5", 0.0),
        ("1.5", 0.0),
        ("soon", 0.0),
        ("\u0661", 0.0),
        ("Fri, 99 Foo 2026 99:99:99 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST_RETRY_AFTER),
    ],
)
def test_a_receiver_says_how_long_it_wants_to_be_left_alone(said: str, seconds: float) -> None:
    assert retry_after(answer(retry_after=said), NOW) == seconds


@given(said=st.text(max_size=60))
def test_whatever_it_says_the_wait_is_no_longer_than_a_day(said: str) -> None:
    assert 0 <= retry_after(answer(retry_after=said), NOW) <= LONGEST_RETRY_AFTER


def test_what_is_shown_is_one_short_line_of_printable_letters() -> None:
    shown = preview(answer(b"no\r\n\x1b[31mway\x00 \xff \xe2\x80\xae" + b"x" * 1000), [])
    assert shown is not None
    assert shown.startswith("no [31mway \ufffd x")
    assert len(shown) == PREVIEW
    assert preview(answer(b" \n"), []) is None
    assert preview(answer(b"\x1f\x8b\x08", content_encoding="gzip"), []) is None
    assert preview(answer(b"plain", content_encoding="identity"), []) == "plain"


@pytest.mark.parametrize(
    "body",
    [
        b"you sent to/ken+1=",
        b'{"you sent": "to\\/ken+1="}',
        b"to/ken+1=" * 1800,
        b"x" * (PREVIEW - 4) + b"to/ken+1=",
    ],
)
def test_what_is_hidden_is_not_shown_whole_nor_in_part(body: bytes) -> None:
    shown = preview(answer(body[: 16 * 1024]), ["to/ken+1=", "ken"]) or ""
    assert "ken" not in shown
    assert "to/" not in shown
    assert "*" in shown


@given(body=st.binary(max_size=400), hidden=st.lists(st.text("ab/", min_size=3, max_size=5), max_size=3))
def test_whatever_is_answered_can_be_shown(body: bytes, hidden: list[str]) -> None:
    shown = preview(answer(body), hidden)
    assert shown is None or (shown.isprintable() and 0 < len(shown) <= PREVIEW)

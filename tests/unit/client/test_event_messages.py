"""Reading a stream of events, as the HTML standard says."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.client.event_messages import LONGEST, Message, Reader, TooLong

STREAM = (
    "\ufeff: a comment\r\n"
    "id: 1\revent: state\rdata: one\r\r"
    "data: two\ndata:  lines\u2028and\x85more\n\n"
    "id: 2\r\n\r\n"
    "event: end\ndata\n\n"
    "retry: 1500\nretry: soon\nid: bad\0id\ndata: ü\n\n"
    "data: never finished"
)
MESSAGES = [
    Message("state", "one"),
    Message("message", "two\n lines\u2028and\x85more"),
    Message("end", ""),
    Message("message", "ü"),
]


def read(chunks: list[bytes], reader: Reader) -> list[Message]:
    return [message for chunk in chunks for message in reader.feed(chunk)]


@given(st.lists(st.integers(0, len(STREAM.encode())), max_size=12))
def test_messages_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    whole, reader = STREAM.encode(), Reader()
    edges = [0, *sorted(cuts), len(whole)]
    chunks = [whole[start:end] for start, end in pairwise(edges)]
    assert read(chunks, reader) == MESSAGES
    assert (reader.last_id, reader.retry) == ("2", 1.5)


def test_each_byte_for_itself_makes_the_same_messages() -> None:
    assert read([bytes([byte]) for byte in STREAM.encode()], Reader()) == MESSAGES


def test_an_id_counts_once_its_message_is_whole() -> None:
    reader = Reader("7")
    assert not read([b"id: 8\ndata: x\n"], reader)
    assert reader.last_id == "7"
    assert read([b"\n"], reader)
    assert reader.last_id == "8"


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert read([b"data: \xff\n\n"], Reader()) == [Message("message", "\ufffd")]


@pytest.mark.parametrize("part", [b"x" * 65_536, b"data: " + b"x" * 65_536 + b"\n"])
def test_a_message_that_never_ends_is_given_up(part: bytes) -> None:
    with pytest.raises(TooLong):
        read([part] * (LONGEST // 65_536 + 2), Reader())


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(hostile: bytes) -> None:
    list(Reader().feed(hostile))

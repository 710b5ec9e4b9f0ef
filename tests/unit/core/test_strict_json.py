"""JSON from strangers: what means one thing only is read, and everything else is refused."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.strict_json import DEEPEST, NotJson, loads

_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
_PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
)
_VALUES = st.recursive(
    _PLAIN | _TEXT, lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner), max_leaves=20
)


@given(_VALUES)
def test_whatever_can_be_kept_is_read_as_it_is(value: object) -> None:
    assert loads(json.dumps(value).encode()) == value
    assert loads(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        value = loads(body)
    except NotJson:
        return
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"{'a': 1}", "no JSON"),
        (b'{"a":1}x', "no JSON"),
        (b'{"a":1,"a":1}', "twice"),
        (b'[{"b":{"a":1,"a":2}}]', "twice"),
        (b"NaN", "NaN is no JSON"),
        (b'{"a":-Infinity}', "-Infinity is no JSON"),
        (b"1e999", "larger than any"),
        (b"1" * 5_000, "too many digits"),
        (b"18446744073709551616", "too many digits"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udfff":1}', "surrogate"),
        (b'"\\u0000"', "NUL"),
        (b'{"a\\u0000":1}', "NUL"),
        (b"[" * (DEEPEST + 2) + b"]" * (DEEPEST + 2), "nested deeper"),
        (b'{"a":' * 100_000, "nested deeper"),
        (b"[" * 100_000, "nested deeper"),
        (b'"\xff"', "not UTF-8 at byte 1"),
        ('"ä"'.encode("latin-1"), "not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        (b'\xef\xbb\xbf{"a":1}', "no JSON"),
    ],
)
def test_what_means_nothing_or_two_things_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(NotJson, match=why):
        loads(body)


def test_as_deep_as_is_allowed_is_read() -> None:
    body = b"[" * DEEPEST + b"]" * DEEPEST
    assert json.dumps(loads(body)).encode() == body


def test_a_key_that_comes_again_among_many_costs_no_more_than_the_others() -> None:
    """One look at all others for each of them, and a stranger's one body would keep a process for an hour."""
    body = b"{" + b"".join(b'"%d":1,' % one for one in range(100_000)) + b'"99999":2}'
    began = time.process_time()
    with pytest.raises(NotJson, match="'99999' twice"):
        loads(body)
    assert time.process_time() - began < 5

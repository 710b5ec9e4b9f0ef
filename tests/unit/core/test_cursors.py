"""Cursors go on where a page ended, in the list that they are of."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.cursors import read, write
from orchestrator.core.ids import beginning_at, job_id


@given(st.from_regex(r"[a-z0-9_]{1,64}", fullmatch=True))
def test_a_cursor_means_what_it_was_written_for(last: str) -> None:
    assert read(write(last, ("a", 1)), ("a", 1)) == last
    assert read(write(last, ("a", 1)), ("a", 2)) is None


@given(st.text(max_size=100))
def test_anything_else_is_no_cursor(text: str) -> None:
    assert read(text, "list") is None


def test_ids_sort_by_the_moment_they_were_made_at() -> None:
    from ulid import ULID

    for moment in (1.0, 1.5, 1_790_000_000.123, 2**38 + 0.5):
        made = job_id(str(ULID.from_timestamp(moment)).lower())
        assert beginning_at(moment - 0.01) < beginning_at(moment) <= made < beginning_at(moment + 0.01)
    assert beginning_at(-5.0) < job_id(str(ULID.from_timestamp(0.0)).lower()) < beginning_at(1e300)

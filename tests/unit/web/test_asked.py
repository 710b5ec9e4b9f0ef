"""What queries and forms say: read, or refused in words."""

from enum import StrEnum
from typing import Any

import pytest

from orchestrator.errors import Misshapen, NotFound
from orchestrator.web.dashboard import asked


class Fruit(StrEnum):
    APPLE = "apple"
    PEAR = "pear"


def test_nothing_is_none_and_space_around_it_does_not_count() -> None:
    assert asked.text({}, "a") is None
    assert asked.text({"a": "  "}, "a") is None
    assert asked.text({"a": " b "}, "a") == "b"
    assert asked.word({"a": "pear"}, "a", Fruit) is Fruit.PEAR
    assert asked.word({"a": ""}, "a", Fruit) is None
    assert asked.number({"a": "7"}, "a") == 7
    assert asked.moment({}, "a") is None


def test_moments_are_meant_in_utc_unless_they_say_otherwise() -> None:
    assert asked.moment({"a": "1970-01-01T00:01"}, "a") == 60
    assert asked.moment({"a": "1970-01-01T02:00+02:00"}, "a") == 0


@pytest.mark.parametrize(
    ("read", "given"),
    [
        (asked.text, "x" * 301),
        (asked.text, "a\x00"),
        (asked.moment, "soon"),
        (asked.number, "-1"),
        (asked.number, "²"),
        (asked.number, "9" * 19 + "9"),
        (lambda given, name: asked.word(given, name, Fruit), "plum"),
    ],
)
def test_what_is_none_of_it_is_refused_with_its_name(read: Any, given: str) -> None:
    with pytest.raises(Misshapen, match="field: "):
        read({"field": given}, "field")


@pytest.mark.parametrize("given", ["", "x", "-1", "9" * 30])
def test_what_can_be_no_id_is_not_there(given: str) -> None:
    with pytest.raises(NotFound):
        asked.row_id({"entry": given}, "entry")


def test_a_query_is_changed_in_places_and_empty_ones_are_left_out() -> None:
    assert asked.query({"a": "1", "b": "x y"}, b=None) == "?a=1"
    assert asked.query({"a": "", "b": "x y"}, c=3) == "?b=x+y&c=3"
    assert asked.query({"a": "1"}, a=None) == ""

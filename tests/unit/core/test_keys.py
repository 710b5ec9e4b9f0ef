"""What keys and tokens look like, and what they prove."""

import itertools

import pytest

from orchestrator.core import keys
from orchestrator.core.keys import Kind

BYTES = itertools.count(7)


def chance(size: int) -> bytes:
    return bytes((next(BYTES) * 37 + place) % 256 for place in range(size))


@pytest.mark.parametrize("kind", list(Kind))
def test_what_was_made_is_read_again_and_proves_itself(kind: Kind) -> None:
    made = keys.make(kind, chance)
    text = made.whole
    assert text.startswith(f"{kind}_{made.id}_")
    assert len(text) == keys.LONGEST
    shown = keys.read(kind, text)
    assert shown is not None
    assert shown.id == made.id
    assert shown.proves(made.digest)


def test_another_secret_and_no_secret_prove_nothing() -> None:
    one, other = keys.make(Kind.KEY, chance), keys.make(Kind.KEY, chance)
    shown = keys.read(Kind.KEY, one.whole)
    assert shown is not None
    assert not shown.proves(other.digest)
    assert not shown.proves(None)


def test_a_token_is_no_key_and_a_key_no_token() -> None:
    for mine, other in ((Kind.KEY, Kind.TOKEN), (Kind.TOKEN, Kind.KEY)):
        assert keys.read(other, keys.make(mine, chance).whole) is None


GOOD = "hjo_" + "a" * 16 + "_" + "B" * 43


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hjo",
        "hjo__",
        "hjo_" + "a" * 16 + "_",
        "hjo__" + "B" * 43,
        GOOD + "B",
        GOOD[:-1],
        GOOD + "\n",
        GOOD[:-1] + "\x00",
        GOOD[:-1] + "é",
        GOOD[:-1] + "\ud800",
        GOOD[:-1] + "\uff22",  # a letter that only looks like one
        GOOD.upper(),
        "HJO" + GOOD[3:],
        GOOD.replace("a", "1", 1),
        " " + GOOD,
        "hjo_" * 300_000,
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert keys.read(Kind.KEY, GOOD) is not None
    assert keys.read(Kind.KEY, text) is None


def test_the_secret_shows_in_no_repr() -> None:
    made = keys.make(Kind.KEY, chance)
    secret = made.whole.rpartition(made.id + "_")[2]
    assert secret not in repr(made)
    assert secret not in repr(keys.read(Kind.KEY, made.whole))

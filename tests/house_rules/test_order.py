"""The order in which tests run."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.acceptance.processes import ROOT
from tests.order import IN_ONE_PROCESS, spread, together

SIZES = st.lists(st.integers(1, 30), max_size=40)


def made_up(kind: str, sizes: list[int]) -> list[tuple[str, int]]:
    """So many tests of each module: the module's name and a number."""
    return [(f"{kind}{module}", number) for module, size in enumerate(sizes) for number in range(size)]


@given(SIZES, SIZES)
def test_every_test_is_there_once_and_those_of_a_module_stay_together(
    slow: list[int], others: list[int]
) -> None:
    waiting, computing = made_up("slow", slow), made_up("quick", others)
    ordered = spread(waiting, computing, lambda test: test[0])
    assert [test for test in ordered if test in set(waiting)] == waiting
    assert [test for test in ordered if test in set(computing)] == computing
    places = {name: [at for at, test in enumerate(ordered) if test[0] == name] for name, _ in computing}
    assert all(at[-1] - at[0] == len(at) - 1 for at in places.values())


def test_what_waits_for_long_begins_early_and_is_over_before_the_end() -> None:
    waiting, computing = made_up("slow", [1] * 100), made_up("quick", [20] * 150)
    ordered = spread(waiting, computing, lambda test: test[0])
    places = [at for at, test in enumerate(ordered) if test in set(waiting)]
    assert places[0] == 0
    assert 0.6 * len(ordered) < places[-1] < 0.85 * len(ordered)
    assert max(after - before for before, after in pairwise(places)) < 60


def test_what_is_dear_to_make_is_made_in_one_process() -> None:
    for module in IN_ONE_PROCESS:
        assert (ROOT / module).exists()
        assert together(f"{module}::test_one") == together(f"{module}::TestClass::test_other[1]")
    assert together("tests/unit/test_mp4.py::test_one") != together("tests/unit/test_mp4.py::test_other")

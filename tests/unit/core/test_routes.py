"""Which outcomes go where, as it is kept with a job."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.routes import Outcome, Route, lane_of, lanes_of, read_route

ROUTES = st.builds(
    Route,
    st.text(min_size=1, max_size=20),
    st.lists(st.sampled_from(Outcome), unique=True).map(tuple),
    st.booleans(),
)


@given(route=ROUTES)
def test_a_route_is_read_as_it_was_kept(route: Route) -> None:
    assert read_route(json.loads(json.dumps(route.as_json()))) == route


def test_a_name_alone_as_earlier_versions_kept_it_wants_everything_as_files() -> None:
    assert read_route("folder") == Route("folder", tuple(Outcome), link=False)


@pytest.mark.parametrize("outcome", ["output_missing", "output_missing-0", "output_missing-17"])
def test_the_number_of_an_output_does_not_matter_for_who_wants_to_know(outcome: str) -> None:
    assert Route("a", (Outcome.OUTPUT_MISSING,)).wants(outcome)
    assert not Route("a", (Outcome.OUTPUT_UNAVAILABLE,)).wants(outcome)


def test_lanes_are_in_one_order_with_the_archive_among_them() -> None:
    assert lanes_of([Route("z"), Route("a"), Route("z")]) == ["a", "archive", "z"]


def test_a_lane_is_of_one_tenant_and_one_place() -> None:
    assert lane_of("a", "b") == "a/b"

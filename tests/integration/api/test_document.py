"""What the API answers is what its document says: Schemathesis makes the requests from the document."""

from pathlib import Path

import pytest

from tests.benchmarks.schemathesis_run import run
from tests.integration.api.conftest import NewApi


def test_every_answer_is_as_the_document_says(new_api: NewApi, tmp_path: Path) -> None:
    found = run(new_api(requests_per_minute=0), tmp_path / "report.json", examples=1)
    print(f"{found.cases} cases, {found.failures} failures")
    assert (found.code, found.failures) == (0, 0), found.output
    assert found.cases > 300


@pytest.mark.soak
def test_it_is_so_for_many_requests_made_by_chance(new_api: NewApi, tmp_path: Path) -> None:
    found = run(new_api(requests_per_minute=0), tmp_path / "report.json", examples=200, seed=7)
    print(f"{found.cases} cases, {found.failures} failures")
    assert (found.code, found.failures) == (0, 0), found.output

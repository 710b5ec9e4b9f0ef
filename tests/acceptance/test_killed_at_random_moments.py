"""The loop of tests/benchmarks/sigkill_loop.py, in small: kills at moments that nobody chose."""

from pathlib import Path

from tests.benchmarks import sigkill_loop

MANY = 25


def test_nothing_is_lost_paid_twice_or_handed_off_twice(tmp_path: Path) -> None:
    report = sigkill_loop.run(tmp_path, jobs=MANY, kills=5, seed=7)
    found = report.findings
    assert found.good, "\n".join(report.lines())
    assert report.kills == 5
    # A kill between claiming a create and sending it leaves that job to a person: how many, chance says.
    assert found.files >= MANY - len(found.left_to_person)
    assert len(found.left_to_person) < MANY / 2, "\n".join(report.lines())

"""The loop of tests/benchmarks/sigkill_loop.py, in small: kills at moments that nobody chose."""

from pathlib import Path

from tests.benchmarks import sigkill_loop


def test_nothing_is_lost_paid_twice_or_handed_off_twice(tmp_path: Path) -> None:
    report = sigkill_loop.run(tmp_path, jobs=25, kills=5, seed=7)
    assert report.good, "\n".join(report.lines())
    assert report.kills == 5
    assert report.files >= 20

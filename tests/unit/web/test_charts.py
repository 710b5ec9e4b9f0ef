"""Charts say in words what they show, and are drawn from any numbers."""

import re

import pytest

from orchestrator.web.dashboard import charts
from orchestrator.web.dashboard.charts import Place


def test_a_chart_is_an_image_with_a_name_and_no_style_of_its_own() -> None:
    drawn = charts.bars("Jobs <by> day", [Place("11-25", (3.0,)), Place("11-26", (6.0,))])
    assert drawn.startswith('<svg class="chart"')
    assert 'role="img" aria-label="Jobs &lt;by&gt; day"' in drawn
    assert "style" not in drawn
    first, second = (float(one) for one in re.findall(r'class="bar".*?height="([\d.]+)"', drawn))
    assert second == pytest.approx(2 * first)


def test_the_axis_ends_at_a_round_number_above_all_that_is_shown() -> None:
    for most, end in ((0.0, "2"), (1.0, "2"), (3.0, "4"), (10.0, "20"), (79.0, "80"), (81_000.0, "100k")):
        assert f">{end}</text>" in charts.bars("a", [Place("x", (most,))]), most


def test_two_series_are_two_lines_on_one_axis_and_nothing_is_a_chart_too() -> None:
    drawn = charts.lines("a", [Place("x", (1.0, 8.0)), Place("y", (2.0, 8.0))])
    lines = re.findall(r'<polyline class="([^"]+)" points="([^"]+)"', drawn)
    assert [kind for kind, _ in lines] == ["line", "line other"]
    assert len({point.partition(",")[2] for point in lines[1][1].split()}) == 1
    assert "<polyline" in charts.lines("a", [])
    assert charts.bars("a", []).count("<rect") == 0


@pytest.mark.parametrize(("part", "whole", "width"), [(1, 4, 25), (0, 4, 0), (9, 4, 100), (1, 0, 0)])
def test_a_share_is_a_bar_between_nothing_and_all(part: float, whole: float, width: float) -> None:
    assert f'class="bar" width="{width:.2f}"' in charts.share("a quarter", part, whole)

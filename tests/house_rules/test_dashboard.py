"""Each panel of the Grafana dashboard shows something once every metric is told."""

from collections.abc import Iterator
from itertools import product

import pytest

from docs.grafana import ROWS, Panel
from orchestrator.metrics import DECLARED, Declared, Kind
from tests.house_rules.promql import Series

SCRAPED_EVERY, LASTS = 15.0, 3_600.0
PANELS = {panel.title: panel for panels in ROWS.values() for panel in panels}
# What queries pick out; any other label has some value.
VALUES = {"kind": ("sent", "listed", "guidance", "was"), "event": ("started", "look_broke")}


def labelled(one: Declared) -> Iterator[dict[str, str]]:
    for values in product(*(VALUES.get(label, ("some",)) for label in one.labels)):
        yield dict(zip(one.labels, values, strict=True))


@pytest.fixture(scope="module")
def told() -> Series:
    """Two processes that tell everything there is: counters grow, half of what takes time is quick."""
    series = Series()
    for instance, one, at in product(("a:1", "b:1"), DECLARED.values(), steps()):
        for labels in labelled(one):
            shown = {**labels, "instance": instance, "job": "orchestrator"}
            if one.kind is Kind.HISTOGRAM:
                for le, share in (("0.1", 0.5), ("1.0", 0.9), ("+Inf", 1.0)):
                    series.add(at, f"{one.name}_bucket", at * share, **shown, le=le)
                series.add(at, f"{one.name}_sum", at * 0.3, **shown)
                series.add(at, f"{one.name}_count", at, **shown)
            else:
                series.add(at, one.name, at if one.kind is Kind.COUNTER else 7.0, **shown)
    return series


def steps() -> list[float]:
    return [SCRAPED_EVERY * step for step in range(int(LASTS / SCRAPED_EVERY))]


@pytest.mark.parametrize("title", PANELS)
def test_a_panel_shows_something_and_its_legend_names_what_is_there(title: str, told: Series) -> None:
    panel: Panel = PANELS[title]
    for query, legend in panel.queries:
        shown = told.instant(query.replace("$__rate_interval", "5m"), steps()[-1])
        assert shown, query
        for labels in shown:
            named = {name for name in ("instance", *dict(labels)) if f"{{{{{name}}}}}" in legend}
            assert legend.count("{{") == len(named) == len(labels), (legend, labels)
        if panel.unit == "percentunit":
            assert all(0 <= value <= 1 for value in shown.values())


def test_what_every_web_tells_alike_is_shown_once_and_what_each_counts_is_added_up(told: Series) -> None:
    (workers,) = told.instant(PANELS["Workers that beat"].queries[0][0], LASTS).values()
    assert workers == 7.0
    accepted = PANELS["Accepted and ended"].queries[0][0].replace("$__rate_interval", "5m")
    assert list(told.instant(accepted, LASTS).values()) == [pytest.approx(2.0)]

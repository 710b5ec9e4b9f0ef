"""Each alert fires on what it is for, as long as that lasts, and is silent otherwise.

A story is what every process tells at each scrape; the rules are evaluated over it as Prometheus would.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import promql_parser
import pytest
import yaml

from tests.house_rules.alert_stories import AFTER, BEFORE, MINUTE, QUIET, STORIES, Tells
from tests.house_rules.deployed import DEPLOY
from tests.house_rules.promql import Labels, Series

SCRAPED_EVERY = 15.0
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
}


def scraped(processes: Mapping[str, Tells]) -> Series:
    """All that was told; what is told no more is marked as gone, as Prometheus does."""
    found, told = Series(), set[tuple[str, str]]()
    for at in moments():
        for instance, tells in processes.items():
            for series, value in tells.items():
                name, labels = _parsed(series)
                labels |= {"instance": instance, "job": "orchestrator"}
                number = value(at)
                if number is not None:
                    told.add((instance, series))
                    found.add(at, name, number, **labels)
                elif (instance, series) in told:
                    told.remove((instance, series))
                    found.add(at, name, math.nan, **labels)
    return found


def moments() -> Sequence[float]:
    return [BEFORE + SCRAPED_EVERY * step for step in range(int((AFTER - BEFORE) / SCRAPED_EVERY))]


def _parsed(series: str) -> tuple[str, dict[str, str]]:
    selector: Any = promql_parser.parse(series)
    return str(selector.name), {one.name: one.value for one in selector.matchers.matchers}


def fires(alert: str, series: Series) -> list[float]:
    """All moments at which it does."""
    rule = RULES[alert]
    held = promql_parser.parse_duration(rule["for"]).total_seconds() if "for" in rule else 0.0
    since: dict[Labels, float] = {}
    found = []
    for at in moments():
        true = series.instant(rule["expr"], at)
        since = {labels: since.get(labels, at) for labels in true}
        if any(at - began >= held for began in since.values()):
            found.append(at)
    return found


@pytest.mark.parametrize("name", STORIES)
def test_an_alert_fires_on_what_it_is_for_and_as_long_as_that_lasts(name: str) -> None:
    story = STORIES[name]
    firing = fires(story.alert, scraped(story.processes))
    assert firing
    assert 0 <= firing[0] <= story.within, "soon, and not before"
    assert firing[-1] <= story.until
    lasted = [at for at in moments() if firing[0] <= at <= firing[-1]]
    assert firing == lasted, "without a break"
    assert firing[-1] >= min(story.until, AFTER) - 6 * MINUTE, "to the end"


@pytest.mark.parametrize("name", QUIET)
def test_no_alert_fires_when_there_is_nothing_to_be_done(name: str) -> None:
    series = scraped(QUIET[name])
    assert [alert for alert in RULES if fires(alert, series)] == []


def test_every_alert_has_its_story() -> None:
    assert {story.alert for story in STORIES.values()} == RULES.keys()

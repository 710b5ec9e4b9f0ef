"""Metrics are declared, documented and watched: the same ones, in the page, the dashboard and the alerts."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import promql_parser as promql
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from docs import grafana
from docs.generate import REFERENCE
from orchestrator import metrics
from orchestrator.metrics import DECLARED, REGISTRY, Declared, Kind
from orchestrator.telemetry import Event
from tests.house_rules.deployed import DEPLOY, ROOT
from tests.house_rules.test_names import product

# What the Prometheus library tells of each process by itself, as far as our files use it; and of scraping.
OF_LIBRARY = {"process_start_time_seconds": {"instance", "job"}}
EVERYWHERE = {"instance", "job"}  # labels that Prometheus adds
SUFFIXES = {Kind.HISTOGRAM: ("_bucket", "_count", "_sum"), Kind.COUNTER: ("",), Kind.GAUGE: ("",)}
SERIES = {f"{one.name}{suffix}": one for one in DECLARED.values() for suffix in SUFFIXES[one.kind]}
ALERTS: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
DASHBOARD: dict[str, Any] = json.loads(grafana.PAGE.read_text())
PANELS = [one for one in DASHBOARD["panels"] if one["type"] != "row"]


class Used(NamedTuple):
    """A series in a query, the labels that its query names, and the aggregation right around it."""

    series: str
    labels: set[str]
    around: str


def parsed(query: str) -> Any:
    return promql.parse(query.replace("$__rate_interval", "5m"))


def used(expression: Any, around: str = "", grouped: frozenset[str] = frozenset()) -> Iterator[Used]:
    """Every series in a query, wherever it is."""
    match expression:
        case promql.VectorSelector():
            matched = {one.name for one in expression.matchers.matchers}
            yield Used(str(expression.name), matched | grouped, around)
        case promql.MatrixSelector():
            yield from used(expression.vector_selector, around, grouped)
        case promql.AggregateExpr():
            yield from used(expression.expr, str(expression.op), grouped | labels_of(expression.modifier))
        case promql.BinaryExpr():
            yield from used(expression.lhs, around, grouped)
            yield from used(expression.rhs, around, grouped)
        case promql.Call():
            for one in expression.args:
                yield from used(one, around, grouped)
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            yield from used(expression.expr, around, grouped)
        case promql.NumberLiteral() | promql.StringLiteral():
            return
        case _:
            raise AssertionError(f"a query has what nobody here reads: {type(expression)}")


def labels_of(modifier: Any) -> frozenset[str]:
    return frozenset(modifier.labels) if modifier is not None else frozenset()


def queries() -> Iterator[tuple[str, str]]:
    """Each query of the dashboard and of the alerts, with where it stands."""
    for panel in PANELS:
        yield from ((f"panel {panel['title']}", target["expr"]) for target in panel["targets"])
    yield from ((f"alert {rule['alert']}", rule["expr"]) for rule in RULES)


EVERY = [(where, one) for where, query in queries() for one in used(parsed(query))]


def known_labels(series: str) -> set[str]:
    if series in OF_LIBRARY:
        return OF_LIBRARY[series]
    declared = SERIES[series]
    return {*declared.labels, *EVERYWHERE} | ({"le"} if series.endswith("_bucket") else set())


def test_every_series_and_every_label_that_a_query_names_is_declared() -> None:
    assert not [(where, one.series) for where, one in EVERY if one.series not in SERIES.keys() | OF_LIBRARY]
    assert not [(where, one) for where, one in EVERY if one.labels - known_labels(one.series)]


def test_every_declared_metric_is_on_its_page_and_in_the_dashboard_and_no_other() -> None:
    page = (REFERENCE / "metrics.md").read_text()
    documented = set(re.findall(r"^\| `(orchestrator_\w+)` \|", page, re.MULTILINE))
    watched = {SERIES[one.series].name for where, one in EVERY if where.startswith("panel")}
    assert documented == DECLARED.keys() == watched


def test_a_reader_of_queries_that_finds_nothing_would_be_noticed() -> None:
    nested = 'max(a{x="1"}) / ignoring(y) group_left sum by (z) (rate(b_total[5m] offset 1h)) > 3'
    assert list(used(parsed(nested))) == [Used("a", {"x"}, "max"), Used("b_total", {"z"}, "sum")]
    assert len({one.series for _, one in EVERY}) > 40


def test_what_every_web_tells_alike_is_never_added_up_and_the_rest_never_left_apart() -> None:
    for where, one in EVERY:
        if one.series in SERIES:
            assert (one.around == "max") == SERIES[one.series].rows or one.around == "", (where, one)


def test_what_is_read_from_rows_stands_under_a_maximum() -> None:
    of_rows = [(where, one) for where, one in EVERY if SERIES.get(one.series, _NOTHING).rows]
    assert of_rows
    assert not [where for where, one in of_rows if one.around != "max"]


_NOTHING = Declared("", Kind.GAUGE, (), "", "")


@pytest.mark.parametrize("declared", DECLARED.values(), ids=lambda one: one.name)
def test_a_name_says_its_kind_and_its_unit(declared: Declared) -> None:
    assert re.fullmatch(r"orchestrator_[a-z][a-z0-9_]*", declared.name)
    assert declared.name.endswith("_total") == (declared.kind is Kind.COUNTER)
    assert declared.kind is not Kind.HISTOGRAM or declared.name.endswith("_seconds")
    stem = declared.name.removesuffix("_total")
    assert not declared.unit or stem.endswith(declared.unit), "as Prometheus wants its names"
    assert declared.meaning
    assert not set(declared.labels) & EVERYWHERE, "Prometheus has labels of these names already"


def test_no_label_is_of_a_kind_that_a_caller_chooses() -> None:
    labels = {label for one in DECLARED.values() for label in one.labels}
    chosen = {"job_id", "job", "tenant", "model", "reference", "end_user", "prompt", "gateway_id", "key"}
    assert not labels & chosen


def test_every_declared_metric_is_measured_somewhere_and_nothing_is_measured_past_the_file() -> None:
    constants = {name for name, value in vars(metrics).items() if name.isupper() and _is_metric(value)}
    measured: set[str] = set()
    for file, tree in product():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", None) == "metrics":
                measured.add(node.attr)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("prometheus_client"):
                assert file.name in ("metrics.py", "exposing.py"), file
    assert constants - measured <= {"BUILD", "ROWS_AGE"}, "these two are the file's own"
    assert len(constants) == len(DECLARED)


def _is_metric(value: object) -> bool:
    return isinstance(value, Declared | MetricWrapperBase)


def test_what_is_registered_is_what_is_declared() -> None:
    names = {family.name for family in REGISTRY.collect() if family.name.startswith("orchestrator_")}
    own = {one.name.removesuffix("_total") for one in DECLARED.values() if not one.rows}
    assert names == own


def test_each_alert_says_what_and_what_to_do_and_names_events_that_are_logged() -> None:
    for rule in RULES:
        assert rule["alert"].startswith("Orchestrator")
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["labels"]["severity"] in ("critical", "warning")
        for event in re.findall(r'event="(\w+)"', rule["expr"]):
            assert event in set(Event)
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_the_guide_to_watching_tells_of_every_alert() -> None:
    guide = (ROOT / "docs" / "how-to" / "monitor.md").read_text()
    told = set(re.findall(r"^\| `(Orchestrator\w+)` \|", guide, re.MULTILINE))
    assert told == {one["alert"] for one in RULES}


def test_panels_have_names_of_their_own_and_do_not_lie_on_each_other() -> None:
    assert len({one["id"] for one in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for one in DASHBOARD["panels"]:
        place = one["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, one["title"]
        taken |= cells


def test_the_example_scrapes_every_process_and_reads_the_alerts() -> None:
    scrape = yaml.safe_load((DEPLOY / "prometheus" / "scrape.yaml").read_text())
    (static, kubernetes) = scrape["scrape_configs"]
    assert scrape["rule_files"] == ["alerts.yaml"]
    assert len(static["static_configs"][0]["targets"]) == 8
    assert kubernetes["kubernetes_sd_configs"] == [{"role": "pod"}]

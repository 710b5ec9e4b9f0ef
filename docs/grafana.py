"""The dashboard for Grafana: every metric has its panel, and a house rule compares the two sets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "deploy" / "grafana" / "orchestrator.json"
HALF, HIGH, WHOLE = 12, 8, 24  # of Grafana's grid
RATE = "$__rate_interval"
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One graph, or with `stat` one number. `queries` are pairs of an expression and a legend."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    meaning: str = ""
    stat: bool = False


def _each(metric: str, *labels: str) -> tuple[str, str]:
    """A counter's rate, by labels."""
    return f"sum by ({', '.join(labels)}) (rate({metric}[{RATE}]))", _legend(labels)


def _rate(metric: str, legend: str) -> tuple[str, str]:
    return f"sum(rate({metric}[{RATE}]))", legend


def _quantile(metric: str, share: float, *labels: str) -> tuple[str, str]:
    by = ", ".join(("le", *labels))
    expression = f"histogram_quantile({share:g}, sum by ({by}) (rate({metric}_bucket[{RATE}])))"
    return expression, f"{_legend(labels)} p{share * 100:g}".strip()


def _both(metric: str, *labels: str) -> tuple[tuple[str, str], ...]:
    return _quantile(metric, 0.5, *labels), _quantile(metric, 0.99, *labels)


def _rows(metric: str, *labels: str) -> tuple[str, str]:
    by = f" by ({', '.join(labels)})" if labels else ""
    return f"max{by} ({metric})", _legend(labels) or metric.removeprefix("orchestrator_")


def _legend(labels: tuple[str, ...]) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in labels)


_WORTH_A_LOOK = (
    "sum by (event) (increase(orchestrator_log_events_total"
    '{event=~".*_(broke|failed|dead|died|gone|away|shut)"}[5m])) > 0'
)
_LAG = (
    "sum by (kind) (rate(orchestrator_ledger_lag_seconds_total[1h])) / ignoring(kind) group_left "
    "sum(rate(orchestrator_ledger_jobs_total[1h]))"
)
_RESCUED = (
    "sum(rate(orchestrator_ledger_rescued_total[1h])) / sum(rate(orchestrator_ledger_awaited_total[1h]))"
)
_SAVED = (
    'sum(rate(orchestrator_ledger_looks_total{kind="guidance"}[1h])) '
    '- sum(rate(orchestrator_ledger_looks_total{kind!="guidance"}[1h]))'
)

ROWS: dict[str, tuple[Panel, ...]] = {
    "Is it well?": (
        Panel("Alarms", (_rows("orchestrator_alarm", "alarm", "about"),), meaning="What rings now"),
        Panel("Processes", (("sum by (role, version) (orchestrator_build_info)", "{{role}} {{version}}"),)),
        Panel("Workers that beat", (_rows("orchestrator_workers"),), stat=True),
        Panel("Age of what is read from rows", (_rows("orchestrator_rows_age_seconds"),), "s", stat=True),
        Panel("Since something recurrent happened", (_rows("orchestrator_pulse_age_seconds", "pulse"),), "s"),
        Panel("Log events worth a look", ((_WORTH_A_LOOK, "{{event}}"),)),
    ),
    "Work": (
        Panel("Jobs open, by what they wait for", (_rows("orchestrator_jobs_open", "waits_for"),)),
        Panel("Due, and nobody does it", (_rows("orchestrator_due", "task"),)),
        Panel("For how long", (_rows("orchestrator_due_lag_seconds", "task"),), "s"),
        Panel("Being done", (_rows("orchestrator_leases", "kind"),)),
        Panel(
            "Sweeps and messages",
            (
                _rate("orchestrator_sweeps_total", "sweeps"),
                _each("orchestrator_messages_total", "task", "result"),
            ),
            "ops",
        ),
        Panel("Transactions", _both("orchestrator_transaction_seconds", "mode"), "s"),
    ),
    "Jobs": (
        Panel(
            "Accepted and ended",
            (
                _rate("orchestrator_jobs_accepted_total", "accepted"),
                _each("orchestrator_jobs_ended_total", "state"),
            ),
            "ops",
        ),
        Panel("Bad ends, by whose doing", (_each("orchestrator_jobs_ended_total", "blame"),), "ops"),
        Panel("What they met on their way", (_each("orchestrator_faults_total", "fault"),), "ops"),
        Panel("Who told the end", (_each("orchestrator_jobs_ended_total", "source"),), "ops"),
        Panel("Moves", (_each("orchestrator_jobs_moved_total", "was", "now"),), "ops"),
        Panel("From accepted to ended", _both("orchestrator_job_seconds", "state"), "s"),
        Panel("From an end to our knowing of it", _both("orchestrator_end_to_known_seconds", "source"), "s"),
        Panel("Contradictions", (_each("orchestrator_jobs_clashes_total", "source"),), "ops"),
    ),
    "The gateway": (
        Panel("Creates", (_each("orchestrator_create_seconds_count", "result"),), "ops"),
        Panel("A create call", _both("orchestrator_create_seconds"), "s"),
        Panel("Looks, by what came of them", (_each("orchestrator_looks_total", "result"),), "ops"),
        Panel("Looks, by why", (_each("orchestrator_looks_total", "why"),), "ops"),
        Panel("A look", _both("orchestrator_look_call_seconds"), "s"),
        Panel("Lists", (_each("orchestrator_lists_total", "result"),), "ops"),
        Panel("Not in its contract", (_each("orchestrator_drift_total", "kind", "place"),), "ops"),
        Panel(
            "Looks saved",
            (
                (_SAVED, "saved"),
                ("sum by (kind) (rate(orchestrator_ledger_looks_total[1h]))", "{{kind}}"),
                ("sum(rate(orchestrator_ledger_jobs_total[1h]))", "jobs"),
            ),
            "ops",
            "Against asking as often as the gateway's guidance says",
        ),
        Panel("Lag of a job, in the mean", ((_LAG, "{{kind}}"),), "s"),
    ),
    "Webhooks": (
        Panel("Received", (_each("orchestrator_webhook_seconds_count", "fate"),), "ops"),
        Panel("Not believed", (_each("orchestrator_webhooks_rejected_total", "reason"),), "ops"),
        Panel("Taking one", _both("orchestrator_webhook_seconds"), "s"),
        Panel("How they come", (_rows("orchestrator_hook_health", "account", "provider", "health"),)),
        Panel("Ends that a look had to tell", ((_RESCUED, "of those awaited by webhook"),), "percentunit"),
    ),
    "Hand-offs": (
        Panel("Attempts", (_each("orchestrator_hand_offs_total", "kind", "result"),), "ops"),
        Panel(
            "Attempts, by destination",
            (_each("orchestrator_hand_offs_total", "destination", "result"),),
            "ops",
        ),
        Panel("One attempt", _both("orchestrator_hand_off_seconds", "kind"), "s"),
        Panel("From knowing to handed off", _both("orchestrator_known_to_handed_off_seconds", "kind"), "s"),
        Panel("Owed", (_rows("orchestrator_hand_offs_owed", "destination"),)),
        Panel("Given up", (_rows("orchestrator_hand_offs_dead", "destination"),)),
        Panel("Destinations left alone", (_rows("orchestrator_destination_shut", "destination", "why"),)),
        Panel("Into the archive", (_rate("orchestrator_archived_bytes_total", "bytes"),), "Bps"),
        Panel("The archive", (_rows("orchestrator_archive_bytes"),), "bytes"),
        Panel("Files in the archive", (_rows("orchestrator_archive_files"),)),
    ),
    "API and dashboard": (
        Panel("Requests", (_each("orchestrator_request_seconds_count", "method", "status"),), "ops"),
        Panel(
            "Until the answer began, p99", (_quantile("orchestrator_request_seconds", 0.99, "route"),), "s"
        ),
    ),
}


def text() -> str:
    """The whole file."""
    return json.dumps(_dashboard(), indent=1, ensure_ascii=False) + "\n"


def _dashboard() -> dict[str, Any]:
    return {
        "uid": "hybrid-job-orchestrator",
        "title": "Hybrid job orchestrator",
        "description": "Printed by `python -m docs.generate`.",
        "tags": ["orchestrator"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [
                {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
            ]
        },
        "panels": _panels(),
    }


def _panels() -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    y = 0
    for heading, panels in ROWS.items():
        place = {"x": 0, "y": y, "w": WHOLE, "h": 1}
        made.append({"id": len(made) + 1, "type": "row", "title": heading, "gridPos": place, "panels": []})
        y += 1
        for number, panel in enumerate(panels):
            place = {"x": HALF * (number % 2), "y": y + HIGH * (number // 2), "w": HALF, "h": HIGH}
            made.append(_panel(len(made) + 1, panel, place))
        y += HIGH * ((len(panels) + 1) // 2)
    return made


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": "stat" if panel.stat else "timeseries",
        "title": panel.title,
        "description": panel.meaning,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {} if panel.stat else {"tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": expression,
                "legendFormat": legend,
            }
            for index, (expression, legend) in enumerate(panel.queries)
        ],
    }

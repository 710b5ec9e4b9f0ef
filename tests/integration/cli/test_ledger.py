"""`ledger`: looks sent, looks the guidance alone would have sent, and the lag paid for it."""

from __future__ import annotations

import json

import pytest

from orchestrator.store import ledger
from orchestrator.store.ledger import Sums
from tests.integration.cli.conftest import Rows, Run


@pytest.fixture
def kept(rows: Rows) -> None:
    with rows.context.store.write() as tx:
        today = ledger.day_of(tx.now)
        many = Sums(100, 12, 3, 400, 150, 1_000, 100, 2)
        pages = {
            ("default", "veo", today): many,
            ("default", "sora", today - 3): Sums(10, 30, 0, 20, 50, 100),
        }
        ledger.add(tx, pages | {("default", "veo", today - 30): Sums(999, 9, 9, 9, 9, 9, 9, 9)})


def test_by_tenant_it_tells_what_was_sent_and_saved(run: Run, kept: None) -> None:
    heading, row, *_ = run("ledger").out.splitlines()
    assert row.split() == [
        "default",
        "110",
        "42",
        "3",
        "420",
        "375",
        "(89%)",
        "1.8",
        "10.0",
        "2",
        "of",
        "100",
        "(2.0%)",
    ]
    assert heading.split()[:5] == ["tenant", "jobs", "looks", "lists", "by"]


def test_by_model_each_has_its_row_and_all_have_one(run: Run, kept: None) -> None:
    found = {one["model"]: one for one in json.loads(run("ledger", "--by", "model", "--json").out)}
    assert set(found) == {"veo", "sora"}
    assert found["veo"]["saved"] == 385
    assert found["veo"]["lag_mean"] == 1.5
    assert found["sora"]["saved"] == -10
    assert found["sora"]["awaited"] == 0
    assert run("ledger", "--by", "model").out.splitlines()[3].split()[:2] == ["all", "110"]


def test_days_bound_it(run: Run, kept: None) -> None:
    assert json.loads(run("ledger", "--days", 1, "--json").out)[0]["jobs"] == 100
    assert json.loads(run("ledger", "--days", 60, "--json").out)[0]["jobs"] == 1_109
    assert len(json.loads(run("ledger", "--by", "day", "--json").out)) == 2


def test_where_nothing_ended_it_says_so(run: Run, rows: Rows) -> None:
    assert run("ledger").out == "no job ended in the last 7 days\n"
    assert json.loads(run("ledger", "--json").out) == []

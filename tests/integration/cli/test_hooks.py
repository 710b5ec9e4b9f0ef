"""`hooks`: how webhooks come, and what trusting them would save and risk, for people and for programs."""

import json

from tests.integration.cli.conftest import Rows, Run
from tests.integration.learned import CLASS, some, taught


def teach(rows: Rows, *, silent: bool = False) -> None:
    store = rows.context.store
    with store.read() as tx:
        now = tx.now
    jobs = [*some(301, lost_every=60), *([(90.0, None)] * 12 if silent else [])]
    taught(store, now - len(jobs), jobs, hook="HTTP 503")


def test_before_any_was_awaited_nothing_is_known(run: Run, rows: Rows) -> None:
    for command in ("health", "report"):
        assert "nothing is known" in run("hooks", command).out
        assert json.loads(run("hooks", command, "--json").out) == []
    assert "hook health" not in run("check").out


def test_health_has_a_line_for_the_endpoint_and_one_for_each_provider(run: Run, rows: Rows) -> None:
    teach(rows, silent=True)
    head, *lines = run("hooks", "health").out.splitlines()
    assert head.split() == ["endpoint", "health", "for", "why"]
    assert [line.split("  ")[0] for line in lines] == ["default, all providers", "default, google"]
    assert all("silent" in line and "the latest 12 did not come" in line for line in lines)
    found = {one["provider"]: one for one in json.loads(run("hooks", "health", "--json").out)}
    assert found["google"]["health"] == "silent"
    assert found[None]["account"] == "default"


def test_check_warns_of_webhooks_that_do_not_come(run: Run, rows: Rows) -> None:
    teach(rows, silent=True)
    findings = {one["what"]: one for one in json.loads(run("check", "--json").out)}
    assert findings["hook health"]["status"] == "warn"
    assert findings["hook health"]["found"].startswith("default: silent, the latest 12 did not come")


def test_the_report_has_bounds_costs_and_what_it_cannot_know(run: Run, rows: Rows) -> None:
    teach(rows)
    said = run("hooks", "report")
    assert (said.code, said.err) == (0, "")
    assert "awaited 301, came 296, never came 5: 1.7 % lost, between 0.7 % and 3.8 %" in said.out
    assert "HTTP 503 x5" in said.out
    assert CLASS in said.out
    assert "not known:" in said.out
    whole, google = json.loads(run("hooks", "report", "--json").out)
    assert whole["classes"] == []
    (compared,) = google["classes"]
    assert compared["trusting"]["requests"] < compared["by_guidance"]["requests"] / 50

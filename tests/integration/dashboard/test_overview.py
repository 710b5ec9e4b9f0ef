"""How everything stands, to whom it is shown, and what is said to those who may not see it."""

import re

import httpx
from sqlalchemy import update

from orchestrator.core.access import Scope
from orchestrator.core.blame import Fault
from orchestrator.core.learned.classes import channel_of
from orchestrator.core.learned.hooks import Health, Hooks
from orchestrator.core.lifecycle import State
from orchestrator.engine.overview import MOST_HOOKS
from orchestrator.store import accounts, estimates, ledger, schema, tenants
from orchestrator.store.accounts import Entry
from orchestrator.store.estimates import EstimateKind
from orchestrator.store.ledger import Sums
from tests.integration.api.served import Holder, Served
from tests.integration.dashboard.conftest import SignedIn
from tests.integration.dashboard.visitor import words

READER = (Scope.READ,)


def part(answer: httpx.Response, name: str) -> str:
    """What one part of a page says, by its id or by that of its heading."""
    found = re.search(rf'<(section|div)[^>]*(id|aria-labelledby)="{name}".*?</\1>', answer.text, re.DOTALL)
    assert found is not None, name
    return words(replace_text(answer, found[0]))


def replace_text(answer: httpx.Response, text: str) -> httpx.Response:
    return httpx.Response(answer.status_code, text=text)


def test_what_is_open_stuck_and_owed_is_counted_for_its_tenant_alone(
    us: Holder, them: Holder, signed_in: SignedIn
) -> None:
    us.kept()
    us.kept()
    us.move(us.kept(), State.WAITING)
    us.move(us.kept(), State.UNCERTAIN, needs_person=True)
    us.completed()
    us.dead(to="folder")
    page = signed_in(us, *READER).get("")
    assert "accepted 3" in part(page, "open-title")
    assert "waiting 1" in part(page, "open-title")
    assert part(page, "stuck-title").startswith("Stuck 1 wait for a person")
    assert "1 job has something that is still to be handed off" in part(page, "finishing-title")
    assert "owed 1 … to the archive 1" in part(page, "owed-title")
    assert "given up 1 … to folder 1" in part(page, "owed-title")
    other = signed_in(them, *READER).get("")
    assert "accepted 0" in part(other, "open-title")
    assert "Nothing: no job waits" in part(other, "stuck-title")


def test_creates_that_are_held_are_stuck_and_the_page_says_why(
    api: Served, us: Holder, signed_in: SignedIn
) -> None:
    us.kept()
    with api.store.write() as tx:
        tenants.hold(tx, us.tenant, "2 jobs are open and 2 may be", tx.now + 60)
    assert "2 jobs are open and 2 may be" in part(signed_in(us, *READER).get(""), "stuck-title")


def test_work_that_nobody_takes_is_stuck(api: Served, us: Holder, signed_in: SignedIn) -> None:
    job = us.move(us.kept(), State.WAITING)
    with api.store.write() as tx:
        late = update(schema.jobs).where(schema.jobs.c.id == job.id)
        tx.execute(late.values(due_at=tx.now - 120, accepted_at=tx.now - 300))
    assert "1 looks have been due for over a minute" in part(signed_in(us, *READER).get(""), "stuck-title")


def test_faults_money_and_looks_of_the_day_are_told_with_charts_that_have_words(
    api: Served, us: Holder, signed_in: SignedIn
) -> None:
    us.move(us.kept(), State.FAILED, blame=Fault.PROVIDER, settled_at=1.0)
    us.move(us.kept(), State.COMPLETED, cost_usd=0.75, settled_at=1.0)
    with api.store.write() as tx:
        day = ledger.day_of(tx.now)
        spent = Sums(jobs=4, looks=1.0, lists=1.0, guidance_looks=12.0, lag=4.0, guidance_lag=8.0)
        ledger.add(tx, {(us.tenant, "google/veo", day): spent})
    page = signed_in(us, *READER).get("")
    assert "provider 1" in part(page, "faults-title")
    assert "$0.7500 for 1 job accepted" in part(page, "money-title")
    looks = part(page, "looks-title")
    assert "10 saved in 14 days: 2 sent, 12 by the gateway's guidance alone, over 4 jobs" in looks
    assert "1.0 s late in the mean, by guidance 2.0 s" in looks
    charts = re.findall(r'<svg class="chart"[^>]*role="img" aria-label="([^"]+)"', page.text)
    assert charts == [
        "Looks by day: those sent, and dashed those that the guidance alone would have sent",
        "Jobs that ended, by day",
    ]


def test_webhooks_are_told_of_the_tenant_s_own_endpoints(
    api: Served, us: Holder, them: Holder, signed_in: SignedIn
) -> None:
    mine = Entry(f"acc-{us.tenant}", us.tenant, "mine", None, None, None, None)
    hooks = Hooks()
    hooks.learn_came(1_000.0)
    with api.store.write() as tx:
        accounts.add_once(tx, mine)
        channel = channel_of(mine.id, "google-ai-studio")
        estimates.lock(tx, EstimateKind.HOOKS, channel)
        estimates.write(tx, EstimateKind.HOOKS, channel, hooks.as_json())
    told = part(signed_in(us, *READER).get(""), "hooks-title")
    assert "mine google-ai-studio unknown" in told
    assert "google-ai-studio" not in part(signed_in(them, *READER).get(""), "hooks-title")


def test_of_many_channels_the_worst_are_told_and_the_others_counted(
    api: Served, us: Holder, signed_in: SignedIn
) -> None:
    mine = Entry(f"acc-{us.tenant}", us.tenant, "mine", None, None, None, None)
    removed = Entry(f"old-{us.tenant}", us.tenant, "old", None, None, None, None)
    with api.store.write() as tx:
        accounts.add_once(tx, mine)
        accounts.add_once(tx, removed)
        tx.execute(
            update(schema.accounts).where(schema.accounts.c.id == removed.id).values(removed_at=tx.now)
        )
        for number in range(MOST_HOOKS + 3):
            ill = {MOST_HOOKS + 1: Health.DEGRADED, MOST_HOOKS + 2: Health.SILENT}
            learned = Hooks(health=ill.get(number, Health.HEALTHY)).as_json()
            for account in (mine.id, removed.id):
                channel = channel_of(account, f"provider-{number:02}")
                estimates.lock(tx, EstimateKind.HOOKS, channel)
                estimates.write(tx, EstimateKind.HOOKS, channel, learned)
    told = part(signed_in(us, *READER).get(""), "hooks-title")
    assert re.findall(r"mine (provider-\d\d) (\w+)", told)[:3] == [
        (f"provider-{MOST_HOOKS + 2}", "silent"),
        (f"provider-{MOST_HOOKS + 1}", "degraded"),
        ("provider-00", "healthy"),
    ]
    assert told.count("mine provider-") == MOST_HOOKS
    assert f"the worst of {MOST_HOOKS + 3}: 1 silent, 1 degraded, {MOST_HOOKS + 1} healthy." in told


def test_more_looks_than_by_guidance_are_not_told_as_saved(
    api: Served, us: Holder, signed_in: SignedIn
) -> None:
    with api.store.write() as tx:
        day = ledger.day_of(tx.now)
        ledger.add(tx, {(us.tenant, "google/veo", day): Sums(jobs=1, looks=5.0, guidance_looks=2.0)})
    assert "3 more than by guidance in 14 days" in part(signed_in(us, *READER).get(""), "looks-title")


def test_alarms_are_for_those_who_see_the_installation_and_others_read_why_they_see_none(
    api: Served, us: Holder, signed_in: SignedIn
) -> None:
    with api.store.write() as tx:
        tx.execute(tx.insert(schema.destinations).values(**_disabled("dashboard-bucket", tx.now)))
    whole = signed_in(us, Scope.READ, Scope.INSTALLATION).get("")
    assert "dashboard-bucket wants nothing: gone" in part(whole, "alarms-title")
    assert '<a href="/dashboard/destinations/dashboard-bucket"' in whole.text
    assert "<code>orchestrator destinations enable dashboard-bucket</code>" in whole.text
    assert "all tenants" in words(whole)
    own = part(signed_in(us, *READER).get(""), "alarms-title")
    assert "dashboard-bucket" not in own
    assert f"Here you see what is tenant {us.tenant}'s." in own
    assert "scope installation , which this one lacks" in own
    with api.store.write() as tx:
        tx.execute(schema.destinations.delete().where(schema.destinations.c.name == "dashboard-bucket"))


def _disabled(name: str, now: float) -> dict[str, object]:
    return {"name": name, "failures": 1, "pause": 0.0, "reason": "gone", "disabled_at": now}

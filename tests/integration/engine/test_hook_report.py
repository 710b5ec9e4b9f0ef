"""What is known of webhooks is told with its bounds, and with what it cannot know."""

import pytest

from orchestrator.core.learned.hooks import Health
from orchestrator.engine import alarms, hook_health
from orchestrator.engine.alarms import AlarmName
from orchestrator.engine.hook_report import Report, report
from orchestrator.store import estimates
from orchestrator.store.estimates import EstimateKind
from tests.integration.engine.harness import Engine
from tests.integration.learned import CLASS, some, taught


def of_google(engine: Engine) -> Report:
    (found,) = [one for one in report(engine.context) if one.standing.provider == "google"]
    return found


def alarming(engine: Engine) -> list[tuple[str | None, str]]:
    with engine.store.read() as tx:
        found = alarms.read(tx, wall_clock=engine.now, beat_expected=False)
    return [(one.about, one.detail) for one in found if one.name is AlarmName.HOOKS_SILENT]


def test_what_was_seen_is_told_with_its_bounds_and_what_trusting_it_would_save(engine: Engine) -> None:
    taught(engine.store, engine.now, some(500, lost_every=50), hook="HTTP 503")
    found = of_google(engine)
    assert (found.awaited, found.came, found.missed) == (500, 490, 10)
    low, seen, high = found.lost
    assert (round(low, 3), seen, round(high, 3)) == (0.011, 0.02, 0.036), "Wilson's for 10 of 500"
    assert found.evidence == {"HTTP 503": 10}
    assert all(0.4 < (seconds or 0) < 1.0 for seconds in found.delays.values())
    (compared,) = found.classes
    assert (compared.name, compared.jobs) == (CLASS, 500)
    # cadence.md: by guidance 5 requests a job and 10 s; trusting instant webhooks 0.03 of which 2 % are lost.
    assert compared.by_guidance.requests == pytest.approx(4.8, abs=0.3)
    assert compared.by_guidance.lag_mean == pytest.approx(10.0, abs=1.0)
    assert compared.trusting.requests < 0.05
    assert compared.trusting.requests < compared.at_worst.requests < compared.if_none_came.requests
    assert compared.trusting.lag_mean < compared.at_worst.lag_mean < compared.if_none_came.lag_mean
    assert compared.if_none_came.requests >= 1.0


def test_of_few_nothing_is_reckoned_and_it_is_said_why(engine: Engine) -> None:
    taught(engine.store, engine.now, some(12))
    found = of_google(engine)
    assert found.classes == []
    assert found.unknown[0].startswith("too few: 12 webhooks were awaited, 20 are the least")
    assert "1 more classes" in found.unknown[1]
    assert found.standing.health is Health.UNKNOWN


def test_webhooks_that_our_looks_caused_tell_of_loss_and_not_of_delay(engine: Engine) -> None:
    taught(engine.store, engine.now, some(200), left_alone=False)
    found = of_google(engine)
    assert (found.came, found.delays_known, found.delays_seen) == (200, 0, 200)
    assert set(found.delays.values()) == {None}
    assert found.classes == []
    assert "caused by our own looks" in found.unknown[0]


def test_an_endpoint_that_falls_silent_is_told_with_the_reason_and_is_an_alarm(engine: Engine) -> None:
    taught(engine.store, engine.now, [*some(100), *((90.0, None) for _ in range(12))], hook="HTTP 503")
    with engine.store.read() as tx:
        found = {one.provider: one for one in hook_health.of_every(tx)}
    assert found.keys() == {None, "google"}
    for one in found.values():
        assert (one.account, one.health) == ("default", Health.SILENT)
        assert engine.now + 100 < (one.since or 0.0) < engine.now + 112
        assert one.why == "the latest 12 did not come; the gateway says: HTTP 503 x12"
    ((about, detail),) = alarming(engine)
    assert about == "default", "not once more for its only provider"
    assert "HTTP 503 x12" in detail


def test_one_provider_s_silence_is_told_of_that_one(engine: Engine) -> None:
    taught(engine.store, engine.now, [*some(100), *((90.0, None) for _ in range(12))])
    with engine.store.write() as tx:
        everywhere = estimates.lock(tx, EstimateKind.HOOKS, "default|*")
        estimates.write(tx, EstimateKind.HOOKS, "default|*", everywhere | {"health": Health.DEGRADED})
    assert [about for about, _ in alarming(engine)] == ["default/google"]


def test_the_silence_of_an_endpoint_that_nothing_was_awaited_from_for_a_day_is_no_alarm(
    engine: Engine,
) -> None:
    taught(engine.store, engine.now, [*some(100), *((90.0, None) for _ in range(12))])
    engine.later(86_400 + 1)
    assert alarming(engine) == []


def test_healthy_webhooks_and_none_at_all_are_no_alarm(engine: Engine) -> None:
    assert report(engine.context) == []
    assert alarming(engine) == []
    taught(engine.store, engine.now, some(100))
    assert alarming(engine) == []

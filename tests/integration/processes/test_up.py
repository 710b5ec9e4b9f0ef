"""Everything in one process, whatever else the environment sets for others."""

from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from orchestrator.core.learned.outage import Outage
from orchestrator.engine.alarms import PULSE_IS_LATE
from orchestrator.engine.outage import latest
from orchestrator.processes import timers
from orchestrator.processes.embedded import opened
from orchestrator.processes.up import receiving
from orchestrator.settings import Settings, load
from orchestrator.store.schema import workers
from orchestrator.store.workers import Pulse, set_pulse
from tests.acceptance.processes import free_port
from tests.sandbox.harness import KEY, until


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    given = {"data_dir": tmp_path, "output_dir": tmp_path / "outputs", "port": free_port()}
    return load({"ORCHESTRATOR_BROKER_URL": "redis://127.0.0.1:9/0"}, gateway_api_key=KEY, **given)


def test_a_broker_for_others_lets_nobody_wait_for_beat(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(timers, "ALARMS_EVERY", 0.01)
    with receiving(settings) as up:
        with up.context.store.write() as tx:
            tx.execute(update(workers).values(started_at=tx.now - 2 * PULSE_IS_LATE))
        for _ in range(10):  # the alarms that are logged are read more often than this asks
            assert httpx.get(f"http://127.0.0.1:{settings.port}/readyz", verify=False).json()["alarms"] == []
    assert "alarm_raised" not in caplog.messages


def test_it_says_that_it_takes_webhooks_and_notices_for_how_long_nobody_did(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "RECEIVING_EVERY", 0.01)
    with opened(settings) as context, context.store.write() as tx:
        set_pulse(tx, Pulse.RECEIVER, tx.now - 600.0)
    with receiving(settings) as up:

        def outage() -> Outage | None:
            with up.context.store.read() as tx:
                return latest(tx)

        found = until(outage)
    assert 600.0 <= found.ended - found.began < 660.0

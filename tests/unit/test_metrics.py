"""Numbers read from rows are told while they are fresh, and addresses are read whole."""

import pytest

from orchestrator import metrics
from orchestrator.errors import SettingError
from orchestrator.metrics import STALE_AFTER, Rows
from orchestrator.settings import load, ports_of


def told(rows: Rows) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in rows.collect()
        for sample in family.samples
    }


def test_nothing_is_told_before_it_was_read() -> None:
    assert told(Rows(lambda: 0.0)) == {}


def test_what_was_read_is_told_with_its_age_until_it_is_stale() -> None:
    now = [100.0]
    rows = Rows(lambda: now[0])
    rows.take([*metrics.readings(metrics.DUE, {"look": 3, "create": 0}), (metrics.WORKERS, (), 2)])
    now[0] += STALE_AFTER
    assert told(rows) == {
        ("orchestrator_due", "look"): 3,
        ("orchestrator_due", "create"): 0,
        ("orchestrator_workers",): 2,
        ("orchestrator_rows_age_seconds",): STALE_AFTER,
    }
    now[0] += 1
    assert told(rows) == {}, "a number that is not true any more alarms nobody"


@pytest.mark.parametrize(
    ("address", "host", "ports"),
    [
        ("127.0.0.1:9464", "127.0.0.1", [9464]),
        ("[::1]:9464-9466", "::1", [9464, 9465, 9466]),
        ("0.0.0.0:0", "0.0.0.0", [0]),
    ],
)
def test_an_address_names_a_host_and_ports(address: str, host: str, ports: list[int]) -> None:
    found, range_ = ports_of(address)
    assert (found, list(range_)) == (host, ports)
    assert load({"ORCHESTRATOR_METRICS_ADDRESS": address}).metrics_address == address


@pytest.mark.parametrize(
    "address", ["9464", "here:", "here:x", ":9464", "here:9-8", "here:65536", "here:1-x", "here:1-"]
)
def test_any_other_address_is_refused(address: str) -> None:
    with pytest.raises(SettingError, match="ORCHESTRATOR_METRICS_ADDRESS"):
        load({"ORCHESTRATOR_METRICS_ADDRESS": address})


def test_no_address_is_none() -> None:
    assert load({"ORCHESTRATOR_METRICS_ADDRESS": ""}).metrics_address is None

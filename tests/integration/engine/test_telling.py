"""What is told of a job to whoever follows it, while real use-cases do their work."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.core.routes import Route
from orchestrator.engine import purge
from orchestrator.engine.purge import DAY, Wanted
from orchestrator.engine.resolve import cancel
from orchestrator.store import events
from tests.integration.engine.harness import Engine, completed, try_until_over
from tests.sandbox.harness import Receiver

Told = list[tuple[str, dict[str, Any]]]
BEGUN: Told = [("accepted", {}), ("state", {"state": "creating"}), ("state", {"state": "waiting"})]


def told(engine: Engine, job_id: str) -> Told:
    with engine.store.read() as tx:
        found = events.of_job(tx, job_id, limit=100)
    assert [one.seq for one in found] == list(range(1, len(found) + 1))
    return [(str(one.type), one.data) for one in found if one.type != "progress"]


def test_a_job_that_goes_well_is_told_of_from_its_acceptance_to_its_last_hand_off(engine: Engine) -> None:
    job_id = completed(engine)
    engine.hand_off_all()
    (output,) = engine.outputs(job_id)
    facts = {"bytes": output.bytes, "sha256": output.sha256, "mime_type": output.mime_type}
    assert told(engine, job_id) == [
        *BEGUN,
        ("state", {"state": "completed"}),
        ("output", {"index": 0, **facts}),
        ("hand_off", {"destination": "folder", "kind": "output", "index": 0, "state": "done"}),
    ]


def test_a_reason_that_comes_after_the_end_is_told_with_the_state_once_more(
    hooked: Engine, hooks: Receiver
) -> None:
    job_id = hooked.created(outcome="failed")
    hooked.receive(hooks.wait(1, "video.failed")[0])
    assert told(hooked, job_id) == [*BEGUN, ("state", {"state": "failed"})]
    hooked.look_when_due(job_id)
    last, data = told(hooked, job_id)[-1]
    failure = hooked.job(job_id).failure
    assert failure is not None
    assert (last, data["state"], data["error"]["message"]) == ("state", "failed", failure["message"])


def test_progress_that_only_a_look_brings_is_told_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = engine.created(duration=600)
    engine.look_when_due(job_id)
    engine.look_when_due(job_id)
    with engine.store.read() as tx:
        grown = [
            one.data["progress"] for one in events.of_job(tx, job_id, limit=100) if "progress" in one.data
        ]
    assert grown == sorted(set(grown))
    assert max(grown, default=0) == engine.job(job_id).progress


def test_a_cancel_is_told_once_with_all_that_is_not_handed_off_because_of_it(engine: Engine) -> None:
    job_id = completed(engine)
    for _ in range(2):
        cancel(engine.context, job_id)
    assert told(engine, job_id)[4:] == [
        ("cancel", {}),
        ("output_lost", {"index": 0, "reason": "cancelled"}),
        ("hand_off", {"destination": "folder", "kind": "output", "index": 0, "state": "withdrawn"}),
    ]


def test_a_cancel_before_the_create_is_told_as_the_state(engine: Engine) -> None:
    job_id = engine.submit()
    cancel(engine.context, job_id)
    assert told(engine, job_id) == [("accepted", {}), ("state", {"state": "cancelled"})]


def test_an_output_that_cannot_be_had_is_told_of_with_whatever_waited_for_it(engine: Engine) -> None:
    engine.with_folders("links")
    job_id = completed(engine, content="missing", destinations=("folder", Route("links", link=True)))
    try_until_over(engine, job_id)
    lost, file, links = [one for one in told(engine, job_id) if one[0] != "state"][1:4]
    assert lost[0] == "output_lost"
    assert lost[1]["reason"] in ("missing", "unavailable")
    assert (file[1]["destination"], file[1]["state"]) == ("folder", "missing")
    assert (links[1]["destination"], links[1]["outcome"], links[1]["state"]) == (
        "links",
        "completed",
        "missing",
    )


def _purge(engine: Engine) -> str:
    engine.later(31 * DAY)
    assert purge.purge_outputs(engine.context, Wanted(older_than=30 * DAY)) == 1
    return "purged"


def _damage(engine: Engine) -> str:
    (kept,) = engine.archived_files()
    kept.chmod(0o600)
    kept.write_bytes(b"x" + kept.read_bytes()[1:])
    assert engine.hand_off() is not None
    return "damaged"


@pytest.mark.parametrize("harm", [_purge, _damage])
def test_an_output_that_the_archive_has_no_more_is_told_of(
    engine: Engine, harm: Callable[[Engine], str]
) -> None:
    job_id = completed(engine)
    engine.archive()
    if harm is _purge:
        engine.hand_off_all()
    reason = harm(engine)
    assert ("output_lost", {"index": 0, "reason": reason}) in told(engine, job_id)
    if harm is _damage:
        engine.hand_off_all()
        assert [one for one, _ in told(engine, job_id)].count("output") == 2, "it was fetched again"

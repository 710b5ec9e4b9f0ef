"""Purging: by age and end, never what is owed, and no content that anybody needs."""

from collections.abc import Callable

import pytest

from orchestrator import wiring
from orchestrator.core.job import HandOffState, OutputSeen
from orchestrator.core.lifecycle import State
from orchestrator.engine import purge
from orchestrator.engine.purge import DAY, Wanted
from orchestrator.engine.replay import replay_hand_off
from orchestrator.store import archived, jobs, outputs
from tests.integration.engine.harness import Engine, NewEngine, completed

OLD = Wanted(older_than=30 * DAY)


def delivered(engine: Engine) -> str:
    job_id = completed(engine)
    engine.hand_off_all()
    return job_id


def test_old_outputs_leave_the_archive_and_their_files_go(engine: Engine) -> None:
    old = delivered(engine)
    engine.later(31 * DAY)
    young = delivered(engine)
    found = purge.preview_outputs(engine.context, OLD)
    assert (found.count, found.bytes) == (1, engine.outputs(old)[0].bytes)
    assert len(engine.archived_files()) == 2, "a preview changes nothing"
    assert purge.purge_outputs(engine.context, OLD) == 1
    assert purge.remove_unused(engine.context) == 1
    (output,) = engine.outputs(old)
    assert (output.archived_at, output.purged_at) == (None, engine.now)
    assert [file.name for file in engine.archived_files()] == [engine.outputs(young)[0].sha256]
    assert purge.purge_outputs(engine.context, OLD) == 0


def test_what_is_still_owed_is_never_purged(engine: Engine) -> None:
    job_id = completed(engine)
    engine.archive()
    engine.later(31 * DAY)
    assert engine.states(job_id) == [HandOffState.OWED]
    assert purge.preview_outputs(engine.context, OLD).count == 0
    assert purge.purge_outputs(engine.context, OLD) == 0
    assert purge.purge_jobs(engine.context, OLD) == 0
    engine.hand_off_all()
    assert purge.purge_outputs(engine.context, OLD) == 1


def test_only_jobs_that_ended_so_are_purged(engine: Engine) -> None:
    well, badly = delivered(engine), engine.created(outcome="failed")
    engine.look_when_due(badly)
    engine.hand_off_all()
    engine.later(31 * DAY)
    failed = Wanted(OLD.older_than, (State.FAILED,))
    assert purge.purge_outputs(engine.context, failed) == 0
    assert purge.preview_jobs(engine.context, failed).count == 1
    assert purge.purge_jobs(engine.context, failed) == 1
    with engine.store.read() as tx:
        assert jobs.get(tx, badly) is None
        assert jobs.get(tx, well) is not None
    assert engine.timeline(badly) == []
    assert engine.hand_offs(badly) == []
    assert engine.attempts(badly) == []


def test_a_purged_job_leaves_no_content_behind(engine: Engine) -> None:
    delivered(engine)
    engine.later(31 * DAY)
    assert purge.purge_jobs(engine.context, OLD) == 1
    assert purge.remove_unused(engine.context) == 1
    assert engine.archived_files() == []


def test_content_that_another_output_is_of_stays(engine: Engine) -> None:
    old = delivered(engine)
    sha256 = engine.outputs(old)[0].sha256
    engine.later(31 * DAY)
    young = delivered(engine)
    with engine.store.write() as tx:  # as if the provider had made the same video once more
        outputs.learn_all(tx, [(young, OutputSeen(1))])
        outputs.note(tx, young, 1, {"sha256": sha256, "archived_at": tx.now})
    assert purge.purge_outputs(engine.context, OLD) == 1
    assert purge.remove_unused(engine.context) == 0
    assert sha256 in {file.name for file in engine.archived_files()}


def test_content_that_somebody_is_about_to_keep_stays(engine: Engine) -> None:
    job_id = delivered(engine)
    sha256 = engine.outputs(job_id)[0].sha256
    assert sha256
    engine.later(31 * DAY)
    assert purge.purge_outputs(engine.context, OLD) == 1
    with engine.store.write() as tx:
        archived.want(tx, sha256, 1)
    assert purge.remove_unused(engine.context) == 0
    engine.later(2 * archived.IN_USE)
    assert purge.remove_unused(engine.context) == 1


def test_whoever_keeps_content_that_was_purged_in_that_moment_is_told_so(engine: Engine) -> None:
    job_id = delivered(engine)
    sha256 = engine.outputs(job_id)[0].sha256
    assert sha256
    engine.later(31 * DAY)
    purge.purge_outputs(engine.context, OLD)
    purge.remove_unused(engine.context)
    with engine.store.write() as tx:
        assert not archived.confirm(tx, sha256)


def test_a_purged_output_that_is_replayed_is_fetched_from_the_gateway_again(engine: Engine) -> None:
    job_id = delivered(engine)
    engine.later(31 * DAY)
    purge.purge_outputs(engine.context, OLD)
    purge.remove_unused(engine.context)
    (done,) = engine.owed(job_id)
    replay_hand_off(engine.context, done.id, as_new=True)
    engine.hand_off_all()
    assert engine.states(job_id) == [HandOffState.DONE]
    assert sorted(engine.files()) == [f"{job_id}-0.again1.mp4", f"{job_id}-0.mp4"]
    assert len(set(engine.files().values())) == 1
    assert engine.outputs(job_id)[0].purged_at is None


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({}, lambda engine: len(engine.archived_files()) == 1),
        ({"retain_outputs_days": 30}, lambda engine: engine.archived_files() == []),
        ({"retain_jobs_days": 30}, lambda engine: engine.archived_files() == []),
    ],
    ids=["for ever", "outputs", "jobs"],
)
def test_housekeeping_purges_as_the_settings_say(
    new_engine: NewEngine, settings: dict[str, int], left: Callable[[Engine], bool]
) -> None:
    engine = new_engine(**settings)
    job_id = delivered(engine)
    engine.later(31 * DAY)
    engine.keep_house()
    assert left(engine)
    with engine.store.read() as tx:
        assert (jobs.get(tx, job_id) is None) is ("retain_jobs_days" in settings)


def test_a_job_whose_cost_still_counts_for_the_cap_is_kept(new_engine: NewEngine) -> None:
    engine = new_engine(spend_cap_usd=100, spend_window_days=60)
    delivered(engine)
    engine.later(31 * DAY)
    assert purge.purge_jobs(engine.context, OLD) == 0
    engine.later(31 * DAY)
    assert purge.purge_jobs(engine.context, OLD) == 1


def test_what_attempts_at_the_archive_left_behind_is_tidied_up(engine: Engine) -> None:
    left = engine.context.archive.begin("job_gone-0", 1)
    left.write(b"half")
    assert purge.tidy(engine.context, older_than=DAY) == 0
    engine.now = wiring.wall_clock() + 2 * DAY  # files have the time of this machine
    assert purge.tidy(engine.context, older_than=DAY) == 1
    left.discard()


def test_content_is_gone_through_part_by_part_to_its_end(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = delivered(engine)
    with engine.store.write() as tx:
        for first in "059af":
            archived.want(tx, first * 64, 1)  # an attempt that died before it put it there
    engine.later(2 * archived.IN_USE)
    monkeypatch.setattr(purge, "AT_ONCE", 2)
    assert purge.remove_unused(engine.context) == 5
    assert [file.name for file in engine.archived_files()] == [engine.outputs(used)[0].sha256]

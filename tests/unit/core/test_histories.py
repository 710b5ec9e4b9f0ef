"""For every history that the gateway can produce, the order in which it is learned does not matter.

The gateway's truth: it stores the first end it sees and never takes that back; what a GET shows may run
ahead of it, cry wolf before the end, or regress after `completed`. Whatever comes in, in any order and any
number of times, the job ends as stored, and each output or outcome is owed once to each destination.
"""

from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import event, given, settings
from hypothesis import strategies as st

from orchestrator.core.job import Failure, Job, Observation, OutputSeen, Source
from orchestrator.core.lifecycle import SETTLED, Seen, State
from orchestrator.core.routes import ARCHIVE, Route
from tests.unit.core.jobs import Driven, a_job, driven, outputs, saw

SESSION, EARLIER = "job_1.2", "job_1.1"
STORED = {
    State.COMPLETED: Seen.COMPLETED,
    State.FAILED: Seen.FAILED_STORED,
    State.CANCELLED: Seen.CANCELLED_STORED,
    State.EXPIRED: Seen.EXPIRED_STORED,
}
LIVE = {
    State.COMPLETED: Seen.COMPLETED,
    State.FAILED: Seen.FAILED_LIVE,
    State.CANCELLED: Seen.CANCELLED_LIVE,
    State.EXPIRED: Seen.EXPIRED_LIVE,
}
WOLF = (Seen.FAILED_LIVE, Seen.CANCELLED_LIVE, Seen.EXPIRED_LIVE)
DEADLINE = saw(Seen.DEADLINE, Source.CLOCK)


@dataclass(frozen=True)
class Truth:
    """What really becomes of one job at the gateway."""

    end: State
    samples: int
    lists_outputs: bool
    tells_reason: bool

    def stored(self, source: Source, *, ended: bool, repeated: bool = False) -> Observation:
        seen = STORED[self.end] if ended else Seen.OPEN
        return saw(seen, source, gateway_id="G-1", repeated=repeated)

    def live(self, seen: Seen) -> Observation:
        """A GET; one that shows the end shows the outputs or the reason where the provider has that habit."""
        told: tuple[OutputSeen, ...] | None = None
        if seen is Seen.COMPLETED:
            told = outputs(self.samples) if self.lists_outputs else ()
        reason = Failure("no") if seen in WOLF and self.tells_reason else None
        return saw(seen, gateway_id="G-1", outputs=told, failure=reason)


TRUTHS = st.builds(
    Truth,
    end=st.sampled_from(sorted(STORED)),
    samples=st.integers(1, 3),
    lists_outputs=st.booleans(),
    tells_reason=st.booleans(),
)


def about_attempts(truth: Truth) -> list[Observation]:
    """Answers to creates: the one that made the job, or its loss, and those of an attempt long over."""
    live = [Seen.OPEN, LIVE[truth.end]]
    answers = [saw(seen, Source.CREATE, gateway_id="G-1", attempt_id=SESSION) for seen in live]
    lost = [saw(Seen.LOST, Source.CREATE, attempt_id=SESSION), saw(Seen.LOST, Source.CLOCK)]
    over = [saw(seen, Source.CREATE, attempt_id=EARLIER) for seen in (Seen.NO_JOB, Seen.REFUSED, Seen.LOST)]
    return answers + lost + over


def before_the_end(truth: Truth) -> list[Observation]:
    looks = [truth.live(seen) for seen in (Seen.OPEN, *WOLF)]
    return looks + [truth.stored(source, ended=False) for source in (Source.WEBHOOK, Source.LIST)]


def after_the_end(truth: Truth) -> list[Observation]:
    regressed = [Seen.OPEN, *WOLF] if truth.end is State.COMPLETED else [Seen.OPEN]
    looks = [truth.live(seen) for seen in (LIVE[truth.end], *regressed)]
    hooks = [truth.stored(Source.WEBHOOK, ended=True, repeated=repeated) for repeated in (False, True)]
    return [*looks, *hooks, truth.stored(Source.LIST, ended=True)]


@st.composite
def histories(draw: st.DrawFn) -> tuple[Truth, list[Observation]]:
    """A truth and what is learned of it, shuffled, with repeats; nothing ensures that the end is among it."""
    truth = draw(TRUTHS)
    pool = about_attempts(truth) + before_the_end(truth) + after_the_end(truth) + [DEADLINE]
    return truth, draw(st.lists(st.sampled_from(pool), max_size=14))


def begun(truth: Truth, *, destinations: tuple[Route, ...] = (Route("folder"), Route("bucket"))) -> Job:
    return a_job(
        State.CREATING,
        session_id=SESSION,
        attempts=2,
        destinations=destinations,
        request={"model": "m", "sample_count": truth.samples},
    )


def follow_to_the_end(made: Driven, truth: Truth) -> None:
    """What an orchestrator that still runs does: confirm what it suspects, look on, learn what is missing."""
    if made.wants_stored or made.job.state not in SETTLED or made.job.state is State.TIMED_OUT:
        made.apply(truth.stored(Source.LIST, ended=True))
    if made.job.detail_tries:
        made.apply(truth.live(LIVE[truth.end]))


def owed_once_each(made: Driven) -> None:
    assert all(count == 1 for count in Counter(made.keys).values()), made.keys
    places = Counter((one.kind, one.output_index, one.outcome, one.destination) for one in made.owed)
    assert all(count == 1 for count in places.values())


@given(histories())
@settings(max_examples=600, deadline=None)
def test_every_order_of_every_history_ends_in_what_the_gateway_stored(
    history: tuple[Truth, list[Observation]],
) -> None:
    truth, seen = history
    made = driven(begun(truth), saw(Seen.ATTEMPT, Source.CREATE), *seen)
    settled_by_itself = made.job.state in SETTLED
    follow_to_the_end(made, truth)
    event(f"settled before the last read: {settled_by_itself}")
    assert made.job.state is truth.end
    assert made.job.suspicion is None
    owed_once_each(made)


@given(histories())
@settings(max_examples=300, deadline=None)
def test_what_is_owed_at_the_end_is_the_same_whatever_the_order(
    history: tuple[Truth, list[Observation]],
) -> None:
    truth, seen = history
    made = driven(begun(truth), *seen)
    follow_to_the_end(made, truth)
    owed = {key for key in made.keys if "/timed_out/" not in key}  # owed too, where the deadline came first
    if truth.end is State.COMPLETED:
        count = truth.samples if truth.lists_outputs else 1
        assert owed == {f"job_1/{at}/{to}" for at in range(count) for to in ("folder", "bucket")}
        assert made.outputs == set(range(count))
        assert {one.key for one in made.owed if one.destination == ARCHIVE} == {
            f"job_1/{at}/archive" for at in range(count)
        }
    else:
        assert owed == {f"job_1/{truth.end}/{to}" for to in ("folder", "bucket")}
        assert not made.outputs


@given(histories())
@settings(max_examples=300, deadline=None)
def test_a_job_that_the_gateway_ended_is_never_reopened(history: tuple[Truth, list[Observation]]) -> None:
    truth, seen = history
    made = Driven(begun(truth))
    ended: State | None = None
    for one in seen:
        made.apply(one)
        assert ended in (None, made.job.state)
        if made.job.state in STORED:
            ended = made.job.state
            assert ended is truth.end, "no cry of wolf, and no regress, is ever believed"


@given(TRUTHS, st.data())
@settings(max_examples=200, deadline=None)
def test_without_any_word_of_an_end_the_deadline_ends_every_job_in_every_order(
    truth: Truth, data: st.DataObject
) -> None:
    pool = [
        one for one in about_attempts(truth) + before_the_end(truth) if one.seen in (Seen.OPEN, Seen.LOST)
    ]
    seen = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=8))
    seen.insert(data.draw(st.integers(0, len(seen))), DEADLINE)
    made = driven(begun(truth), *seen)
    if made.job.state is State.CREATING:
        made.apply(saw(Seen.LOST, Source.CLOCK))  # the sweep, once the worker is gone
    made.apply(DEADLINE)  # it stays in the past: the next look finds it there
    assert made.job.state is State.TIMED_OUT
    assert made.keys == ["job_1/timed_out/folder", "job_1/timed_out/bucket"]
    made.apply(truth.stored(Source.WEBHOOK, ended=True))
    assert made.job.state is truth.end, "late is better than lost"
    owed_once_each(made)


@given(histories())
@settings(max_examples=200, deadline=None)
def test_after_a_cancel_nothing_is_owed_in_any_order(history: tuple[Truth, list[Observation]]) -> None:
    truth, seen = history
    made = Driven(replace(begun(truth), cancel_requested_at=1.0))
    made.apply(saw(Seen.CANCEL, Source.OPERATOR), *seen)
    follow_to_the_end(made, truth)
    assert made.job.state is truth.end
    assert not made.owed


@given(histories())
@settings(max_examples=200, deadline=None)
def test_another_job_of_the_gateways_changes_nothing_about_ours(
    history: tuple[Truth, list[Observation]],
) -> None:
    truth, seen = history
    stranger = [saw(end, Source.WEBHOOK, gateway_id="G-2") for end in STORED.values()]
    made = driven(begun(truth), truth.stored(Source.WEBHOOK, ended=False))
    for one in seen:
        made.apply(one)
        before = made.job.state
        made.apply(*stranger)
        assert made.job.state is before
    follow_to_the_end(made, truth)
    assert made.job.state is truth.end
    assert made.job.gateway_id == "G-1"

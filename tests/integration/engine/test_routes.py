"""Which destination gets what, as its job or its settings say."""

import dataclasses

import pytest

from orchestrator.core.job import HandOffState
from orchestrator.core.routes import Outcome, Route
from orchestrator.engine.catalogue import Catalogue, Destination
from orchestrator.engine.submit import Submission
from orchestrator.errors import DestinationGone, RequestError
from orchestrator.sinks import Parcel
from orchestrator.sinks.folder import FolderSink, FolderStaging
from orchestrator.store import destinations, schema
from tests.integration.engine.harness import MODEL, Engine, completed

DONE, OWED = HandOffState.DONE, HandOffState.OWED


class Messages(FolderSink):
    """Documents as files, for a destination that takes no other."""

    takes_files = False


class Leaving(FolderSink):
    """A destination that wants nothing any more."""

    def stage(self, parcel: Parcel, attempt: int) -> FolderStaging:
        raise DestinationGone("the receiver answered 410: it is gone", status=410)


def with_destinations(engine: Engine, *there: Destination) -> None:
    engine.context.destinations = Catalogue(there)
    for one in there:
        (engine.folder.parent / one.name).mkdir()


def folder(engine: Engine, name: str, **said: object) -> Destination:
    made = Destination(name, FolderSink(engine.folder.parent / name))
    return dataclasses.replace(made, **said)  # type: ignore[arg-type]


def test_a_job_that_names_none_goes_where_jobs_go(engine: Engine) -> None:
    bad = (Outcome.FAILED,)
    with_destinations(
        engine,
        folder(engine, "all"),
        folder(engine, "bad", outcomes=bad),
        folder(engine, "asked", default=False),
    )
    well = completed(engine)
    failed = engine.created(outcome="failed")
    engine.look_when_due(failed)
    engine.hand_off_all()
    assert engine.job(well).destinations == (Route("all"), Route("bad", bad))
    assert sorted(engine.files_of("all")) == sorted([f"{well}-0.mp4", f"{failed}.failed.json"])
    assert list(engine.files_of("bad")) == [f"{failed}.failed.json"]
    assert not engine.files_of("asked")


def test_a_job_may_say_what_a_destination_gets_of_it(engine: Engine) -> None:
    with_destinations(engine, folder(engine, "files"), folder(engine, "links"))
    job_id = completed(engine, destinations=("files", Route("links", (Outcome.COMPLETED,), link=True)))
    engine.hand_off_all()
    assert list(engine.files_of("files")) == [f"{job_id}-0.mp4"]
    assert list(engine.files_of("links")) == [f"{job_id}.completed.json"]


def test_what_a_job_was_kept_with_stays_whatever_the_settings_say_later(engine: Engine) -> None:
    with_destinations(engine, folder(engine, "place"))
    job_id = completed(engine)
    engine.context.destinations = Catalogue([folder(engine, "place", outcomes=(Outcome.FAILED,))])
    engine.hand_off_all()
    assert list(engine.files_of("place")) == [f"{job_id}-0.mp4"]


def test_a_job_for_no_destination_is_archived_and_can_be_fetched(engine: Engine) -> None:
    job_id = completed(engine, destinations=())
    engine.hand_off_all()
    assert engine.owed(job_id) == []
    assert engine.archiving(job_id)[0].state is DONE
    assert len(engine.archived_files()) == 1


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (("nowhere",), "there is no destination 'nowhere'"),
        (("place", "place"), "named twice"),
        ((Route("messages"),), "takes no files"),
    ],
)
def test_what_could_never_be_delivered_is_refused_before_anything_is_kept(
    engine: Engine, wanted: tuple[Route | str, ...], why: str
) -> None:
    messages = Destination("messages", Messages(engine.folder.parent / "messages"), link=True)
    with_destinations(engine, folder(engine, "place"), messages)
    with pytest.raises(RequestError, match=why) as refused:
        engine.submit(destinations=wanted)
    assert refused.value.hint


def with_tenants_of_their_own(engine: Engine) -> None:
    with engine.store.write() as tx:
        tx.execute(schema.tenants.insert(), [{"id": name, "name": name} for name in ("acme", "other")])
    theirs, ours = folder(engine, "theirs", tenants=("acme",)), folder(engine, "ours", tenants=("other",))
    with_destinations(engine, folder(engine, "open"), theirs, ours)


@pytest.mark.parametrize("wanted", ["theirs", Route("theirs"), Route("theirs", link=True)])
def test_the_destination_of_another_tenant_is_refused_in_the_words_for_one_that_is_not_there(
    engine: Engine, wanted: Route | str
) -> None:
    with_tenants_of_their_own(engine)
    refused = []
    for named in (wanted, "nowhere"):
        with pytest.raises(RequestError) as caught:
            engine.submit(destinations=(named,), tenant_id="other")
        refused.append((caught.value.message.replace("nowhere", "theirs"), caught.value.hint))
    assert refused[0] == refused[1] == ("there is no destination 'theirs'", "destinations: open, ours")


def test_a_job_that_names_no_destination_goes_to_those_of_its_tenant_and_of_all(engine: Engine) -> None:
    with_tenants_of_their_own(engine)
    job_id = engine.submit(tenant_id="acme")
    assert [one.destination for one in engine.job(job_id).destinations] == ["open", "theirs"]
    job_id = engine.submit()
    assert [one.destination for one in engine.job(job_id).destinations] == ["open"]
    job_id = engine.submit(tenant_id="acme", destinations=("theirs",))
    assert [one.destination for one in engine.job(job_id).destinations] == ["theirs"]


def test_a_message_is_short_and_its_name_has_no_dots(engine: Engine) -> None:
    messages = Destination("messages", Messages(engine.folder.parent / "messages"), link=True)
    with_destinations(engine, messages, folder(engine, "files"))
    failed = engine.created(outcome="failed")
    engine.look_when_due(failed)
    engine.hand_off_all()
    (name,) = engine.files_of("messages")
    assert name == f"{failed}-failed"
    short, long = engine.told("messages", name), engine.told("files", f"{failed}.failed.json")
    assert long.pop("timeline")
    assert short == long


def test_an_uncertain_create_is_told_when_a_person_is_asked_and_how_it_ended_afterwards(
    engine: Engine,
) -> None:
    job_id = engine.created(create_error="cut", deadline_seconds=2_000)
    engine.later(engine.settings.uncertain_wait_seconds)
    engine.look()
    assert engine.job(job_id).needs_person
    engine.hand_off_all()
    told = engine.told("out", f"{job_id}.uncertain.json")
    assert (told["outcome"], told["state"], told["blame"]) == ("uncertain", "uncertain", "uncertain_create")
    engine.later(2_000)
    engine.look()
    engine.hand_off_all()
    assert sorted(engine.files()) == [f"{job_id}.timed_out.json", f"{job_id}.uncertain.json"]


def test_a_destination_that_is_gone_gets_nothing_until_a_person_enables_it(engine: Engine) -> None:
    leaving = Destination("place", Leaving(engine.folder.parent / "place"))
    with_destinations(engine, leaving, folder(engine, "other"))
    first, second = completed(engine), completed(engine)
    engine.hand_off_all()
    with engine.store.read() as tx:
        assert destinations.left_out(tx) == {"place"}
    engine.later(100_000)
    engine.hand_off_all()
    tries = [one for job in (first, second) for one in engine.attempts(job) if one.destination == "place"]
    assert [one.status for one in tries] == [410], "the others wait and are not tried"
    assert {one.state for job in (first, second) for one in engine.owed(job)} == {OWED, DONE}
    engine.context.destinations = Catalogue([folder(engine, "place"), folder(engine, "other")])
    with engine.store.write() as tx:
        assert destinations.enable(tx, "place")
    engine.hand_off_all()
    assert sorted(engine.files_of("place")) == sorted(f"{job}-0.mp4" for job in (first, second))


def test_a_submission_that_names_nothing_keeps_its_shape() -> None:
    assert Submission({"model": MODEL}).destinations is None

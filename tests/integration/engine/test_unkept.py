"""An installation that keeps no outputs: destinations are told at once, and nothing is fetched."""

import json
from typing import Any

import httpx
import pytest

from orchestrator import wiring
from orchestrator.core.events import Told
from orchestrator.core.job import HandOffState
from orchestrator.core.lifecycle import State
from orchestrator.core.routes import Outcome, Route
from orchestrator.engine import blaming, standing
from orchestrator.engine.catalogue import Catalogue, Destination
from orchestrator.engine.retry import retry
from orchestrator.errors import RequestError, SettingError
from orchestrator.settings import load
from orchestrator.sinks.folder import FolderSink
from orchestrator.store import events
from tests.integration.engine.harness import Engine, NewEngine, completed, try_until_over
from tests.sandbox.harness import KEY, Receiver, Sandbox

DONE, OWED = HandOffState.DONE, HandOffState.OWED
TELLS_ONLY = {"keep_outputs": False, "secret_keys": ""}  # no link is signed, so no key is needed


@pytest.fixture
def telling(new_engine: NewEngine) -> Engine:
    """An engine that polls, and keeps no outputs."""
    return new_engine(**TELLS_ONLY)


def switched(engine: Engine, *, keep_outputs: bool) -> None:
    """As processes are started anew with the other setting."""
    engine.context.settings = engine.context.settings.model_copy(update={"keep_outputs": keep_outputs})


def fetches(sandbox: Sandbox) -> int:
    """How often the gateway was asked for content."""
    asked = sandbox.control.get("/requests").json()["requests"]
    return sum(one["path"].endswith("/content") for one in asked)


def told(engine: Engine, job_id: str, name: str = "folder") -> dict[str, Any]:
    files = engine.files() if name == "folder" else engine.files_of(name)
    found: dict[str, Any] = json.loads(files[f"{job_id}.completed.json"])
    return found


def test_a_hook_is_told_on_at_once_and_nothing_is_fetched(
    new_engine: NewEngine, sandbox: Sandbox, hooks: Receiver
) -> None:
    endpoint = sandbox.endpoint(hooks.url)
    engine = new_engine(
        **TELLS_ONLY, webhook_endpoint_id=endpoint["id"], webhook_secrets=endpoint["signing_secret"]
    )
    job_id = engine.created()
    sandbox.get(str(engine.job(job_id).gateway_id))
    (hook,) = hooks.wait(event="video.completed")
    follow_ups = engine.receive(hook).follow_ups
    (owed,) = engine.hand_offs(job_id)
    assert (owed.key, owed.due_at) == (f"{job_id}/completed/folder", engine.now)
    assert [one.delay for one in follow_ups if one.task == "hand_off"] == [0.0]
    assert engine.hand_off_all() == 1
    assert engine.states(job_id) == [DONE]
    assert fetches(sandbox) == 0
    assert not engine.archived_files()


def test_the_document_says_what_the_gateway_said_and_where_it_has_it(
    telling: Engine, sandbox: Sandbox
) -> None:
    job_id = completed(telling, {"sample_count": 2})
    telling.hand_off_all()
    gateway_id = telling.job(job_id).gateway_id
    at = f"{sandbox.url}/videos/{gateway_id}/content"
    outputs = told(telling, job_id)["outputs"]
    assert [one["content_url"] for one in outputs] == [at, f"{at}?index=1"]
    assert {(one["mime_type"], one["sha256"], one["output_url"]) for one in outputs} == {
        ("video/mp4", None, None)
    }
    announced = [one.announced_bytes for one in telling.outputs(job_id)]
    assert [one["bytes"] for one in outputs] == announced
    got = httpx.get(
        outputs[1]["content_url"], headers={"Authorization": f"Bearer {KEY}"}, trust_env=False, verify=False
    )
    assert got.status_code == 200
    assert KEY not in json.dumps(told(telling, job_id))


def test_no_output_is_promised_missed_or_waited_for(telling: Engine) -> None:
    job_id = completed(telling)
    with telling.store.read() as tx:
        before = standing.read(tx, [job_id])[0]
        assert (before.ready, before.over) == (True, False)
    try_until_over(telling, job_id)
    with telling.store.read() as tx:
        after = standing.read(tx, [job_id])[0]
        news = {one.type for one in events.of_job(tx, job_id, limit=100)}
        assert (after.ready, after.over, after.well) == (True, True, True)
        assert not news & {Told.OUTPUT, Told.OUTPUT_LOST}
        assert not blaming.of_job(tx, telling.job(job_id))
    (output,) = telling.outputs(job_id)
    assert (output.kept, output.elsewhere) == (False, True)


def test_bad_ends_are_told_as_ever(telling: Engine) -> None:
    job_id = telling.created(outcome="failed")
    telling.look_when_due(job_id)
    telling.hand_off_all()
    assert f"{job_id}.failed.json" in telling.files()


def test_a_job_whose_files_were_promised_is_brought_them_after_the_switch(engine: Engine) -> None:
    job_id = engine.created()
    switched(engine, keep_outputs=False)
    assert engine.look_when_due(job_id).state is State.COMPLETED
    engine.hand_off_all()
    assert list(engine.files()) == [f"{job_id}-0.mp4"]
    assert engine.outputs(job_id)[0].kept


def test_what_is_owed_to_the_archive_is_brought_there_after_the_switch(engine: Engine) -> None:
    job_id = completed(engine, destinations=(Route("folder", link=True),))
    switched(engine, keep_outputs=False)
    engine.hand_off_all()
    (output,) = told(engine, job_id)["outputs"]
    assert output["output_url"]
    assert output["content_url"] is None
    assert len(engine.archived_files()) == 1


def test_a_job_that_was_to_be_told_only_is_told_of_links_once_outputs_are_kept(telling: Engine) -> None:
    job_id = telling.created()
    switched(telling, keep_outputs=True)
    assert telling.look_when_due(job_id).state is State.COMPLETED
    telling.hand_off_all()
    assert told(telling, job_id)["outputs"][0]["sha256"]
    assert telling.states(job_id) == [DONE]


def test_where_the_gateway_has_it_is_known_without_its_key(
    telling: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = completed(telling)
    monkeypatch.setattr(telling.context, "gateways", {})
    telling.hand_off_all()
    assert f"/videos/{telling.job(job_id).gateway_id}/" in told(telling, job_id)["outputs"][0]["content_url"]


def test_the_document_goes_out_although_the_account_is_gone(
    telling: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = completed(telling)
    monkeypatch.setattr(telling.context, "base_urls", {})
    telling.hand_off_all()
    assert told(telling, job_id)["outputs"][0]["content_url"] is None


@pytest.fixture
def places(telling: Engine) -> dict[str, Destination]:
    """A destination that is told, and one for files that wants bad ends alone."""
    bad = (Outcome.FAILED,)
    made = {
        "told": Destination("told", FolderSink(telling.folder.parent / "told"), link=True),
        "bad": Destination("bad", FolderSink(telling.folder.parent / "bad"), outcomes=bad),
    }
    telling.context.destinations = Catalogue(made.values())
    return made


def test_a_caller_who_wants_files_is_told_why_not(telling: Engine, places: dict[str, Destination]) -> None:
    telling.submit()
    telling.submit(destinations=("bad",))
    telling.submit(destinations=(Route("told", (Outcome.FAILED,)),))
    for route in (Route("told"), Route("bad", (Outcome.COMPLETED, Outcome.FAILED))):
        with pytest.raises(RequestError, match="ORCHESTRATOR_KEEP_OUTPUTS is false") as refused:
            telling.submit(destinations=(route,))
        assert "links instead" in refused.value.hint


def test_a_retry_of_a_job_that_was_promised_files_says_why_not(engine: Engine) -> None:
    job_id = engine.created(outcome="failed")
    engine.look_when_due(job_id)
    switched(engine, keep_outputs=False)
    with pytest.raises(RequestError, match="nothing can be copied to the destination 'folder'"):
        retry(engine.context, "default", job_id)


def test_a_destination_for_files_in_the_file_is_refused_at_the_start(new_engine: NewEngine) -> None:
    engine = new_engine()
    file = engine.folder.parent / "destinations.toml"
    file.write_text(f'[destinations.media]\ntype = "folder"\npath = "{engine.folder}"\n')
    settings = load({}, gateway_api_key=KEY, destinations_file=file, keep_outputs=False)
    with pytest.raises(SettingError, match="the destination media is to be brought files") as refused:
        wiring.build(settings, engine.store)
    assert 'deliver = "link"' in refused.value.hint
    for more in ('deliver = "link"\n', 'outcomes = ["failed"]\n'):
        file.write_text(f'[destinations.media]\ntype = "folder"\npath = "{engine.folder}"\n{more}')
        wiring.build(settings, engine.store).close()

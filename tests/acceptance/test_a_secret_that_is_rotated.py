"""The gateway signs with a new secret from one moment to the next, while old deliveries are under way."""

from orchestrator.core.job import Source
from orchestrator.engine.replay import replay_rejected
from orchestrator.engine.take import Fate
from orchestrator.store import inbox
from tests.acceptance import hooks
from tests.acceptance.conftest import Begin
from tests.acceptance.database import Database, wanted
from tests.acceptance.sandbox import SECRET, Sandbox
from tests.acceptance.truth import assert_delivered_once


def test_both_secrets_are_believed_and_what_came_between_is_not_lost(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    database = orchestrator.database
    new = sandbox.rotate_secret()
    (between,) = database.submit(wanted(duration=0.1))
    database.wait([between])
    assert database.job(between).won_by is Source.POLL
    assert {event["reason"] for event in orchestrator.told("webhook_rejected")} == {"forged"}

    orchestrator.stop()
    orchestrator.settings["ORCHESTRATOR_WEBHOOK_SECRETS"] = f"{new},{SECRET}"
    orchestrator.start(poll_after_seconds=60)
    (after,) = database.submit(wanted(duration=0.1))
    database.wait([after])
    assert database.job(after).won_by is Source.WEBHOOK
    _replays_what_was_rejected(orchestrator.settings)
    assert database.job(between).webhooks, "a rejected hook was believed after all"

    gateway_id = str(database.job(after).gateway_id)
    for secret, status in ((SECRET, 200), (new, 200), ("whsec_neither", 401)):
        told, _ = hooks.send(orchestrator.receiver, secret, gateway_id, "video.completed", "completed")
        assert told == status
    assert_delivered_once(orchestrator, sandbox, [between, after])


def _replays_what_was_rejected(settings: dict[str, str]) -> None:
    person = Database(settings)
    with person.store.read() as tx:
        rejected = inbox.recent_rejections(tx, limit=100)
    assert rejected
    assert {replay_rejected(person.context, one.id).fate for one in rejected} == {Fate.APPLIED}
    person.close()

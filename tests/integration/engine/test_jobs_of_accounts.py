"""Jobs are made, followed and fetched with their tenant's account; one that is unusable holds up its own."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr

from orchestrator import wiring
from orchestrator.core.job import Updates
from orchestrator.core.lifecycle import State
from orchestrator.core.vault import Vault, new_key
from orchestrator.engine import account_changes
from orchestrator.engine.account_changes import Wanted
from orchestrator.engine.accounts import Accounts, Gateways, WebhookSecrets
from orchestrator.engine.receive import receive
from orchestrator.engine.replay import replay_rejected
from orchestrator.engine.reread import READ_AFTER
from orchestrator.engine.take import Fate
from orchestrator.errors import NotAllowed, NotFound, SettingError, StoreError
from orchestrator.store import accounts, inbox, jobs, lanes, schema
from tests.integration.engine.harness import Engine, completed
from tests.sandbox.harness import KEY, Hook, Receiver, Sandbox


class Acme:
    """A tenant with an account of its own, at a gateway of its own, beside the default one."""

    def __init__(self, engine: Engine, gateway: Sandbox, **wanted: object) -> None:
        self.engine, self.gateway, self.now = engine, gateway, 1000.0
        self.vault = wiring.vault(engine.settings)
        known = Accounts(engine.store, wiring.opener(engine.settings), lambda: self.now)
        connect = partial(wiring.connected, engine.settings)
        engine.context.gateways = Gateways(known, connect, engine.context.http, lambda: self.now)
        engine.context.webhook_secrets = WebhookSecrets(known, time.time)
        with engine.store.write() as tx:
            tx.execute(schema.tenants.insert().values(id="acme", name="acme"))
        said = Wanted(gateway.url, SecretStr(KEY), **wanted)  # type: ignore[arg-type]
        self.account = account_changes.add(engine.store, self.vault, "acct_1", "acme", "main", said).id

    def noticed(self) -> None:
        self.now += READ_AFTER

    def change(self, **wanted: object) -> None:
        said = Wanted(**wanted)  # type: ignore[arg-type]
        account_changes.change(self.engine.store, self.vault, "acme", "main", said)
        self.noticed()

    def remove(self) -> None:
        account_changes.remove(self.engine.store, "acme", "main")
        self.noticed()

    def lose_the_key(self) -> None:
        """Its secrets are sealed by a key that nobody has any more."""
        with self.engine.store.write() as tx:
            lost = Vault([new_key()]).seal(f"account {self.account}", "{}")
            accounts.change(tx, self.account, {"secrets": lost})
        self.noticed()

    def find_the_key(self) -> None:
        self.change(api_key=SecretStr(KEY))

    def submit(self, **switches: Any) -> str:
        job_id = self.engine.submit(**switches)
        with self.engine.store.write() as tx:
            jobs.note(tx, job_id, {"tenant_id": "acme", "account_id": self.account})
            lanes.open_for(tx, [jobs.require(tx, job_id)])
        return job_id

    def receive(self, hook: Hook, account: str | None = None) -> Fate:
        receipt = receive(self.engine.context, account or self.account, hook.headers, hook.raw, hook.at)
        return receipt.fate


@pytest.fixture(scope="module")
def running_gateway() -> Iterator[Sandbox]:
    made = Sandbox()
    yield made
    made.stop()


@pytest.fixture
def gateway(running_gateway: Sandbox) -> Sandbox:
    """The gateway of the tenant's account, which knows nothing of the default one's."""
    running_gateway.reset()
    return running_gateway


@pytest.fixture
def acme(engine: Engine, gateway: Sandbox) -> Acme:
    return Acme(engine, gateway)


@pytest.fixture
def hooked(engine: Engine, gateway: Sandbox, hooks: Receiver) -> Acme:
    """One whose jobs tell `hooks`; the settings name no endpoint."""
    endpoint = gateway.endpoint(hooks.url)
    secret = (SecretStr(endpoint["signing_secret"]),)
    return Acme(engine, gateway, webhook_endpoint_id=endpoint["id"], webhook_secrets=secret)


def test_a_job_is_made_followed_and_fetched_with_its_tenants_account_alone(
    engine: Engine, acme: Acme, sandbox: Sandbox
) -> None:
    job_id = acme.submit()
    assert engine.create() is not None
    assert engine.look_when_due(job_id).state is State.COMPLETED
    assert engine.archive() is not None
    assert engine.archived_files()
    assert len(acme.gateway.truth()) == 1
    assert not sandbox.truth()


def test_the_gateway_is_asked_to_call_the_accounts_own_endpoint(
    engine: Engine, hooked: Acme, hooks: Receiver
) -> None:
    job_id = hooked.submit()
    engine.create()
    (hook,) = hooks.wait(event="video.completed")
    assert hooked.receive(hook) is Fate.APPLIED
    assert engine.job(job_id).state is State.COMPLETED


def test_a_job_that_is_to_be_followed_by_looks_alone_names_no_endpoint(engine: Engine, hooked: Acme) -> None:
    hooked.submit(updates=Updates.POLL)
    engine.create()
    (there,) = hooked.gateway.truth()
    assert not hooked.gateway.get(there["id"]).get("webhook")


def test_a_hook_to_another_account_is_not_believed(engine: Engine, hooked: Acme, hooks: Receiver) -> None:
    job_id = hooked.submit()
    engine.create()
    (hook,) = hooks.wait(event="video.completed")
    assert hooked.receive(hook, "default") is Fate.REJECTED
    assert engine.job(job_id).state is State.WAITING


def test_a_hook_to_an_account_that_was_removed_finds_nobody(
    engine: Engine, hooked: Acme, hooks: Receiver
) -> None:
    job_id = hooked.submit()
    engine.create()
    (hook,) = hooks.wait(event="video.completed")
    engine.look_when_due(job_id)
    while engine.hand_off() is not None:
        pass
    hooked.remove()
    with pytest.raises(NotFound, match="there is no such account"):
        hooked.receive(hook)


def test_hooks_that_nobody_could_verify_are_kept_and_taken_once_the_secrets_are_there_again(
    engine: Engine, hooked: Acme, hooks: Receiver
) -> None:
    job_id = hooked.submit()
    engine.create()
    (hook,) = hooks.wait(event="video.completed")
    secret = engine.context.webhook_secrets[hooked.account]
    hooked.lose_the_key()
    assert hooked.receive(hook) is Fate.REJECTED
    hooked.change(api_key=SecretStr(KEY), webhook_secrets=secret)
    with engine.store.read() as tx:
        (kept,) = inbox.recent_rejections(tx, limit=10)
    assert replay_rejected(engine.context, kept.id).fate is Fate.APPLIED
    assert engine.job(job_id).state is State.COMPLETED


def test_a_create_whose_account_is_unusable_waits_with_the_reason_and_others_are_made(
    engine: Engine, acme: Acme, sandbox: Sandbox
) -> None:
    acme.lose_the_key()
    held, free = acme.submit(), engine.submit()
    while engine.create() is not None:
        pass
    assert engine.job(held).state is State.ACCEPTED
    assert engine.job(free).state is State.WAITING
    told = [one.failure["message"] for one in engine.timeline(held) if one.failure]
    assert "an encrypted secret cannot be read with any of the keys" in told[0]
    acme.find_the_key()
    engine.later(60)
    engine.create()
    assert engine.job(held).state is State.WAITING
    assert len(acme.gateway.truth()) == 1


def test_a_create_that_cannot_learn_its_account_was_surely_not_sent(
    engine: Engine, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StoreError("the database is away")

    job_id = acme.submit()
    with monkeypatch.context() as patched:
        patched.setattr(Gateways, "__getitem__", away)
        engine.create()
    assert engine.job(job_id).state is State.ACCEPTED
    engine.later(60)
    engine.create()
    assert engine.job(job_id).state is State.WAITING


def test_a_process_needs_no_key_in_the_settings_while_an_account_has_one(
    engine: Engine, gateway: Sandbox
) -> None:
    keyless = engine.settings.model_copy(update={"gateway_api_key": SecretStr("")})
    with pytest.raises(SettingError, match="there is no API key for the gateway"):
        wiring.build(keyless, engine.store)
    Acme(engine, gateway)
    wiring.build(keyless, engine.store).close()


def test_a_look_whose_account_is_unusable_says_so_and_costs_the_others_nothing(
    engine: Engine, acme: Acme
) -> None:
    held, free = acme.submit(), engine.submit()
    while engine.create() is not None:
        pass
    acme.lose_the_key()
    engine.look_when_due(held)
    stuck, done = engine.job(held), engine.job(free)
    assert (stuck.state, stuck.looks, done.state) == (State.WAITING, 0, State.COMPLETED)
    assert "cannot be read with any of the keys" in (stuck.look_error or "")
    assert (stuck.due_at or 0) >= engine.now + 20
    acme.find_the_key()
    after = engine.look_when_due(held)
    assert (after.state, after.look_error) == (State.COMPLETED, None)


def test_an_uncertain_create_whose_account_is_unusable_is_not_risked_again(
    engine: Engine, acme: Acme
) -> None:
    job_id = acme.submit(create_error="cut_after")
    engine.create()
    assert engine.job(job_id).state is State.UNCERTAIN
    acme.lose_the_key()
    assert engine.look_when_due(job_id).state is State.UNCERTAIN
    acme.find_the_key()
    assert engine.look_when_due(job_id).state is State.COMPLETED
    assert len(acme.gateway.truth()) == 1


def test_an_output_whose_account_is_unusable_is_fetched_later(engine: Engine, acme: Acme) -> None:
    job_id = acme.submit()
    engine.create()
    assert engine.look_when_due(job_id).state is State.COMPLETED
    acme.lose_the_key()
    engine.archive()
    (owed,) = engine.archiving(job_id)
    assert "cannot be read with any of the keys" in (owed.last_error or "")
    acme.find_the_key()
    engine.later((owed.due_at or 0) - engine.now)
    engine.archive()
    assert engine.archived_files()


def test_an_account_stays_while_jobs_need_it(engine: Engine, acme: Acme) -> None:
    job_id = acme.submit()
    with pytest.raises(NotAllowed, match="jobs that are not over need the account main: 1"):
        acme.remove()
    engine.create()
    engine.look_when_due(job_id)
    with pytest.raises(NotAllowed):
        acme.remove()
    engine.archive()
    acme.remove()


def test_the_default_account_is_not_removed(engine: Engine, acme: Acme) -> None:
    with pytest.raises(NotAllowed, match="the default account stays"):
        account_changes.remove(engine.store, "default", "default")
    assert completed(engine)

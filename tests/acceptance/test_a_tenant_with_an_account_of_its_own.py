"""An account that is added while everything runs: its jobs use its key, its hooks come to its own path."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import insert

from orchestrator.core.lifecycle import State
from orchestrator.core.vault import Vault, new_key
from orchestrator.engine import account_changes
from orchestrator.engine.account_changes import Wanted
from orchestrator.store import accounts, schema
from tests.acceptance.conftest import Begin, running
from tests.acceptance.database import wanted
from tests.acceptance.hooks import post
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.sandbox import API_KEY, ENDPOINT_ID, SECRET, Sandbox
from tests.acceptance.waiting import until

ACCOUNT = "acct_1"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Sandbox]:
    """The gateway of the tenant's account."""
    yield from running(tmp_path, "elsewhere")


def add_account(orchestrator: Orchestrator, vault: Vault, gateway: Sandbox) -> None:
    """As the command does."""
    said = Wanted(gateway.url, SecretStr(API_KEY), ENDPOINT_ID, (SecretStr(SECRET),))
    account_changes.add(orchestrator.database.store, vault, ACCOUNT, "acme", "main", said)


def believed(receiver: str) -> bool:
    """Whether a delivery with the account's signature is taken there: kept, until its job is known."""
    return post(receiver, SECRET, "G-unknown", "video.created", "queued").status_code == 202


def test_an_account_is_used_soon_after_it_was_added_and_harms_nobody_when_its_key_is_lost(
    begin: Begin, sandbox: Sandbox, elsewhere: Sandbox
) -> None:
    key = new_key()
    orchestrator = begin(sandbox, secret_keys=key, poll_after_seconds=60)
    database = orchestrator.database
    with database.store.write() as tx:
        tx.execute(insert(schema.tenants).values(id="acme", name="acme"))
    orchestrator.start()
    own = orchestrator.receiver.replace("default", ACCOUNT)
    assert post(own, SECRET, "G-1", "video.created", "queued").status_code == 404

    elsewhere.call(own)
    add_account(orchestrator, Vault([key]), elsewhere)
    until("its hooks are believed", lambda: believed(own), every=0.1)
    (job,) = database.submit(replace(wanted(duration=0.2), tenant_id="acme"))
    database.wait([job])
    found = database.job(job)
    assert (found.account_id, found.state, found.looks) == (ACCOUNT, State.COMPLETED, 0)
    assert found.webhooks, "its hooks came to its own path"
    assert len(elsewhere.truth()) == 1
    assert not sandbox.truth()

    with database.store.write() as tx:
        lost = Vault([new_key()]).seal(f"account {ACCOUNT}", "{}")
        accounts.change(tx, ACCOUNT, {"secrets": lost})
    until("its hooks are believed no more", lambda: not believed(own), every=0.1)
    held, free = database.submit(replace(wanted(duration=0), tenant_id="acme"), wanted(duration=0))
    database.wait([free])
    assert orchestrator.told("account_unusable", account=ACCOUNT)
    assert database.job(held).state in (State.ACCEPTED, State.CREATING)
    assert len(sandbox.truth()) == len(elsewhere.truth()) == 1

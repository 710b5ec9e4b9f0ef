"""Accounts of tenants, as running processes use them: noticed when added, changed, removed, or unusable."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from orchestrator.core.vault import Vault, new_key
from orchestrator.engine import account_changes
from orchestrator.engine.account_changes import Wanted
from orchestrator.engine.account_secrets import Opened, Opener
from orchestrator.engine.accounts import (
    LET_GO_AFTER,
    READ_FOR_ONE_AFTER,
    Accounts,
    Gateways,
    WebhookSecrets,
    reached,
)
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import AccountUnusable, StoreError
from orchestrator.gateway.account import Account
from orchestrator.gateway.client import Gateway, connect
from orchestrator.gateway.connection import Timeouts
from orchestrator.store import accounts, schema
from orchestrator.store.accounts import Entry
from orchestrator.store.database import Store, Transaction
from tests.migrated import put_migrated
from tests.patience import LONG

NOTICED_WITHIN = 2.0
ENDPOINT = "3f2b1c9e-0000-4000-8000-000000000001"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Commands:
    """Changes accounts as commands do, each with one tenant, acme."""

    def __init__(self, folder: Path) -> None:
        put_migrated(folder / "orchestrator.db")
        self.store = Store(f"sqlite:///{folder / 'orchestrator.db'}")
        self.vault = Vault([new_key()])
        with self.store.write() as tx:
            tx.execute(schema.tenants.insert().values(id="acme", name="acme"))

    def add(self, name: str = "main", key: str = "phaseo_key", secret: str | None = None) -> str:
        wanted = Wanted("https://g/v1", SecretStr(key), ENDPOINT if secret else None, secrets(secret))
        return account_changes.add(self.store, self.vault, f"acct_{name}", "acme", name, wanted).id

    def change(self, name: str = "main", tenant: str = "acme", **wanted: object) -> Entry:
        return account_changes.change(self.store, self.vault, tenant, name, Wanted(**wanted))  # type: ignore[arg-type]

    def remove(self, name: str = "main") -> None:
        account_changes.remove(self.store, "acme", name)


def secrets(*given: str | None) -> tuple[SecretStr, ...]:
    return tuple(SecretStr(one) for one in given if one)


DEFAULT = Opened("default", "https://g/v1", SecretStr("settings_key"), None, secrets("settings_secret"))


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    made = Commands(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(commands: Commands, clock: Clock) -> Accounts:
    return Accounts(commands.store, Opener(commands.vault, DEFAULT), clock)


@pytest.fixture
def http() -> Iterator[HttpLoop]:
    loop = HttpLoop()
    yield loop
    loop.stop()


@pytest.fixture
def gateways(known: Accounts, http: HttpLoop, clock: Clock) -> Iterator[Gateways]:
    made = Gateways(known, lambda account: connect(account, Timeouts()), http, clock)
    yield made
    for one in made.opened():
        http.run(one.aclose())


def key(gateway: Gateway) -> str:
    return gateway.account.api_key.get_secret_value()


def test_an_account_that_is_added_is_used_at_once_with_a_client_of_its_own(
    commands: Commands, gateways: Gateways, known: Accounts, clock: Clock
) -> None:
    default = gateways["default"]
    commands.add(key="acme_key", secret="new")
    clock.now += READ_FOR_ONE_AFTER
    assert WebhookSecrets(known, time.time)["acct_main"] == secrets("new")
    own = gateways["acct_main"]
    assert (key(default), key(own)) == ("settings_key", "acme_key")
    assert gateways["default"] is default
    assert gateways["acct_main"] is own


def test_names_that_nobody_has_are_looked_for_a_few_times_a_second_at_most(
    commands: Commands, known: Accounts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[float] = []
    every = accounts.every

    def counted(tx: Transaction) -> list[Entry]:
        read.append(clock.now)
        return every(tx)

    monkeypatch.setattr(accounts, "every", counted)
    live = WebhookSecrets(known, time.time)
    for _ in range(100):
        assert "nobody" not in live
        clock.now += READ_FOR_ONE_AFTER / 20
    assert len(read) <= 1 + 100 / 20


def test_no_client_is_made_before_it_is_needed(commands: Commands, gateways: Gateways) -> None:
    commands.add()
    assert not gateways.opened()
    assert key(gateways["default"])
    assert list(gateways) == ["default"]


def test_a_change_gives_the_account_another_client_and_leaves_the_others_theirs(
    commands: Commands, gateways: Gateways, clock: Clock
) -> None:
    commands.add()
    default, before = gateways["default"], gateways["acct_main"]
    commands.change(api_key=SecretStr("another"))
    clock.now += NOTICED_WITHIN
    after = gateways["acct_main"]
    assert (key(before), key(after)) == ("phaseo_key", "another")
    assert gateways["default"] is default


def test_a_client_that_was_replaced_is_closed_a_while_after_it_is_idle(
    commands: Commands, gateways: Gateways, clock: Clock
) -> None:
    commands.add()
    before = gateways["acct_main"]
    with before._call():
        commands.change(api_key=SecretStr("another"))
        clock.now += NOTICED_WITHIN
        assert gateways["acct_main"] is not before
        clock.now += LET_GO_AFTER
        assert key(gateways["acct_main"])
        assert before in gateways.opened()
    assert key(gateways["acct_main"])
    assert before not in gateways.opened()
    assert before._pooled.is_closed


def test_a_client_that_somebody_was_just_given_is_not_closed(
    commands: Commands, gateways: Gateways, clock: Clock
) -> None:
    commands.add()
    before = gateways["acct_main"]
    commands.remove()
    clock.now += NOTICED_WITHIN
    with pytest.raises(AccountUnusable):
        gateways["acct_main"]
    assert not before._pooled.is_closed
    assert before in gateways.opened()


def test_secrets_that_were_encrypted_anew_change_no_client(
    commands: Commands, gateways: Gateways, clock: Clock
) -> None:
    commands.add()
    before = gateways["acct_main"]
    with commands.store.write() as tx:
        entry = accounts.named(tx, "acme", "main")
        assert entry is not None
        newer = Vault([new_key()]).seal(
            "account acct_main", json.dumps({"api_key": "k", "webhook_secrets": []})
        )
        assert accounts.reseal_if_still(tx, entry, newer)
    clock.now += NOTICED_WITHIN
    assert gateways["acct_main"] is before


def sealed_by_a_lost_key(commands: Commands) -> None:
    commands.add()
    with commands.store.write() as tx:
        accounts.change(tx, "acct_main", {"secrets": Vault([new_key()]).seal("account acct_main", "{}")})


def moved_from_another_account(commands: Commands) -> None:
    commands.add()
    with commands.store.write() as tx:
        accounts.change(tx, "acct_main", {"secrets": commands.vault.seal("account acct_other", "{}")})


def removed(commands: Commands) -> None:
    commands.add()
    commands.remove()


def without_a_key(commands: Commands) -> None:
    with commands.store.write() as tx:
        accounts.add_once(tx, Entry("acct_main", "acme", "main", None, None, None, None))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (sealed_by_a_lost_key, "cannot be read with any of the keys"),
        (moved_from_another_account, "made for another place"),
        (removed, "was removed"),
        (without_a_key, "is empty or has characters no key has"),
    ],
)
def test_an_account_that_cannot_be_used_says_why_and_harms_no_other(
    commands: Commands, gateways: Gateways, spoil: Callable[[Commands], None], why: str
) -> None:
    spoil(commands)
    found = reached(gateways, ["default", "acct_main"])
    assert isinstance(found["default"], Gateway)
    said = found["acct_main"]
    assert isinstance(said, AccountUnusable)
    assert why in said.message
    assert said.retry.again
    assert said.hint


def test_that_an_account_cannot_be_used_is_logged_once(
    commands: Commands, known: Accounts, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    sealed_by_a_lost_key(commands)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            known.now()
            clock.now += NOTICED_WITHIN
    assert len(caplog.records) == 1


def test_an_account_can_be_used_again_once_its_key_is_given_anew(
    commands: Commands, gateways: Gateways, clock: Clock
) -> None:
    without_a_key(commands)
    assert isinstance(reached(gateways, ["acct_main"])["acct_main"], AccountUnusable)
    commands.change(api_key=SecretStr("found"))
    clock.now += NOTICED_WITHIN
    assert key(gateways["acct_main"]) == "found"


def test_a_secret_that_is_rotated_leaves_the_older_one_valid_until_it_is_dropped(
    commands: Commands, known: Accounts, clock: Clock
) -> None:
    live = WebhookSecrets(known, time.time)
    commands.add(secret="old")
    assert live["acct_main"] == secrets("old")
    commands.change(webhook_secrets=secrets("new"))
    clock.now += NOTICED_WITHIN
    assert live["acct_main"] == secrets("new", "old")
    commands.change(webhook_secrets=secrets("new"), only=True)
    clock.now += NOTICED_WITHIN
    assert live["acct_main"] == secrets("new")


def test_what_the_database_does_not_say_of_the_default_account_is_as_the_settings_say(
    commands: Commands, known: Accounts, clock: Clock
) -> None:
    assert known.now()["default"] == DEFAULT
    commands.change("default", "default", base_url="https://other/v1", webhook_secrets=secrets("own"))
    clock.now += NOTICED_WITHIN
    opened = known.now()["default"]
    assert (opened.base_url, opened.api_key) == ("https://other/v1", SecretStr("settings_key"))
    assert opened.webhook_secrets == secrets("own", "settings_secret")


def test_no_secret_of_the_settings_is_another_accounts(commands: Commands, known: Accounts) -> None:
    without_a_key(commands)
    opened = known.now()["acct_main"]
    assert (opened.api_key.get_secret_value(), opened.webhook_secrets) == ("", ())


def test_before_the_database_was_ever_read_its_absence_is_an_error_and_later_what_was_read_is_used(
    commands: Commands, known: Accounts, gateways: Gateways, clock: Clock
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commands.store, "_closed", True)
        with pytest.raises(StoreError):
            known.now()
    assert key(gateways["default"])
    commands.store.close()
    clock.now += NOTICED_WITHIN
    assert key(gateways["default"])


def test_of_many_threads_that_ask_first_all_get_the_same_client(
    commands: Commands, gateways: Gateways
) -> None:
    commands.add()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: gateways["acct_main"], range(40), timeout=LONG))
    assert len(set(map(id, found))) == 1


def test_a_client_is_busy_while_a_call_is_under_way() -> None:
    gateway = connect(Account("a", "http://127.0.0.1:9/v1", SecretStr("k"), None, ()), Timeouts())

    async def ask() -> list[bool]:
        asking = asyncio.create_task(gateway.create({}, session_id="s", webhook_events=None))
        await asyncio.sleep(0)
        during = gateway.idle
        await asking
        await gateway.aclose()
        return [during, gateway.idle]

    assert gateway.idle
    assert asyncio.run(ask()) == [False, True]


def test_nothing_secret_is_in_what_is_printed(commands: Commands, known: Accounts) -> None:
    commands.add(key="phaseo_hidden", secret="whsec_hidden")
    entry = commands.change(webhook_secrets=secrets("whsec_hidden_too"))
    for one in (entry, known.now()["acct_main"], Opener(commands.vault, DEFAULT)):
        assert "hidden" not in repr(one)
        assert "fernet" not in repr(one)

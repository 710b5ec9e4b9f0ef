"""`accounts`: a tenant's key at the gateway, given by what is no argument, kept encrypted, shown masked."""

import json
from typing import Any

import pytest

from orchestrator.cli.exits import Exit
from orchestrator.core.vault import Vault, new_key
from orchestrator.store import accounts, schema
from orchestrator.store.accounts import Entry
from tests.acceptance.sandbox import API_KEY, ENDPOINT_ID, Sandbox
from tests.integration.cli.conftest import Rows, Run, Said
from tests.integration.store.rows import a_job, keep

OLD, NEW = new_key(), new_key()
THEIRS, SIGNING = "phaseo_v1_sk_theirs_hidden", "whsec_hidden"


@pytest.fixture(autouse=True)
def _set_up(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", OLD)
    monkeypatch.setenv("ACME_KEY", THEIRS)
    monkeypatch.setenv("ACME_HOOKS", SIGNING)
    with rows.context.store.write() as tx:
        tx.execute(schema.tenants.insert().values(id="acme", name="acme"))


def add(run: Run, *more: object) -> Said:
    return run("accounts", "add", "main", "--tenant", "acme", "--api-key-env", "ACME_KEY", *more)


def hooked(run: Run) -> Said:
    return add(run, "--webhook-endpoint-id", ENDPOINT_ID.upper(), "--webhook-secret-env", "ACME_HOOKS")


def listed(run: Run) -> dict[str, Any]:
    found = json.loads(run("accounts", "list", "--json").out)
    return {f"{one['tenant']}/{one['name']}": one for one in found}


def kept(rows: Rows) -> Entry:
    with rows.context.store.write() as tx:
        found = accounts.named(tx, "acme", "main")
    assert found is not None
    return found


def opened(rows: Rows, key: str = OLD) -> Any:
    entry = kept(rows)
    return json.loads(Vault([key]).open(f"account {entry.id}", entry.secrets or ""))


def test_one_that_is_added_says_where_its_webhooks_arrive(
    run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_PUBLIC_URL", "https://hooks.example.com")
    said = hooked(run)
    assert said.code == Exit.OK, said.err
    url = f"https://hooks.example.com/webhooks/gateway/{kept(rows).id}"
    assert said.out == f"main of acme was added\nits webhooks arrive at {url}\n"
    assert listed(run)["acme/main"]["webhook_url"] == url
    assert opened(rows) == {"api_key": THEIRS, "webhook_secrets": [SIGNING]}


def test_its_webhooks_arrive_at_the_receiver_where_the_api_has_a_port_of_its_own(
    run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_PORT", "8700")
    monkeypatch.setenv("ORCHESTRATOR_API_PORT", "8701")
    monkeypatch.setenv("ORCHESTRATOR_PUBLIC_URL", "https://api.example.com")  # which has no webhooks
    said = hooked(run)
    assert f"its webhooks arrive at http://127.0.0.1:8700/webhooks/gateway/{kept(rows).id}\n" in said.out


def test_a_key_may_come_from_standard_input(run: Run, rows: Rows) -> None:
    assert run("accounts", "add", "main", "--tenant", "acme", stdin=f"{THEIRS}\n").code == Exit.OK
    assert opened(rows)["api_key"] == THEIRS
    assert (
        run("accounts", "change", "main", "--tenant", "acme", "--api-key-stdin", stdin="other").code
        == Exit.OK
    )
    assert opened(rows)["api_key"] == "other"


def test_all_are_listed_and_nothing_of_their_secrets(run: Run) -> None:
    hooked(run)
    found = listed(run)
    assert list(found) == ["acme/main", "default/default"]
    assert found["acme/main"] | {"id": "", "webhook_url": ""} == {
        "id": "",
        "tenant": "acme",
        "name": "main",
        "base_url": "https://api.phaseo.app/v1",
        "api_key": "********",
        "webhook_endpoint_id": ENDPOINT_ID,
        "webhook_secrets": 1,
        "webhook_url": "",
        "problem": None,
    }
    assert found["default/default"]["api_key"] is None
    page = run("accounts", "list").out
    assert "acme" in page
    assert "hidden" not in page + json.dumps(found)


def test_a_change_leaves_what_is_not_said_and_keeps_the_older_signing_secret(
    run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooked(run)
    monkeypatch.setenv("NEXT", "whsec_next")
    change = ("accounts", "change", "main", "--tenant", "acme")
    assert run(*change, "--webhook-secret-env", "NEXT", "--base-url", "https://g.example/v1/").code == Exit.OK
    assert opened(rows) == {"api_key": THEIRS, "webhook_secrets": ["whsec_next", SIGNING]}
    assert (kept(rows).base_url, kept(rows).webhook_endpoint_id) == ("https://g.example/v1", ENDPOINT_ID)
    assert run(*change, "--webhook-secret-env", "NEXT", "--only-these-secrets").code == Exit.OK
    assert opened(rows)["webhook_secrets"] == ["whsec_next"]


def test_the_default_account_may_have_a_key_in_the_database(run: Run) -> None:
    said = run("accounts", "change", "default", "--api-key-env", "ACME_KEY", "--json")
    assert said.code == Exit.OK, said.err
    assert json.loads(said.out)["api_key"] == "********"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--base-url", "ftp://g"), "the base URL is not an http(s) URL"),
        (("--base-url", "https://user:hidden@g/v1"), "must have no user"),
        (("--webhook-endpoint-id", "7", "--webhook-secret-env", "ACME_HOOKS"), "the endpoint is not a UUID"),
        (("--webhook-endpoint-id", ENDPOINT_ID), "without a signing secret"),
        (("--webhook-secret-env", "NOT_SET"), "the environment variable NOT_SET is not set"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_kept(
    run: Run, more: tuple[str, ...], why: str
) -> None:
    said = add(run, *more)
    assert said.code != Exit.OK
    assert why in said.err
    assert "hidden" not in said.err
    assert list(listed(run)) == ["default/default"]


@pytest.mark.parametrize("name", ["", "../x", "ACME", "a" * 64, "a\nb", "-"])
def test_a_name_that_is_none_is_refused(run: Run, name: str) -> None:
    said = run("accounts", "add", "--tenant", "acme", "--api-key-env", "ACME_KEY", "--", name)
    assert "cannot be the name of an account" in said.err


def test_a_key_that_could_never_be_sent_is_refused_without_being_repeated(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", "hidden key")
    said = add(run)
    assert "characters no key has" in said.err
    assert "hidden" not in said.err


def test_without_a_key_to_encrypt_with_nothing_is_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORCHESTRATOR_SECRET_KEYS")
    said = add(run)
    assert "there is no key to encrypt secrets with" in said.err
    assert list(listed(run)) == ["default/default"]


def test_a_tenant_and_a_name_must_fit(run: Run) -> None:
    add(run)
    assert "has an account main already" in add(run).err
    nobody = run("accounts", "add", "main", "--tenant", "nobody", "--api-key-env", "ACME_KEY")
    assert "there is no tenant nobody" in nobody.err
    for command in ("change", "remove"):
        assert "tenant acme has no account x" in run("accounts", command, "x", "--tenant", "acme").err


def test_one_that_is_removed_is_gone_and_its_name_free(run: Run, rows: Rows) -> None:
    add(run)
    keep(rows.context.store, a_job(tenant_id="acme", account_id=kept(rows).id))
    assert (
        "jobs that are not over need the account main: 1"
        in run("accounts", "remove", "main", "--tenant", "acme").err
    )
    with rows.context.store.write() as tx:
        tx.execute(schema.jobs.update().values(state="completed", due_at=None))
    assert run("accounts", "remove", "main", "--tenant", "acme").out == "main of acme was removed\n"
    assert list(listed(run)) == ["default/default"]
    assert add(run).code == Exit.OK


def test_a_rotation_of_keys_encrypts_accounts_anew_too_and_counts_them(
    run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooked(run)
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", f"{NEW},{OLD}")
    assert json.loads(run("secrets", "rotate", "--json").out) == {"database": 1, "file": 0, "already": 0}
    assert opened(rows, NEW) == {"api_key": THEIRS, "webhook_secrets": [SIGNING]}
    assert json.loads(run("secrets", "rotate", "--json").out) == {"database": 0, "file": 0, "already": 1}


def test_a_rotation_that_cannot_open_an_account_changes_nothing_and_names_it(
    run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooked(run)
    before = kept(rows)
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", NEW)
    assert "account main: an encrypted secret cannot be read" in run("secrets", "rotate").err
    assert kept(rows) == before


def test_an_account_whose_secrets_cannot_be_read_is_listed_with_the_reason(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooked(run)
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", NEW)
    assert "cannot be read with any of the keys" in listed(run)["acme/main"]["problem"]
    assert "acme/main: account main: an encrypted secret" in run("accounts", "list").out


def test_check_asks_the_gateway_of_each_account(
    run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIGHT", API_KEY)
    gateway = ("--base-url", sandbox.url)
    add(run, *gateway)
    run("accounts", "add", "right", "--tenant", "acme", "--api-key-env", "RIGHT", *gateway)
    away = ("--base-url", "http://127.0.0.1:1/v1")
    run("accounts", "add", "away", "--tenant", "acme", "--api-key-env", "RIGHT", *away)
    found = {one["what"]: one for one in json.loads(run("check", "--json").out)}
    assert found["gateway"]["status"] == "warn"
    assert found["account acme/right"]["status"] == "ok"
    assert found["account acme/main"]["status"] == found["account acme/away"]["status"] == "fail"
    assert "401" in found["account acme/main"]["found"] or "key" in found["account acme/main"]["found"]


def test_check_says_which_account_cannot_be_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    add(run)
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", NEW)
    found = {one["what"]: one for one in json.loads(run("check", "--json").out)}
    assert found["account acme/main"]["status"] == "fail"
    assert "cannot be read with any of the keys" in found["account acme/main"]["found"]

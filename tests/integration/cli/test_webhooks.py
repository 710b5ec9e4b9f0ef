"""`webhooks`: the endpoint at the gateway is made once, mended, given another secret, and looked at."""

import json
import time
from typing import Any

import pytest

from orchestrator.cli.exits import Exit
from orchestrator.engine.create import EVENTS
from orchestrator.engine.endpoint_keeping import BELIEVED_FOR
from tests.acceptance import hooks
from tests.acceptance.sandbox import API_KEY, MANAGEMENT_KEY, SECRET
from tests.acceptance.waiting import until
from tests.integration.cli.endpoint_setup import BASE, DELIVERED, Setup, dies_at
from tests.integration.cli.outside import Receiving


def test_an_endpoint_is_made_once_with_all_that_is_needed_and_its_secret_is_kept(at_first: Setup) -> None:
    made = at_first.json("register")
    (endpoint,) = at_first.endpoints()
    assert made["deed"] == "made"
    assert endpoint["url"] == f"{BASE}/webhooks/gateway/default"
    assert endpoint["events"] == list(EVENTS)
    assert at_first.opened().webhook_endpoint_id == endpoint["id"]
    again = at_first.json("register")
    assert (again["deed"], again["changes"], again["kept_in"]) == ("nothing", [], None)
    assert [one["id"] for one in at_first.endpoints()] == [endpoint["id"]]
    assert at_first.opened().webhook_secrets[0].get_secret_value().startswith("whsec_")
    assert at_first.opened().begun_at is None


def test_a_secret_is_printed_by_no_command_that_is_not_told_to(at: Setup) -> None:
    said = [at.run("webhooks", "register"), at.run("webhooks", "rotate"), at.run("webhooks", "status")]
    said += [at.run("webhooks", "rotate", "--json"), at.run("webhooks", "status", "--json"), at.run("check")]
    secrets = [one.get_secret_value() for one in at.opened().webhook_secrets]
    secrets += [one.secret.get_secret_value() for one in at.opened().retired]
    assert len(secrets) == 3
    for one in said:
        assert "whsec_" not in one.out + one.err
        assert MANAGEMENT_KEY not in one.out + one.err
        assert not any(secret in one.out + one.err for secret in secrets)


def test_what_is_wrong_with_an_endpoint_is_mended_and_what_else_it_is_for_stays(at: Setup) -> None:
    at.json("register")
    endpoint = at.endpoints()[0]["id"]
    secret = at.opened().webhook_secrets
    wrong = {"url": f"{BASE}/elsewhere", "status": "disabled", "events": ["batch.completed", "completed"]}
    at.sandbox.change(endpoint, **wrong)
    told = at.json("register", "--dry-run")
    assert (told["deed"], told["changes"]) == ("mended", ["url", "events", "status"])
    assert at.endpoints()[0]["url"] == f"{BASE}/elsewhere"
    assert at.run("webhooks", "status").code == Exit.OTHERWISE
    at.json("register")
    (mended,) = at.endpoints()
    assert (mended["url"], mended["status"]) == (f"{BASE}/webhooks/gateway/default", "active")
    assert mended["events"][:2] == ["batch.completed", "completed"]
    assert set(EVENTS) - {"video.completed"} <= {*mended["events"]}
    assert at.opened().webhook_secrets == secret
    assert at.run("webhooks", "status").code == Exit.OK


def test_one_that_was_deleted_at_the_gateway_is_made_anew(at: Setup) -> None:
    at.json("register")
    before = at.opened()
    at.sandbox.delete(before.webhook_endpoint_id)
    assert at.run("webhooks", "rotate").code == Exit.REFUSED
    assert at.json("register")["deed"] == "made"
    after = at.opened()
    assert after.webhook_endpoint_id == at.endpoints()[0]["id"] != before.webhook_endpoint_id
    assert [one.secret for one in after.retired] == list(before.webhook_secrets)


def test_one_that_somebody_else_made_is_taken_over_only_when_told_to(at: Setup) -> None:
    theirs = at.sandbox.register(f"{BASE}/webhooks/gateway/default/")
    said = at.run("webhooks", "register")
    assert said.code == Exit.REFUSED
    assert "--adopt" in said.err
    assert at.json("register", "--adopt")["deed"] == "taken over"
    assert [one["id"] for one in at.endpoints()] == [theirs["id"]] == [at.opened().webhook_endpoint_id]
    assert at.opened().webhook_secrets[0].get_secret_value() != theirs["signing_secret"]


def test_a_dry_run_changes_nothing_here_and_nothing_there(at_first: Setup) -> None:
    assert at_first.json("register", "--dry-run")["deed"] == "made"
    assert not at_first.endpoints()
    assert not list(at_first.folder.iterdir())
    at_first.json("register")
    before = at_first.opened()
    assert at_first.json("rotate", "--dry-run")["kept_in"] == "the database, encrypted"
    assert at_first.opened() == before
    assert not at_first.sandbox.requests("POST", path=f"/v1/webhook-endpoints/{before.webhook_endpoint_id}")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_rotation_keeps_the_old_secret_believed_for_as_long_as_it_may_be_under_way(
    at: Setup, kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "postgresql":
        at.set("ORCHESTRATOR_DATABASE_URL", request.getfixturevalue("new_database")())
    at.set("ORCHESTRATOR_WEBHOOK_SECRETS", SECRET)
    at.json("register")
    (first,) = at.opened().webhook_secrets  # the one of the settings is replaced as well
    at.json("rotate")
    opened, now = at.opened(), time.time()
    (newest,) = opened.webhook_secrets
    assert newest != first
    assert {one.secret.get_secret_value() for one in opened.retired} == {first.get_secret_value(), SECRET}
    assert all(now + BELIEVED_FOR - 60 < one.until <= now + BELIEVED_FOR for one in opened.retired)
    assert len(opened.believed(now)) == 3
    assert opened.believed(now + BELIEVED_FOR) == (newest,)


def test_a_tenant_s_account_has_its_own_endpoint_at_its_own_path(at: Setup) -> None:
    at.run("tenants", "add", "acme")
    at.set("ACME_KEY", API_KEY)
    added = at.run("accounts", "add", "main", "--tenant", "acme", "--api-key-env", "ACME_KEY", "--json")
    account = json.loads(added.out)["id"]
    at.json("register", "--tenant", "acme", "--account", "main", "--url", "https://hooks.example.com/x/")
    (endpoint,) = at.endpoints()
    assert endpoint["url"] == f"https://hooks.example.com/x/webhooks/gateway/{account}"
    assert at.opened(account).webhook_endpoint_id == endpoint["id"]
    assert at.opened().webhook_endpoint_id is None
    at.sandbox.change(endpoint["id"], status="disabled")
    told = json.loads(at.run("webhooks", "status", "--tenant", "acme", "--account", "main", "--json").out)
    mends = told["troubles"][0]["hint"].split("`")[1].split()[1:]
    assert at.run(*mends, "--url", "https://hooks.example.com/x").code == Exit.OK  # as the hint says
    assert at.endpoints()[0]["status"] == "active"
    said = at.run("webhooks", "rotate", "--tenant", "acme", "--account", "main", "--show-secret")
    assert said.code == Exit.USAGE


# refusals


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"PHASEO_MANAGEMENT_KEY": ""}, Exit.USAGE, "there is no management key in PHASEO_MANAGEMENT_KEY"),
        ({"PHASEO_MANAGEMENT_KEY": "phaseo_v1_mk_a b"}, Exit.USAGE, "PHASEO_MANAGEMENT_KEY has characters"),
        ({"PHASEO_MANAGEMENT_KEY": API_KEY}, Exit.GATEWAY, "management_key_required"),
        ({"ORCHESTRATOR_SECRET_KEYS": ""}, Exit.USAGE, "no place for the signing secret"),
        ({"ORCHESTRATOR_GATEWAY_URL": f"{BASE}/v1"}, Exit.GATEWAY, "cannot connect"),
        ({"faults": {"management_scopes": "read"}}, Exit.GATEWAY, "settings:write"),
        ({"faults": {"batch_gate_closed": True}}, Exit.GATEWAY, "batch feature"),
    ],
)
def test_a_refusal_says_why_and_what_to_do_and_leaves_all_as_it_was(
    at: Setup, change: dict[str, Any], code: Exit, words: str
) -> None:
    at.sandbox.faults(**change.pop("faults", {}))
    for name, value in change.items():
        at.set(name, value)
    said = at.run("webhooks", "register")
    assert (said.code, words in said.err) == (code, True), said
    assert said.err.count("\n") == 2  # what happened, and what to do
    at.sandbox.heal()
    assert not at.endpoints()
    if (at.folder / "data").exists():
        assert at.opened().begun_at is None


# killed


@pytest.mark.parametrize(
    ("point", "new_believed"),
    [
        ("endpoint_secret.begun", True),
        ("endpoint_secret.answered", False),
        ("endpoint_secret.kept", True),
    ],
)
def test_a_rotation_that_dies_loses_nothing_that_was_or_is_sent(
    at_leisure: Setup, point: str, new_believed: bool
) -> None:
    at = at_leisure
    at.json("register")
    old = at.opened().webhook_secrets[0].get_secret_value()
    receiving = Receiving(at.settings())
    url = f"{receiving.url}/webhooks/gateway/default"
    endpoint = str(at.opened().webhook_endpoint_id)
    at.sandbox.change(endpoint, url=url)
    dies_at(at, point, "rotate")

    # What the gateway sent before, and what it sends now.
    assert (
        hooks.send(url, old, "G-01K3ZQ8W6X2M5N7P9R1T3V5Y7Z", "video.progress", "processing")[0] in DELIVERED
    )
    gateway_id = at.sandbox.create_hooked(endpoint)
    (first,) = until("it was tried", lambda: at.sandbox.tried(gateway_id))[:1]
    assert (first in DELIVERED) == new_believed
    status = at.run("webhooks", "status")
    assert ("was begun and not finished" in status.out) == (point != "endpoint_secret.kept")

    at.json("rotate")
    until("it came", lambda: at.sandbox.tried(gateway_id)[-1] in DELIVERED)
    assert (
        hooks.send(url, old, "G-01K3ZQ8W6X2M5N7P9R1T3V5Y8Z", "video.progress", "processing")[0] in DELIVERED
    )
    assert at.opened().begun_at is None
    assert at.run("webhooks", "status").code == Exit.OK
    receiving.close()


def test_a_registration_that_dies_leaves_one_endpoint_to_the_next(at: Setup) -> None:
    dies_at(at, "endpoint.made", "register")
    (made,) = at.endpoints()
    assert at.json("register")["deed"] == "taken over"
    assert [one["id"] for one in at.endpoints()] == [made["id"]] == [at.opened().webhook_endpoint_id]
    assert at.json("register")["deed"] == "nothing"


# status


def test_status_tells_of_the_endpoint_the_deliveries_and_the_use_of_secrets(at: Setup) -> None:
    at.json("register")
    receiving = Receiving(at.settings())
    endpoint = str(at.opened().webhook_endpoint_id)
    at.sandbox.change(endpoint, url=f"{receiving.url}/webhooks/gateway/default")
    at.set("ORCHESTRATOR_PUBLIC_URL", receiving.url)
    gateway_id = at.sandbox.create_hooked(endpoint)
    until("it came", lambda: at.sandbox.tried(gateway_id))
    at.json("rotate")
    found = at.json("status")
    assert found["endpoint"]["status"] == "active"
    assert not found["troubles"]
    tried = found["deliveries"][-1]
    assert (tried["gateway_id"], tried["delivered"], tried["status"]) == (gateway_id, True, 202)
    new, old = found["secrets"]
    assert (new["until"], new["deliveries"], new["last_used_at"]) == (None, 0, None)
    assert old["until"] > time.time()
    assert old["deliveries"] >= 1
    assert old["last_used_at"] <= found["now"]
    assert len(new["ends_with"]) == 4
    said = at.run("webhooks", "status").out
    assert f"endpoint {endpoint}: active" in said
    assert "not lately" in said
    assert gateway_id in said
    receiving.close()


def test_status_without_a_management_key_tells_what_can_be_known(at: Setup) -> None:
    at.json("register")
    at.set("PHASEO_MANAGEMENT_KEY", "")
    found = at.json("status")
    assert found["endpoint"] is None
    assert "there is no PHASEO_MANAGEMENT_KEY" in found["troubles"][0]["found"]
    assert len(found["secrets"]) == 1


def test_an_endpoint_that_is_elsewhere_stays_there_where_nobody_says_what_the_url_is(at: Setup) -> None:
    at.set("ORCHESTRATOR_API_PORT", "19001")  # so the public URL is that of the API
    elsewhere = "https://hooks.example.com/in/webhooks/gateway/default"
    at.json("register", "--url", elsewhere)  # the whole of it, as the gateway shows it, is taken too
    assert at.endpoints()[0]["url"] == elsewhere
    at.sandbox.change(at.endpoints()[0]["id"], events=["video.completed"])
    assert at.json("register")["changes"] == ["events"]
    assert at.endpoints()[0]["url"] == elsewhere


def test_an_endpoint_that_takes_the_place_of_another_one_is_told_with_what_that_may_mean(at: Setup) -> None:
    at.json("register")
    before = at.opened().webhook_endpoint_id
    at.sandbox.delete(before)
    assert at.json("register", "--dry-run")["instead_of"] == before
    said = at.run("webhooks", "register").out
    assert f"instead of {before}" in said
    assert "another workspace" in said
    assert at.json("register")["instead_of"] is None

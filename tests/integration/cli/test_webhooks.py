"""`webhooks`: the endpoint at the gateway is made once, mended, given another secret, and looked at."""

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator import wiring
from orchestrator.cli.exits import Exit
from orchestrator.core.vault import new_key
from orchestrator.engine.create import EVENTS
from orchestrator.engine.endpoint_keeping import BELIEVED_FOR
from orchestrator.settings import PREFIX, load
from orchestrator.store import accounts
from orchestrator.store.database import Store
from orchestrator.store.migrate import migrate
from tests.acceptance import hooks
from tests.acceptance.processes import DIED, Child, clean_environment, program
from tests.acceptance.sandbox import API_KEY, MANAGEMENT_KEY, SECRET, Sandbox
from tests.acceptance.waiting import until
from tests.integration.cli.conftest import Run
from tests.integration.cli.outside import Receiving

BASE = "http://127.0.0.1:19"  # nobody is there


class Setup:
    """The settings of an orchestrator whose gateway is the sandbox, and what became of it."""

    def __init__(self, run: Run, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.run, self.sandbox, self.folder, self.set = run, sandbox, folder, monkeypatch.setenv
        self.set("ORCHESTRATOR_GATEWAY_URL", sandbox.url)
        self.set("ORCHESTRATOR_GATEWAY_API_KEY", API_KEY)
        self.set("ORCHESTRATOR_PUBLIC_URL", BASE)
        self.set("ORCHESTRATOR_SECRET_KEYS", new_key())
        self.set("PHASEO_MANAGEMENT_KEY", MANAGEMENT_KEY)

    def settings(self) -> Any:
        return load({name: value for name, value in os.environ.items() if name.startswith(PREFIX)})

    def json(self, *command: object) -> Any:
        said = self.run("webhooks", *command, "--json")
        assert said.code == Exit.OK, said
        return json.loads(said.out)

    def endpoints(self) -> list[dict[str, Any]]:
        """Those at the gateway, but for the one that a sandbox begins with."""
        return [one for one in self.sandbox.endpoints() if one["id"] != self.first]

    @property
    def first(self) -> str:
        return "7f9c2ba4-e88f-4f9a-8d0e-0c1b2a3d4e5f"

    def opened(self, account_id: str = "default") -> Any:
        store = Store(self.settings().resolved_database_url)
        with store.read() as tx:
            (entry,) = [one for one in accounts.every(tx) if one.id == account_id]
        store.close()
        return wiring.opener(self.settings())(entry)


@pytest.fixture
def at(run: Run, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    return Setup(run, sandbox, folder, monkeypatch)


def test_an_endpoint_is_made_once_with_all_that_is_needed_and_its_secret_is_kept(at: Setup) -> None:
    made = at.json("register")
    (endpoint,) = at.endpoints()
    assert made["deed"] == "made"
    assert endpoint["url"] == f"{BASE}/webhooks/gateway/default"
    assert endpoint["events"] == list(EVENTS)
    assert at.opened().webhook_endpoint_id == endpoint["id"]
    again = at.json("register")
    assert (again["deed"], again["changes"], again["kept_in"]) == ("nothing", [], None)
    assert [one["id"] for one in at.endpoints()] == [endpoint["id"]]
    assert at.opened().webhook_secrets[0].get_secret_value().startswith("whsec_")
    assert at.opened().begun_at is None


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


def test_a_dry_run_changes_nothing_here_and_nothing_there(at: Setup) -> None:
    assert at.json("register", "--dry-run")["deed"] == "made"
    assert not at.endpoints()
    assert not list(at.folder.iterdir())
    at.json("register")
    before = at.opened()
    assert at.json("rotate", "--dry-run")["kept_in"] == "the database, encrypted"
    assert at.opened() == before
    assert not at.sandbox.requests("POST", path=f"/v1/webhook-endpoints/{before.webhook_endpoint_id}")


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
    store = Store(f"sqlite:///{at.folder / 'data' / 'orchestrator.db'}")
    (at.folder / "data").mkdir()
    migrate(store)
    store.close()
    at.run("tenants", "add", "acme")
    at.set("ACME_KEY", API_KEY)
    added = at.run("accounts", "add", "main", "--tenant", "acme", "--api-key-env", "ACME_KEY", "--json")
    account = json.loads(added.out)["id"]
    at.json("register", "--tenant", "acme", "--account", "main", "--url", "https://hooks.example.com/x/")
    (endpoint,) = at.endpoints()
    assert endpoint["url"] == f"https://hooks.example.com/x/webhooks/gateway/{account}"
    assert at.opened(account).webhook_endpoint_id == endpoint["id"]
    assert at.opened().webhook_endpoint_id is None
    said = at.run("webhooks", "rotate", "--tenant", "acme", "--account", "main", "--show-secret")
    assert said.code == Exit.USAGE


# in a file, or printed


def test_a_file_of_settings_gets_two_lines_that_its_owner_alone_can_read(at: Setup) -> None:
    at.set("ORCHESTRATOR_SECRET_KEYS", "")
    file = at.folder / "secrets.env"
    file.write_text("# ours\nexport ORCHESTRATOR_WEBHOOK_SECRETS='whsec_old'\nORCHESTRATOR_PORT=8700")
    file.chmod(0o644)
    assert at.json("register", "--env-file", file)["restart"] is True
    (endpoint,) = at.endpoints()
    done, *lines = file.read_text().splitlines()
    assert done.startswith("# the first of these secrets is the newest, since ")
    assert lines[0] == "# ours"
    assert lines[1].startswith("export ORCHESTRATOR_WEBHOOK_SECRETS=whsec_")
    assert lines[1].endswith(",whsec_old")
    assert lines[2:] == ["ORCHESTRATOR_PORT=8700", f"ORCHESTRATOR_WEBHOOK_ENDPOINT_ID={endpoint['id']}"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert at.json("register", "--env-file", file)["deed"] == "nothing"
    assert len(at.endpoints()) == 1
    assert [one.name for one in at.folder.iterdir()] == ["secrets.env"]


def test_a_file_keeps_what_may_be_under_way_and_loses_what_is_older(at: Setup) -> None:
    file = at.folder / "new.env"
    at.json("register", "--env-file", file)
    secrets = [_secrets_in(file)[0]]
    for _ in range(2):
        at.json("rotate", "--env-file", file)
        secrets.insert(0, _secrets_in(file)[0])
        assert _secrets_in(file) == secrets  # all within the time that one is believed
    text = file.read_text()
    year = text.index("since ") + len("since ")
    file.write_text(f"{text[:year]}2020{text[year + 4 :]}")
    at.json("rotate", "--env-file", file)
    assert _secrets_in(file)[1:] == secrets[:1]
    assert len(set(_secrets_in(file))) == 2
    assert file.read_text().count("#") == 1


def _secrets_in(file: Path) -> list[str]:
    (line,) = [one for one in file.read_text().splitlines() if "WEBHOOK_SECRETS" in one]
    return line.partition("=")[2].split(",")


def test_a_file_that_cannot_be_written_is_named_before_the_gateway_is_asked(at: Setup) -> None:
    said = at.run("webhooks", "register", "--env-file", at.folder / "none" / "secrets.env")
    assert said.code == Exit.USAGE
    assert "cannot be written" in said.err
    assert not at.endpoints()


def test_a_secret_is_printed_for_the_settings_when_told_to(at: Setup) -> None:
    at.set("ORCHESTRATOR_WEBHOOK_SECRETS", "whsec_before")
    told = at.json("register", "--show-secret")["settings"]
    assert told["ORCHESTRATOR_WEBHOOK_ENDPOINT_ID"] == at.endpoints()[0]["id"]
    new, before = told["ORCHESTRATOR_WEBHOOK_SECRETS"].split(",")
    assert new.startswith("whsec_")
    assert before == "whsec_before"
    for name, value in told.items():
        at.set(name, value)
    said = at.run("webhooks", "rotate", "--show-secret").out
    assert f",{new},whsec_before\n" in said
    assert not (at.folder / "data").exists()


# refusals


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"PHASEO_MANAGEMENT_KEY": ""}, Exit.USAGE, "there is no management key in PHASEO_MANAGEMENT_KEY"),
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

DELIVERED = (200, 202)


@pytest.mark.parametrize(
    ("point", "new_believed"),
    [
        ("endpoint_secret.begun", True),
        ("endpoint_secret.answered", False),
        ("endpoint_secret.kept", True),
    ],
)
def test_a_rotation_that_dies_loses_nothing_that_was_or_is_sent(
    at: Setup, point: str, new_believed: bool
) -> None:
    at.json("register")
    old = at.opened().webhook_secrets[0].get_secret_value()
    receiving = Receiving(at.settings())
    url = f"{receiving.url}/webhooks/gateway/default"
    endpoint = str(at.opened().webhook_endpoint_id)
    at.sandbox.change(endpoint, url=url)
    _dies_at(at, point, "rotate")

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
    _dies_at(at, "endpoint.made", "register")
    (made,) = at.endpoints()
    assert at.json("register")["deed"] == "taken over"
    assert [one["id"] for one in at.endpoints()] == [made["id"]] == [at.opened().webhook_endpoint_id]
    assert at.json("register")["deed"] == "nothing"


def test_a_rotation_in_a_file_that_dies_is_finished_by_the_next(at: Setup) -> None:
    file = at.folder / "secrets.env"
    at.json("register", "--env-file", file)
    (old,) = _secrets_in(file)
    _dies_at(at, "endpoint_secret.answered", "rotate", "--env-file", str(file))
    assert "# the signing secret is being replaced" in file.read_text()
    assert _secrets_in(file) == [old]
    assert at.json("register", "--env-file", file)["deed"] == "taken over"
    assert _secrets_in(file)[1:] == [old]
    assert "is being replaced" not in file.read_text()


def _dies_at(at: Setup, point: str, *command: str) -> None:
    ours = {name: value for name, value in os.environ.items() if name.startswith((PREFIX, "PHASEO_"))}
    child = Child(
        [*program(), "webhooks", *command],
        at.folder,
        "killed",
        clean_environment(**ours, ORCHESTRATOR_FAULT_POINT=point),
    )
    assert child.wait() == DIED


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

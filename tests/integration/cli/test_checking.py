"""`check`: what would not work, said without starting anything."""

import json
import os
import socket
from pathlib import Path

import pytest

from orchestrator.cli import folder_checks, port_checks
from orchestrator.cli.exits import Exit
from orchestrator.cli.processes_checks import HEALTHY
from orchestrator.cli.public_checks import exposure
from orchestrator.core.vault import Vault, new_key
from orchestrator.settings import PREFIX, Settings, load
from orchestrator.store.schema import tenants
from tests import certificates
from tests.acceptance.sandbox import API_KEY, ENDPOINT_ID, MANAGEMENT_KEY, SECRET, Sandbox
from tests.integration.cli.conftest import Rows, Run
from tests.integration.cli.found import findings
from tests.integration.cli.outside import Receiving, answering, https, in_front, passing
from tests.ports import free_port


@pytest.fixture(autouse=True)
def room_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """However full the disk of this machine is, and however few files it lets a process open."""
    monkeypatch.setattr(folder_checks, "NEARLY_FULL", 0)
    monkeypatch.setattr(folder_checks, "FULL", 0)
    monkeypatch.setattr(port_checks, "OTHER_FILES", -(2**40))


def test_on_a_fresh_machine_only_what_is_optional_is_missing(run: Run) -> None:
    found = {name: one["status"] for name, one in findings(run).items()}
    assert found == {
        "settings": "ok",
        "database": "ok",
        "output folder": "ok",
        "archive": "ok",
        "disk": "ok",
        "gateway": "warn",
        "webhooks": "warn",
        "port": "ok",
    }
    assert run("check").code == Exit.OK


def test_a_whole_set_up_is_all_right(
    run: Run, rows: Rows, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certificates.make(tmp_path / "public.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_URL", sandbox.url)
    monkeypatch.setenv("PHASEO_API_KEY", API_KEY)
    monkeypatch.setenv("PHASEO_MANAGEMENT_KEY", MANAGEMENT_KEY)
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", new_key())
    receiving = Receiving(settings())
    with in_front(passing(receiving.port, headers=https), certificate) as url:
        monkeypatch.setenv("ORCHESTRATOR_PUBLIC_URL", url)
        assert run("webhooks", "register").code == Exit.OK
        said = json.loads(run("check", "--json").out)
    assert receiving.kept() == (0, [])
    receiving.close()
    not_ok = [one for one in said if one["status"] != "ok"]
    assert [one["found"] for one in not_ok] == [
        "127.0.0.1 is a private address, which the gateway does not call"
    ]
    told = {one["found"] for one in said}
    assert "at the gateway: active, with every event and this URL" in told
    assert f"{url}/webhooks/gateway/default is answered by our receiver" in told
    assert "1 at rest, all by the newest key" in told
    assert [one["query"] for one in sandbox.requests(path="/v1/videos")] == ["limit=1"]


def settings() -> Settings:
    return load({name: value for name, value in os.environ.items() if name.startswith(PREFIX)})


def test_everything_that_is_wrong_is_told_at_once_and_each_with_what_to_do(
    run: Run, folder: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a-file").touch()
    file = folder / "destinations.toml"
    lost = Vault([new_key()]).seal("destination hook secrets", "s")
    file.write_text(
        f"""
        [destinations.hook]
        type = "webhook"
        url = "https://hooks.example.com/"
        secrets = "{lost}"
        [destinations.bucket]
        type = "bucket"
        url = "s3://media/videos"
        access_key_id = {{ env = "NOT_SET" }}
        secret_access_key = {{ file = "/no/such/file" }}
        """
    )
    wrong = {
        "ORCHESTRATOR_PORTT": "1",
        "ORCHESTRATOR_DEADLINE_SECONDS": "soon",
        "ORCHESTRATOR_LOOK_BATCH": "0",
        "ORCHESTRATOR_GATEWAY_URL": sandbox.url,
        "ORCHESTRATOR_GATEWAY_API_KEY": MANAGEMENT_KEY,
        "ORCHESTRATOR_WEBHOOK_ENDPOINT_ID": ENDPOINT_ID,
        "ORCHESTRATOR_WEBHOOK_SECRETS": "'whsec_quoted'",
        "ORCHESTRATOR_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "ORCHESTRATOR_BROKER_URL": "redis://127.0.0.1:9/0",
        "ORCHESTRATOR_OUTPUT_DIR": str(folder / "a-file"),
        "ORCHESTRATOR_PUBLIC_URL": "http://no-such-host.invalid",
        "ORCHESTRATOR_HOST": "203.0.113.1",
        "ORCHESTRATOR_SECRET_KEYS": new_key(),
        "ORCHESTRATOR_DESTINATIONS_FILE": str(file),
        "PHASEO_MANAGEMENT_KEY": MANAGEMENT_KEY,
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    sandbox.change(ENDPOINT_ID, status="disabled", url="http://127.0.0.1:9/hook")
    before = sorted(one.name for one in folder.iterdir())
    said = run("check", "--json")
    assert said.code == Exit.OTHERWISE
    found = [one for one in json.loads(said.out) if one["status"] != "ok"]
    assert all(one["hint"] for one in found)
    assert sorted(one.name for one in folder.iterdir()) == before
    for what, words in {
        ("settings", "unknown setting ORCHESTRATOR_PORTT (did you mean ORCHESTRATOR_PORT?)"),
        ("settings", "ORCHESTRATOR_DEADLINE_SECONDS"),
        ("settings", "ORCHESTRATOR_LOOK_BATCH"),
        ("database", "Connection refused"),
        ("broker", "Redis does not answer"),
        ("output folder", "a-file"),
        ("secrets", "cannot be read with any of the keys"),
        ("gateway", "management_key_not_valid_for_gateway"),
        ("webhooks", "does not begin with whsec_"),
        ("webhooks", "the endpoint is disabled"),
        ("webhooks", "is not subscribed to video.created, video.expired"),
        ("webhooks", "is not of this account"),
        ("receiver", "nobody takes the connection"),
        ("public url", "no-such-host.invalid does not resolve"),
        ("exposure", "plain http"),
        ("port", "cannot listen on 203.0.113.1"),
        ("destinations", "destination hook"),
        ("destinations", "NOT_SET is not set"),
    }:
        assert [one for one in found if one["what"] == what and words in one["found"]], (what, words, found)


def test_a_check_whose_setting_is_wrong_says_so_and_the_others_are_made(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_PORT", "70000")
    found = findings(run)
    assert found["port"]["found"] == "not looked at: ORCHESTRATOR_PORT is wrong"
    assert found["database"]["status"] == "ok"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"PUBLIC_URL": "http://api.example.com"}, "http://api.example.com is plain http"),
        ({"HOST": "0.0.0.0"}, "every address of this machine"),
        ({"HOST": "0.0.0.0", "TRUSTED_PROXIES": "10.0.0.1", "PUBLIC_URL": "https://x.example"}, None),
        ({"PUBLIC_URL": "https://api.example.com"}, None),
        ({}, None),
    ],
)
def test_keys_that_would_go_over_a_network_in_plain_text_are_told(
    settings: dict[str, str], words: str | None
) -> None:
    given = load({f"{PREFIX}{name}": value for name, value in settings.items()})
    found = [one.found for one in exposure(given)]
    assert (words in found[0]) if words else not found


def test_secrets_that_an_older_key_made_are_told(
    run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = new_key(), new_key()
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", old)
    monkeypatch.setenv("SIGNING", SECRET)
    assert run("accounts", "change", "default", "--webhook-secret-env", "SIGNING").code == Exit.OK
    assert findings(run)["secrets"]["status"] == "ok"
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", f"{new},{old}")
    assert findings(run)["secrets"]["found"] == "1 of 1 are encrypted with an older key"
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", new)
    assert findings(run)["secrets"]["found"].startswith("account default/default: an encrypted secret cannot")


def test_a_limit_of_open_files_below_the_connections_of_the_settings_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "open files" not in findings(run)
    monkeypatch.setattr(port_checks, "OTHER_FILES", 2**62)
    assert findings(run)["open files"]["status"] == "warn"


def test_a_disk_that_is_nearly_full_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, status in (("FULL", "fail"), ("NEARLY_FULL", "warn")):
        with monkeypatch.context() as patched:
            patched.setattr(folder_checks, limit, 2**62)
            assert findings(run)["disk"]["status"] == status


def test_limits_that_are_set_are_told_those_of_a_single_tenant_too(
    run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "limits" not in findings(run)
    with rows.context.store.write() as tx:
        tx.execute(tenants.update().values(spend_cap_usd=40))
    assert findings(run)["limits"]["found"] == "tenant default: at most US$ 40.00 in 30 days"
    monkeypatch.setenv("ORCHESTRATOR_MAX_OPEN_JOBS", "12")
    monkeypatch.setenv("ORCHESTRATOR_SPEND_WINDOW_DAYS", "7")
    found = findings(run)["limits"]
    assert (found["status"], found["found"]) == (
        "ok",
        "each tenant: at most 12 open jobs, any cost; tenant default: at most US$ 40.00 in 7 days",
    )


@pytest.mark.parametrize(
    ("name", "value", "what", "words"),
    [
        ("OUTPUT_DIR", "a-file", "output folder", "a-file"),
        ("OUTPUT_DIR", "a-file/outputs", "output folder", "cannot be made"),
        ("DATA_DIR", "a-file/data", "database", "cannot be made"),
        ("DATABASE_URL", "mysql://x/y", "settings", "ORCHESTRATOR_DATABASE_URL"),
        ("GATEWAY_URL", "https://localhost:99999/v1", "settings", "ORCHESTRATOR_GATEWAY_URL"),
        ("GATEWAY_API_KEY", "phaseo_v1_sk_wrong", "gateway", "key"),
        ("WEBHOOK_ENDPOINT_ID", ENDPOINT_ID, "settings", "ORCHESTRATOR_WEBHOOK_SECRETS is empty"),
        ("PORT", "70000", "settings", "ORCHESTRATOR_PORT"),
        ("POTR", "1", "settings", "unknown setting ORCHESTRATOR_POTR"),
        ("HOST", "203.0.113.1", "port", "cannot listen on 203.0.113.1:"),
    ],
)
def test_what_would_not_work_is_named_with_what_to_do(
    run: Run,
    folder: Path,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    what: str,
    words: str,
) -> None:
    (folder / "a-file").touch()
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_URL", sandbox.url)
    monkeypatch.setenv(f"ORCHESTRATOR_{name}", value)
    finding = findings(run)[what]
    assert finding["status"] == "fail"
    assert words in finding["found"]
    assert finding["hint"]
    said = run("check")
    assert said.code == Exit.OTHERWISE
    assert finding["hint"] in said.out


def test_a_taken_port_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("ORCHESTRATOR_PORT", str(port))
        found = findings(run)["port"]
    assert found["found"] == f"cannot listen on 127.0.0.1:{port}: Address already in use"


def test_checking_makes_nothing_and_says_what_the_start_will_make(run: Run, folder: Path) -> None:
    found = findings(run)
    assert found["database"]["found"] == f"{folder}/data/orchestrator.db is made at the first start"
    assert found["output folder"]["found"] == f"{folder}/outputs is made at the first start"
    assert not list(folder.iterdir())


def test_a_folder_that_is_there_is_tried_and_left_as_it_was(run: Run, folder: Path) -> None:
    (folder / "outputs").mkdir()
    assert findings(run)["output folder"]["found"] == str(folder / "outputs")
    assert not list((folder / "outputs").iterdir())


def test_every_setting_is_listed_with_its_origin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_API_KEY", API_KEY)
    listed = json.loads(run("check", "--settings", "--json").out)
    assert [one["name"] for one in listed] == [
        f"ORCHESTRATOR_{name.upper()}" for name in Settings.model_fields
    ]
    by_name = {one["name"]: one for one in listed}
    assert by_name["ORCHESTRATOR_GATEWAY_API_KEY"]["value"] == "**********"
    assert by_name["ORCHESTRATOR_PORT"]["origin"] == "environment"
    assert by_name["ORCHESTRATOR_POLL_AFTER_SECONDS"] == {
        "name": "ORCHESTRATOR_POLL_AFTER_SECONDS",
        "value": "20.0",
        "origin": "default",
        "description": "Seconds between looks if the gateway gives no hint.",
    }


def test_settings_are_listed_even_when_one_is_wrong(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_PORT", "many")
    assert "ORCHESTRATOR_PORT=many  (environment)" in run("check", "--settings").out


def test_one_setting_that_is_wrong_hides_nothing_of_what_the_others_say(
    run: Run, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_URL", sandbox.url)
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_API_KEY", API_KEY)
    monkeypatch.setenv("ORCHESTRATOR_WEBHOOK_ENDPOINT_ID", ENDPOINT_ID)
    monkeypatch.setenv("ORCHESTRATOR_WEBHOOK_SECRETS", SECRET)
    monkeypatch.setenv("PHASEO_MANAGEMENT_KEY", MANAGEMENT_KEY)
    for name in ("DATABASE_URL", "SECRET_KEYS", "PUBLIC_URL", "PORT", "DASHBOARD"):
        monkeypatch.setenv(f"ORCHESTRATOR_{name}", "rubbish")
    said = json.loads(run("check", "--json").out)
    assert len([one for one in said if one["what"] == "settings"]) == 5
    found = {one["what"]: one for one in said}
    assert found["gateway"]["status"] == "ok"
    about = " ".join(one["found"] for one in said if one["what"] == "webhooks")
    assert found["disk"]["status"] == "ok"
    assert "is not subscribed to video.created" in about
    assert found["receiver"]["status"] == "warn"  # asked at the URL that the gateway shows


def test_the_port_for_metrics_is_tried_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("ORCHESTRATOR_METRICS_ADDRESS", f"127.0.0.1:{port}")
        found = findings(run)["metrics port"]
    assert found["found"] == f"127.0.0.1:{port} cannot be listened on: Address already in use"
    assert findings(run)["metrics port"]["status"] == "ok"


def test_a_port_that_an_orchestrator_with_another_database_has_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_front(answering(200, HEALTHY, "application/json")) as url:
        monkeypatch.setenv("ORCHESTRATOR_PORT", url.rpartition(":")[2])
        found = findings(run)["port"]
    assert (found["status"], "another database" in found["hint"]) == ("fail", True)


def test_an_archive_that_nothing_was_kept_in_stays_empty(run: Run, folder: Path) -> None:
    (folder / "data" / "archive").mkdir(parents=True)
    assert findings(run)["archive"]["found"] == str(folder / "data" / "archive")
    assert not list((folder / "data" / "archive").iterdir())


def test_an_account_that_cannot_be_opened_is_not_said_to_have_no_endpoint(
    run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", new_key())
    monkeypatch.setenv("SIGNING", SECRET)
    of = ("--webhook-endpoint-id", ENDPOINT_ID, "--webhook-secret-env", "SIGNING")
    assert run("accounts", "change", "default", *of).code == Exit.OK
    for keys, words in (("", "there is no key to read it with"), (new_key(), "cannot be read with any")):
        monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", keys)
        found = findings(run)
        assert words in found["secrets"]["found"]
        assert "set the secret anew" in found["secrets"]["hint"]
        assert "webhooks" not in found


def test_where_outputs_are_not_kept_destinations_for_files_are_named_and_no_archive_is_needed(
    run: Run, rows: Rows, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder / "destinations.toml"
    file.write_text(
        f"""
        [destinations.media]
        type = "folder"
        path = "{folder}/media"

        [destinations.bad]
        type = "folder"
        path = "{folder}/bad"
        outcomes = ["failed"]
        """
    )
    added = ("destinations", "add", "disk", "--type", "folder", "--option", f"path={folder}/disk")
    monkeypatch.setenv("ORCHESTRATOR_DESTINATIONS_FILE", str(file))
    assert run(*added).code == Exit.OK
    monkeypatch.setenv("ORCHESTRATOR_KEEP_OUTPUTS", "false")
    said = [one for one in json.loads(run("check", "--json").out) if one["what"] == "destinations"]
    assert [one["found"].partition(" is to")[0] for one in said] == [
        "the destination media",
        "the destination disk",
    ]
    assert all(one["status"] == "fail" and "--deliver link" in one["hint"] for one in said)
    assert findings(run)["archive"]["found"] == "none: outputs are not kept"
    refused = run(*added, "--replace")
    assert refused.code != Exit.OK
    assert "the destination disk is to be brought files" in refused.err
    file.unlink()
    monkeypatch.delenv("ORCHESTRATOR_DESTINATIONS_FILE")
    assert run(*added, "--replace", "--deliver", "link").code == Exit.OK
    assert "fail" not in {one["status"] for one in json.loads(run("check", "--json").out)}
    assert run("destinations", "remove", "disk").code == Exit.OK

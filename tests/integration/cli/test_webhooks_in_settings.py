"""`webhooks register` and `rotate` with `--env-file` and `--show-secret`: settings keep the secret."""

import re
import stat
import time
from pathlib import Path

import pytest

from orchestrator import wiring
from orchestrator.cli.exits import Exit
from orchestrator.engine.endpoint_keeping import BELIEVED_FOR
from tests.integration.cli.endpoint_setup import Setup, dies_at


def test_a_file_of_settings_gets_two_lines_that_its_owner_alone_can_read(at_first: Setup) -> None:
    at_first.set("ORCHESTRATOR_SECRET_KEYS", "")
    file = at_first.folder / "secrets.env"
    file.write_text("# ours\nexport ORCHESTRATOR_WEBHOOK_SECRETS='whsec_old'\nORCHESTRATOR_PORT=8700")
    file.chmod(0o644)
    assert at_first.json("register", "--env-file", file)["restart"] is True
    (endpoint,) = at_first.endpoints()
    lines = file.read_text().splitlines()
    assert lines[0] == "# ours"
    assert re.fullmatch(r"export ORCHESTRATOR_WEBHOOK_SECRETS=whsec_\w[^,]+,whsec_old@20[0-9TZ:-]+", lines[1])
    assert lines[2:] == ["ORCHESTRATOR_PORT=8700", f"ORCHESTRATOR_WEBHOOK_ENDPOINT_ID={endpoint['id']}"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert at_first.json("register", "--env-file", file)["deed"] == "nothing"
    assert len(at_first.endpoints()) == 1
    assert [one.name for one in at_first.folder.iterdir()] == ["secrets.env"]


def test_what_reads_the_file_believes_replaced_secrets_until_their_time_and_no_longer(at: Setup) -> None:
    file = at.folder / "new.env"
    at.json("register", "--env-file", file)
    secrets = _secrets_in(file)
    for _ in range(2):
        at.json("rotate", "--env-file", file)
        secrets.insert(0, _secrets_in(file)[0])
    assert _secrets_in(file) == secrets
    at.set("ORCHESTRATOR_SECRET_KEYS", "")
    for line in file.read_text().splitlines():
        at.set(*line.split("=", 1))
    at.run("migrate")
    now = time.time()
    for opened in (
        wiring.opener(at.settings()).default,
        at.opened(),
    ):  # before there is a database, and after
        assert [one.get_secret_value() for one in opened.believed(now)] == secrets
        assert [one.get_secret_value() for one in opened.believed(now + BELIEVED_FOR)] == secrets[:1]
    assert [one["until"] is None for one in at.json("status")["secrets"]] == [True, False, False]
    assert {one["origin"] for one in at.json("status")["secrets"]} == {"settings"}


def _secrets_in(file: Path) -> list[str]:
    (line,) = [one for one in file.read_text().splitlines() if "WEBHOOK_SECRETS" in one]
    return [one.partition("@")[0] for one in line.partition("=")[2].split(",")]


def test_a_file_that_cannot_be_written_is_named_before_the_gateway_is_asked(at: Setup) -> None:
    said = at.run("webhooks", "register", "--env-file", at.folder / "none" / "secrets.env")
    assert said.code == Exit.USAGE
    assert "cannot be written" in said.err
    assert not at.endpoints()


def test_a_secret_is_printed_for_the_settings_when_told_to(at_first: Setup) -> None:
    at_first.set("ORCHESTRATOR_WEBHOOK_SECRETS", "whsec_before")
    told = at_first.json("register", "--show-secret")["settings"]
    assert told["ORCHESTRATOR_WEBHOOK_ENDPOINT_ID"] == at_first.endpoints()[0]["id"]
    new, before = told["ORCHESTRATOR_WEBHOOK_SECRETS"].split(",")
    assert new.startswith("whsec_")
    assert before.startswith("whsec_before@20")
    for name, value in told.items():
        at_first.set(name, value)
    said = at_first.run("webhooks", "rotate", "--show-secret").out
    assert re.search(f",{re.escape(new)}@20[^,]+,{re.escape(before)}\n", said)
    assert not (at_first.folder / "data").exists()


def test_a_rotation_in_a_file_that_dies_is_finished_by_the_next(at: Setup) -> None:
    file = at.folder / "secrets.env"
    at.json("register", "--env-file", file)
    (old,) = _secrets_in(file)
    dies_at(at, "endpoint_secret.answered", "rotate", "--env-file", str(file))
    assert "# the signing secret is being replaced" in file.read_text()
    assert _secrets_in(file) == [old]
    assert at.json("register", "--env-file", file)["deed"] == "taken over"
    assert _secrets_in(file)[1:] == [old]
    assert "is being replaced" not in file.read_text()


@pytest.mark.parametrize("place", [("--env-file", "a.env"), ("--show-secret",)])
def test_a_secret_of_the_database_is_replaced_there_alone(at: Setup, place: tuple[str, ...]) -> None:
    at.json("register")
    before = at.opened()
    said = at.run("webhooks", "rotate", *place)
    assert (said.code, "are in the database" in said.err) == (Exit.USAGE, True)
    assert at.opened() == before
    assert not (at.folder / "a.env").exists()

"""`webhooks register` and `rotate` where answers get lost, two do it at once, or somebody stops them."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from orchestrator.cli.exits import Exit
from orchestrator.settings import PREFIX
from orchestrator.store import replacing
from orchestrator.store.database import Store
from tests.acceptance import hooks
from tests.acceptance.processes import Child, clean_environment, program
from tests.acceptance.waiting import until
from tests.integration.cli.endpoint_setup import DELIVERED, Setup
from tests.integration.cli.outside import Receiving
from tests.servers.fixtures import NewDatabase

AGAIN = "do this again, at once"


def begun(at: Setup, *command: object) -> Child:
    """The command as a process of its own."""
    ours = {name: value for name, value in os.environ.items() if name.startswith((PREFIX, "PHASEO_"))}
    words = [*program(), "webhooks", *map(str, command)]
    return Child(words, at.folder, f"child-{time.monotonic_ns()}", clean_environment(**ours))


def test_an_answer_to_a_rotation_that_gets_lost_costs_nothing_once_it_is_done_again(
    at_leisure: Setup,
) -> None:
    at = at_leisure
    at.json("register")
    old = at.opened().webhook_secrets[0].get_secret_value()
    receiving = Receiving(at.settings())
    url, endpoint = f"{receiving.url}/webhooks/gateway/default", str(at.opened().webhook_endpoint_id)
    at.sandbox.change(endpoint, url=url)
    at.sandbox.faults(control_lost_next=1)
    said = at.run("webhooks", "rotate")
    assert (said.code, AGAIN in said.err) == (Exit.GATEWAY, True), said

    # The gateway signs with a secret that nobody has.
    gateway_id = at.sandbox.create_hooked(endpoint)
    assert until("it was tried", lambda: at.sandbox.tried(gateway_id))[0] not in DELIVERED
    assert "was begun and not finished" in at.run("webhooks", "status").out
    (found,) = [one for one in json.loads(at.run("check", "--json").out) if "not finished" in one["found"]]
    assert (found["status"], found["hint"]) == ("fail", "`orchestrator webhooks rotate` finishes it")

    at.json("rotate")  # as the hint says
    until("it came", lambda: at.sandbox.tried(gateway_id)[-1] in DELIVERED)
    in_flight = ("G-01K3ZQ8W6X2M5N7P9R1T3V5Y8Z", "video.progress", "processing")
    assert hooks.send(url, old, *in_flight)[0] in DELIVERED
    assert "not finished" not in at.run("check", "--json").out
    receiving.close()


def test_what_is_noted_of_a_lost_answer_outlives_a_gateway_that_is_away_afterwards(at: Setup) -> None:
    at.json("register")
    at.sandbox.faults(control_lost_next=1)
    at.run("webhooks", "rotate")
    right = os.environ["ORCHESTRATOR_GATEWAY_URL"]
    at.set("ORCHESTRATOR_GATEWAY_URL", "http://127.0.0.1:9/v1")
    assert at.run("webhooks", "rotate").code == Exit.GATEWAY
    at.set("ORCHESTRATOR_GATEWAY_URL", right)
    at.set("PHASEO_MANAGEMENT_KEY", "phaseo_v1_mk_wrong")
    assert at.run("webhooks", "rotate").code == Exit.GATEWAY
    assert at.opened().begun_at is not None


@pytest.mark.parametrize("in_file", [False, True])
def test_an_answer_to_a_registration_that_gets_lost_leaves_one_endpoint_to_the_next(
    at: Setup, *, in_file: bool
) -> None:
    place = ("--env-file", at.folder / "secrets.env") if in_file else ()
    at.sandbox.faults(control_lost_next=1)
    assert at.run("webhooks", "register", *place).code == Exit.GATEWAY
    (made,) = at.endpoints()
    assert at.json("register", *place)["deed"] == "taken over"
    assert at.json("register", *place)["deed"] == "nothing"
    assert [one["id"] for one in at.endpoints()] == [made["id"]]


def test_an_answer_to_a_change_that_gets_lost_is_found_done_the_next_time(at: Setup) -> None:
    at.json("register")
    at.sandbox.change(at.endpoints()[0]["id"], status="disabled")
    at.sandbox.faults(control_lost_next=1)
    assert at.run("webhooks", "register").code == Exit.GATEWAY
    assert at.json("register")["deed"] == "nothing"
    assert at.run("webhooks", "status").code == Exit.OK


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "file"])
def test_the_second_of_two_at_once_is_refused_and_nothing_is_lost(
    at: Setup, kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "postgresql":
        new_database: NewDatabase = request.getfixturevalue("new_database")
        at.set("ORCHESTRATOR_DATABASE_URL", new_database())
    file = at.folder / "secrets.env"
    place = ("--env-file", file) if kind == "file" else ()
    at.json("register", *place)
    at.sandbox.faults(latency=1.5)
    children = [begun(at, "rotate", *place), begun(at, "rotate", *place)]
    codes = sorted(child.wait() for child in children)
    at.sandbox.heal()
    assert codes == [Exit.OK, Exit.REFUSED]
    assert at.json("register", *place)["deed"] == "nothing"
    if kind != "file":
        assert len(at.opened().believed(time.time())) == 2


def test_two_who_register_at_once_make_one_endpoint(at: Setup) -> None:
    at.run("migrate")
    at.sandbox.faults(latency=1.5)
    codes = sorted(child.wait() for child in [begun(at, "register"), begun(at, "register")])
    at.sandbox.heal()
    assert codes == [Exit.OK, Exit.REFUSED]
    assert len(at.endpoints()) == 1


def test_another_account_of_the_same_database_is_not_held_up(new_database: NewDatabase) -> None:
    url = new_database()
    first, second = Store(url), Store(url)
    with replacing.alone(first, "default/default") as mine, replacing.alone(second, "acme/main") as theirs:
        assert (mine, theirs) == (True, True)
        with replacing.alone(second, "default/default") as again:
            assert not again
    with replacing.alone(second, "default/default") as again:
        assert again
    first.close()
    second.close()


def test_whoever_stops_it_while_the_gateway_is_asked_is_told_to_do_it_again(at: Setup) -> None:
    at.json("register")
    at.sandbox.faults(latency=3)
    child = begun(at, "rotate")
    asked = f"/v1/webhook-endpoints/{at.opened().webhook_endpoint_id}/rotate-secret"
    until("it is asked", lambda: at.sandbox.requests("POST", path=asked))
    os.kill(child.pid, signal.SIGINT)
    assert child.wait() == Exit.INTERRUPTED
    at.sandbox.heal()
    assert AGAIN in child.complained()
    at.json("rotate")
    assert at.opened().begun_at is None


def test_a_secret_that_cannot_be_kept_after_all_is_told_to_be_lost(
    at: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    file: Path = at.folder / "inner" / "secrets.env"
    file.parent.mkdir()
    at.json("register", "--env-file", file)
    real = os.fsync
    calls = iter(range(100))

    def full(descriptor: int) -> None:
        if next(calls) >= 2:  # the note was written: its file, and its folder
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr("os.fsync", full)
    said = at.run("webhooks", "rotate", "--env-file", file)
    monkeypatch.setattr("os.fsync", real)
    assert said.code == Exit.USAGE
    assert "No space left on device" in said.err
    assert "which was not kept: do this again, at once" in said.err
    assert at.json("register", "--env-file", file)["deed"] == "taken over"


def test_an_address_that_knows_no_webhook_endpoints_is_told(at: Setup) -> None:
    at.set("ORCHESTRATOR_GATEWAY_URL", f"{at.sandbox.url}/elsewhere")
    said = at.run("webhooks", "register")
    assert (said.code, "knows no webhook endpoints" in said.err) == (Exit.GATEWAY, True), said

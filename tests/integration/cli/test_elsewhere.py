"""Commands with `--url`, before a server that answers what a test tells it to."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli.exits import Exit
from tests.integration.cli.conftest import Run
from tests.integration.client.conftest import KEY
from tests.integration.client.server import Answer, ScriptedServer, as_json, problem
from tests.integration.client.shapes import job
from tests.ports import free_port


@pytest.fixture
def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    monkeypatch.setenv("ORCHESTRATOR_API_KEY", KEY)
    with ScriptedServer() as scripted:
        yield scripted


def test_a_command_with_a_url_needs_no_database(run: Run, server: ScriptedServer, folder: Path) -> None:
    server.script = [as_json({"jobs": [job(7)]}, 201)]
    said = run("submit", "waves", "--model", "m", "--url", server.url)
    assert (said.code, said.out, said.err) == (Exit.OK, "job_7\n", "")
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert not list(folder.iterdir())


def test_the_url_may_be_a_setting(run: Run, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_API_URL", server.url)
    server.script = [as_json({"jobs": [job(7)], "next": None})]
    assert json.loads(run("jobs", "--json").out)[0]["id"] == "job_7"


def test_a_data_folder_on_the_command_line_counts_more_than_a_url_in_the_settings(
    run: Run, server: ScriptedServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_API_URL", server.url)
    said = run("jobs", "--data-dir", folder / "data")
    assert said.code == Exit.STORE
    assert not server.asked


def test_both_places_on_one_command_line_are_refused(run: Run, server: ScriptedServer, folder: Path) -> None:
    assert run("jobs", "--url", server.url, "--data-dir", folder).code == Exit.USAGE


def test_without_a_key_nothing_is_asked(
    run: Run, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORCHESTRATOR_API_KEY")
    said = run("jobs", "--url", server.url)
    assert (said.code, said.out) == (Exit.USAGE, "")
    assert "ORCHESTRATOR_API_KEY" in said.err
    assert not server.asked


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (problem(401, "unauthorized", "this key is not known", hint="make one"), Exit.USAGE, "not known"),
        (problem(403, "forbidden", "this key may not read"), Exit.USAGE, "may not read"),
        (problem(404, "no_such_path", "there is no such path"), Exit.GATEWAY, "older than this client"),
        (problem(429, "rate_limited", "too many", headers={"retry_after": "90"}), Exit.GATEWAY, "too many"),
        (problem(500, "internal_error", "a bug"), Exit.GATEWAY, "a bug"),
        (Answer(b"<html>", 200, {"content-type": "text/html"}), Exit.GATEWAY, "instead of JSON"),
        (Answer(b"<html>", 404, {"content-type": "text/html"}), Exit.GATEWAY, "not how the API answers"),
        (as_json({"jobs": [job(state="dreaming")], "next": None}), Exit.GATEWAY, "upgrade the older one"),
    ],
)
def test_what_went_wrong_there_is_said_with_what_to_do(
    run: Run, server: ScriptedServer, answer: Answer, code: Exit, words: str
) -> None:
    server.script = [answer]
    said = run("jobs", "--url", server.url)
    assert (said.code, said.out) == (code, "")
    assert words in said.err
    assert said.err.startswith("error: ")
    assert KEY not in said.err
    assert "Traceback" not in said.err


def test_nobody_there_is_an_answer_that_did_not_come(
    run: Run, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.client.connection.FIRST_PAUSE", 0.0)
    said = run("jobs", "--url", f"http://127.0.0.1:{free_port()}")
    assert said.code == Exit.GATEWAY
    assert "cannot be reached" in said.err
    assert "check the URL and the network" in said.err


def test_a_url_that_is_none_is_refused(run: Run, server: ScriptedServer) -> None:
    said = run("jobs", "--url", "127.0.0.1:8700")
    assert said.code == Exit.USAGE
    assert "https://host" in said.err


def test_a_name_is_an_id_or_a_reference_there(run: Run, server: ScriptedServer) -> None:
    cancelled = {"job": job(5), "cancelled": False, "billed": True, "notice": "it is billed"}
    server.script = [problem(404, "not_found"), as_json(job(5)), as_json(cancelled), as_json(job(5))]
    said = run("cancel", "order 5", "--url", server.url, "--json")
    assert json.loads(said.out)["id"] == "job_5"
    assert [asked.path for asked in server.asked][:3] == [
        "/v1/jobs/order%205",
        "/v1/jobs/by-reference/order%205",
        "/v1/jobs/job_5/cancel",
    ]


@pytest.mark.parametrize("name", ["nope", ""])
def test_a_name_that_no_job_has_there_is_said_to_be_unknown(
    run: Run, server: ScriptedServer, name: str
) -> None:
    server.script = [problem(404, "not_found")]
    said = run("show", name, "--url", server.url)
    assert said.code == Exit.REFUSED
    assert f"there is no job {name}" in said.err


def test_destinations_are_sent_as_they_were_named(run: Run, server: ScriptedServer) -> None:
    server.script = [as_json({"jobs": [job()]}, 201)]
    run("submit", "w", "-m", "m", "--to", "a", "--to", "b:links", "--url", server.url)
    assert server.asked[0].json["jobs"][0]["destinations"] == [
        "a",
        {"to": "b", "deliver": "link", "outcomes": None},
    ]
    run("submit", "w", "-m", "m", "--to", "a", "--on", "failed", "--url", server.url)
    sent = server.asked[1].json["jobs"][0]["destinations"]
    assert sent == [{"to": "a", "deliver": None, "outcomes": ["failed"]}]


def test_a_webhook_is_not_replayed_over_the_api(run: Run, server: ScriptedServer) -> None:
    assert run("replay", 3, "--url", server.url).code == Exit.USAGE
    assert not server.asked


def test_what_is_printed_of_others_words_moves_no_cursor(run: Run, server: ScriptedServer) -> None:
    server.script = [as_json({"jobs": [job(reference="\x1b[2Jr")], "next": None})]
    out = run("jobs", "--url", server.url).out
    assert "\x1b" not in out
    assert "\\x1b[2Jr" in out

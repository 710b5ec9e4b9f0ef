"""Outputs over connections that do not last, and checked when they are whole."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from orchestrator.client import ApiBadAnswer, ApiUnreachable, Client, NotFound
from orchestrator.errors import ContentError, RequestError
from tests.integration.client.server import Answer, Asked, ScriptedServer, as_json, problem
from tests.integration.client.shapes import job, output

VIDEO = bytes(range(256)) * 4_000
SHA256 = hashlib.sha256(VIDEO).hexdigest()
ETAG = '"a1"'


def described(**more: Any) -> Answer:
    return as_json(job(outputs=[output(bytes=len(VIDEO), sha256=SHA256, **more)]))


def part(asked: Asked, cut: int = 0) -> Answer:
    """What is asked for, as a server with ranges gives it; with `cut`, so many bytes too few."""
    begin = int(asked.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    ranged = {"content-range": f"bytes {begin}-{len(VIDEO) - 1}/{len(VIDEO)}"} if begin else {}
    body = VIDEO[begin : len(VIDEO) - cut]
    return Answer(body, 206 if begin else 200, {"etag": ETAG, **ranged}, cut=cut)


def test_an_output_is_saved_whole(client: Client, server: ScriptedServer, tmp_path: Path) -> None:
    server.script = [described(), part]
    (tmp_path / "v.mp4").write_bytes(b"an older one")
    assert client.save_output("job_1", 0, tmp_path / "v.mp4").read_bytes() == VIDEO
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]
    assert server.asked[1].path == "/v1/jobs/job_1/outputs/0"
    assert server.asked[1].headers["accept-encoding"] == "identity"


def test_an_output_that_is_cut_off_is_read_on_from_there(client: Client, server: ScriptedServer) -> None:
    server.script = [described(), lambda a: part(a, 700_000), lambda a: part(a, 10), part]
    assert b"".join(client.output("job_1")) == VIDEO
    asked = [(one.headers.get("range"), one.headers.get("if-range")) for one in server.asked[1:]]
    assert asked[0] == (None, None)
    assert asked[1:] == [("bytes=324000-", ETAG), ("bytes=1023990-", ETAG)]


def test_a_server_without_ranges_gives_all_of_it_again(client: Client, server: ScriptedServer) -> None:
    server.script = [described(), lambda a: part(a, 5_000), Answer(VIDEO)]
    assert b"".join(client.output("job_1")) == VIDEO


def test_another_part_than_was_asked_for_is_refused(client: Client, server: ScriptedServer) -> None:
    wrong = Answer(VIDEO[:9], 206, {"content-range": "bytes 0-8/9"})
    server.script = [described(), lambda a: part(a, 5_000), wrong]
    with pytest.raises(ApiBadAnswer, match="another part"):
        list(client.output("job_1"))


@pytest.mark.parametrize("body", [VIDEO[:-1], VIDEO[:-1] + b"x", b"", VIDEO + b"x"])
def test_an_output_that_is_not_what_it_should_be_is_not_left_behind(
    client: Client, server: ScriptedServer, tmp_path: Path, body: bytes
) -> None:
    server.script = [described(), Answer(body)]
    with pytest.raises(ContentError, match=r"bytes, not|SHA-256 differs"):
        client.save_output("job_1", 0, tmp_path / "v.mp4")
    assert not list(tmp_path.iterdir())


def test_an_output_that_was_exchanged_in_the_middle_is_noticed(
    client: Client, server: ScriptedServer
) -> None:
    server.script = [described(), lambda a: part(a, 5_000), Answer(VIDEO[::-1])]
    with pytest.raises(ContentError, match="SHA-256 differs"):
        list(client.output("job_1"))


def test_a_server_that_cuts_again_and_again_is_given_up(client: Client, server: ScriptedServer) -> None:
    server.script = [described(), Answer(b"", cut=50)]
    with pytest.raises(ApiUnreachable, match="cut off"):
        list(client.output("job_1"))
    assert len(server.asked) == 6


def test_an_output_that_a_job_does_not_have_is_not_asked_for(client: Client, server: ScriptedServer) -> None:
    server.script = [described()]
    with pytest.raises(NotFound, match="no output 1"):
        list(client.output("job_1", 1))
    assert len(server.asked) == 1


def test_an_output_that_cannot_be_read_says_why(client: Client, server: ScriptedServer) -> None:
    server.script = [described(available=False), problem(404, "not_found", "output 0 was purged")]
    with pytest.raises(NotFound, match="purged"):
        list(client.output("job_1"))


def test_a_folder_that_is_not_there_is_said_so(
    client: Client, server: ScriptedServer, tmp_path: Path
) -> None:
    server.script = [described(), part]
    with pytest.raises(RequestError, match="cannot be written"):
        client.save_output("job_1", 0, tmp_path / "none" / "v.mp4")

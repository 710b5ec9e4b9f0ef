"""Outputs by signed links, over real HTTP: what is given, in parts and to many, and what is refused."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from orchestrator.core.job import Output, OutputSeen
from orchestrator.core.links import derive, sign
from orchestrator.core.vault import new_key
from orchestrator.errors import StoreError
from orchestrator.store import outputs as output_rows
from orchestrator.store.database import Store
from orchestrator.web import outputs
from tests.integration.store.rows import a_job, keep
from tests.integration.web.outputs import JOB, MIB, Shelf, client_of, link, serving
from tests.patience import LONG
from tests.sandbox.harness import until
from tests.servers.fixtures import NewDatabase

CONTENT = bytes(range(251)) * 12_000  # 2.9 MiB: no whole number of pieces
SIZE = len(CONTENT)
HUGE = bytes(64 * MIB)  # more than all the buffers between us and a reader


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "archive")


@pytest.fixture
def url(shelf: Shelf) -> Iterator[str]:
    with serving(shelf.find, shelf.archive) as place:
        yield place


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with client_of(url) as made:
        yield made


def begun(url: str, wanted: str = link()) -> socket.socket:
    """A reader that has read the head of its answer and no more."""
    host, port = url.removeprefix("http://").split(":")
    reader = socket.create_connection((host, int(port)), timeout=LONG)
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.sendall(f"GET {wanted} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
    assert reader.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
    return reader


def test_an_output_is_given_with_all_that_a_client_needs_to_know(shelf: Shelf, client: httpx.Client) -> None:
    output = shelf.put(CONTENT)
    answer = client.get(link())
    assert (answer.status_code, answer.content) == (200, CONTENT)
    expected = {
        "content-type": "video/mp4",
        "content-length": str(SIZE),
        "content-disposition": f'inline; filename="{JOB}-0.mp4"',
        "etag": f'"{output.sha256}"',
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=86400, immutable",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    assert expected.items() <= dict(answer.headers).items()
    asked = client.head(link())
    assert (asked.status_code, asked.content) == (200, b"")
    assert expected.items() <= dict(asked.headers).items()


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB])
def test_content_of_any_size_comes_whole(shelf: Shelf, client: httpx.Client, size: int) -> None:
    shelf.put(CONTENT[:size])
    answer = client.get(link())
    assert (answer.status_code, answer.content) == (200, CONTENT[:size])
    assert answer.headers["content-length"] == str(size)


@pytest.mark.parametrize(
    ("mime_type", "told", "disposition"),
    [
        ("image/png", "image/png", f'inline; filename="{JOB}-0.png"'),
        ("text/html", "text/html", f'attachment; filename="{JOB}-0.bin"'),
        ("image/svg+xml", "image/svg+xml", f'attachment; filename="{JOB}-0.bin"'),
        (None, "application/octet-stream", f'attachment; filename="{JOB}-0.bin"'),
        ("video/mp4\r\nX: y", "application/octet-stream", f'attachment; filename="{JOB}-0.bin"'),
        ("é/é", "application/octet-stream", f'attachment; filename="{JOB}-0.bin"'),
    ],
)
def test_only_pictures_and_videos_are_shown_and_others_are_downloads(
    shelf: Shelf, client: httpx.Client, mime_type: str | None, told: str, disposition: str
) -> None:
    shelf.put(b"x", mime_type)
    answer = client.get(link())
    assert answer.headers["content-type"] == told
    assert answer.headers["content-disposition"] == disposition


def test_a_file_name_is_made_of_safe_letters_alone(shelf: Shelf, client: httpx.Client) -> None:
    output, job_id = shelf.put(b"x"), 'é";\r\n.x'
    shelf.outputs[job_id, 0] = replace(output, job_id=job_id)
    answer = client.get(link(job_id=job_id).replace(job_id, "%C3%A9%22;%0D%0A.x"))
    assert answer.headers["content-disposition"] == 'inline; filename="______x-0.mp4"'


def test_a_download_that_was_cut_goes_on_where_it_stopped(shelf: Shelf, client: httpx.Client) -> None:
    shelf.put(CONTENT)
    got, etag = b"", ""
    while len(got) < SIZE:
        with client.stream(
            "GET", link(), headers={"Range": f"bytes={len(got)}-", "If-Range": etag}
        ) as answer:
            assert answer.status_code == (206 if etag else 200)
            if etag:
                whole = f"bytes {len(got)}-{SIZE - 1}/{SIZE}"
                assert answer.headers["content-range"] == whole
            etag = answer.headers["etag"]
            wanted = len(got) + 700_001
            for piece in answer.iter_raw():
                got += piece
                if len(got) >= wanted:
                    break
    assert got == CONTENT


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=-5", SIZE - 5, SIZE - 1),
        (f"bytes=5-{MIB + 5}", 5, MIB + 5),
    ],
)
def test_a_range_is_given(shelf: Shelf, client: httpx.Client, asked: str, first: int, last: int) -> None:
    shelf.put(CONTENT)
    answer = client.get(link(), headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, CONTENT[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.headers["content-length"] == str(last + 1 - first)


def test_a_range_beyond_the_end_is_refused_with_the_size(shelf: Shelf, client: httpx.Client) -> None:
    shelf.put(b"four")
    answer = client.get(link(), headers={"Range": "bytes=4-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */4")
    assert answer.json()["code"] == "beyond_the_end"


@pytest.mark.parametrize(
    "headers", [{"Range": "bytes=0-0,2-3"}, {"Range": "bytes=1-", "If-Range": '"other"'}]
)
def test_several_ranges_or_one_of_another_version_are_answered_by_everything(
    shelf: Shelf, client: httpx.Client, headers: dict[str, str]
) -> None:
    shelf.put(b"four")
    answer = client.get(link(), headers=headers)
    assert (answer.status_code, answer.content) == (200, b"four")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_has_it_already_is_told_so(shelf: Shelf, client: httpx.Client, method: str) -> None:
    output = shelf.put(CONTENT)
    answer = client.request(
        method, link(), headers={"If-None-Match": f'W/"{output.sha256}"', "Range": "bytes=0-"}
    )
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == f'"{output.sha256}"'


def test_without_the_right_signature_everything_looks_as_if_it_were_not_there(
    shelf: Shelf, client: httpx.Client
) -> None:
    shelf.put(b"x")
    shelf.put(b"y", index=1)
    asked: list[None] = []
    shelf.before_finding = lambda: asked.append(None)
    signature, of_others = link().partition("=")[2], sign(derive([new_key()]), JOB, 0)
    paths = [
        f"/outputs/{JOB}/0",
        f"/outputs/{JOB}/0?signature=",
        f"/outputs/{JOB}/0?signature={signature[:-1]}",
        f"/outputs/{JOB}/0?signature={of_others}",
        f"/outputs/{JOB}/0?signature=%F0%9F%8E%AC%00",
        f"/outputs/{JOB}/1?signature={signature}",
        f"/outputs/{JOB}/00?signature={signature}",
        f"/outputs/{JOB}/-1?signature={signature}",
        f"/outputs/{JOB}/{'9' * 5000}?signature={signature}",
        f"/outputs/{JOB}/%D9%A0?signature={signature}",
        f"/outputs/job_02/0?signature={signature}",
    ]
    answers = [client.get(path) for path in paths]
    assert not asked, "nor is the database asked"
    answers.append(client.get(link(7)))
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert {*map(_without_date, answers)} == {_without_date(answers[0])}
    assert answers[0].json()["code"] == "unknown_output"
    assert client.head(paths[0]).status_code == 404


def _without_date(answer: httpx.Response) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in answer.headers.multi_items() if pair[0] != "date")


@pytest.mark.parametrize(
    ("facts", "status", "code"),
    [
        ({"missing": True}, 410, "gone"),
        ({"sha256": None}, 404, "not_fetched"),
        ({"bytes": None}, 404, "not_fetched"),
        ({"kept": False, "sha256": None}, 404, "not_kept"),
    ],
)
def test_an_output_that_never_came_is_told_apart_from_one_that_is_to_come(
    shelf: Shelf, client: httpx.Client, facts: dict[str, object], status: int, code: str
) -> None:
    shelf.outputs[JOB, 0] = replace(shelf.put(b"x"), **facts)  # type: ignore[arg-type]
    answer = client.get(link())
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_was_purged_is_gone(shelf: Shelf, client: httpx.Client, method: str) -> None:
    output = shelf.put(b"x")
    assert output.sha256 is not None
    shelf.archive.remove(output.sha256)
    answer = client.request(method, link())
    assert answer.status_code == 410
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "headers", "content"),
    [
        ("GET", {}, b"five!"),
        ("GET", {}, b"fourty"),
        ("GET", {}, b""),
        ("GET", {"Range": "bytes=2-3"}, b"fou"),
        ("HEAD", {}, b"fo"),
    ],
)
def test_damage_that_is_noticed_before_the_first_byte_is_a_problem_with_what_to_do(
    shelf: Shelf, client: httpx.Client, method: str, headers: dict[str, str], content: bytes
) -> None:
    output = shelf.put(b"four!")
    if content == b"fou":
        output = shelf.put(b"four")
    shelf.path(output).write_bytes(content)
    answer = client.request(method, link(), headers=headers)
    assert answer.status_code == 502
    if method == "GET":
        assert (answer.json()["code"], answer.json()["status"]) == ("damaged", 502)
        assert "fetched again" in answer.json()["hint"]
    assert shelf.open_files() == 0


@pytest.mark.parametrize(
    "content", [CONTENT[:-1] + b"?", CONTENT[:MIB], CONTENT + b"more"], ids=["flipped", "cut", "longer"]
)
def test_damage_that_is_noticed_on_the_way_cuts_the_connection(
    shelf: Shelf, client: httpx.Client, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    shelf.path(shelf.put(CONTENT)).write_bytes(content)
    got: list[bytes] = []
    with client.stream("GET", link()) as answer:
        assert (answer.status_code, answer.headers["content-length"]) == (200, str(SIZE))
        with pytest.raises(httpx.RemoteProtocolError):
            got.extend(answer.iter_raw())
    assert sum(map(len, got)) < SIZE
    until(lambda: shelf.open_files() == 0)
    assert "output_cut" in [record.getMessage() for record in caplog.records]


def test_an_archive_that_is_away_is_told_as_such(
    shelf: Shelf, client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    output = shelf.put(b"x")
    shelf.path(output).unlink()
    shelf.path(output).mkdir()
    answer = client.get(link())
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "5"
    assert "output_failed" in [record.getMessage() for record in caplog.records]


def test_a_database_that_cannot_be_used_or_hangs_is_told_as_such(
    shelf: Shelf, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.put(b"x")
    goes_on = threading.Event()

    def break_() -> None:
        raise StoreError("the database is away", hint="wait")

    def hang() -> None:
        goes_on.wait(LONG)

    shelf.before_finding = break_
    assert client.get(link()).status_code == 503
    monkeypatch.setattr(outputs, "BEGUN_WITHIN", 0.2)
    shelf.before_finding = hang
    answer = client.get(link())
    goes_on.set()
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")


def test_a_hundred_readers_at_once_get_it_whole(shelf: Shelf, client: httpx.Client) -> None:
    content = CONTENT[: MIB + 5]
    shelf.put(content)
    together = threading.Barrier(100)

    def read(_: int) -> bool:
        together.wait(LONG)
        return client.get(link()).content == content

    with ThreadPoolExecutor(100) as pool:
        assert all(pool.map(read, range(100)))
    until(lambda: shelf.open_files() == 0)


def test_a_reader_that_leaves_in_the_middle_leaves_no_file_open(shelf: Shelf, url: str) -> None:
    shelf.put(HUGE)
    readers = [begun(url) for _ in range(5)]
    until(lambda: shelf.open_files() == len(readers))
    for reader in readers:
        reader.close()
    until(lambda: shelf.open_files() == 0)


def test_readers_that_are_slow_hold_neither_a_thread_nor_a_connection_to_the_database(
    shelf: Shelf, new_database: NewDatabase
) -> None:
    output, store = shelf.put(HUGE), Store(new_database(), connections=1)
    assert output.bytes is not None
    keep(store, a_job(JOB))
    with store.write() as tx:
        output_rows.learn_all(tx, [(JOB, OutputSeen(0, "video/mp4"))])
        output_rows.note(tx, JOB, 0, {"bytes": output.bytes, "sha256": output.sha256})

    def find(job_id: str, index: int) -> Output | None:
        with store.read() as tx:
            return next((one for one in output_rows.of_job(tx, job_id) if one.index == index), None)

    with serving(find, shelf.archive) as url, client_of(url) as client:
        readers = [begun(url) for _ in range(outputs.THREADS + 5)]
        assert client.get(link(), headers={"Range": "bytes=5-6"}).content == HUGE[5:7]
        for reader in readers:
            reader.close()
    store.close()

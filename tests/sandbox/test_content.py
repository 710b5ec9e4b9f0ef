"""Rows 11 to 13: the bytes, the links to them, and everything that can be wrong with either."""

import hashlib
import time
from typing import Any

import httpx
import pytest

from tests.sandbox.harness import Sandbox, captured, shape, until

OPENAI, XAI, GOOGLE = (
    {"model": "openai/sora-2"},
    {"model": "x-ai/grok-video"},
    {"model": "google/veo-3.1-lite"},
)


def test_content_is_plain_bytes_without_length_or_redirect(sandbox: Sandbox) -> None:
    answer = sandbox.content(sandbox.done())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not {"content-length", "etag", "content-disposition", "location"} & set(answer.headers)
    assert answer.content[4:8] == b"ftyp"


def test_content_can_carry_its_length(sandbox: Sandbox) -> None:
    answer = sandbox.content(sandbox.done(content_length=True))
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["etag"]


@pytest.mark.parametrize(
    ("body", "outcome", "status", "reason"),
    [
        (GOOGLE, "failed", 502, "video_generation_failed"),
        (OPENAI, "failed", 502, "video_generation_failed"),
        (XAI, "failed", 409, "video_generation_failed"),
        (GOOGLE, "cancelled", 502, "video_generation_failed"),
        (XAI, "cancelled", 409, "video_cancelled"),
        (XAI, "expired", 409, "video_expired"),
        (OPENAI, "expired", 409, "video_expired"),
    ],
)
def test_content_of_an_unhappy_job_answers_by_provider(
    sandbox: Sandbox, body: dict[str, Any], outcome: str, status: int, reason: str
) -> None:
    answer = sandbox.content(sandbox.done(body, outcome=outcome))
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    label = "content failed (google)" if status == 502 else "content failed (xai) -> 409"
    assert shape(answer.json()) == shape(captured(label))


def test_content_of_a_running_job_is_not_ready(sandbox: Sandbox) -> None:
    answer = sandbox.content(sandbox.create())
    assert (answer.status_code, shape(answer.json())) == (409, shape(captured("content not ready")))


def test_content_finalizes_a_job_as_a_get_does(sandbox: Sandbox) -> None:
    job = sandbox.done(notice="tick")
    assert sandbox.content(job).status_code == 200
    assert sandbox.truth(id=job)[0]["stored"] == "completed"


def test_an_index_past_the_end_is_missing_silently_first_or_ignored(sandbox: Sandbox) -> None:
    google, xai, openai = (sandbox.done(body) for body in (GOOGLE, XAI, OPENAI))
    assert sandbox.content(google, 5).json()["reason"] == "missing_video_uri"
    assert shape(sandbox.content(google, 5).json()) == shape(
        captured("content authed index=5 out of range (google)")
    )
    for job in (xai, openai):
        assert sandbox.content(job, 5).content == sandbox.content(job).content
    forced = sandbox.done(out_of_range="first")
    assert sandbox.content(forced, 1).content == sandbox.content(forced).content


def test_every_output_of_every_job_differs(sandbox: Sandbox) -> None:
    jobs = [sandbox.done({"sample_count": 3}) for _ in range(2)]
    sums = {
        hashlib.sha256(sandbox.content(job, index).content).hexdigest() for job in jobs for index in range(3)
    }
    assert len(sums) == 6


def test_an_openai_job_has_content_although_it_lists_no_output(sandbox: Sandbox) -> None:
    job = sandbox.done(OPENAI)
    assert sandbox.get(job)["outputs"] == []
    assert sandbox.content(job).status_code == 200


def test_content_urls_are_there_from_the_start_and_indexed_only_past_the_first(sandbox: Sandbox) -> None:
    running = sandbox.get(sandbox.create())
    assert running["content_url"].endswith("/content")
    assert running["download_url"] is None
    outputs = sandbox.get(sandbox.done({"sample_count": 2}))["outputs"]
    assert [row["content_url"].rpartition("/")[2] for row in outputs] == ["content", "content?index=1"]
    assert "/content?download_token=" in outputs[0]["download_url"]
    assert "/content?index=1&download_token=" in outputs[1]["download_url"]


def test_a_signed_link_needs_no_key_and_takes_its_index_from_the_token(sandbox: Sandbox) -> None:
    job = sandbox.done({"sample_count": 2})
    wish = {"index": 1, "disposition": "inline"}
    link = sandbox.api.post(f"/videos/{job}/download_url", json=wish).json()["download_url"]
    answer = sandbox.anonymous.get(link.replace("index=1&", "index=0&"))
    assert answer.content == sandbox.content(job, 1).content
    assert answer.headers["content-disposition"] == f'inline; filename="{job}.mp4"'


@pytest.mark.parametrize(
    ("asked", "lasts"), [({}, 900), ({"ttl_seconds": 5}, 60), ({"ttl_seconds": 99999}, 3600)]
)
def test_a_link_lives_900_seconds_or_as_asked_between_60_and_3600(
    sandbox: Sandbox, asked: dict[str, int], lasts: int
) -> None:
    job, began = sandbox.done(), time.time()
    answer = sandbox.api.post(f"/videos/{job}/download_url", json=asked)
    assert shape(answer.json()) == shape(captured("download_url ttl 99999"))
    assert began - 1 <= answer.json()["expires_at"] - lasts <= time.time() + 1


def test_a_dead_or_forged_link_is_a_401(fast: Sandbox) -> None:
    link = fast.api.post(f"/videos/{fast.done()}/download_url", json={"ttl_seconds": 60}).json()[
        "download_url"
    ]
    assert fast.anonymous.get(link.replace("download_sig=", "download_sig=0")).status_code == 401
    until(lambda: fast.anonymous.get(link).status_code == 401)
    dead = fast.anonymous.get(link)
    assert shape(dead.json()) == shape(captured("content expired signed url no auth"))
    assert dead.json()["reason"] == "missing_or_invalid_authorization_header"
    assert fast.api.get(link).status_code == 200  # with a key the link's own death does not matter


@pytest.mark.parametrize(
    ("body", "label"),
    [(b"{", "download_url bad json"), (b'{"ttl_seconds":-1}', "download_url bad ttl")],
)
def test_a_bad_link_request_is_refused(sandbox: Sandbox, body: bytes, label: str) -> None:
    answer = sandbox.api.post(f"/videos/{sandbox.done()}/download_url", content=body)
    assert answer.status_code == 400
    assert {k: answer.json()[k] for k in ("error", "reason")} == {
        k: captured(label)[k] for k in ("error", "reason")
    }


def test_links_follow_the_stored_state(sandbox: Sandbox) -> None:
    answer = sandbox.api.post(f"/videos/{sandbox.done(notice='tick')}/download_url")
    assert (answer.status_code, answer.json()["reason"]) == (400, "video_download_requires_completed_status")


def test_links_can_be_switched_off(sandbox: Sandbox) -> None:
    sandbox.faults(signing=False)
    job = sandbox.done()
    assert sandbox.get(job)["download_url"] is None
    answer = sandbox.api.post(f"/videos/{job}/download_url")
    assert (answer.status_code, shape(answer.json())) == (500, shape(captured("download_url not configured")))


def test_content_can_be_cut_in_the_middle(sandbox: Sandbox) -> None:
    job, got = sandbox.done(content="cut", content_fault_times=1), bytearray()
    with sandbox.api.stream("GET", f"/videos/{job}/content") as answer:
        pieces = answer.iter_raw()
        with pytest.raises(httpx.RemoteProtocolError):
            got.extend(piece for part in pieces for piece in part)
    assert sandbox.content(job).content.startswith(bytes(got))
    assert len(got) < len(sandbox.content(job).content)


def test_content_can_end_early_as_if_all_were_well(sandbox: Sandbox) -> None:
    job = sandbox.done(content="truncated", content_fault_times=1)
    part, whole = sandbox.content(job).content, sandbox.content(job).content
    assert part == whole[: len(whole) // 2]


@pytest.mark.parametrize(("fault", "share"), [("empty", 0), ("truncated", 0.5)])
def test_a_short_file_can_declare_its_short_length(sandbox: Sandbox, fault: str, share: float) -> None:
    answer = sandbox.content(sandbox.done(content=fault, content_length=True, content_bytes=100_000))
    assert int(answer.headers["content-length"]) == len(answer.content) == share * 100_000


def test_a_cut_file_can_have_declared_its_whole_length(sandbox: Sandbox) -> None:
    job = sandbox.done(content="cut", content_length=True, content_bytes=300_000)
    with pytest.raises(httpx.RemoteProtocolError, match="300000"):
        sandbox.content(job)


@pytest.mark.parametrize(
    ("fault", "kind", "start"),
    [
        ("empty", "video/mp4", b""),
        ("json", "application/json", b"{"),
        ("html", "text/html; charset=utf-8", b"<!doctype html>"),
        ("garbage", "video/mp4", b"this is not a video"),
    ],
)
def test_content_can_be_something_else(sandbox: Sandbox, fault: str, kind: str, start: bytes) -> None:
    answer = sandbox.content(sandbox.done(content=fault))
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.content.startswith(start)
    assert bool(answer.content) == bool(start)


def test_a_large_file_is_padded_to_the_byte_and_its_asset_can_lie(sandbox: Sandbox) -> None:
    for claim, bytes_told in (("null", None), ("right", 3_000_000), ("wrong", 3_000_001)):
        job = sandbox.done(content_bytes=3_000_000, asset_bytes=claim)
        assert sandbox.get(job)["asset"]["bytes"] == bytes_told
    assert len(sandbox.content(job).content) == 3_000_000


def test_content_can_be_slow(sandbox: Sandbox) -> None:
    job, began = sandbox.done(content_rate=20_000), time.monotonic()
    size = len(sandbox.content(job).content)
    assert time.monotonic() - began > 0.8 * size / 20_000


def test_content_over_the_cap_is_refused_when_declared(sandbox: Sandbox) -> None:
    answer = sandbox.content(sandbox.done(content_bytes=600 * 1024 * 1024, content_length=True))
    assert (answer.status_code, answer.json()) == (502, captured("content too large"))


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("fetch_failed", 502, "google_video_content_fetch_failed"),
        ("redirect_rejected", 502, "google_video_content_redirect_rejected"),
        ("missing_video_uri", 502, "missing_video_uri"),
        ("video_not_ready", 409, "video_not_ready"),
        ("unauthorised", 401, "missing_or_invalid_authorization_header"),
    ],
)
def test_content_can_fail_with_a_given_reason_for_a_while(
    sandbox: Sandbox, name: str, status: int, reason: str
) -> None:
    job = sandbox.done(content_error=name, content_error_times=2)
    first, _, third = (sandbox.content(job) for _ in range(3))
    assert (first.status_code, first.json()["reason"]) == (status, reason)
    assert third.status_code == 200

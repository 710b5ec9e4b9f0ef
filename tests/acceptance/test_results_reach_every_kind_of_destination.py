"""One job, four destinations: a folder, a bucket, a signed call and a stream, each with everything once."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.core.job import Job
from orchestrator.core.lifecycle import State
from orchestrator.core.vault import new_key
from tests.acceptance.conftest import Deploy
from tests.acceptance.fleet import Fleet
from tests.acceptance.load import finish, lasting
from tests.acceptance.receiving import SignedCalls
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import LONG, until
from tests.servers.redis import Redis
from tests.servers.s3 import S3Bucket

STREAM = "results"
SIGNED_WITH = "whsec_" + base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def calls() -> Iterator[SignedCalls]:
    made = SignedCalls(SIGNED_WITH)
    yield made
    made.close()


def destinations(folder: Path, calls: SignedCalls, bucket: S3Bucket, stream: Redis) -> Path:
    """The file of all four, and of an archive in the bucket."""
    place = bucket.options(key="{date}/{reference}/{name}")
    kept = {name: value for name, value in bucket.options("archive").items() if name != "key"}
    secret = {"env": "TESTS_S3_SECRET"}
    tables = {
        "archive": {"type": "bucket"} | kept | {"secret_access_key": secret, "access_key_id": secret},
        "destinations.results": {"type": "folder", "path": str(folder / "results")},
        "destinations.bucket": {"type": "bucket"}
        | place
        | {"secret_access_key": secret, "access_key_id": secret},
        "destinations.hook": {
            "type": "webhook",
            "url": calls.url,
            "secrets": [{"env": "TESTS_HOOK_SECRET"}],
            "allow": ["127.0.0.0/8"],
            "allow_http": True,
        },
        "destinations.stream": {
            "type": "redis_stream",
            "url": {"env": "TESTS_REDIS_URL"},
            "stream": STREAM,
        },
    }
    path = folder / "destinations.toml"
    path.write_text("\n".join(_table(name, table) for name, table in tables.items()))
    return path


def _table(name: str, table: dict[str, Any]) -> str:
    return "\n".join([f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items()), ""])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def test_each_has_everything_once_though_calls_fail_and_a_worker_is_killed(
    deploy: Deploy,
    sandbox: Sandbox,
    tmp_path: Path,
    calls: SignedCalls,
    s3_bucket: S3Bucket,
    redis_server: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TESTS_S3_SECRET", "tests")
    monkeypatch.setenv("TESTS_HOOK_SECRET", SIGNED_WITH)
    monkeypatch.setenv("TESTS_REDIS_URL", redis_server.url)
    file = destinations(tmp_path, calls, s3_bucket, redis_server)
    (tmp_path / "results").mkdir()
    fleet = deploy(sandbox, destinations_file=file, secret_keys=new_key())
    calls.refuse = 3
    fleet.start_all(workers=2)
    well, badly = (
        fleet.database.submit(*(replace(one, reference="order 7") for one in lasting(many)))
        for many in (10, 3)
    )
    until("all are at the gateway", lambda: all(job.gateway_id for job in fleet.database.jobs()))
    finish(fleet, sandbox, well)
    for job in badly:
        sandbox.finish(str(fleet.database.job(job).gateway_id), "failed")
    until("some are delivered", lambda: calls.kept)
    fleet.of("worker")[0].kill()
    fleet.database.wait([*well, *badly])

    jobs = {job.id: job for job in fleet.database.jobs()}
    content = {job_id: sandbox.content(str(jobs[job_id].gateway_id), 0) for job_id in well}
    _folder_has_everything(tmp_path / "results", content, badly)
    _bucket_has_everything(s3_bucket, jobs, content)
    _everybody_was_told(fleet, calls, _entries(redis_server), content, badly)
    assert not fleet.events("hand_off_dead")


def _folder_has_everything(folder: Path, content: dict[str, bytes], badly: list[str]) -> None:
    files = {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.startswith(".")}
    assert files.keys() == {f"{job}-0.mp4" for job in content} | {f"{job}.failed.json" for job in badly}
    assert {job: files[f"{job}-0.mp4"] for job in content} == content


def _bucket_has_everything(bucket: S3Bucket, jobs: dict[str, Job], content: dict[str, bytes]) -> None:
    keys = [key for key in bucket.list() if key.startswith("out/put/") and "/." not in key]
    assert len(keys) == len(jobs)
    for job_id, body in content.items():
        (key,) = [one for one in keys if one.endswith(f"/order%207/{job_id}-0.mp4")]
        assert bucket.get(key) == body
        assert bucket.attributes(key)["sha256"] == hashlib.sha256(body).hexdigest()
    kept = {key.rpartition("/")[2] for key in bucket.list() if key.startswith("archive/sha256/")}
    assert kept == {hashlib.sha256(body).hexdigest() for body in content.values()}


def _everybody_was_told(
    fleet: Fleet,
    calls: SignedCalls,
    entries: list[dict[str, str]],
    content: dict[str, bytes],
    badly: list[str],
) -> None:
    ids = {f"{job}-completed" for job in content} | {f"{job}-failed" for job in badly}
    assert calls.kept.keys() == ids
    assert not calls.unbelieved
    assert sorted(one["id"] for one in entries) == sorted(ids), "each once"
    told = {one["id"]: json.loads(one["data"]) for one in entries}
    for job, body in content.items():
        called, streamed = calls.kept[f"{job}-completed"], told[f"{job}-completed"]
        assert (called["type"], called["data"]) == ("job.completed", streamed)
        (output,) = called["data"]["outputs"]
        assert output["sha256"] == hashlib.sha256(body).hexdigest()
        assert output["output_url"].startswith(fleet.base)
        assert httpx.get(output["output_url"], timeout=LONG, trust_env=False, verify=False).content == body
    for job in badly:
        data = calls.kept[f"{job}-failed"]["data"]
        assert (data["state"], data["blame"], data["outputs"]) == (State.FAILED, "provider", [])
        assert data["gateway_request_id"]


def _entries(stream: Redis) -> list[dict[str, str]]:
    client: Any = stream.client()
    found = client.xrange(STREAM)
    client.close()
    return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in found]

"""An attempt at a bucket is killed with SIGKILL at each step; the next finds or makes one whole object."""

import signal
import subprocess
from typing import Any

import pytest

from orchestrator.sinks import upload
from orchestrator.sinks.bucket import BucketSink
from tests.integration.sinks.bucket_attempt_process import DEATHS, command, content_of
from tests.integration.sinks.conformance import NAME, assert_is, deliver, parcel
from tests.integration.sinks.conftest import ROOT
from tests.patience import LONG
from tests.servers.object_stores import Place
from tests.servers.s3 import S3Bucket

PUBLISHED = {"before removal", "after publish"}
KEY = f"out/put/{NAME}"
WHOLE = b"".join(content_of(NAME))


def run(action: str, place: Place, *arguments: object) -> subprocess.CompletedProcess[str]:
    told = command(action, place.options(), *arguments)
    return subprocess.run(told, cwd=ROOT, capture_output=True, text=True, timeout=LONG, check=False)


@pytest.fixture(params=["s3_bucket", "azure_container"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("death", DEATHS)
def test_a_kill_leaves_no_object_or_a_whole_one(
    place: Place, death: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PART", 500)
    killed = run("one_that_dies", place, NAME, 3, death)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert place.get(KEY) == (WHOLE if death in PUBLISHED else None)
    sink = BucketSink(BucketSink.Options.model_validate(place.options()))
    found = sink.find(parcel(NAME))
    if found is None:
        found = deliver(sink, NAME, 4, *content_of(NAME))
    assert_is(found, WHOLE)
    assert place.get(KEY) == WHOLE
    assert place.list() == [KEY]


def test_uploads_at_once_take_little_memory(s3_bucket: S3Bucket) -> None:
    ran = run("measure", s3_bucket, 3, 24)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 55 * 1024, "in KiB; together they are 72 MiB"
    assert [len(s3_bucket.get(key) or b"") for key in s3_bucket.list()] == [24 << 20] * 3


def test_what_goes_in_parts_of_their_real_size_arrives_whole(s3_bucket: S3Bucket) -> None:
    ran: Any = run("deliver", s3_bucket, NAME, 1, 12)
    assert ran.returncode == 0, ran.stderr
    assert s3_bucket.get(KEY) == b"".join(content_of(NAME, 12, 1 << 20))

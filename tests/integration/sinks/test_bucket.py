"""The bucket sink keeps every sink's promise, read back by other clients, and some of its own."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import obstore
import pytest

from orchestrator.errors import DestinationError
from orchestrator.sinks import Delivered, Parcel, Staging, upload
from orchestrator.sinks.bucket import BucketSink
from orchestrator.sinks.objects import Bucket
from tests.integration.sinks.conformance import NAME, ReadBack, SinkConformance, deliver, parcel
from tests.ports import free_port
from tests.servers.azurite import AzureContainer
from tests.servers.object_stores import Place
from tests.servers.s3 import S3Bucket

PREFIX = "out/put"


def sink_for(place: Place, **more: Any) -> BucketSink:
    return BucketSink(BucketSink.Options.model_validate(place.options(**more)))


@pytest.fixture(autouse=True)
def _parts_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "PART", 150)


@pytest.fixture
def sink(place: Place) -> BucketSink:
    return sink_for(place)


@pytest.fixture
def read_back(place: Place) -> ReadBack:
    return lambda name: place.get(f"{PREFIX}/{name}")


class TestBucket(SinkConformance):
    @pytest.fixture(autouse=True)
    def _only_final_keys_stay(self, place: Place) -> Iterator[None]:
        yield
        assert not [key for key in place.list() if "/." in key]
        assert not place.uploads()


LARGE = b"sent in parts. " * 100
FACTS = {
    "job_id": "job_01",
    "reference": "Auftrag/é 7",
    "model": "veo-3",
    "tenant": "",
    "other": "not ours to tell",
}
RACERS = 6


def stage(sink: BucketSink, one: Parcel, *chunks: bytes) -> Staging:
    staging = sink.stage(one, 1)
    for chunk in chunks:
        staging.write(chunk)
    return staging


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
def test_an_object_tells_its_type_its_hash_and_its_job(place: Place, content: bytes) -> None:
    sha256 = hashlib.sha256(content).hexdigest()
    sink = sink_for(place, key="{model}/{reference}/{name}")
    one = Parcel(NAME, "video/mp4", facts={**FACTS, "sha256": sha256})
    told = stage(sink, one, content).publish()
    key = f"{PREFIX}/veo-3/Auftrag%2F%C3%A9%207/{NAME}"
    assert place.list() == [key]
    assert told.location == place.options()["url"].replace(PREFIX, key)
    assert sink.find(one) == told
    assert place.attributes(key) == {
        "Content-Type": "video/mp4",
        "sha256": sha256,
        "job": "job_01",
        "reference": "Auftrag/%C3%A9%207",
        "model": "veo-3",
    }


def test_the_hash_of_what_goes_at_once_is_told_though_nobody_announced_it(
    sink: BucketSink, place: Place
) -> None:
    told = deliver(sink, NAME, 1, b"small")
    assert place.attributes(f"{PREFIX}/{NAME}")["sha256"] == told.sha256


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
def test_other_bytes_than_were_announced_are_not_published(
    sink: BucketSink, place: Place, content: bytes
) -> None:
    staging = stage(sink, Parcel(NAME, facts={"sha256": "0" * 64}), content)
    with pytest.raises(DestinationError, match="other bytes came than were announced"):
        staging.publish()
    assert place.list() == []


def test_what_dead_attempts_left_is_removed_and_nothing_else(sink: BucketSink, place: Place) -> None:
    stay = [f"{NAME}/10", f"{NAME}/x", "other/3", f"{NAME}.3/3"]
    for left in (*stay, f"{NAME}/0", f"{NAME}/3", f"{NAME}/8-probe-1"):
        place.put(f"{PREFIX}/.unfinished/{left}", b"left")
    sink.stage(parcel(NAME), 9).discard()
    assert sorted(place.list()) == sorted(f"{PREFIX}/.unfinished/{left}" for left in stay)


def test_finding_an_object_removes_what_attempts_at_it_left(sink: BucketSink, place: Place) -> None:
    deliver(sink, NAME, 1, b"whole")
    for left in (f"{NAME}/2", "other/2"):
        place.put(f"{PREFIX}/.unfinished/{left}", b"left")
    sink.find(parcel(NAME))
    assert sorted(place.list()) == sorted([f"{PREFIX}/{NAME}", f"{PREFIX}/.unfinished/other/2"])


def test_an_attempt_whose_temporary_object_is_gone_says_so(
    sink: BucketSink, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(sink, "before", 1, LARGE)  # what the store refuses is learned
    older = stage(sink, parcel(NAME), LARGE)
    real = upload.Upload._put_together

    def overtaken(self: upload.Upload, writer: Any) -> None:
        real(self, writer)
        sink.stage(parcel(NAME), 2).discard()

    monkeypatch.setattr(upload.Upload, "_put_together", overtaken)
    with pytest.raises(DestinationError, match="temporary object is gone") as raised:
        older.publish()
    assert "newer attempt" in raised.value.hint
    assert raised.value.retry.again
    assert sorted(place.list()) == [f"{PREFIX}/before"]


def test_checks_leave_nothing_and_do_not_mind_each_other(sink: BucketSink, place: Place) -> None:
    with ThreadPoolExecutor(4) as pool:
        for check in [pool.submit(sink.check) for _ in range(8)]:
            check.result()
    assert place.list() == []


@pytest.mark.parametrize("size", [1, 20], ids=["small", "large"])
def test_racing_attempts_are_told_of_one_object(place: Place, size: int) -> None:
    start = threading.Barrier(RACERS)

    def race(number: int) -> Delivered | None:
        sink = sink_for(place)
        start.wait()
        try:
            staging = sink.stage(parcel(NAME), number)
            for _ in range(size):
                staging.write(bytes([65 + number]) * 100)
            return staging.publish()
        except DestinationError:
            return None  # overtaken by a newer attempt

    with ThreadPoolExecutor(RACERS) as pool:
        told = {one for one in pool.map(race, range(RACERS)) if one}
    content = place.get(f"{PREFIX}/{NAME}")
    assert content in {bytes([65 + number]) * 100 * size for number in range(RACERS)}
    sink_for(place).find(parcel(NAME))
    assert place.list() == [f"{PREFIX}/{NAME}"]
    if size == 1 or not place.name.startswith("plain-"):
        assert [one.sha256 for one in told] == [hashlib.sha256(content or b"").hexdigest()]


def test_the_environment_leads_no_destination_elsewhere(
    s3_bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_BUCKET", "another")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of another key")
    deliver(sink_for(s3_bucket), NAME, 1, LARGE)
    assert s3_bucket.get(f"{PREFIX}/{NAME}") == LARGE


def test_a_shared_access_signature_is_enough_for_azure(azure_container: AzureContainer) -> None:
    sink = sink_for(azure_container, account_key=None, sas_token=f"?{azure_container.sas_token()}")
    sink.check()
    for name, content in (("small", b"x"), ("large", LARGE)):
        told = deliver(sink, name, 1, content)
        assert sink.find(parcel(name)) == told
        assert azure_container.get(f"{PREFIX}/{name}") == content
        assert "sig" not in told.location
    assert len(azure_container.list()) == 2


def test_a_bucket_may_be_used_without_a_prefix(place: Place) -> None:
    sink = sink_for(place, url=place.options()["url"].replace("/out/put", ""))
    sink.check()
    told = deliver(sink, NAME, 1, LARGE)
    assert told.location.endswith(f"{place.name}/{NAME}")
    assert sink.find(parcel(NAME)) == told
    assert place.list() == [NAME]


def test_what_a_store_refuses_is_found_out_though_a_newer_attempt_tidies_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink, real = sink_for(place), obstore.put
    removed: list[str] = []

    def put(store: Any, key: str, content: bytes, **more: Any) -> Any:
        if more.get("mode") == "create" and "-probe-" in key and not removed:
            removed.append(key)
            sink.stage(parcel(NAME), 2).discard()
        return real(store, key, content, **more)

    staging = sink.stage(parcel(NAME), 1)
    staging.write(b"small")
    with monkeypatch.context() as patch:
        patch.setattr(obstore, "put", put)
        with suppress(DestinationError):  # what it would copy may be gone: then the next one finds it out
            staging.publish()
    assert bool(removed) is not isinstance(place, AzureContainer)
    deliver(sink, "other", 1, b"small")
    assert sink._bucket._refuses is not None
    assert sink._bucket._refuses.put


class AskedTwice:
    """A writer whose store was slow: what it was asked to put together it was asked for once more."""

    def __init__(self, writer: Any) -> None:
        self.write = writer.write
        self._close = writer.close

    def close(self) -> None:
        self._close()
        raise FileNotFoundError(
            "Server returned non-2xx status code: 404 Not Found: <Code>NoSuchUpload</Code>"
        )


def test_an_upload_that_the_store_put_together_late_is_whole(
    sink: BucketSink, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Bucket.writer
    monkeypatch.setattr(Bucket, "writer", lambda *arguments: AskedTwice(real(*arguments)))
    deliver(sink, NAME, 1, LARGE)
    assert place.get(f"{PREFIX}/{NAME}") == LARGE
    assert place.list() == [f"{PREFIX}/{NAME}"]

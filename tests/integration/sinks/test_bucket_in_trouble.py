"""A bucket that cannot take what is owed to it: the words, without secrets, and nothing half published."""

import base64
import re
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orchestrator.errors import DestinationError
from orchestrator.sinks import objects, upload
from orchestrator.sinks.bucket import BucketSink
from tests.integration.sinks.bucket_attempt_process import content_of
from tests.integration.sinks.conformance import NAME, assert_is, deliver, parcel
from tests.ports import free_port
from tests.servers.azurite import KEY as AZURE_KEY
from tests.servers.azurite import AzureContainer, AzuriteServer
from tests.servers.object_stores import Place
from tests.servers.s3 import SECRET, S3Bucket, S3Server

KEY = f"out/put/{NAME}"
MORE = 1_000_000
WHOLE = content_of(NAME, 40, 50_000)


def sink_for(place: Place, **more: Any) -> BucketSink:
    return BucketSink(BucketSink.Options.model_validate(place.options(**more)))


def said(use: Callable[[], object]) -> str:
    """What the error of it says, with all that a log would show of it; nothing secret is in there."""
    with pytest.raises(DestinationError) as raised:
        use()
    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value.__dict__)
    for secret in (SECRET, AZURE_KEY, "sig=", "Signature", "wrong-", base64.b64encode(b"wrong-").decode()):
        assert secret not in shown
    assert raised.value.__cause__ is raised.value.__context__ is None
    assert raised.value.hint
    assert raised.value.retry.again
    return f"{raised.value.message} | {raised.value.hint}"


def writes(sink: BucketSink) -> list[Callable[[], object]]:
    """What a wrong bucket shows at; of an object it says no more than that it is not there."""
    return [sink.check, lambda: deliver(sink, NAME, 1, b"x"), lambda: deliver(sink, NAME, 1, bytes(MORE))]


def uses(sink: BucketSink) -> list[Callable[[], object]]:
    return [*writes(sink), lambda: sink.find(parcel(NAME))]


@pytest.fixture
def strict(s3_server: S3Server, s3_bucket: S3Bucket) -> Iterator[S3Bucket]:
    """A bucket that asks for credentials, and knows none."""
    s3_server.ask_for_credentials(True)
    yield s3_bucket
    s3_server.ask_for_credentials(False)


def test_wrong_credentials_of_s3_are_named(strict: S3Bucket) -> None:
    sink = sink_for(strict, secret_access_key="wrong-1", session_token="wrong-2")
    for use in writes(sink):
        assert "the credentials are refused (HTTP 403, InvalidAccessKeyId)" in said(use)
    assert "s3://conditional-" in said(lambda: sink.find(parcel(NAME)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"account_key": base64.b64encode(b"wrong-key").decode()},
        {"account_key": None, "sas_token": "sv=2021-06-08&sig=wrong-signature&se=2030-01-01&sp=rw&sr=c"},
    ],
    ids=["key", "signature"],
)
def test_wrong_credentials_of_azure_are_named(azure_container: AzureContainer, wrong: dict[str, Any]) -> None:
    sink = sink_for(azure_container, **wrong)
    for use in uses(sink):
        assert "(HTTP 40" in (words := said(use))
        assert "az://container" in words


def test_a_bucket_that_is_not_there_is_named(place: Place) -> None:
    sink = sink_for(place, url=place.options()["url"].replace("out/put", "x").replace("://", "://no"))
    for use in writes(sink):
        assert "there is no such bucket (HTTP 404" in said(use)


def test_a_server_that_is_not_there_is_named(place: Place) -> None:
    sink = sink_for(place, endpoint=f"http://127.0.0.1:{free_port()}")
    for use in uses(sink):
        assert "the store cannot be reached | look whether it runs there" in said(use)


def test_an_address_that_no_store_answers_at_is_named(place: Place) -> None:
    sink = sink_for(place, endpoint=place.options()["endpoint"] + "/moto-api/not/there")
    assert "cannot write" in said(sink.check)


def test_a_private_address_is_refused_before_anything_is_sent(place: Place) -> None:
    port = place.options()["endpoint"].partition("127.0.0.1:")[2]
    sink = sink_for(place, endpoint=f"http://localhost:{port}", allow=["192.168.0.0/16"])
    for use in uses(sink):
        with pytest.raises(DestinationError, match=r"leads to .*, a loopback address"):
            use()
    assert place.list() == []


def test_a_host_without_an_address_is_named(place: Place) -> None:
    sink = sink_for(place, endpoint="http://nowhere.invalid")
    with pytest.raises(DestinationError, match=r"nowhere\.invalid"):
        sink.check()


@pytest.fixture(autouse=True)
def _parts_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "PART", 150_000)


def impatient_sink(place: Place) -> BucketSink:
    """One that waits for seconds where others wait for half a minute."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CALL", "COPY", "HASTY"):
            patch.setattr(objects, name, 4.0)
        return sink_for(place)


@pytest.mark.parametrize("kind", ["own_s3", "own_azurite"])
def test_a_server_that_hangs_or_dies_in_mid_transfer_leaves_nothing_half(
    request: pytest.FixtureRequest, kind: str
) -> None:
    own: S3Server | AzuriteServer = request.getfixturevalue(kind)
    place = own.new_place()
    sink = sink_for(place)
    for name, stop, start in (("frozen", own.pause, own.resume), ("dead", own.kill, own.start)):
        staging = impatient_sink(place).stage(parcel(name), 1)
        _write(staging, WHOLE[:20])
        stop()
        with pytest.raises(DestinationError) as raised:
            _write_and_publish(staging, WHOLE[20:])
        assert raised.value.retry.again
        assert raised.value.hint
        staging.discard()
        start()
        place.make()
        assert place.get(f"out/put/{name}") is None
        assert sink.find(parcel(name)) is None
        assert_is(deliver(sink, name, 2, *WHOLE), b"".join(WHOLE))
        assert place.get(f"out/put/{name}") == b"".join(WHOLE)
        # Of this name alone: killed, Azurite goes back some seconds, to what it had written to its disk.
        assert [key for key in place.list() if f"/.unfinished/{name}/" in key] == []


def test_a_server_that_hangs_is_told_by_every_call(own_s3: S3Server) -> None:
    place = own_s3.new_place()
    sink = impatient_sink(place)
    large, small = sink.stage(parcel("large"), 1), sink.stage(parcel("small"), 1)
    _write(large, WHOLE)
    small.write(b"small")
    own_s3.pause()
    every = [large.publish, small.publish, sink.check, lambda: sink.find(parcel(NAME))]
    with ThreadPoolExecutor(len(every)) as pool:
        for words in pool.map(said, every):
            assert re.search("no answer came in time|gave no answer", words)


def _write_and_publish(staging: Any, chunks: list[bytes]) -> None:
    _write(staging, chunks)
    staging.publish()


def _write(staging: Any, chunks: list[bytes]) -> None:
    for chunk in chunks:
        staging.write(chunk)

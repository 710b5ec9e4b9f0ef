"""Signed calls to receivers that behave: what arrives, and what is made of each answer."""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook

from orchestrator import __version__
from orchestrator.errors import NEVER, DestinationError, DestinationGone
from orchestrator.sinks import Delivered, Parcel
from orchestrator.sinks.webhook import DOCUMENT_LIMIT, WebhookSink, opening
from tests.integration.gateway.servers import Wire
from tests.integration.sinks.conformance import ReadBack, UnaskedConformance, parcel
from tests.integration.sinks.receivers import (
    DOCUMENT,
    FOREIGN,
    NEW,
    OLD,
    PARCEL,
    Receiver,
    answering,
    calling,
    made,
    options,
    publish,
    served,
    signed_by,
    tools,
)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver(NEW)


@pytest.fixture
def sink(receiver: Receiver) -> Iterator[WebhookSink]:
    with calling(receiver) as (sink, _):
        yield sink


@pytest.fixture
def read_back(receiver: Receiver) -> ReadBack:
    return receiver.kept.get


class TestWebhook(UnaskedConformance):
    def thing(self, text: str) -> bytes:
        return json.dumps({"text": text}).encode()

    def received(self, thing: bytes) -> bytes:
        return opening(parcel("any")) + thing + b"}"


def test_what_arrives_is_what_the_specification_says() -> None:
    with calling(answering(204), headers={"Authorization": "Bearer hush-hush"}) as (sink, server):
        told = publish(sink)
    (request,) = server.requests
    assert request.line == "POST /hook?token=in-the-query HTTP/1.1"
    assert json.loads(request.body) == {
        "type": "job.completed",
        "timestamp": "2026-05-28T20:26:40.250Z",
        "data": json.loads(DOCUMENT),
    }
    assert DOCUMENT in request.body, "digits and all"
    headers = request.headers
    assert headers["webhook-id"] == PARCEL.name
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == f"hybrid-job-orchestrator/{__version__}"
    assert headers["authorization"] == "Bearer hush-hush"
    assert headers["accept-encoding"] == "identity"
    assert int(headers["content-length"]) == len(request.body)
    where = f"http://127.0.0.1:{server.port}/hook"
    assert told == Delivered(where, len(request.body), hashlib.sha256(request.body).hexdigest(), 204)


def test_a_receiver_with_the_old_or_the_new_secret_verifies_and_no_other() -> None:
    with calling(answering(200)) as (sink, server):
        publish(sink, '{"prompt": "ein Fuchs im Schnee \u2744"}'.encode())
    (request,) = server.requests
    assert len(request.headers["webhook-signature"].split()) == 2
    assert signed_by(Webhook(NEW), request)
    assert signed_by(Webhook(OLD), request)
    assert not signed_by(Webhook(FOREIGN), request)
    request.body += b" "
    assert not signed_by(Webhook(NEW), request)


def test_a_call_that_is_repeated_has_the_same_id_and_body_and_the_time_of_the_attempt() -> None:
    times = iter([1_790_000_000.9, 1_790_086_400.0])
    with (
        tools(lambda: next(times)) as by,
        served(by, answering(500)) as server,
        made(by, f"http://127.0.0.1:{server.port}/") as sink,
    ):
        for _ in range(2):
            with pytest.raises(DestinationError):
                publish(sink)
    first, second = server.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert [one.headers["webhook-timestamp"] for one in server.requests] == ["1790000000", "1790086400"]
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


def test_an_attempt_is_over_once_it_was_made() -> None:
    with calling(answering(500)) as (sink, server):
        staging = sink.stage(PARCEL, 1)
        staging.write(DOCUMENT)
        with pytest.raises(DestinationError, match="500"):
            staging.publish()
        with pytest.raises(DestinationError, match="attempt is over"):
            staging.publish()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b"null", b"{", b'{"a": NaN}', b'{"a": "\xff"}', '{"a": 1}'.encode("utf-16"), b"[" * 100_000],
    ids=lambda document: ascii(document)[:20],
)
def test_what_is_no_json_object_is_never_sent(document: bytes) -> None:
    with calling(answering(200)) as (sink, server):
        with pytest.raises(DestinationError, match="not a JSON object") as refused:
            publish(sink, document)
        assert refused.value.retry == NEVER
    assert server.connections == 0


def test_a_document_that_is_too_large_is_never_sent() -> None:
    with calling(answering(200)) as (sink, server):
        just_fits = b'{"a": "' + b"x" * (DOCUMENT_LIMIT - 9) + b'"}'
        assert publish(sink, just_fits).bytes > DOCUMENT_LIMIT
        staging = sink.stage(PARCEL, 2)
        staging.write(just_fits)
        with pytest.raises(DestinationError, match="256 KiB") as refused:
            staging.write(b" ")
        assert refused.value.retry == NEVER
        with pytest.raises(DestinationError, match="attempt is over"):
            staging.publish()
    assert server.connections == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_delivery(status: int) -> None:
    with calling(answering(status)) as (sink, _):
        assert publish(sink).status == status


@pytest.mark.parametrize(
    "status", [101, 300, 302, 400, 401, 404, 408, 409, 413, 418, 425, 429, 500, 503, 999]
)
def test_every_other_status_is_told_and_tried_again(status: int) -> None:
    with calling(answering(status, b"because \x1b[31m of this")) as (sink, server):
        with pytest.raises(DestinationError) as raised:
            publish(sink)
        error = raised.value
    assert not isinstance(error, DestinationGone)
    assert error.message.startswith(f"http://127.0.0.1:{server.port}/hook answered {status}")
    assert (error.status, error.retry.again, error.retry.after) == (status, True, 0.0)
    if status != 101:  # after which there is no body
        assert error.preview == "because [31m of this"
    assert error.hint
    assert "in-the-query" not in error.message + error.hint


def test_a_receiver_that_is_gone_says_so() -> None:
    with calling(answering(410, b"moved out")) as (sink, _):
        with pytest.raises(DestinationGone, match="wants nothing more") as raised:
            publish(sink)
        assert (raised.value.status, raised.value.preview) == (410, "moved out")
        with pytest.raises(DestinationGone):
            sink.check()


@pytest.mark.parametrize("status", [429, 503, 500, 404])
def test_a_receiver_is_left_alone_for_as_long_as_it_asks(status: int) -> None:
    script = answering(status, b"", "retry-after: 1200")
    with calling(script) as (sink, _), pytest.raises(DestinationError) as raised:
        publish(sink)
    assert raised.value.retry.after == 1200.0


def test_a_date_to_come_back_at_is_understood() -> None:
    date = format_datetime(datetime.fromtimestamp(1_790_000_300, UTC), usegmt=True)
    with (
        tools(lambda: 1_790_000_000.0) as by,
        served(by, answering(503, b"", f"retry-after: {date}")) as server,
    ):
        url = f"http://127.0.0.1:{server.port}/"
        with made(by, url) as sink, pytest.raises(DestinationError) as raised:
            publish(sink)
    assert raised.value.retry.after == 300.0


def test_what_we_sent_is_not_shown_when_it_comes_back() -> None:
    async def echo(wire: Wire) -> None:
        request = await wire.request()
        signatures = request.headers["webhook-signature"].split()
        words = [*signatures, signatures[0][3:], request.headers["authorization"], "hush-hush", NEW, OLD]
        await wire.answer(400, json.dumps([request.line, *words]).replace("/", "\\/").encode())

    told = {"Authorization": "Bearer hush-hush"}
    with calling(echo, headers=told) as (sink, _), pytest.raises(DestinationError) as raised:
        publish(sink)
    shown = raised.value.preview
    assert shown is not None
    assert shown.count("***") >= 6
    assert "v1," not in shown
    for hidden in ("hush", "in-the-query", NEW[6:], OLD[6:]):
        assert hidden not in shown


def test_no_cookie_is_kept_and_each_call_has_its_connection() -> None:
    with calling(answering(200, b"", "set-cookie: session=mine; Path=/", "connection: keep-alive")) as (
        sink,
        server,
    ):
        publish(sink)
        publish(sink)
    assert server.connections == 2
    assert not any("cookie" in request.headers for request in server.requests)


def test_a_check_makes_a_signed_call_and_wants_a_2xx() -> None:
    receiver = Receiver(NEW)
    with calling(receiver) as (sink, _):
        sink.check()
    ((name, body),) = receiver.kept.items()
    assert name.startswith("probe-")
    assert json.loads(body) | {"timestamp": ""} == {"type": "orchestrator.probe", "timestamp": "", "data": {}}
    with calling(Receiver(FOREIGN)) as (sink, _):
        with pytest.raises(DestinationError, match="answered 401") as raised:
            sink.check()
        assert "compare the secrets" in raised.value.hint


def test_many_calls_at_once_do_not_disturb_each_other() -> None:
    receiver = Receiver(NEW)
    with calling(receiver) as (sink, _), ThreadPoolExecutor(8) as pool:
        parcels = [Parcel(f"job_{number}", event="job.completed") for number in range(40)]
        list(pool.map(lambda one: publish(sink, json.dumps({"is": one.name}).encode(), one), parcels))
    assert {name: json.loads(body)["data"]["is"] for name, body in receiver.kept.items()} == {
        one.name: one.name for one in parcels
    }


def test_a_process_that_has_stopped_its_loop_can_still_close_the_sink() -> None:
    with tools() as by:
        sink = WebhookSink.build(options("http://127.0.0.1:9/"), by)
    sink.close()
    sink.close()

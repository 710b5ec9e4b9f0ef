"""Calls over TLS: whose certificate is believed."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.errors import DestinationError
from orchestrator.sinks.base import Tools
from orchestrator.sinks.network import guarded_client
from orchestrator.sinks.webhook import WebhookSink
from tests.certificates import make, serving_with
from tests.integration.gateway.servers import Wire
from tests.integration.sinks.receivers import answering, options, publish, served, tools


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody vouches for, with its key; it is for 127.0.0.1."""
    return make(tmp_path_factory.mktemp("tls") / "receiver.pem")


@pytest.fixture
def by() -> Iterator[Tools]:
    with tools() as by:
        yield by


@contextmanager
def sink_at(by: Tools, url: str, trusted: Path | None = None) -> Iterator[WebhookSink]:
    told = options(url, allow_http=False)
    tls = ssl.create_default_context(cafile=trusted) if trusted else None
    sink = WebhookSink(told, by, guarded_client(told.allow, tls=tls))
    try:
        yield sink
    finally:
        sink.close()


def test_a_certificate_that_nobody_vouches_for_is_refused(by: Tools, certificate: Path) -> None:
    with (
        served(by, answering(200), tls=serving_with(certificate)) as server,
        sink_at(by, f"https://127.0.0.1:{server.port}/") as sink,
        pytest.raises(DestinationError, match=r"its certificate is not trusted: self.signed") as raised,
    ):
        publish(sink)
    assert "public authority" in raised.value.hint
    assert server.requests == []


def test_a_certificate_that_is_trusted_is_believed_for_its_name_only(by: Tools, certificate: Path) -> None:
    with served(by, answering(200), host="0.0.0.0", tls=serving_with(certificate)) as server:
        with sink_at(by, f"https://127.0.0.1:{server.port}/", certificate) as sink:
            assert publish(sink).status == 200
        mismatch = pytest.raises(DestinationError, match="not trusted: IP address mismatch")
        with sink_at(by, f"https://127.0.0.2:{server.port}/", certificate) as sink, mismatch:
            publish(sink)
    assert len(server.requests) == 1


def test_a_port_without_tls_is_told_apart(by: Tools) -> None:
    async def no_tls(wire: Wire) -> None:
        await wire.send(b"220 mail.example ESMTP\r\n")
        await wire.reader.read()

    with (
        served(by, no_tls) as server,
        sink_at(by, f"https://127.0.0.1:{server.port}/") as sink,
        pytest.raises(DestinationError, match="no TLS connection") as raised,
    ):
        publish(sink)
    assert "speaks TLS" in raised.value.hint

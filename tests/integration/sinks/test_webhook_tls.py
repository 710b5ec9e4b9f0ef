"""Calls over TLS: whose certificate is believed."""

import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from orchestrator.errors import DestinationError
from orchestrator.sinks.base import Tools
from orchestrator.sinks.network import guarded_client
from orchestrator.sinks.webhook import WebhookSink
from tests.integration.gateway.servers import Wire
from tests.integration.sinks.receivers import answering, options, publish, served, tools


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody vouches for, with its key; it is for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "receiver")]), datetime.now(UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "receiver.pem"
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + plain)
    return path


@pytest.fixture
def by() -> Iterator[Tools]:
    with tools() as by:
        yield by


def serving_with(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


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

"""`check`: whether a call from outside comes to our receiver, unchanged; and that it keeps nothing of it."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import wiring
from orchestrator.cli.findings import Finding
from orchestrator.cli.probing import Answered
from orchestrator.cli.public_checks import plain_too, public_url
from orchestrator.cli.receiver_checks import Prober
from orchestrator.settings import load
from tests import certificates
from tests.acceptance.sandbox import SECRET
from tests.integration.cli.outside import Headers, Receiving, answering, https, in_front, passing
from tests.integration.gateway.servers import Script, Wire
from tests.migrated import put_migrated

PATH = "/webhooks/gateway/default"


@pytest.fixture(scope="module")
def receiving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiving]:
    folder = tmp_path_factory.mktemp("receiver")
    put_migrated(folder / "orchestrator.db")
    made = Receiving(load({}, data_dir=folder, output_dir=folder / "outputs", webhook_secrets=SECRET))
    yield made
    made.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def certificate(folder: Path) -> Path:
    return certificates.make(folder / "good.pem")


@pytest.fixture
def prober(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Prober:
    """One that believes the good certificate alone."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return Prober(wiring.public_tls(), time.time, running=lambda: False)


def found_at(prober: Prober, url: str, secret: str = SECRET) -> list[Finding]:
    return prober.receiver("receiver", f"{url}{PATH}", secret)


def test_our_receiver_behind_a_proxy_is_known_and_keeps_nothing_of_the_check(
    prober: Prober, receiving: Receiving, certificate: Path
) -> None:
    with in_front(passing(receiving.port, headers=https), certificate) as url:
        assert found_at(prober, url) == [
            Finding("ok", "receiver", f"{url}{PATH} is answered by our receiver"),
        ]
        assert found_at(prober, url, secret="")[0].status == "ok"
    assert receiving.kept() == (0, [])


def test_a_proxy_that_is_not_believed_is_named_with_its_address(
    prober: Prober, receiving: Receiving, certificate: Path
) -> None:
    with in_front(passing(receiving.port), certificate) as url:
        ours, proxy = found_at(prober, url)
    assert (ours.status, proxy.status) == ("ok", "warn")
    assert "sees http from 127.0.0.1" in proxy.found
    assert "ORCHESTRATOR_TRUSTED_PROXIES=127.0.0.1" in proxy.hint


@pytest.mark.parametrize(("days", "told"), [(5, "ends in 5 days"), (13.9, "ends in 14 days"), (15, None)])
def test_a_certificate_that_ends_within_two_weeks_is_told(
    receiving: Receiving, folder: Path, monkeypatch: pytest.MonkeyPatch, days: float, told: str | None
) -> None:
    soon = certificates.make(folder / f"{days}.pem", days=days)
    monkeypatch.setenv("SSL_CERT_FILE", str(soon))
    prober = Prober(wiring.public_tls(), time.time, running=lambda: False)
    with in_front(passing(receiving.port, headers=https), soon) as url:
        warned = [one.found for one in found_at(prober, url) if one.status == "warn"]
    assert warned == ([f"the certificate of 127.0.0.1 {told}"] if told else [])


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"days": -1}, "certificate has expired"),
        ({"address": "127.0.0.2"}, "IP address mismatch"),
        ({}, "self-signed certificate"),
    ],
)
def test_a_certificate_that_the_gateway_would_not_believe_is_refused(
    receiving: Receiving, folder: Path, monkeypatch: pytest.MonkeyPatch, made: dict[str, float], words: str
) -> None:
    bad = certificates.make(folder / f"bad{len(words)}.pem", **made)  # type: ignore[arg-type]
    if made:
        monkeypatch.setenv("SSL_CERT_FILE", str(bad))  # so that nothing else is wrong with it
    prober = Prober(wiring.public_tls(), time.time, running=lambda: False)
    with in_front(passing(receiving.port), bad) as url:
        (finding,) = found_at(prober, url)
    assert finding.status == "fail"
    assert f"its certificate is not believed: {words}" in finding.found.replace("self signed", "self-signed")
    assert finding.hint


def lost(headers: Headers) -> Headers:
    return {name: value for name, value in headers.items() if not name.startswith("x-phaseo")}


def written_anew(body: bytes) -> bytes:
    return json.dumps(json.loads(body)).encode() if body else body


def test_what_a_proxy_loses_or_changes_is_named(prober: Prober, receiving: Receiving) -> None:
    before = receiving.kept()[1]
    with in_front(passing(receiving.port, headers=lost)) as url:
        (finding,) = found_at(prober, url)
    assert "x-phaseo-signature and x-phaseo-timestamp are lost" in finding.found
    with in_front(passing(receiving.port, body=written_anew)) as url:
        (finding,) = found_at(prober, url)
    assert "or the body is changed on the way" in finding.found
    assert finding.status == "fail"
    # A check that was not believed is kept as any other stranger's call: with the reason.
    assert sorted(receiving.kept()[1]) == sorted([*before, "no_signature", "forged"])


def test_a_receiver_with_another_secret_or_clock_is_told_apart(receiving: Receiving) -> None:
    tls = wiring.public_tls()
    (finding,) = found_at(Prober(tls, time.time, running=lambda: True), receiving.url, secret="whsec_other")
    assert "does not know this account's newest secret" in finding.found
    (finding,) = found_at(Prober(tls, lambda: time.time() + 400, running=lambda: True), receiving.url)
    assert "differs from this one by more than 300 s" in finding.found
    (finding,) = Prober(tls, time.time, running=lambda: True).receiver(
        "receiver", f"{receiving.url}/webhooks/gateway/acct_none", SECRET
    )
    assert "does not know this account: it has another database" in finding.found


async def no_http(wire: Wire) -> None:
    await wire.send(b"220 mail.example ESMTP\r\n")
    await wire.reader.read()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    ("script", "running", "status", "words"),
    [
        (
            answering(301, b"", "text/html", "location: https://elsewhere/"),
            False,
            "fail",
            "a redirect to https://elsewhere/",
        ),
        (
            answering(200, b"<h1>It works</h1>"),
            False,
            "fail",
            "another program answers, with 200 and text/html",
        ),
        (answering(401), False, "fail", "answered with 401 by something in front"),
        (answering(502), False, "warn", "does not reach the receiver"),
        (answering(502), True, "fail", "does not reach the receiver"),
        (
            answering(404, b'{"code": "no_such_path"}'),
            False,
            "fail",
            "an orchestrator answers, and takes no webhooks",
        ),
        (no_http, False, "warn", "no HTTP comes from there"),
    ],
)
def test_what_is_there_in_place_of_our_receiver_is_named(
    prober: Prober, certificate: Path, script: Script, running: bool, status: str, words: str, tls: bool
) -> None:
    asking = Prober(prober.tls, time.time, lambda: running)
    with in_front(script, certificate if tls else None) as url:
        (finding,) = found_at(asking, url)
    assert (finding.status, words in finding.found, bool(finding.hint)) == (status, True, True), finding


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:19", "nobody takes the connection: Connection refused"),
        ("https://127.0.0.1:19", "nobody takes the connection"),
        ("https://no-such-host.invalid", "no-such-host.invalid does not resolve"),
    ],
)
def test_a_way_that_ends_before_anything_answers_says_where(prober: Prober, url: str, words: str) -> None:
    (finding,) = found_at(prober, url)
    assert words in finding.found


def test_a_port_without_tls_is_told_apart(prober: Prober, receiving: Receiving) -> None:
    (finding,) = found_at(prober, receiving.url.replace("http:", "https:"))
    assert "no TLS connection" in finding.found
    assert finding.status == "fail"
    assert "a proxy that terminates TLS" in finding.hint


def test_a_document_that_is_none_is_an_empty_one() -> None:
    assert Answered(200, {}, b"[1]").document == Answered(200, {}, b"\xff").document == {}


def test_an_api_that_answers_without_tls_as_well_is_told(prober: Prober) -> None:
    refused = answering(401, b'{"code": "unauthorized"}', "application/problem+json")
    with in_front(refused) as url:
        (finding,) = plain_too(prober, url)
    assert "the API also answers over plain http" in finding.found
    with in_front(answering(308, b"", "text/html", "location: https://x/")) as url:
        assert plain_too(prober, url) == []


async def dripping(wire: Wire) -> None:
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await wire.send(b"X-More: of it\r\n")
        await asyncio.sleep(0.05)


def test_an_answer_that_never_ends_is_given_up(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.cli.receiver_checks.ANSWER_WITHIN", 0.5)
    with in_front(dripping) as url:
        (finding,) = found_at(prober, url)
    assert "no whole answer comes within" in finding.found


def test_a_name_that_can_be_none_is_told_as_such(prober: Prober) -> None:
    (finding,) = found_at(prober, "http://a..b")
    assert "a..b can be no host name" in finding.found
    assert "correct the host name" in finding.hint


def test_a_path_that_the_proxy_should_take_off_is_named(
    receiving: Receiving,
) -> None:
    found = list(public_url(load({"ORCHESTRATOR_PUBLIC_URL": f"{receiving.url}/videos"})))
    assert "take /videos off the path" in found[0].hint
    assert next(iter(public_url(load({"ORCHESTRATOR_PUBLIC_URL": receiving.url})))).status == "ok"

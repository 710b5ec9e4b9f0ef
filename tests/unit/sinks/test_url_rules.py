"""Which URLs may be called; the gateway's own rule is the least that is refused."""

import json
from ipaddress import ip_network

import pytest

from orchestrator.sinks.network import check_url, without_query
from tests.unit.gateway.captured import HERE

RESPONSES = json.loads((HERE / "responses.json").read_text())["responses"]
(TABLE,) = [entry["status"] for entry in RESPONSES if entry["label"] == "url rules"]
ANSWERS = {url: json.loads(answer) for url, answer in TABLE.items()}
REFUSED_BY_US_TOO = {
    "https://user:pass@example.com/": "a password in a URL ends up in logs, and in errors of HTTP libraries",
}


@pytest.mark.parametrize("url", [url for url, answer in ANSWERS.items() if not answer["ok"]])
def test_what_the_gateway_refuses_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_url(url)


@pytest.mark.parametrize("url", [url for url, answer in ANSWERS.items() if answer["ok"]])
def test_what_the_gateway_takes_is_taken_alike_but_for_what_is_said_why(url: str) -> None:
    if url in REFUSED_BY_US_TOO:
        with pytest.raises(ValueError, match="password"):
            check_url(url)
    else:
        assert check_url(url) == ANSWERS[url]["url"]


def test_the_table_is_there() -> None:
    assert len(ANSWERS) > 25
    assert set(REFUSED_BY_US_TOO) <= set(ANSWERS)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://127.1/", "loopback"),
        ("https://0177.0.0.1/", "not a URL"),
        ("https://0/", "unspecified"),
        ("https://127.0.0.1./", "loopback"),
        ("https://127。0。0。1/", "loopback"),
        ("https://[::ffff:7f00:1]/", "loopback"),
        ("https://[64:ff9b::7f00:1]/", "loopback"),
        ("https://[::]/", "unspecified"),
        ("https://[fe80::1%25eth0]/", "scope id"),
        ("https://[fe80::1%eth0]/", "scope id"),
        ("https://LOCALHOST/", "this machine"),
        ("https://localhost./", "this machine"),
        ("https://a.b.localhost/", "this machine"),
        ("https://1.2.3.4.5/", "not an IPv4 address"),
        ("https://example.com:0/", "port"),
        ("https://example.com:99999/", "port"),
        ("https://example.com\\@127.0.0.1/", "password"),
        ("https://user@example.com/", "password"),
        ("https://example.com%2f.evil.example/", "letters"),
        ("https://a b.example/", "letters"),
        ("https:///path", "no host"),
        ("https:example.com", "no host"),
        ("//example.com/", "https"),
        ("file:///etc/passwd", "https"),
        ("gopher://example.com/", "https"),
        ("https://[::1", "not a URL"),
        ("https://exa\nmple.com/", "not a URL"),
    ],
)
def test_further_urls_are_refused_and_not_repeated(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        check_url(url)
    assert url not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "called"),
    [
        (" https://Example.com/Hook ", "https://example.com/Hook"),
        ("https://example.com:443", "https://example.com/"),
        ("https://example.com?a=b%2Fc", "https://example.com/?a=b%2Fc"),
        ("https://example.com/a%2Fb/%C3%A9;x=1", "https://example.com/a%2Fb/%C3%A9;x=1"),
        ("https://example.com./a?token=b#c", "https://example.com./a?token=b"),
        ("https://134744072/x", "https://8.8.8.8/x"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://[2606:4700:4700:0:0:0:0:1111]/", "https://[2606:4700:4700::1111]/"),
        ("https://localhost.example/", "https://localhost.example/"),
    ],
)
def test_a_url_is_called_in_its_usual_spelling(url: str, called: str) -> None:
    assert check_url(url) == called


def test_what_is_allowed_may_be_called() -> None:
    inside = [ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8")]
    for url in ("https://127.0.0.1:8443/", "https://localhost/", "https://10.1.2.3/"):
        assert check_url(url, inside) == url
    with pytest.raises(ValueError, match="private"):
        check_url("https://192.168.0.1/", inside)
    with pytest.raises(ValueError, match="https"):
        check_url("http://127.0.0.1/", inside)
    assert check_url("http://127.0.0.1/", inside, allow_http=True) == "http://127.0.0.1/"
    with pytest.raises(ValueError, match="loopback"):
        check_url("http://127.0.0.1/", allow_http=True)


def test_a_url_is_shown_without_its_query() -> None:
    assert without_query("https://example.com:8443/hook?token=secret") == "https://example.com:8443/hook"

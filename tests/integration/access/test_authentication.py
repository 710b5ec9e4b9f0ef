"""Who may call: over HTTP, with what a stranger may send."""

import pytest

from orchestrator.core.access import Scope
from tests.integration.access.api import Api

UNKNOWN = "hjo_" + "a" * 16 + "_" + "B" * 43


def code(answer: object) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]  # type: ignore[attr-defined]


def test_a_key_says_who_calls(api: Api) -> None:
    answer = api.ask("/whoami", api.key(Scope.READ, Scope.SUBMIT))
    assert answer.status_code == 200
    assert answer.json()["tenant"] == "default"
    assert answer.json()["scopes"] == ["read", "submit"]
    assert "access-control-allow-origin" not in answer.headers


def test_without_a_key_it_is_said_how_one_is_sent(api: Api) -> None:
    answer = api.ask("/whoami")
    assert code(answer) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer" in answer.json()["hint"]
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer",
        b"Basic dXNlcjpwYXNz",
        b"Bearer hjo__",
        b"Bearer hjo_" + b"\x01" * 60,
        "Bearer hjo_ü".encode(),
        b"Bearer \xff\xfe",
        f"Bearer {UNKNOWN}".encode(),
        f"Bearer {UNKNOWN} more".encode(),
        f"Bearer {UNKNOWN.replace('hjo', 'hjt')}".encode(),
        b"Bearer hjo_" + b"a" * 60_000,
    ],
)
def test_whatever_is_no_key_is_refused_in_order(api: Api, header: bytes) -> None:
    answer = api.client.get("/whoami", headers=[(b"Authorization", header)])
    assert code(answer) == (401, "unauthorized")
    assert header[-20:].decode("latin-1") not in answer.text or len(header) < 20


@pytest.mark.parametrize("header", [b"Bearer hjo_" + b"a" * 1_000_000, b"Bearer hjo_\x00" + b"a" * 40])
def test_what_no_server_takes_for_a_header_is_hung_up_on_with_a_4xx(api: Api, header: bytes) -> None:
    with api.connect() as raw:
        raw.sendall(b"GET /v1/whoami HTTP/1.1\r\nHost: h\r\nAuthorization: " + header + b"\r\n\r\n")
        assert raw.recv(12).startswith(b"HTTP/1.1 4")
    assert api.ask("/whoami", api.key()).status_code == 200


def test_two_keys_are_one_too_many(api: Api) -> None:
    both = [("Authorization", f"Bearer {api.key()}"), ("Authorization", f"Bearer {UNKNOWN}")]
    assert code(api.client.get("/whoami", headers=both)) == (401, "unauthorized")


@pytest.mark.parametrize("name", ["token", "key", "api_key"])
def test_a_key_in_a_url_is_refused_though_it_is_good(api: Api, name: str) -> None:
    key = api.key()
    for path in ("/whoami", "/probe"):
        for answer in (api.ask(path, params={name: key}), api.ask(path, key, params={name: key})):
            assert code(answer) == (401, "unauthorized")
            assert "URL" in answer.json()["detail"]
            assert key not in answer.text


def test_a_key_without_the_scope_is_known_and_may_not(api: Api) -> None:
    answer = api.ask("/keys", api.key(Scope.READ, Scope.SUBMIT, Scope.OPERATE))
    assert code(answer) == (403, "forbidden")
    assert "admin" in answer.json()["detail"]


def test_a_token_reads_where_tokens_are_enough_and_does_nothing_else(api: Api) -> None:
    token = {"token": api.token(end_user="u")}
    assert api.ask("/probe", params=token).text == "default None u"
    for method, path in (("GET", "/whoami"), ("GET", "/keys"), ("POST", "/tokens"), ("POST", "/keys")):
        answer = api.ask(path, method=method, params=token, json={"end_user": "v"})
        assert code(answer) == (401, "unauthorized"), path
        assert "needs an API key" in answer.json()["detail"]


def test_a_token_and_a_key_are_one_too_many_and_a_token_is_no_header(api: Api) -> None:
    token = api.token()
    assert code(api.ask("/probe", api.key(), params={"token": token})) == (401, "unauthorized")
    assert code(api.ask("/probe", token)) == (401, "unauthorized")
    assert code(api.ask("/probe", params=[("token", token), ("token", token)])) == (401, "unauthorized")


@pytest.mark.parametrize(
    "token", ["", "hjt__", "\x00", "\ud800".encode(errors="surrogatepass"), "x" * 50_000]
)
def test_whatever_is_no_token_is_refused_in_order(api: Api, token: str) -> None:
    assert code(api.ask("/probe", params={"token": token})) == (401, "unauthorized")


def test_keys_and_scopes_are_in_the_document(api: Api) -> None:
    document = api.app.openapi()
    schemes = document["components"]["securitySchemes"]
    assert schemes["apiKey"] == schemes["apiKey"] | {"type": "http", "scheme": "bearer"}
    assert schemes["token"] == schemes["token"] | {"type": "apiKey", "in": "query", "name": "token"}
    assert document["paths"]["/v1/keys"]["get"]["security"] == [{"apiKey": ["admin"]}]
    assert document["paths"]["/v1/probe"]["get"]["security"] == [{"apiKey": ["read"]}, {"token": []}]

"""Pages on other origins: those that a tenant allows, with a token, and no others."""

import pytest

from tests.integration.access.api import Api

PAGE = "https://shop.example"
ELSEWHERE = "https://evil.example"
ALLOWS = "access-control-allow-origin"


@pytest.fixture
def api(api: Api) -> Api:
    api.tenant("default", allowed_origins=[PAGE])
    return api


def test_an_allowed_page_reads_the_answer_and_its_headers(api: Api) -> None:
    answer = api.ask("/probe", params={"token": api.token()}, headers={"Origin": PAGE})
    assert answer.status_code == 200
    assert answer.headers[ALLOWS] == PAGE
    assert answer.headers["vary"] == "Origin"
    assert "ETag" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", [ELSEWHERE, "null", f"{PAGE}.evil.example", f"{PAGE}:444", PAGE.upper()])
def test_a_page_elsewhere_is_refused_and_reads_nothing(api: Api, origin: str) -> None:
    answer = api.ask("/probe", params={"token": api.token()}, headers={"Origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert ALLOWS not in answer.headers


def test_a_page_of_our_own_is_allowed_without_being_named(api: Api) -> None:
    answer = api.ask("/probe", params={"token": api.token()}, headers={"Origin": api.url})
    assert answer.status_code == 200


def test_what_sends_no_origin_such_as_a_video_is_answered(api: Api) -> None:
    answer = api.ask("/probe", params={"token": api.token()})
    assert answer.status_code == 200
    assert answer.headers["vary"] == "Origin"
    assert ALLOWS not in answer.headers


def test_a_page_may_read_that_its_token_has_expired_and_no_more(api: Api) -> None:
    answer = api.ask("/probe", params={"token": "hjt__"}, headers={"Origin": ELSEWHERE})
    assert answer.status_code == 401
    assert answer.headers[ALLOWS] == ELSEWHERE


def test_keys_are_not_for_pages(api: Api) -> None:
    answer = api.ask("/probe", api.key(), headers={"Origin": PAGE})
    assert answer.status_code == 200
    assert ALLOWS not in answer.headers


def test_a_preflight_of_an_allowed_page_says_what_it_may_send(api: Api) -> None:
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    answer = api.ask("/probe", method="OPTIONS", params={"token": api.token()}, headers=headers)
    assert answer.status_code == 204
    assert answer.headers[ALLOWS] == PAGE
    assert "Last-Event-ID" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD"
    assert answer.headers["vary"] == "Origin"


def test_a_preflight_of_any_other_page_or_without_a_token_lets_nobody_send(api: Api) -> None:
    headers = {"Origin": ELSEWHERE, "Access-Control-Request-Method": "GET"}
    answer = api.ask("/probe", method="OPTIONS", params={"token": api.token()}, headers=headers)
    assert answer.status_code == 403
    assert ALLOWS not in answer.headers
    without = api.ask("/probe", method="OPTIONS", headers=headers | {"Origin": PAGE})
    assert without.status_code == 405
    assert ALLOWS not in without.headers

"""Keys and tokens by the API: made once shown once, revoked, and never another tenant's."""

import json

import pytest

from orchestrator.core.access import Scope
from tests.integration.access.api import Api
from tests.integration.access.conftest import NewApi
from tests.integration.store.rows import a_job, keep


def test_a_key_is_made_shown_once_listed_used_and_revoked(api: Api) -> None:
    admin = api.key()
    made = api.ask("/keys", admin, method="POST", json={"name": "pipeline", "scopes": ["submit", "read"]})
    assert made.status_code == 201
    key, key_id = made.json()["key"], made.json()["id"]
    assert api.ask("/whoami", key).json() == {
        "tenant": "default",
        "key_id": key_id,
        "name": "pipeline",
        "scopes": ["read", "submit"],
    }
    listed = api.ask("/keys", admin)
    assert key not in listed.text
    assert "digest" not in listed.text
    assert [one["name"] for one in listed.json()["keys"]] == ["k", "pipeline"]
    revoked = api.ask(f"/keys/{key_id}", admin, method="DELETE")
    assert revoked.status_code == 200
    assert revoked.json()["revoked_at"] is not None


def test_a_key_makes_none_that_may_do_more_than_itself(api: Api) -> None:
    limited = api.key(Scope.ADMIN, Scope.READ)
    answer = api.ask("/keys", limited, method="POST", json={"name": "n", "scopes": ["read", "submit"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert len(api.ask("/keys", limited).json()["keys"]) == 1


def test_another_tenant_s_keys_are_not_there(api: Api) -> None:
    api.tenant("other")
    mine, foreign = api.key(), api.key(tenant="other")
    my_id = api.ask("/whoami", mine).json()["key_id"]
    assert my_id not in api.ask("/keys", foreign).text
    said = []
    for key_id in (my_id, "a" * 16):
        answer = api.ask(f"/keys/{key_id}", foreign, method="DELETE")
        assert answer.status_code == 404
        said.append(answer.text.replace(key_id, "?"))
    assert said[0] == said[1]
    assert api.ask("/keys", mine).json()["keys"][0]["revoked_at"] is None


def test_a_token_is_made_for_a_job_and_reads_that_one_alone(api: Api) -> None:
    keep(api.store, a_job("job_1"))
    reader = api.key(Scope.READ)
    made = api.ask("/tokens", reader, method="POST", json={"job_id": "job_1", "expires_in_seconds": 60})
    assert made.status_code == 201
    token, token_id = made.json()["token"], made.json()["id"]
    assert api.ask("/probe", params={"token": token}).text == "default job_1 None"
    assert api.ask(f"/tokens/{token_id}", reader, method="DELETE").status_code == 204
    assert api.ask(f"/tokens/{token_id}", reader, method="DELETE").status_code == 404


def test_a_token_for_another_tenant_s_job_is_refused_as_for_none(api: Api) -> None:
    keep(api.store, a_job("job_1"))
    api.tenant("other")
    foreign, said = api.key(tenant="other"), []
    for job_id in ("job_1", "job_2"):
        answer = api.ask("/tokens", foreign, method="POST", json={"job_id": job_id})
        assert answer.status_code == 404
        said.append(answer.text.replace(job_id, "?"))
    assert said[0] == said[1]


def test_a_key_that_may_not_read_makes_no_tokens(api: Api) -> None:
    answer = api.ask("/tokens", api.key(Scope.SUBMIT), method="POST", json={"end_user": "u"})
    assert answer.status_code == 403


def test_what_is_no_key_to_make_is_said_with_its_place(api: Api) -> None:
    admin = api.key()
    for body, place in (
        ({"name": "", "scopes": ["read"]}, "body.name"),
        ({"name": "n", "scopes": []}, "body.scopes"),
        ({"name": "n", "scopes": ["all"]}, "body.scopes"),
        ({"name": "n", "scopes": ["read"], "more": 1}, "body.more"),
        ({"name": "n", "scopes": ["read"], "expires_in_seconds": -1}, "body.expires_in_seconds"),
    ):
        answer = api.ask("/keys", admin, method="POST", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
        assert answer.json()["errors"][0]["at"].startswith(place)
    both = api.ask("/tokens", admin, method="POST", json={"job_id": "j", "end_user": "u"})
    assert both.status_code == 422


JSON = {"Content-Type": "application/json"}
HOSTILE = ["%00", "nobody", "a" * 300, "%F0%9F%92%A5", "'%20OR%201=1", "..%2Fkeys"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_id_that_can_be_none_is_one_that_is_not_there(
    new_api: NewApi, kind: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("new_database")() if kind == "postgresql" else ""
    api = new_api(database_url=url)
    key = api.key()
    for hostile in HOSTILE:
        for path in ("/keys", "/tokens"):
            answer = api.ask(f"{path}/{hostile}", key, method="DELETE")
            assert (answer.status_code, answer.json()["code"][:3]) in ((404, "not"), (404, "no_")), path
    answer = api.ask("/tokens", key, method="POST", json={"job_id": "💥"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    for name in ("💥", "x\n"):
        assert api.ask("/tokens", key, method="POST", json={"end_user": name}).status_code == 201
        assert (
            api.ask("/keys", key, method="POST", json={"name": name, "scopes": ["read"]}).status_code == 201
        )
    for body in ({"end_user": "\x00"}, {"job_id": "\x00"}, {"job_id": "\ud800"}, {"end_user": "\ud800"}):
        answer = api.ask("/tokens", key, method="POST", content=json.dumps(body), headers=JSON)
        assert 400 <= answer.status_code < 500

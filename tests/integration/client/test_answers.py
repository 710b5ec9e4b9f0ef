"""What the client makes of answers that are not what it asked for."""

import pytest

from orchestrator import errors
from orchestrator.client import (
    ApiBadAnswer,
    ApiError,
    ApiUnreachable,
    Client,
    Forbidden,
    InvalidRequest,
    NotAllowed,
    NotFound,
    Surroundings,
    Unauthorized,
)
from orchestrator.errors import OrchestratorError
from tests.integration.client.conftest import KEY, Pauses
from tests.integration.client.server import Answer, ScriptedServer, as_json, problem
from tests.integration.client.shapes import job
from tests.integration.client.test_calls import REQUEST
from tests.ports import free_port


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "not_found", NotFound),
        (409, "not_allowed", NotAllowed),
        (422, "invalid_request", InvalidRequest),
        (422, "idempotency_key_reused", InvalidRequest),
        (401, "unauthorized", Unauthorized),
        (403, "forbidden", Forbidden),
        (410, "idempotent_jobs_gone", ApiError),
        (500, "internal_error", ApiError),
        (409, "a_code_of_tomorrow", NotAllowed),
    ],
)
def test_an_error_is_raised_by_its_code(
    client: Client, server: ScriptedServer, status: int, code: str, kind: type[ApiError]
) -> None:
    server.script = [problem(status, code, "no such job", hint="list them", request_id="r-1")]
    with pytest.raises(OrchestratorError) as raised:
        client.job("job_1")
    error = raised.value
    assert type(error) is kind
    assert isinstance(error, ApiError)
    assert (error.message, error.hint, error.status, error.code) == ("no such job", "list them", status, code)
    assert (error.request_id, error.retry) == ("r-1", errors.NEVER)
    assert len(server.asked) == 1


def test_an_error_says_which_places_are_wrong(client: Client, server: ScriptedServer) -> None:
    places = [{"at": "body.jobs.3.request", "detail": "has no model"}]
    server.script = [problem(422, "invalid_request", "the request is wrong", errors=places)]
    with pytest.raises(InvalidRequest, match=r"the request is wrong: body\.jobs\.3\.request: has no model"):
        client.submit(REQUEST)


def test_a_server_that_is_not_there_is_said_to_be_unreachable(pauses: Pauses) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with (
        Client(url, KEY, around=Surroundings(sleep=pauses.sleep)) as client,
        pytest.raises(ApiUnreachable) as away,
    ):
        client.submit(REQUEST)
    assert url in away.value.message
    assert len(pauses.taken) == 4


def test_a_web_page_is_no_api(client: Client, server: ScriptedServer) -> None:
    server.script = [Answer(b"<html>hello</html>", headers={"content-type": "text/html"})]
    with pytest.raises(ApiBadAnswer, match="text/html instead of JSON") as other:
        client.job("job_1")
    assert "/v1" in other.value.hint


def test_another_server_s_404_is_not_a_missing_job(client: Client, server: ScriptedServer) -> None:
    server.script = [as_json({"detail": "Not Found"}, 404)]
    with pytest.raises(ApiBadAnswer, match="not how the API answers"):
        client.job("job_1")


def test_a_server_that_does_not_know_a_path_is_said_to_be_older(
    client: Client, server: ScriptedServer
) -> None:
    server.script = [problem(404, "no_such_path", "there is no /v1/whoami")]
    with pytest.raises(ApiBadAnswer) as older:
        client.job("job_1")
    assert "older than this client" in older.value.hint


def test_an_answer_of_another_version_is_said_to_be_one(client: Client, server: ScriptedServer) -> None:
    server.script = [as_json(job(state="dreaming"))]
    with pytest.raises(ApiBadAnswer, match="other than a Job: state does not fit") as other:
        client.job("job_1")
    assert "version" in other.value.hint


def test_what_a_newer_server_tells_beside_is_left_aside(client: Client, server: ScriptedServer) -> None:
    server.script = [as_json(job(tomorrow={"a": 1}))]
    assert client.job("job_1").id == "job_1"


def test_a_redirect_is_not_followed_with_the_key(client: Client, server: ScriptedServer) -> None:
    server.script = [Answer(status=307, headers={"location": "http://127.0.0.1:9/v1/jobs/job_1"})]
    with pytest.raises(ApiBadAnswer, match="redirect"):
        client.job("job_1")

"""The API beside the receiver: ports of their own, outputs for keys and tokens, nothing secret in any log."""

import re

import httpx
import pytest

from tests.acceptance.callers import allow, calling, new_key, new_token
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.orchestrator import Orchestrator
from tests.acceptance.sandbox import MANAGEMENT_KEY, SECRET, Sandbox
from tests.acceptance.waiting import until

PROMPT = "marked-prompt-of-somebody"
REQUEST_ID = "marked-request-id"
PAGE = "https://product.example.com"


class Served:
    """An orchestrator with two ports, one job of its API, and whoever may come back to it."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self.orchestrator = orchestrator
        orchestrator.start(
            api_port=0, log_level="debug", trusted_proxies="127.0.0.1", metrics_address="127.0.0.1:0"
        )
        (started,) = orchestrator.events("started")
        self.receiver, self.api, self.metrics = (started[at] for at in ("url", "api_url", "metrics_url"))
        self.key = new_key(orchestrator.database)
        allow(orchestrator.database, PAGE)
        request = {"model": "google/veo-3.1-lite", "prompt": PROMPT}
        with calling(self.api, self.key) as client:
            job = client.post(
                "/v1/jobs",
                json={"request": request, "reference": "order-1", "metadata": {"for": PROMPT}},
                headers={"x-request-id": REQUEST_ID},
            )
            assert job.status_code == 201, job.text
            self.job = str(job.json()["id"])
            until("the job is ready", lambda: client.get(f"/v1/jobs/{self.job}").json()["ready"])
        self.token = new_token(orchestrator.database, self.job)
        self.output = f"/v1/jobs/{self.job}/outputs/0"


@pytest.fixture
def served(begin: Begin, fast_sandbox: Sandbox) -> Served:
    return Served(begin(fast_sandbox))


def outputs_are_given(served: Served) -> None:
    with calling(served.api, served.key) as by_key, calling(served.api) as visitor:
        whole = by_key.get(served.output)
        assert (whole.status_code, whole.headers["cross-origin-resource-policy"]) == (200, "same-origin")
        token = {"token": served.token}
        part = visitor.get(served.output, params=token, headers={"Range": "bytes=4-7", "Origin": PAGE})
        assert (part.status_code, part.content) == (206, b"ftyp")
        assert part.headers["content-range"] == f"bytes 4-7/{len(whole.content)}"
        assert part.headers["access-control-allow-origin"] == PAGE
        assert part.headers["cross-origin-resource-policy"] == "cross-origin"
        told = visitor.head(served.output, params=token | {"download": "1"}).headers
        assert told["content-disposition"].startswith("attachment")
        assert told["content-length"] == str(len(whole.content))
        known = visitor.get(served.output, params=token, headers={"If-None-Match": told["etag"]})
        assert known.status_code == 304
        changed = {"If-Range": '"other"', "Range": "bytes=4-7"}
        assert visitor.get(served.output, params=token, headers=changed).content == whole.content


def others_get_nothing(served: Served) -> None:
    database = served.orchestrator.database
    other = new_token(database, *database.submit(wanted(outcome="never")))
    with calling(served.api) as visitor, calling(served.api, served.key) as by_key:
        assert visitor.get(served.output).status_code == 401
        assert visitor.get(served.output, params={"token": other}).status_code == 404
        elsewhere = {"Origin": "https://elsewhere.example.com"}
        refused = visitor.get(served.output, params={"token": served.token}, headers=elsewhere)
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers
        assert by_key.get(f"/v1/jobs/{served.job}/outputs/7").json()["code"] == "not_found"
        assert by_key.get(f"/v1/jobs/{served.job}/outputs/-1").status_code == 422


def each_port_has_its_part(served: Served) -> None:
    paths = ("/healthz", "/openapi.json", "/v1/whoami", "/outputs/job/0", "/webhooks/gateway/default")
    with calling(served.receiver) as receiver, calling(served.api) as api:
        codes = [(_code(receiver, path), _code(api, path)) for path in paths]
    elsewhere = (404, "no_such_path")
    assert codes == [
        ((200, ""), (200, "")),
        (elsewhere, (200, "")),
        (elsewhere, (401, "unauthorized")),
        (elsewhere, (404, "unknown_output")),
        ((405, "method_not_allowed"), elsewhere),
    ]


def every_problem_says_under_which_id_the_log_has_it(served: Served) -> None:
    json, text = ({"Content-Type": kind} for kind in ("application/json", "text/plain"))
    with calling(served.api, served.key) as client:
        for answer in (
            client.post("/v1/jobs", content=b"{", headers=json),
            client.post("/v1/jobs", content=b"x", headers=text),
            client.get("/v1/nowhere"),
            client.get("/v1/jobs", params={"limit": 0}),
            client.get(f"/v1/jobs/{served.job}/outputs/7"),
            client.get(served.output, headers={"Range": "bytes=999999999-"}),
        ):
            assert answer.json()["request_id"] == answer.headers["x-request-id"], answer.text


def the_proxy_is_believed(served: Served) -> None:
    by_https = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    for url, path in (
        (served.api, "/v1/whoami"),
        (served.api, "/outputs/job/0"),
        (served.receiver, "/healthz"),
    ):
        with calling(url) as client:
            assert "strict-transport-security" in client.get(path, headers=by_https).headers
            assert "strict-transport-security" not in client.get(path).headers


def a_large_submit_is_taken_and_a_larger_one_is_not(served: Served) -> None:
    with calling(served.api, served.key) as client:
        job = {"request": {"model": "google/veo-3.1-lite", "prompt": "p", "padding": "x" * 3_000_000}}
        assert client.post("/v1/jobs", json=job).status_code == 201
        job["request"]["padding"] *= 3
        assert client.post("/v1/jobs", json=job).status_code == 413


def _code(client: httpx.Client, path: str) -> tuple[int, str]:
    answer = client.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    problem = answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"] if problem else ""


def numbers_are_told_at_their_address_alone(served: Served) -> None:
    with calling(served.metrics) as client, calling(served.api) as api, calling(served.receiver) as receiver:
        assert [one.get("/metrics").status_code for one in (api, receiver)] == [404, 404]
        told = str(until("rows are read", lambda: _with_rows(client.get("/metrics").text)))
        assert 'orchestrator_jobs_ended_total{blame="nobody",' in told
        assert 'role="up"' in told
        assert "orchestrator_workers 1.0" in told, "up is a worker as well"
        assert not [secret for secret in (PROMPT, "order-1", served.key, SECRET) if secret in told]
        assert [client.get(path).status_code for path in ("/healthz", "/readyz")] == [200, 200]


def _with_rows(text: str) -> str | None:
    return text if "orchestrator_rows_age_seconds" in text else None


def nothing_secret_was_written(served: Served) -> None:
    with calling(served.api, served.key) as client:  # what is refused is logged as well
        client.post(
            "/v1/jobs",
            content=f'{{"request": {{"prompt": "{PROMPT}"',
            headers={"Content-Type": "application/json"},
        )
        client.post("/v1/jobs", json={"request": {"model": 7, "prompt": PROMPT}})
        client.get("/v1/whoami", headers={"Authorization": f"Bearer {served.key}x"})
        client.get(served.output, params={"token": served.token + "x"})
        client.get("/v1/jobs", params={"token": served.key})
    told = served.orchestrator.told("api_request", request_id=REQUEST_ID)
    assert (told[0]["route"], told[0]["status"]) == ("/v1/jobs", 201)
    assert {one["route"] for one in served.orchestrator.events("api_request")} > {"/v1/jobs/{job_id}"}
    assert served.orchestrator.events("job_accepted", request_id=REQUEST_ID)
    secrets = (PROMPT, served.key, served.token, SECRET, MANAGEMENT_KEY)
    parts = [secret.rpartition("_")[2] if secret.startswith("hj") else secret for secret in secrets]
    for file in served.orchestrator.folder.glob("up*"):
        written = file.read_text(errors="replace")
        assert not [part for part in parts if part in written], file
        assert not re.search(r"hj[ot]_\w+_", written), file


def test_two_ports_outputs_for_whoever_may_have_them_and_logs_without_secrets(served: Served) -> None:
    outputs_are_given(served)
    others_get_nothing(served)
    each_port_has_its_part(served)
    every_problem_says_under_which_id_the_log_has_it(served)
    the_proxy_is_believed(served)
    a_large_submit_is_taken_and_a_larger_one_is_not(served)
    numbers_are_told_at_their_address_alone(served)
    nothing_secret_was_written(served)


def test_prompts_are_logged_where_the_operator_wants_them(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start(log_prompts=True)
    with calling(orchestrator.events("started")[0]["api_url"], new_key(orchestrator.database)) as client:
        told = client.post(
            "/v1/jobs", json={"request": {"prompt": PROMPT}}, headers={"X-Forwarded-Proto": "https"}
        )
    assert "strict-transport-security" not in told.headers, "nobody said that this is a proxy"
    assert PROMPT in orchestrator.told("api_request", route="/v1/jobs")[0]["body"]


def test_an_api_port_that_is_taken_is_named(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    run = orchestrator.launch(api_port=httpx.URL(sandbox.url).port)
    assert run.wait() == 2
    assert "ORCHESTRATOR_API_PORT" in run.complained()

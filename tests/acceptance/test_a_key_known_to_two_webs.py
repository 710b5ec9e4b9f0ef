"""A key that two web processes know: they count its requests together, and forget it when it is revoked."""

import time

import httpx

from orchestrator.engine import granting, tenants
from orchestrator.engine.access import BELIEVED
from orchestrator.engine.tenants import Changes
from orchestrator.store.schema import DEFAULT
from tests.acceptance.callers import calling, new_key
from tests.acceptance.conftest import Deploy
from tests.acceptance.processes import free_port
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.waiting import until

A_MINUTE = 400


def left(answer: httpx.Response) -> int:
    return int(answer.headers["ratelimit"].split("r=")[1].split(";")[0])


def test_both_count_it_and_both_refuse_it_within_five_seconds_of_its_end(
    deploy: Deploy, sandbox: Sandbox
) -> None:
    fleet, second = deploy(sandbox), free_port()
    store, key = fleet.database.store, new_key(fleet.database)
    tenants.change(store, DEFAULT, Changes({"requests_per_minute": A_MINUTE}))
    webs = [fleet.launch("web"), fleet.launch("web", port=second)]
    fleet.ready(*webs)
    one, other = (calling(base, key) for base in (fleet.base, f"http://127.0.0.1:{second}"))
    with one, other:
        for _ in range(10):
            assert one.get("/v1/whoami").status_code == 200
        assert left(other.get("/v1/whoami")) <= A_MINUTE - 10

        granting.revoke_key(store, key.split("_")[1])
        revoked = time.monotonic()
        # Never quiet meanwhile: a key in use is asked for again like any other.
        answers = until("both refuse it", lambda: _refused(one, other))
        assert time.monotonic() - revoked < BELIEVED + 1
        assert {answer.json()["detail"] for answer in answers} == {"this API key was revoked"}
        assert one.get("/v1/whoami", params={"token": key}).status_code == 401
    logs = "".join(run.complained() for run in webs)
    assert key.split("_", 2)[2] not in logs


def _refused(*clients: httpx.Client) -> list[httpx.Response]:
    answers = [client.get("/v1/whoami") for client in clients]
    return answers if all(answer.status_code == 401 for answer in answers) else []

"""Outputs are not kept: whoever is to know is called at once, nothing is fetched; and the switch there."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.core.job import Updates
from orchestrator.core.vault import new_key
from orchestrator.fault_points import FaultPoint
from tests.acceptance.conftest import Deploy
from tests.acceptance.fleet import Fleet
from tests.acceptance.load import finish, lasting
from tests.acceptance.receiving import SignedCalls
from tests.acceptance.sandbox import API_KEY, Sandbox
from tests.acceptance.waiting import LONG, until

BY_HOOKS = {"poll_after_seconds": 3000, "request_worth_seconds": 3000}  # no look comes before them
SIGNED_WITH = "whsec_" + base64.b64encode(b"k" * 32).decode()
FILE = """
[destinations.hook]
type = "webhook"
url = "{url}"
secrets = [{{ env = "TESTS_HOOK_SECRET" }}]
allow = ["127.0.0.0/8"]
allow_http = true
"""
FILES_TOO = """
[destinations.results]
type = "folder"
path = "{folder}/results"
"""


@pytest.fixture
def calls() -> Iterator[SignedCalls]:
    made = SignedCalls(SIGNED_WITH)
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path, calls: SignedCalls, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The destinations file, with the hook alone in it."""
    monkeypatch.setenv("TESTS_HOOK_SECRET", SIGNED_WITH)
    (tmp_path / "results").mkdir()
    path = tmp_path / "destinations.toml"
    path.write_text(FILE.format(url=calls.url))
    return path


def told(calls: SignedCalls, job_id: str) -> dict[str, Any]:
    (output,) = calls.kept[f"{job_id}-completed"]["data"]["outputs"]
    found: dict[str, Any] = output
    return found


def test_each_is_told_of_once_at_once_and_nothing_is_fetched(
    deploy: Deploy, sandbox: Sandbox, calls: SignedCalls, file: Path
) -> None:
    fleet = deploy(sandbox, destinations_file=file, keep_outputs=False)  # and no key to sign links with
    calls.refuse = 2
    fleet.start_all(workers=2)
    jobs = fleet.database.submit(*lasting(8))
    finish(fleet, sandbox, jobs)
    fleet.database.wait(jobs)
    assert calls.kept.keys() == {f"{job}-completed" for job in jobs}
    assert sandbox.contents() == 0
    assert not list(fleet.folder.glob("**/archive/??"))
    assert not fleet.events("hand_off_dead")
    key = {"Authorization": f"Bearer {API_KEY}"}
    for job in jobs:
        output = told(calls, job)
        assert (output["output_url"], output["sha256"]) == (None, None)
        there = httpx.get(output["content_url"], headers=key, timeout=LONG, trust_env=False, verify=False)
        assert there.content == sandbox.content(str(fleet.database.job(job).gateway_id), 0)


def test_web_calls_by_itself_for_what_webhooks_told_it(
    deploy: Deploy, sandbox: Sandbox, calls: SignedCalls, file: Path
) -> None:
    fleet = deploy(sandbox, destinations_file=file, keep_outputs=False, web_hand_off_threads=4, **BY_HOOKS)
    fleet.database.jobs()
    # No worker hands off.
    roles = [fleet.launch("web", gateway_api_key=""), fleet.launch("beat")]
    fleet.ready(*roles, fleet.launch("worker", queues="create,look,sweep"))
    (web,) = fleet.of("web")
    until("web is known", lambda: fleet.database.leases(web))
    for _ in range(6):  # one after the other: there is a free thread for each
        (job,) = fleet.database.submit(*lasting(1, Updates.HYBRID))
        finish(fleet, sandbox, [job])
        fleet.database.wait([job])
        assert told(calls, job)["content_url"], "web knows where it is, and needs no key for that"
    assert sorted(calls.times.values()) == [1] * 6
    assert len([one for one in web.events() if one["event"] == "handed_off"]) == 6
    fleet.stop("web")
    assert not fleet.database.leases(web), "it left"


@pytest.mark.parametrize(
    "point", [FaultPoint.HAND_OFF_CLAIMED, FaultPoint.HAND_OFF_PUBLISHED, FaultPoint.HAND_OFF_COMMITTED]
)
def test_what_web_leaves_half_done_when_it_is_killed_a_worker_does(
    deploy: Deploy, sandbox: Sandbox, calls: SignedCalls, file: Path, point: FaultPoint
) -> None:
    fleet = deploy(sandbox, destinations_file=file, keep_outputs=False, web_hand_off_threads=4)
    fleet.database.jobs()
    doomed = fleet.launch("web", fault_point=f"{point}:3")
    fleet.ready(doomed, *(fleet.launch(role) for role in ("beat", "worker")))
    until("web is known", lambda: fleet.database.leases(doomed))
    jobs: list[str] = []

    def one_more() -> bool:
        jobs.extend(fleet.database.submit(*lasting(1, Updates.HYBRID)))
        finish(fleet, sandbox, jobs[-1:])
        return not doomed.alive

    until("web has died", one_more, 120, every=0.2)
    fleet.dies_at(doomed, point)
    fleet.start("web")
    fleet.database.wait(jobs)
    assert calls.kept.keys() == {f"{job}-completed" for job in jobs}
    assert not fleet.events("hand_off_dead")
    again = [name for name, times in calls.times.items() if times > 1]
    assert len(again) <= 1, "only what it had not yet kept as done is told again, under its name"


def test_the_switch_there_and_back_leaves_no_job_without_its_word(
    deploy: Deploy, sandbox: Sandbox, calls: SignedCalls, file: Path, tmp_path: Path
) -> None:
    file.write_text(file.read_text() + FILES_TOO.format(folder=tmp_path))
    fleet = deploy(sandbox, destinations_file=file, secret_keys=new_key())
    fleet.start_all(workers=2)
    promised = fleet.database.submit(*lasting(4))
    _are_at_the_gateway(fleet, promised)

    refused = fleet.launch("worker", keep_outputs=False)
    assert refused.wait() != 0
    assert "the destination results is to be brought files" in refused.complained()
    assert 'deliver = "link"' in refused.complained()

    file.write_text(file.read_text() + 'outcomes = ["failed"]\n')
    _restart(fleet, keep_outputs=False)
    only_told, back = (
        fleet.database.submit(*(replace(one, destinations=("hook",)) for one in lasting(4))) for _ in range(2)
    )
    finish(fleet, sandbox, [*promised, *only_told])
    fleet.database.wait([*promised, *only_told])
    _are_at_the_gateway(fleet, back)

    _restart(fleet, keep_outputs=True)
    finish(fleet, sandbox, back)
    every = [*promised, *only_told, *back]
    fleet.database.wait(every)
    assert calls.kept.keys() == {f"{job}-completed" for job in every}
    assert sandbox.contents() == len(promised) + len(back)
    for job in (*promised, *back):  # what was kept stays readable
        link = told(calls, job)["output_url"]
        assert httpx.get(link, timeout=LONG, trust_env=False, verify=False).content
        assert told(calls, job)["content_url"] is None
    assert all(told(calls, job)["content_url"].startswith(sandbox.url) for job in only_told)
    assert {path.name for path in (tmp_path / "results").glob("job_*")} == {
        f"{job}-0.mp4" for job in promised
    }
    assert not fleet.events("hand_off_dead")


def _are_at_the_gateway(fleet: Fleet, jobs: list[str]) -> None:
    for job in jobs:
        fleet.database.wait_for(job, "the gateway has it", lambda job: job.gateway_id)


def _restart(fleet: Fleet, **settings: Any) -> None:
    """Every process anew, one of the workers killed, with these settings from now on."""
    fleet.of("worker")[0].kill()
    fleet.stop("web", "beat", "worker")
    fleet.start_all(workers=2, **settings)

"""Whose fault it was, over HTTP: to who may read the job, and to nobody else."""

from orchestrator.core.blame import Fault, Met
from orchestrator.core.job import Job
from orchestrator.core.lifecycle import State
from orchestrator.store import faults
from tests.integration.api.served import REQUEST, Holder


def met(us: Holder, job: Job, fault: Fault) -> None:
    with us.api.store.write() as tx:
        faults.note(tx, job, Met(fault, f"seen: {REQUEST['prompt']}", "G-REQ"))


def test_all_that_went_wrong_is_told_with_what_to_paste(us: Holder) -> None:
    why = {"message": "too dark", "code": "E7"}
    job = us.move(us.kept(), State.FAILED, failure=why, blame="provider", gateway_status="failed")
    met(us, job, Fault.HOOK_EXHAUSTED)
    end, way = us.get(f"/jobs/{job.id}/findings").json()["findings"]
    assert (end["fault"], end["of_end"], end["addressee"]) == ("provider", True, "provider")
    assert end["evidence"] == "failed: too dark (code E7)"
    assert (way["fault"], way["of_end"], way["gateway_request_id"]) == ("hook_exhausted", False, "G-REQ")
    assert (way["times"], way["addressee"]) == (1, "operator")
    assert (end["overcome"], way["overcome"]) == (None, "the job's end is known: failed")
    assert way["text_for_support"].startswith("To whoever runs this orchestrator: ")
    assert us.get(f"/jobs/{us.kept().id}/findings").json() == {"findings": []}


def test_they_are_for_who_may_read_the_job(us: Holder, them: Holder) -> None:
    job = us.kept(end_user="u")
    assert them.get(f"/jobs/{job.id}/findings").json()["code"] == "not_found"
    assert us.with_token(job_id=job.id).get(f"/jobs/{job.id}/findings").status_code == 401


def test_a_list_has_those_to_be_blamed_on_a_fault_page_by_page(us: Holder, them: Holder) -> None:
    refused = [us.move(us.kept(), State.REJECTED, blame="request").id for _ in range(3)]
    missed = us.kept(), us.kept()
    for job in (*missed, them.kept()):
        with us.api.store.write() as tx:
            faults.note(tx, job, Met(Fault.HOOK_NOT_SENT, "x"))
    assert us.listed(blame="request", limit=2) == refused[::-1]
    assert us.listed(blame="hook_not_sent", limit=1) == [missed[1].id, missed[0].id]
    assert us.listed(blame="hook_not_sent", state="failed") == []
    assert us.listed(blame="caller") == []
    assert us.get("/jobs", blame="nobody").status_code == 422


def test_a_token_cannot_ask_whose_fault_it_was(us: Holder) -> None:
    us.kept(end_user="u")
    answer = us.with_token(end_user="u").get("/jobs", blame="provider")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")

"""The API's document: every operation says who may and how it errs, and its examples are sound."""

import json
import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

import orchestrator.web
from docs.errors import CAUSES, statuses
from docs.generate import REFERENCE
from orchestrator.core.access import Scope
from orchestrator.web.api.app import ROUTERS, without_door
from orchestrator.web.api.asked import NewJobOrJobs
from orchestrator.web.api.openapi import document, operations
from orchestrator.web.api.routing import StrictRoute
from orchestrator.web.problems import MEDIA_TYPE, STATUSES

WEB = Path(orchestrator.web.__path__[0])
ANY_KEY = {"whoami"}  # what a key is good for, whatever it is good for
FOUND = document(without_door())
OPERATIONS = {one["operationId"]: (path, one) for path, one in operations(FOUND)}


def test_the_document_is_the_same_each_time() -> None:
    assert json.dumps(document(without_door())) == json.dumps(FOUND)
    assert FOUND["openapi"].startswith("3.1")


def test_every_operation_has_a_name_of_its_own() -> None:
    assert len(OPERATIONS) == len(list(operations(FOUND)))
    assert all(name.isidentifier() and name.islower() for name in OPERATIONS)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_operation_says_who_may(name: str) -> None:
    _, operation = OPERATIONS[name]
    by_key = next(one["apiKey"] for one in operation["security"] if "apiKey" in one)
    assert by_key == [] if name in ANY_KEY else (len(by_key) == 1 and by_key[0] in set(Scope))
    assert operation["description"]


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_error_is_a_problem_document(name: str) -> None:
    _, operation = OPERATIONS[name]
    errors = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
    assert {"401", "403", "422", "429", "500", "503"} <= set(errors)
    for answer in errors.values():
        assert set(answer["content"]) <= {MEDIA_TYPE, "application/json"}
        assert MEDIA_TYPE in answer["content"]


def test_no_operation_changes_anything_for_a_token() -> None:
    with_tokens = {name for name, (_, one) in OPERATIONS.items() if {"token": []} in one["security"]}
    assert {"read_job", "list_jobs"} <= with_tokens
    for path, item in FOUND["paths"].items():
        for method in ("post", "put", "patch", "delete"):
            assert method not in item or {"token": []} not in item[method]["security"], path


def test_every_route_reads_json_strictly() -> None:
    found = [route for router in ROUTERS for route in router.routes]
    assert len(found) == len(OPERATIONS), "what else is served has no body"
    assert all(isinstance(one, StrictRoute) for one in found)


@pytest.mark.parametrize("model", ["NewJob", "NewJobs"])
def test_examples_are_sound(model: str) -> None:
    examples = FOUND["components"]["schemas"][model]["examples"]
    assert examples
    for one in examples:
        TypeAdapter(NewJobOrJobs).validate_python(one)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_what_stands_before_every_route_is_an_answer_of_each(name: str) -> None:
    _, operation = OPERATIONS[name]
    refusals = re.findall(r'\b([45]\d\d), "\w+"', (WEB / "middleware.py").read_text())
    assert {"408", "413", "414", "431"} <= set(refusals) <= set(operation["responses"])


def test_every_code_of_an_error_is_on_the_page() -> None:
    page = (REFERENCE / "errors.md").read_text()
    codes = statuses()
    assert codes.keys() >= {code for _, _, code in STATUSES} | {
        "too_large",
        "busy",
        "invalid_json",
        "damaged",
    }
    assert not [code for code in codes if f"| `{code}` |" not in page]
    assert all(cause and remedy for cause, remedy in CAUSES.values())

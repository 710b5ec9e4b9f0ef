"""What is named once is used, and what is used is named: queues, log events, fault points."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from celery import Celery
from celery.app.defaults import NAMESPACES, flatten

from orchestrator import celery_app
from orchestrator.celery_app import PUBLISHING, REDIS, SETTINGS, make_app
from orchestrator.engine.follow_up import Task
from orchestrator.engine.sweep import HORIZON
from orchestrator.fault_points import FaultPoint
from orchestrator.settings import QUEUES, Settings
from orchestrator.tasks.sending import SLOT
from orchestrator.tasks.work import register
from orchestrator.telemetry import Event
from tests.house_rules.parsed import module_of

ROOT = Path(__file__).parents[2]
CODE = ROOT / "orchestrator"
LOG_CALLS = ("debug", "info", "warning", "error", "exception", "critical", "log")


def product() -> Iterator[tuple[Path, ast.Module]]:
    """Every file of the product, the sandbox apart."""
    for file in sorted(CODE.rglob("*.py")):
        if (CODE / "sandbox") not in file.parents:
            yield file, module_of(file)


def members_used(name: str, *calls: str) -> Counter[str]:
    """How often each member of an enum is used; with `calls`, only as an argument of those functions."""
    found: Counter[str] = Counter()
    for _, tree in product():
        for node in ast.walk(tree):
            if calls and not (isinstance(node, ast.Call) and getattr(node.func, "id", None) in calls):
                continue
            inside = ast.walk(node) if calls else [node]
            found.update(
                one.attr
                for one in inside
                if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == name
            )
    return found


def test_there_is_a_queue_for_every_kind_of_work_and_no_other() -> None:
    assert set(QUEUES) == set(Task)
    assert SETTINGS["task_routes"] == {task: {"queue": task} for task in Task}


def test_every_kind_of_work_has_a_task_of_its_name_and_threads_of_its_own() -> None:
    app: Celery = register(make_app(), None, None)  # type: ignore[arg-type]
    ours = {name for name in app.tasks if not name.startswith("celery.")}
    assert ours == set(Task)
    assert {f"{task}_threads" for task in Task} - set(Settings.model_fields) == {"sweep_threads"}


def test_every_celery_setting_is_one_that_celery_knows() -> None:
    assert not set(SETTINGS) - set(dict(flatten(NAMESPACES)))


def test_redis_holds_a_message_for_longer_than_any_countdown() -> None:
    longest = HORIZON + SLOT  # the last slot that is armed begins at the horizon
    assert REDIS["visibility_timeout"] > 2 * longest, "or it is delivered again while a worker holds it"


def test_the_reason_stands_beside_every_celery_setting() -> None:
    text = Path(celery_app.__file__).read_text()
    dicts = [one.value for one in ast.parse(text).body if isinstance(one, ast.Assign | ast.AnnAssign)]
    keys = [key for one in dicts if isinstance(one, ast.Dict) for key in one.keys]
    assert len(keys) == sum(map(len, (SETTINGS, REDIS, PUBLISHING)))
    for key in keys:
        assert isinstance(key, ast.Constant)
        # Directly above it, or above the pair that it ends.
        above = text.splitlines()[key.lineno - 3 : key.lineno - 1]
        assert any(line.lstrip().startswith("#") for line in above), key.value


def test_every_event_is_logged_somewhere_and_every_log_line_is_an_event() -> None:
    assert set(members_used("Event")) == {event.name for event in Event}


ABOUT_A_JOB = {event.name for event in Event if event.startswith(("job_", "hand_off_", "output_"))}
ABOUT_A_JOB |= {"HANDED_OFF", "CREATE_UNCERTAIN", "NEEDS_PERSON", "LOOK_FAILED"}
ABOUT_A_JOB |= {"WEBHOOK_RECEIVED", "WEBHOOK_REFUSED"}


def logging_calls() -> Iterator[tuple[str, ast.Call]]:
    """Each call that logs an event, or makes what will, with the event's name where it stands there."""
    for _, tree in product():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and "log" in {_name(one) for one in (node.func, *node.args)}:
                for one in node.args:
                    if isinstance(one, ast.Attribute) and _name(one.value) == "Event":
                        yield one.attr, node


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def test_every_line_about_a_job_has_its_id() -> None:
    calls = list(logging_calls())
    assert {event for event, _ in calls} >= ABOUT_A_JOB - {"HAND_OFF_FAILED", "HAND_OFF_DEAD"}, (
        "these by a name"
    )
    lacking = [
        event
        for event, call in calls
        if event in ABOUT_A_JOB and "job" not in {one.arg for one in call.keywords}
    ]
    assert not lacking


def test_nothing_is_logged_past_telemetry() -> None:
    for file, tree in product():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert node.value.id != "logging" or node.attr not in LOG_CALLS, file


def test_every_fault_point_is_reached_at_one_place() -> None:
    reached = members_used("FaultPoint", "reach")
    assert set(reached) == {point.name for point in FaultPoint}
    assert set(reached.values()) == {1}


def test_a_fault_point_is_reached_in_the_use_case_it_is_named_after() -> None:
    for file, tree in product():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "reach":
                (point,) = node.args
                assert isinstance(point, ast.Attribute)
                assert FaultPoint[point.attr].partition(".")[0] == file.stem

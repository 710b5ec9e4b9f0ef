"""The program as a whole: help, versions, exit codes, and what happens to errors."""

import gc
import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from orchestrator import __version__, errors
from orchestrator.cli import GARBAGE_AFTER
from orchestrator.cli.exits import Exit, code_of
from orchestrator.cli.program import SECTIONS, command_line
from tests.acceptance.processes import clean_environment, program
from tests.integration.cli.conftest import KEY, Rows, Run

HEAVY = {"sqlalchemy", "pydantic", "celery", "httpx", "uvicorn", "rich", "aiohttp", "alembic"}
FOR_USE_CASES = ["cryptography", "numpy", "orchestrator.engine.context", "orchestrator.sinks", "ulid"]
FOR_HTTP = ["aiohttp", "alembic", "celery", "fastapi", "httpx", "redis", "uvicorn", "websockets"]
COMMANDS = [name for names in SECTIONS.values() for name in names]  # as the help has them
BELOW = [f"destinations {name}" for name in ("list", "show", "add", "remove", "check", "enable")]
BELOW += [f"tenants {name}" for name in ("add", "change", "list")]
BELOW += ["keys make", "keys list", "keys revoke", "tokens make"]
BELOW += [
    "secrets new-key",
    "secrets seal",
    "secrets rotate",
    "sandbox trigger",
    "webhooks register",
    "webhooks rotate",
    "webhooks status",
    "hooks report",
    "hooks health",
    "drift list",
]


def test_the_help_lists_every_command_once_under_a_heading_and_cuts_no_sentence(run: Run) -> None:
    said = run("--help")
    listed = re.findall(r"^  ([a-z][a-z-]+)  +[A-Z]", said.out, re.MULTILINE)
    group: Any = command_line
    assert (said.code, listed) == (Exit.OK, COMMANDS)
    assert sorted(listed) == sorted(group.commands)
    assert "..." not in said.out.partition("[ARGS]...")[2]
    assert all(f"{heading}:" in said.out for heading in SECTIONS)


@pytest.mark.parametrize("command", [*COMMANDS, *BELOW])
def test_every_command_explains_itself(run: Run, command: str) -> None:
    said = run(*command.split(), "--help")
    assert said.code == Exit.OK
    assert f"Usage: orchestrator {command} " in said.out


def test_what_is_loaded_at_the_start_is_not_looked_through_for_garbage_all_the_time(run: Run) -> None:
    before = gc.get_threshold()
    gc.set_threshold(700)
    run("--version")
    after = gc.get_threshold()
    gc.set_threshold(*before)
    assert after[0] == GARBAGE_AFTER


def test_what_runs_for_long_is_loaded_without_looking_for_garbage_and_looked_through_afterwards() -> None:
    code = (
        "import gc\n"
        "from orchestrator.cli.loading import loading\n"
        "with loading():\n    assert not gc.isenabled()\n"
        "assert gc.isenabled() and gc.get_freeze_count()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, orchestrator.cli.program; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert not HEAVY & set(loaded.split())


@pytest.mark.parametrize(
    ("command", "unwanted"),
    [
        ("jobs", [*FOR_USE_CASES, *FOR_HTTP, "rich.progress", "orchestrator.cli.webhooks"]),
        ("show {job}", [*FOR_USE_CASES, *FOR_HTTP, "rich.progress"]),
        ("submit waves -m m", [*FOR_HTTP, "rich"]),
    ],
)
def test_a_command_loads_nothing_large_that_it_does_not_use(
    rows: Rows, command: str, unwanted: list[str]
) -> None:
    code = (
        "import atexit, sys\n"
        "from orchestrator.cli import main\n"
        f"sys.argv = ['orchestrator', *{command.format(job=rows.submit()).split()}]\n"
        "atexit.register(lambda: print(*sys.modules))\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {*done.stdout.split()} & {*unwanted}


def test_the_version_is_the_package_s(run: Run) -> None:
    assert run("--version").out == f"orchestrator {__version__}\n"


def test_a_command_or_option_that_does_not_exist_is_bad_usage(run: Run) -> None:
    assert run("sumbit").code == Exit.USAGE
    assert run("jobs", "--colour").code == Exit.USAGE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SettingError, Exit.USAGE),
        (errors.RequestError, Exit.USAGE),
        (errors.DestinationError, Exit.USAGE),
        (errors.NotFound, Exit.REFUSED),
        (errors.NotAllowed, Exit.REFUSED),
        (errors.StoreError, Exit.STORE),
        (errors.Unreachable, Exit.GATEWAY),
        (errors.ContentMissing, Exit.GATEWAY),
        (errors.OrchestratorError, Exit.OTHERWISE),
    ],
)
def test_every_kind_of_error_has_its_exit_code(error: type[errors.OrchestratorError], code: Exit) -> None:
    assert code_of(error("it happened")) is code


def test_an_error_says_what_happened_and_what_to_do(run: Run) -> None:
    said = run("show", "nothing")
    assert said.code == Exit.STORE
    assert said.err.startswith("error: there is no database at ")
    assert said.err.splitlines()[1].startswith("  submit a job, start `orchestrator up`")
    assert not said.out


def test_a_bug_shows_its_traceback_and_no_values(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys, orchestrator.cli.jobs as jobs\n"
        "from orchestrator.store import job_lists as rows\n"
        "def broken(tx, **_):\n    key = '"
        + KEY[:12]
        + "' + '"
        + KEY[12:]
        + "'\n    raise KeyError('a bug')\n"
        "rows.recent = broken\n"
        "from orchestrator.cli import main\nsys.argv = ['orchestrator', 'jobs']\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "KeyError: 'a bug'" in done.stderr
    assert KEY not in done.stdout + done.stderr


def test_a_reader_that_goes_away_hears_no_complaint(rows: Rows) -> None:
    for _ in range(3):
        rows.submit(reference="r")
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            program("jobs"), stdout=write, stderr=subprocess.PIPE, text=True, env=os.environ, check=False
        )
    finally:
        os.close(write)
    assert not done.stderr


@pytest.mark.parametrize("command", ["jobs", "inbox", "inbox --rejected", "check", "check --settings"])
def test_json_is_all_there_is_on_standard_output(run: Run, rows: Rows, command: str) -> None:
    assert isinstance(json.loads(run(*command.split(), "--json").out), list)


def test_no_output_holds_a_secret(run: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_API_KEY", KEY)
    monkeypatch.setenv("ORCHESTRATOR_WEBHOOK_SECRETS", f"whsec_{KEY}")
    monkeypatch.setenv("ORCHESTRATOR_GATEWAY_URL", "http://127.0.0.1:9/v1")
    job = rows.submit()
    for command in ("check", "check --settings", "check --json", f"show {job} --raw", f"show {job} --json"):
        said = run(*command.split())
        assert KEY not in said.out + said.err


def test_a_wrong_setting_is_refused_by_name_before_anything_is_made(run: Run) -> None:
    environment = clean_environment(ORCHESTRATOR_DATA_DIR="new", ORCHESTRATOR_POTR="1")
    done = subprocess.run(
        program("submit", "waves", "-m", "m"), capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == Exit.USAGE
    assert "unknown setting ORCHESTRATOR_POTR (did you mean ORCHESTRATOR_PORT?)" in done.stderr

"""A secret in every place that it can be in, every command in a process apart: nobody ever sees it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.vault import Vault, new_key
from orchestrator.engine.destination_settings import purpose
from tests.acceptance.processes import ROOT, clean_environment
from tests.kinds import OURS, package_of
from tests.patience import LONG

CANARY = "canary-5eCr3t-that-nobody-may-see"

KEY, NEW, WRONG = new_key(), new_key(), new_key()
WAYS_TO_FAIL = ("error", "bug", "cause", "build", "build broke", "options", "options broke")


# Each command as the console entry runs it, one after the other: starting Python for each would take long.
COMMANDS = """
import io, json, os, sys, traceback
from orchestrator.cli import main
codes = []
for command in json.loads(sys.stdin.read()):
    os.environ.update(command["environment"])
    sys.argv = ["orchestrator", *command["arguments"]]
    sys.stdin = io.StringIO(command["stdin"])
    for stream in (sys.stdout, sys.stderr):
        print("\\n#", len(codes), file=stream, flush=True)
    try:
        main()
    except SystemExit as ended:
        codes.append(int(ended.code or 0))
    except Exception:
        traceback.print_exc()
        codes.append(-1)
print("\\n#", len(codes), json.dumps(codes), flush=True)
"""


class Machine:
    """A folder with a destinations file, and an environment with secrets in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = ""
        self._commands: list[dict[str, Any]] = []
        (folder / "secret").write_text(CANARY)
        package = package_of(folder / "package", OURS)
        self.environment = clean_environment(
            PYTHONPATH=os.pathsep.join([str(package), str(ROOT)]),
            ORCHESTRATOR_DATA_DIR=str(folder / "data"),
            ORCHESTRATOR_OUTPUT_DIR=str(folder / "outputs"),
            ORCHESTRATOR_DESTINATIONS_FILE=str(folder / "destinations.toml"),
            ORCHESTRATOR_PORT="0",
            ORCHESTRATOR_LOG_LEVEL="debug",
            ORCHESTRATOR_SECRET_KEYS=KEY,
            THE_SECRET=CANARY,
        )
        self.write_file()

    def write_file(self) -> None:
        sealed = Vault([KEY]).seal(purpose("sealed", "token"), CANARY)
        tables = {
            "named": 'type = "noted"\nlabel = "x"\ntoken = { env = "THE_SECRET" }',
            "filed": f'type = "noted"\nlabel = "x"\ntoken = {{ file = "{self.folder / "secret"}" }}',
            "sealed": f'type = "noted"\nlabel = "x"\ntoken = "{sealed}"',
        }
        for number, how in enumerate(WAYS_TO_FAIL):
            tables[f"leaky-{number}"] = f'type = "leaky"\nhow = "{how}"\ntoken = {{ env = "THE_SECRET" }}'
        text = "\n\n".join(f"[destinations.{name}]\n{table}" for name, table in tables.items())
        (self.folder / "destinations.toml").write_text(text + "\n")

    def give(self, command: str, *more: str, ends: int = 0, stdin: str = "", keys: str = KEY) -> None:
        """One more command to be run, and the code that it is to end with."""
        environment = {"ORCHESTRATOR_SECRET_KEYS": keys}
        arguments = [*command.split(), *more]
        told = {"arguments": arguments, "stdin": stdin, "environment": environment, "ends": ends}
        self._commands.append(told)

    def run(self) -> None:
        """Run them all; what they say is kept."""
        done = self.python(COMMANDS, json.dumps(self._commands))
        assert done.returncode == 0, done.stderr
        self.said = done.stdout + done.stderr
        codes = json.loads(done.stdout.rpartition("# ")[2].partition(" ")[2])
        wanted = [one["ends"] for one in self._commands]
        assert codes == wanted, self.said.replace(CANARY, "THE SECRET")

    def python(self, script: str, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", script],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment | environment,
            timeout=LONG,
            check=False,
        )

    def answer(self, command: str) -> str:
        """What a command said on standard output."""
        number = next(n for n, one in enumerate(self._commands) if " ".join(one["arguments"]) == command)
        return self.said.partition(f"\n# {number}\n")[2].partition(f"\n# {number + 1}")[0]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """One on which every command was given."""
    made = Machine(tmp_path_factory.mktemp("machine"))
    of_environment = ("--secret", "token=env:THE_SECRET")
    made.give("destinations add kept --type noted --option label=x --secret token=-", stdin=CANARY)
    made.give("destinations add kept-leaky --type leaky --option how=error", *of_environment)
    for how in ("options", "options broke", "build", "build broke"):
        made.give("destinations add wrong --type leaky --option", f"how={how}", *of_environment, ends=2)
    made.give("destinations add wrong --type noted --option", f"label={CANARY} x", *of_environment, ends=2)
    made.give("destinations add wrong --type noted --option size=many", *of_environment, ends=2)
    made.give("destinations add wrong --type noted --option label=x --secret", f"token={CANARY}", ends=2)
    made.give("destinations add wrong --type noted --option", f"token={CANARY}", ends=2)
    made.give("destinations list --json")
    for name in ("kept", "sealed", "leaky-0"):
        made.give(f"destinations show {name}")
    made.give("check --destinations", ends=1)
    made.give("destinations check --json", ends=1)
    made.give("check --settings")
    made.give("secrets seal sealed.token", stdin=CANARY)
    made.give("secrets rotate", ends=2, keys=WRONG)
    made.give("destinations check kept", ends=1, keys=WRONG)
    made.give("secrets rotate", keys=f"{NEW},{KEY}")
    made.give("destinations remove kept-leaky", keys=NEW)
    made.run()
    return made


def test_no_command_says_it(machine: Machine) -> None:
    assert "the destination leaky-1 broke: KeyError" in machine.said
    assert [line for line in machine.said.splitlines() if CANARY in line] == []


def test_no_command_says_a_key(machine: Machine) -> None:
    assert [line for line in machine.said.splitlines() if KEY in line or NEW in line or WRONG in line] == []


def test_the_database_and_what_lies_beside_it_do_not_hold_it(machine: Machine) -> None:
    files = [file for file in (machine.folder / "data").rglob("*") if file.is_file()]
    assert files
    assert [file for file in files if CANARY.encode() in file.read_bytes()] == []


def test_the_destinations_file_does_not_hold_it(machine: Machine) -> None:
    assert CANARY not in (machine.folder / "destinations.toml").read_text()


def test_every_way_to_fail_is_told_for_what_it_is(machine: Machine) -> None:
    found = {one["what"]: one for one in json.loads(machine.answer("destinations check --json"))}
    for name in ("named", "filed", "sealed", "kept"):
        assert found[f"destination {name}"]["status"] == "ok"
    for number, how in enumerate(WAYS_TO_FAIL):
        finding = found[f"destination leaky-{number}"]
        assert finding["status"] == "fail"
        assert "********" in finding["found"] or how == "cause", finding


def test_nothing_that_holds_it_shows_it_when_it_is_printed(machine: Machine) -> None:
    script = """
import gc
from orchestrator import wiring
from orchestrator.errors import DestinationError
from orchestrator.sinks import Parcel
settings = wiring.read_settings()
store = wiring.open_store(settings)
catalogue = wiring.catalogue(settings, store, lambda coroutine: None)
for destination in catalogue.values():
    try:
        staging = destination.sink.stage(Parcel("a"), 1)
    except DestinationError as error:
        print(repr(error), error, error.hint, error.preview)
    else:
        print(repr(staging))
    print(repr(destination), repr(destination.sink), repr(vars(destination.sink)))
print(repr(catalogue), repr(settings), repr(wiring.configured(settings)), repr(wiring.vault(settings)))
print(repr(wiring.builder(settings, lambda coroutine: None)))
modules = ("orchestrator.", "tests.kinds")
ours = [one for one in gc.get_objects() if str(type(one).__module__).startswith(modules)]
print(len(ours), *map(repr, ours))
"""
    done = machine.python(script, ORCHESTRATOR_SECRET_KEYS=f"{NEW},{KEY}")
    assert done.returncode == 0, done.stderr.replace(CANARY, "THE SECRET")
    assert "Catalogue" in done.stdout
    for secret in (CANARY, KEY, NEW):
        assert secret not in done.stdout + done.stderr

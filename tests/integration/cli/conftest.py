"""The command line in this process, on a database of its own."""

import io
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator import wiring
from orchestrator.cli import main
from orchestrator.core.job import HandOffState, Observation, Source
from orchestrator.core.lifecycle import Seen
from orchestrator.engine import observe, receive
from orchestrator.engine.context import Context
from orchestrator.engine.submit import Submission, submit
from orchestrator.settings import load
from orchestrator.store import hand_offs, jobs, workers
from tests.acceptance.sandbox import SECRET, Sandbox
from tests.integration.cli.endpoint_setup import Setup
from tests.migrated import put_migrated

KEY = "phaseo_v1_sk_a-key-that-nobody-may-see"


@dataclass(frozen=True)
class Said:
    """What one command came to."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the settings of one orchestrator, and nothing else set."""
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_") or name == "PHASEO_API_KEY"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ORCHESTRATOR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ORCHESTRATOR_OUTPUT_DIR", str(tmp_path / "outputs"))
    monkeypatch.setenv("ORCHESTRATOR_PORT", "0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a command as the console entry does."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level

    def run_it(*arguments: object, stdin: str = "") -> Said:
        monkeypatch.setattr("sys.argv", ["orchestrator", *map(str, arguments)])
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)

    yield run_it
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


@pytest.fixture(scope="session")
def one_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One for the folder; its ticks come every half second."""
    made = Sandbox(tmp_path_factory.mktemp("sandbox"), "sandbox", "--time-scale", "600")
    yield made
    made.end()


@pytest.fixture
def sandbox(one_sandbox: Sandbox) -> Sandbox:
    """As new."""
    one_sandbox.reset()
    return one_sandbox


class Rows:
    """Puts things into the database, as an orchestrator would have."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def submit(self, **more: Any) -> str:
        made, _ = submit(self.context, [Submission({"model": "m", "prompt": "waves"}, **more)])
        return made[0].id

    def see(self, job_id: str, *seen: Observation) -> None:
        """Let these observations take effect."""
        with self.context.store.write() as tx:
            for one in seen:
                observe.observe(self.context, tx, job_id, one)

    def created(self, gateway_id: str, **more: Any) -> str:
        """A job that the gateway has."""
        job_id = self.submit(**more)
        self.see(job_id, Observation(Source.CREATE, Seen.ATTEMPT))
        self.see(job_id, Observation(Source.CREATE, Seen.OPEN, gateway_id=gateway_id, status="queued"))
        return job_id

    def left_to_a_person(self) -> str:
        """A job whose create answer was lost, after all the waiting."""
        job_id = self.submit()
        self.see(job_id, Observation(Source.CREATE, Seen.ATTEMPT), Observation(Source.CREATE, Seen.LOST))
        with self.context.store.write() as tx:
            jobs.note(tx, job_id, {"needs_person": True})
        return job_id

    def dead_hand_off(self, gateway_id: str) -> tuple[str, int]:
        """A completed job whose output could not be handed off; its id and the hand-off's."""
        job_id = self.created(gateway_id)
        self.see(job_id, Observation(Source.POLL, Seen.COMPLETED, gateway_id=gateway_id, outputs=()))
        with self.context.store.write() as tx:
            workers.join(tx, f"w-{job_id}", host="h", pid=1)  # only who beats can lease
            archived = hand_offs.claim_due(tx, worker=f"w-{job_id}", lease=9)
            assert archived is not None
            assert hand_offs.finish_if_ours(tx, archived, {"state": HandOffState.DONE, "due_at": None})
            assert hand_offs.release(tx, job_id, 0) == 1
            claimed = hand_offs.claim_due(tx, worker=f"w-{job_id}", lease=9)
            assert claimed is not None
            dead = {"state": HandOffState.DEAD, "due_at": None, "last_error": "the disk is full"}
            assert hand_offs.finish_if_ours(tx, claimed, dead)
        return job_id, claimed.id

    def receive(self, headers: dict[str, str], body: bytes) -> None:
        """Take a webhook as the receiver does."""
        receive.receive(self.context, "default", headers, body, wiring.wall_clock())


@pytest.fixture
def rows(folder: Path) -> Iterator[Rows]:
    environment = {name: value for name, value in os.environ.items() if name.startswith("ORCHESTRATOR_")}
    settings = load(environment, webhook_secrets=SECRET)
    settings.data_dir.mkdir(exist_ok=True)
    put_migrated(settings.data_dir / "orchestrator.db")
    store = wiring.open_store(settings)
    context = wiring.build(settings, store, asks_gateway=False)
    yield Rows(context)
    context.close()
    store.close()


@pytest.fixture
def at_first(run: Run, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """All that `webhooks` needs, and no database yet."""
    return Setup(run, sandbox, folder, monkeypatch)


@pytest.fixture
def at(at_first: Setup) -> Setup:
    """The same with a database."""
    put_migrated_in(at_first.folder)
    return at_first


def put_migrated_in(folder: Path) -> None:
    (folder / "data").mkdir()
    put_migrated(folder / "data" / "orchestrator.db")


@pytest.fixture(scope="session")
def unhurried_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One whose four attempts at a webhook take half a minute, so some are left after slow commands."""
    made = Sandbox(tmp_path_factory.mktemp("unhurried"), "sandbox", "--time-scale", "60")
    yield made
    made.end()


@pytest.fixture
def at_leisure(run: Run, unhurried_sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """The same, where what was refused is sent again only after seconds."""
    unhurried_sandbox.reset()
    put_migrated_in(folder)
    return Setup(run, unhurried_sandbox, folder, monkeypatch)

"""An orchestrator whose gateway is the sandbox, with all that `webhooks` needs; what became of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator import wiring
from orchestrator.cli.exits import Exit
from orchestrator.core.vault import new_key
from orchestrator.settings import PREFIX, load
from orchestrator.store import accounts
from orchestrator.store.database import Store
from tests.acceptance.processes import DIED, Child, clean_environment, program
from tests.acceptance.sandbox import API_KEY, MANAGEMENT_KEY, Sandbox

if TYPE_CHECKING:
    import pytest

    from tests.integration.cli.conftest import Run

BASE = "http://127.0.0.1:19"  # nobody is there
DELIVERED = (200, 202)


class Setup:
    """The settings of an orchestrator whose gateway is the sandbox, and what became of it."""

    def __init__(self, run: Run, sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.run, self.sandbox, self.folder, self.set = run, sandbox, folder, monkeypatch.setenv
        self.set("ORCHESTRATOR_GATEWAY_URL", sandbox.url)
        self.set("ORCHESTRATOR_GATEWAY_API_KEY", API_KEY)
        self.set("ORCHESTRATOR_PUBLIC_URL", BASE)
        self.set("ORCHESTRATOR_SECRET_KEYS", new_key())
        self.set("PHASEO_MANAGEMENT_KEY", MANAGEMENT_KEY)

    def settings(self) -> Any:
        return load({name: value for name, value in os.environ.items() if name.startswith(PREFIX)})

    def json(self, *command: object) -> Any:
        said = self.run("webhooks", *command, "--json")
        assert said.code == Exit.OK, said
        return json.loads(said.out)

    def endpoints(self) -> list[dict[str, Any]]:
        """Those at the gateway, but for the one that a sandbox begins with."""
        return [one for one in self.sandbox.endpoints() if one["id"] != self.first]

    @property
    def first(self) -> str:
        return "7f9c2ba4-e88f-4f9a-8d0e-0c1b2a3d4e5f"

    def opened(self, account_id: str = "default") -> Any:
        store = Store(self.settings().resolved_database_url)
        with store.read() as tx:
            (entry,) = [one for one in accounts.every(tx) if one.id == account_id]
        store.close()
        return wiring.opener(self.settings())(entry)


def dies_at(at: Setup, point: str, *command: str) -> None:
    """Run the command as a process that is killed at this point."""
    ours = {name: value for name, value in os.environ.items() if name.startswith((PREFIX, "PHASEO_"))}
    child = Child(
        [*program(), "webhooks", *command],
        at.folder,
        "killed",
        clean_environment(**ours, ORCHESTRATOR_FAULT_POINT=point),
    )
    assert child.wait() == DIED

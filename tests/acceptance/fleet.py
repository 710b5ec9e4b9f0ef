"""A scaled deployment: web, workers and beat as processes of their own, on PostgreSQL and Redis."""

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

from tests.acceptance.database import Database
from tests.acceptance.orchestrator import named
from tests.acceptance.processes import DIED, Child, clean_environment, free_port, program
from tests.acceptance.sandbox import API_KEY, ENDPOINT_ID, HINT, SECRET
from tests.acceptance.waiting import until


class Fleet:
    """One database and one broker, and the processes that work on them. Settings by their names."""

    def __init__(
        self, folder: Path, gateway_url: str, database_url: str, broker_url: str, **settings: Any
    ) -> None:
        self.folder, self.port = folder, free_port()
        self.outputs = folder / "outputs"
        given: dict[str, Any] = {
            "database_url": database_url,
            "broker_url": broker_url,
            "output_dir": self.outputs,
            "gateway_url": gateway_url,
            "gateway_api_key": API_KEY,
            "webhook_endpoint_id": ENDPOINT_ID,
            "webhook_secrets": SECRET,
            "port": self.port,
            "poll_after_seconds": HINT,
            # In proportion to the hint, as the defaults are to the gateway's.
            "request_worth_seconds": HINT,
            "longest_spacing_seconds": 45 * HINT,
            "uncertain_every_seconds": 0.3,
            "hand_off_first_retry_seconds": 0.2,
            "database_connections": 12,
        }
        self.settings = named(given | settings)
        self.runs: list[Child] = []
        self._database: Database | None = None

    @property
    def receiver(self) -> str:
        """Where webhooks are to go."""
        return f"http://127.0.0.1:{self.port}/webhooks/gateway/default"

    @property
    def base(self) -> str:
        """The receiver's base URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Database:
        """The database, migrated if it is not yet."""
        if self._database is None:
            self._database = Database(self.settings)
        return self._database

    def launch(self, role: str, *options: str, inside: tuple[str, ...] = (), **settings: Any) -> Child:
        """Start a process of a role, with these settings for it alone; does not wait for it."""
        environment = clean_environment(**self.settings | named(settings))
        name = f"{role}{sum(run.out.name.startswith(role) for run in self.runs)}"
        run = Child([*inside, *program(role, *options)], self.folder, name, environment)
        self.runs.append(run)
        return run

    def start(self, role: str, *options: str, inside: tuple[str, ...] = (), **settings: Any) -> Child:
        """Start a process of a role and wait until it says that it is ready."""
        run = self.launch(role, *options, inside=inside, **settings)
        self.ready(run)
        return run

    def ready(self, *runs: Child) -> None:
        """Wait until these say that they are ready."""

        def said() -> bool:
            for run in runs:
                assert run.alive, f"{run.err.name} ended with {run.wait()}:\n{run.complained()}"
            return all(any(one["event"] == "started" for one in run.events()) for run in runs)

        # Each takes two seconds of processor time to start, and a story may start eight beside others.
        until(f"{[run.err.stem for run in runs]} are ready", said, 180)

    def start_all(self, *, workers: int = 2, **settings: Any) -> None:
        """A migrated database, one web, one beat and so many workers."""
        self.database.jobs()
        roles = ["web", "beat", *["worker"] * workers]
        self.ready(*(self.launch(role, **settings) for role in roles))

    def of(self, role: str) -> list[Child]:
        """The processes of a role that are alive."""
        return [run for run in self.runs if run.out.name.startswith(role) and run.alive]

    def kill(self, *roles: str) -> None:
        """End all processes of these roles as a power cut would."""
        for run in [run for role in roles for run in self.of(role)]:
            run.kill()

    def stop(self, *roles: str) -> None:
        """Ask all processes of these roles to end, and wait until they have."""
        leaving = [run for role in roles for run in self.of(role)]
        for run in leaving:
            os.kill(run.pid, signal.SIGTERM)
        for run in leaving:
            assert run.wait() == 0, run.complained()
            assert "stopped" in [line["event"] for line in run.events()], run.complained()

    def dies_at(self, run: Child, point: str) -> None:
        """Wait until a process has killed itself at a fault point."""
        assert run.wait() == DIED, run.complained()
        assert f"fault point reached: {point}\n" in run.complained()

    def events(self, name: str, **facts: object) -> list[dict[str, Any]]:
        """Log lines of all processes by the name of their event and the facts in them."""
        lines = [line for run in self.runs for line in run.events() if line["event"] == name]
        return [line for line in lines if all(line.get(key) == value for key, value in facts.items())]

    def handed_off(self) -> Counter[str]:
        """How often each hand-off was said to be done, over all processes."""
        return Counter(line["key"] for line in self.events("handed_off"))

    def files(self) -> set[Path]:
        """Everything in the folder of results, temporary files too."""
        return set(self.outputs.iterdir()) if self.outputs.exists() else set()

    def end(self) -> None:
        for run in self.runs:
            run.end()
        if self._database is not None:
            self._database.close()

    def logs(self) -> str:
        """What all processes said, for whoever reads of a failure."""
        return "\n".join(f"--- {run.err.name} (process {run.pid})\n{run.complained()}" for run in self.runs)

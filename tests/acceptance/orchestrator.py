"""`up` as a process that can be killed, stopped and started again on the same data."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.acceptance.database import Database
from tests.acceptance.processes import DIED, Child, clean_environment, free_port, program
from tests.acceptance.sandbox import API_KEY, ENDPOINT_ID, HINT, SECRET
from tests.acceptance.waiting import until

UP = program("up")


class Orchestrator:
    """One data folder, and the processes that run on it one after the other. Settings by their names."""

    def __init__(self, folder: Path, gateway_url: str, **settings: Any) -> None:
        self.folder, self.port = folder, free_port()
        self.outputs = folder / "outputs"
        given: dict[str, Any] = {
            "data_dir": folder / "data",
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
        }
        self.settings = named(given | settings)
        self.runs: list[Child] = []
        self._database: Database | None = None

    @property
    def receiver(self) -> str:
        """Where webhooks are to go."""
        return f"http://127.0.0.1:{self.port}/webhooks/gateway/default"

    @property
    def database(self) -> Database:
        """The database, made if it is not there yet: quicker than `up` makes it, as it does in the demo."""
        if self._database is None:
            self._database = Database(self.settings)
        return self._database

    @property
    def process(self) -> Child:
        """The latest run."""
        return self.runs[-1]

    def launch(self, *, inside: Sequence[str] = (), **settings: Any) -> Child:
        """Start a run, with these settings for it alone, `inside` another program; does not wait for it."""
        environment = clean_environment(**self.settings | named(settings))
        run = Child([*inside, *UP], self.folder, f"up{len(self.runs)}", environment)
        self.runs.append(run)
        return run

    def start(self, *, inside: Sequence[str] = (), **settings: Any) -> Child:
        """Start a run, on a database that is there, and wait until it is ready."""
        self.database.jobs()
        run = self.launch(inside=inside, **settings)

        def ready() -> bool:
            assert run.alive, f"it ended with {run.wait()}:\n{run.complained()}"
            return any(event["event"] == "started" for event in run.events())

        until("the orchestrator is ready", ready)
        return run

    def kill(self) -> None:
        """End the run as a power cut would."""
        self.process.kill()

    def stop(self) -> None:
        """End the run in order."""
        assert self.process.terminate() == 0, self.process.complained()
        assert "stopped" in [line["event"] for line in self.process.events()], self.process.complained()

    def dies_at(self, point: str) -> None:
        """Wait until the run has killed itself at a fault point."""
        assert self.process.wait() == DIED, self.process.complained()
        assert f"fault point reached: {point}\n" in self.process.complained()

    def restart(self, **settings: Any) -> None:
        """Kill the run and start another."""
        self.kill()
        self.start(**settings)

    def events(self, name: str, **facts: object) -> list[dict[str, Any]]:
        """Log lines of all runs by the name of their event and the facts in them."""
        lines = [line for run in self.runs for line in run.events() if line["event"] == name]
        return [line for line in lines if all(line.get(key) == value for key, value in facts.items())]

    def told(self, name: str, count: int = 1, **facts: object) -> list[dict[str, Any]]:
        """The same, once there are so many: a line is written a moment after the commit that it tells of."""

        def enough() -> list[dict[str, Any]]:
            lines = self.events(name, **facts)
            return lines if len(lines) >= count else []

        return until(f"{count} log lines {name!r} {facts}", enough)

    def handed_off(self) -> Counter[str]:
        """How often each hand-off was said to be done, over all runs."""
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
        """What all runs said, for whoever reads of a failure."""
        return "\n".join(f"--- {run.err.name} (process {run.pid})\n{run.complained()}" for run in self.runs)


def named(settings: dict[str, Any]) -> dict[str, str]:
    return {f"ORCHESTRATOR_{name.upper()}": str(value) for name, value in settings.items()}

"""A server that belongs to the tests: of whatever kind, it is started, stopped, killed and paused alike."""

import shutil
import signal
from pathlib import Path
from typing import ClassVar

from tests.ports import free_port
from tests.servers.folders import private_folder
from tests.servers.processes import ServerBroken, ServerProcess


class PrivateServer:
    """Started when made. Data and port stay the same over every stop, kill and restart, until `close`."""

    name: ClassVar[str]
    stops: ClassVar[dict[str, signal.Signals]]
    dies_with_us_by: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self, user: str) -> None:
        self.user = user  # empty: whoever we are
        self.folder = private_folder(f"orchestrator-{self.name}-", user)
        self._process: ServerProcess | None = None
        try:
            self._prepare()
            self._start_on_a_free_port()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        """What is done once, before the first start."""

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        """Whether the process that we started answers: the port may be another one's."""
        raise NotImplementedError

    def _start_on_a_free_port(self, tries: int = 5) -> None:
        self.port = free_port()
        try:
            self.start()
        except ServerBroken:
            if tries == 1:
                raise
            self._start_on_a_free_port(tries - 1)  # somebody else may have taken it meanwhile

    @property
    def process(self) -> ServerProcess:
        """The last process that was started."""
        assert self._process is not None
        return self._process

    @property
    def log(self) -> Path:
        """What it says, over all its starts."""
        return self.folder / "server.log"

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert self._process is None or not self._process.alive, "it runs already"
        self._process = ServerProcess(
            self._command(), self.log, user=self.user, death_signal=self.dies_with_us_by
        )
        self._process.until(self._answers)

    def stop(self, mode: str = "fast") -> None:
        """Stop it and wait: `fast` as a service is stopped, `immediate` without a goodbye to anybody."""
        self.process.stop(self.stops[mode])

    def restart(self, mode: str = "fast") -> None:
        """Stop it, and start it again on the same port."""
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """SIGKILL for every process of it."""
        self.process.kill()

    def pause(self) -> None:
        """Hold it: connections are taken by the system, and nobody answers on them."""
        self.process.pause()

    def resume(self) -> None:
        """Let it go on."""
        self.process.resume()

    def close(self) -> None:
        """End it and remove all that it had."""
        if self._process is not None and self._process.alive:
            self.kill()
        shutil.rmtree(self.folder)

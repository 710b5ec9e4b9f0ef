"""What the harness does to a system, whatever it is made of."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Protocol

from tests.benchmarks.peers.running import Process, now, processor_seconds
from tests.benchmarks.peers.surroundings import Surroundings


class Server(Protocol):
    """PostgreSQL, Redis, or another program that a system needs and that survives a kill of its processes."""

    def close(self) -> None: ...


class System(ABC):
    """A system: its servers, the processes of its roles, and a submitter that waits to be told how many."""

    name: ClassVar[str]
    title: ClassVar[str]
    durable: ClassVar[bool] = True
    hook_path: ClassVar[str] = "/webhook"

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self._servers: list[tuple[Server, int]] = []
        self._processes: list[Process] = []
        self._submitter: Process | None = None
        self._gone = 0.0  # processor seconds of processes that were killed
        self._starts = 0

    @classmethod
    @abstractmethod
    def versions(cls) -> dict[str, str]:
        """What is measured, by name. Raises Missing where it is not installed."""

    @abstractmethod
    def _serve(self) -> None:
        """Start its servers, and prepare what is in them."""

    @abstractmethod
    def _launch(self) -> None:
        """Start the processes of its roles, and wait until they are ready."""

    @abstractmethod
    def _prepare_submitter(self) -> Process:
        """Start the submitter; it says `ready` by itself."""

    @property
    def folder(self) -> Path:
        """Where its processes write."""
        return self.around.folder

    def start(self) -> None:
        """All but the work: the submitter is connected and warm."""
        self._serve()
        self._launch()
        self._submitter = self._prepare_submitter()
        self._submitter.until_said("ready")

    def release(self, jobs: int) -> None:
        """Let the submitter submit."""
        assert self._submitter is not None
        self._submitter.tell(str(jobs))

    def accepted(self) -> float:
        """The moment when every job was accepted; waits for it."""
        assert self._submitter is not None
        self._submitter.until_said("accepted", 120, every=0.001)
        return now()

    def kill(self) -> None:
        """SIGKILL for all processes but the servers."""
        self._gone += processor_seconds(one.pid for one in self._processes)
        self._end_processes()

    def restart(self) -> None:
        """Start the same processes again."""
        self._launch()

    def processor(self) -> dict[str, float]:
        """Seconds that it has used so far: its own processes, and its servers."""
        return {
            "own": self._gone + processor_seconds(one.pid for one in self._processes),
            "servers": processor_seconds(pid for _, pid in self._servers),
        }

    def stop(self) -> None:
        """End everything."""
        self._end_processes()
        for server, _ in reversed(self._servers):
            server.close()

    def _end_processes(self) -> None:
        while self._processes:
            self._processes.pop().end()

    def _serving(self, server: Server, pid: int) -> None:
        self._servers.append((server, pid))

    def _run(self, command: list[str], role: str, environment: dict[str, str]) -> Process:
        self._starts += 1
        self._processes.append(Process(command, self.folder, f"{role}{self._starts}", environment))
        return self._processes[-1]

    def given(self) -> dict[str, str]:
        """The environment that programs of peers are written for."""
        told = {
            "GATEWAY_URL": self.around.gateway_url,
            "SINK_URL": self.around.sink_url,
            "WEBHOOK_SECRET": self.around.secret,
            "PORT": str(self.around.receiver_port),
            "POLL_AFTER_SECONDS": str(self.around.conditions.poll_after_seconds),
        }
        return dict(os.environ) | told


class Missing(Exception):
    """A system cannot run on this machine; the message says why."""

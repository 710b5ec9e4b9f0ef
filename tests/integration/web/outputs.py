"""An archive whose outputs are served over real HTTP, in a thread of this process."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from starlette.applications import Starlette

from orchestrator.archive.folder import FolderArchive
from orchestrator.core.job import Output
from orchestrator.core.links import derive, sign
from orchestrator.core.vault import new_key
from orchestrator.web.outputs import Find, output_routes
from orchestrator.web.server import make_server
from tests.patience import LONG
from tests.sandbox.harness import until

MIB = 1 << 20
JOB = "job_01"
KEYS = derive([new_key()])


def link(index: int = 0, job_id: str = JOB) -> str:
    return f"/outputs/{job_id}/{index}?signature={sign(KEYS, job_id, index)}"


class Shelf:
    """Outputs that were put into a folder archive, and what their finding does besides."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archive = FolderArchive(folder)
        self.outputs: dict[tuple[str, int], Output] = {}
        self.before_finding: Callable[[], None] = lambda: None

    def put(self, content: bytes, mime_type: str | None = "video/mp4", index: int = 0) -> Output:
        keeping = self.archive.begin(f"{JOB}-{index}", 1)
        keeping.write(content)
        kept = keeping.keep()
        output = Output(JOB, index, mime_type, None, kept.bytes, kept.sha256)
        self.outputs[JOB, index] = output
        return output

    def find(self, job_id: str, index: int) -> Output | None:
        self.before_finding()
        return self.outputs.get((job_id, index))

    def path(self, output: Output) -> Path:
        assert output.sha256 is not None
        return self.folder / output.sha256[:2] / output.sha256

    def open_files(self) -> int:
        """How many files of the archive this process has open."""
        found = 0
        for descriptor in Path("/proc/self/fd").iterdir():
            try:
                found += descriptor.readlink().is_relative_to(self.folder)
            except FileNotFoundError:  # closed meanwhile
                continue
        return found


@contextmanager
def serving(find: Find, archive: FolderArchive) -> Iterator[str]:
    """The URL of a server that has these outputs."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=200)
    server = make_server(Starlette(routes=output_routes(find, archive, KEYS)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@contextmanager
def client_of(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=LONG, verify=False) as client:
        yield client

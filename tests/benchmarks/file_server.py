"""A server that costs next to nothing, so that whoever reads from it is measured and not it.

`python -m tests.benchmarks.file_server FILE PORT` answers requests for `/v1/videos/NAME/content` with an MP4:
a box that holds the name, so that no two are alike, and then FILE, which the kernel sends by itself.
"""

import os
import socket
import sys
import threading
from pathlib import Path

from orchestrator.sandbox.video import make_video, padding_header

MIB = 1 << 20
NAMED = 64  # bytes of the box with the name


def write_file(path: Path, size: int) -> None:
    """An MP4 that makes one of this size with the box before it."""
    video = make_video(1, 1, 0)
    left = size - NAMED - len(video)
    with path.open("wb") as file:
        file.write(video + padding_header(left))
        for at in range(8, left, MIB):
            file.write(os.urandom(min(MIB, left - at)))


def main(file: str, port: int) -> None:
    """Serve until killed."""
    with socket.create_server(("127.0.0.1", port), backlog=64) as listening:
        print("ready", flush=True)
        while True:
            connection, _ = listening.accept()
            threading.Thread(target=_serve, args=(connection, Path(file)), daemon=True).start()


def _serve(connection: socket.socket, file: Path) -> None:
    with connection, connection.makefile("rb") as requests, file.open("rb") as content:
        size = NAMED + os.fstat(content.fileno()).st_size
        head = f"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {size}\r\n\r\n".encode()
        while line := requests.readline():
            while requests.readline().strip():
                pass
            name = line.split()[1].split(b"/")[-2].rjust(NAMED - 8)
            connection.sendall(head + NAMED.to_bytes(4) + b"free" + name)
            connection.sendfile(content)
            content.seek(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

"""A load of one kind of request over kept connections, as a program of its own; prints what it saw as JSON.

python -m tests.benchmarks.keep_alive_load PORT METHOD PATH KEY SECONDS CONNECTIONS [BODY]

A body of `-` is read from standard input.
"""

import asyncio
import json
import re
import statistics
import sys
import time
from collections.abc import Iterator

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def request(method: str, path: str, headers: dict[str, str], body: str = "") -> bytes:
    """A request as it goes over the wire."""
    told = {"Host": "127.0.0.1"} | headers
    if body:
        told |= {"Content-Type": "application/json", "Content-Length": str(len(body.encode()))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join([*lines, "", body]).encode()


async def ask(port: int, requests: Iterator[bytes], took: list[float]) -> None:
    """One connection, one request after the other, of those that all connections share."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for said in requests:
        begun = time.perf_counter()
        writer.write(said)
        head = await reader.readuntil(b"\r\n\r\n")
        found = _LENGTH.search(head)
        assert found, head
        body = await reader.readexactly(int(found[1]))
        assert head.startswith(b"HTTP/1.1 20"), head + body
        took.append(time.perf_counter() - begun)
    writer.close()


async def load(port: int, requests: Iterator[bytes], connections: int) -> dict[str, float]:
    """All connections at once; requests per second, and latencies in milliseconds."""
    took: list[float] = []
    begun = time.perf_counter()
    await asyncio.gather(*(ask(port, requests, took) for _ in range(connections)))
    spent = time.perf_counter() - begun
    cuts = statistics.quantiles(took, n=100) if len(took) > 1 else took * 99
    return {"per_second": len(took) / spent, "p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000}


def repeated(said: bytes, seconds: float) -> Iterator[bytes]:
    """The same bytes each time, for so long."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        yield said


if __name__ == "__main__":
    port, method, path, key, seconds, connections, *rest = sys.argv[1:]
    body = sys.stdin.read() if rest == ["-"] else "".join(rest)
    said = request(method, path, {"Authorization": f"Bearer {key}"}, body)
    requests = repeated(said, float(seconds))
    print(json.dumps(asyncio.run(load(int(port), requests, int(connections)))))

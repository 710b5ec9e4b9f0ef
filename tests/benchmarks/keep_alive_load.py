"""A load of one kind of request over kept connections, as a program of its own; prints what it saw as JSON.

python -m tests.benchmarks.keep_alive_load PORT METHOD PATH KEY SECONDS CONNECTIONS [BODY]
"""

import asyncio
import json
import re
import statistics
import sys
import time

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def request(method: str, path: str, key: str, body: str) -> bytes:
    """The same bytes each time."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n"
    return f"{head}\r\n{body}".encode()


async def ask(port: int, said: bytes, end: float, took: list[float]) -> None:
    """One connection, one request after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (begun := time.perf_counter()) < end:
        writer.write(said)
        head = await reader.readuntil(b"\r\n\r\n")
        found = _LENGTH.search(head)
        assert found, head
        body = await reader.readexactly(int(found[1]))
        assert head.startswith(b"HTTP/1.1 20"), head + body
        took.append(time.perf_counter() - begun)
    writer.close()


async def main(port: int, said: bytes, seconds: float, connections: int) -> dict[str, float]:
    """All connections at once; requests per second, and latencies in milliseconds."""
    took: list[float] = []
    begun = time.perf_counter()
    await asyncio.gather(*(ask(port, said, begun + seconds, took) for _ in range(connections)))
    spent = time.perf_counter() - begun
    cuts = statistics.quantiles(took, n=100)
    return {"per_second": len(took) / spent, "p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000}


if __name__ == "__main__":
    given = sys.argv[1:]
    said = request(given[1], given[2], given[3], given[6] if len(given) > 6 else "")
    print(json.dumps(asyncio.run(main(int(given[0]), said, float(given[4]), int(given[5])))))

"""The consumer on the page about Redis streams does what the page says of it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sinks.conformance import deliver
from tests.integration.sinks.redis_streams import STREAM, sink_at
from tests.sandbox.harness import until
from tests.servers.redis import Redis

PAGE = Path(__file__).parents[3] / "docs/how-to/consume-a-redis-stream.md"
GROUP = "video-consumers"


@pytest.fixture
def server(redis_server: Redis) -> Redis:
    redis_server.flush()
    return redis_server


@pytest.fixture
def consumer(tmp_path: Path) -> Path:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "consumer.py"
    path.write_text(code)
    return path


@contextmanager
def running(consumer: Path, server: Redis, **environment: str) -> Iterator[subprocess.Popen[str]]:
    env = {**os.environ, "REDIS_URL": server.url, "STREAM": STREAM, **environment}
    with subprocess.Popen([sys.executable, consumer], env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str], lines: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(lines)]


def progress(server: Redis) -> tuple[int, int]:
    """How many entries the group was not given yet, and how many it was given and has not acknowledged."""
    with server.client() as client:
        groups: Any = client.xinfo_groups(STREAM) if client.exists(STREAM) else []
        if not groups:
            return -1, -1
        given = client.xrange(STREAM, max=groups[0]["last-delivered-id"])
        return int(client.xlen(STREAM)) - len(given), groups[0]["pending"]


def test_it_deals_with_what_is_there_and_with_what_comes_and_acknowledges_it(
    consumer: Path, server: Redis
) -> None:
    sink = sink_at(server.url)
    deliver(sink, "first", 1, b'{"job_id": "j1"}')
    with running(consumer, server) as process:
        assert said(process, 1) == ["first output {'job_id': 'j1'}"]
        deliver(sink, "second", 1, b"{}")
        deliver(sink, "second", 2, b"{}")
        deliver(sink, "third", 1, b"{}")
        assert said(process, 2) == ["second output {}", "third output {}"]
        until(lambda: progress(server) == (0, 0))
    sink.close()


def test_what_one_that_died_had_begun_is_dealt_with_by_another(consumer: Path, server: Redis) -> None:
    sink = sink_at(server.url)
    deliver(sink, "begun", 1, b"{}")
    code = consumer.read_text()
    dying = consumer.with_name("dying.py")
    dying.write_text(code.replace("    client.xack(", "    os.kill(os.getpid(), 9)\n    client.xack("))
    with running(dying, server) as process:
        assert said(process, 1) == ["begun output {}"]
        assert process.wait() == -9
    assert progress(server) == (0, 1)
    with running(consumer, server, ABANDONED_AFTER_MS="1") as process:
        assert said(process, 1) == ["begun output {}"]
        until(lambda: progress(server) == (0, 0))
    sink.close()


def test_several_share_the_entries(consumer: Path, server: Redis) -> None:
    sink = sink_at(server.url)
    with running(consumer, server) as one, running(consumer, server) as other:
        for number in range(30):
            deliver(sink, f"n{number}", 1, b"{}")
        until(lambda: progress(server) == (0, 0))
        for process in (one, other):
            process.kill()
        words = [
            line.split()[0] for process in (one, other) for line in process.communicate()[0].splitlines()
        ]
    assert sorted(words) == sorted(f"n{number}" for number in range(30))
    sink.close()

"""Streams for tests: sinks that add to them, and what another client finds there."""

from typing import Any

from orchestrator.sinks import Tools
from orchestrator.sinks.redis_stream import RedisStreamSink
from tests.servers.redis import Redis

STREAM = "videos"
TOOLS = Tools(run=lambda _: None, wall_clock=lambda: 0.0)  # type: ignore[arg-type]


def sink_at(url: str, **options: Any) -> RedisStreamSink:
    return RedisStreamSink.build(
        RedisStreamSink.Options.model_validate({"url": url, "stream": STREAM, **options}), TOOLS
    )


def entries(server: Redis, stream: str = STREAM) -> list[dict[bytes, bytes]]:
    with server.client() as client:
        found: list[tuple[bytes, dict[bytes, bytes]]] = client.xrange(stream)
        return [fields for _, fields in found]


def names(server: Redis) -> list[str]:
    return [fields[b"id"].decode() for fields in entries(server)]

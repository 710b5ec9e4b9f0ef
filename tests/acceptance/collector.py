"""A collector of traces over OTLP/HTTP, as OpenTelemetry's own would be sent them."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

FAILED = 2  # the status code of the protocol


@dataclass(frozen=True)
class Told:
    """One span as it came. Ids in hexadecimal digits, times in epoch seconds."""

    trace: str
    id: str
    parent: str
    name: str
    began: float
    ended: float
    failed: bool
    facts: dict[str, Any]
    process: dict[str, Any]


@dataclass
class Collector:
    """What came so far. `raw` is all of it as bytes, for whoever looks for what must not be in it."""

    url: str = ""
    spans: list[Told] = field(default_factory=list)
    raw: bytes = b""

    def of(self, job_id: str) -> list[Told]:
        """The spans about a job, in the order in which they began."""
        found = [span for span in self.spans if span.facts["job.id"] == job_id]
        return sorted(found, key=lambda span: span.began)

    def take(self, body: bytes) -> None:
        """One request of an exporter."""
        self.raw += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            process = _values(resource.resource.attributes)
            self.spans += [_told(one, process) for scope in resource.scope_spans for one in scope.spans]


@contextmanager
def collecting() -> Iterator[Collector]:
    """Listens on this machine."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            collector.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _told(span: Any, process: dict[str, Any]) -> Told:
    began, ended = (at / 1e9 for at in (span.start_time_unix_nano, span.end_time_unix_nano))
    ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
    failed = span.status.code == FAILED
    return Told(*ids, span.name, began, ended, failed, _values(span.attributes), process)


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}

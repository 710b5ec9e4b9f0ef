"""The one file that knows OpenTelemetry, which is loaded where traces are told: else nothing is spent.

Exporter, sampler and resource are as the standard `OTEL_*` variables say, which its library reads itself.
Spans are told once they are over, under ids that are derived: no context has to be carried between threads,
processes or hours.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orchestrator.core.tracing import Part, Span, Trace
from orchestrator.errors import SettingError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

PROTOCOL = "http/protobuf"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
CLOSE_WITHIN = 3.0  # seconds that the last spans have to reach a collector
_NEEDED = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")


@dataclass(slots=True)
class Spans:
    """Tells spans. `resource` says which process this is. Threads share it."""

    resource: Mapping[str, str]
    _provider: TracerProvider | None = None
    _ids: Any = None
    _starting: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Read the standard variables. Raises SettingError where they cannot be used, or packages lack."""
        require_installed()
        try:
            self._started()
        except Exception as error:  # its library raises what it comes across
            raise SettingError(
                f"the OTEL_* variables cannot be used: {type(error).__name__}: {error}",
                hint="correct them, or set ORCHESTRATOR_TRACING=false",
            ) from error

    def tell(self, span: Span) -> None:
        """Hand it to the exporter, which sends it in its own time. Never raises for what the network does."""
        from opentelemetry.trace import SpanKind, Status, StatusCode

        provider = self._started()
        self._ids.give(span.trace.id, span.id)
        told = provider.get_tracer("orchestrator").start_span(
            span.part,
            context=self._parent(span),
            kind=SpanKind.CLIENT if span.called else SpanKind.INTERNAL,
            attributes={"job.id": span.trace.job_id, **span.facts},
            start_time=_nanoseconds(span.began),
        )
        if span.failed is not None:
            told.set_status(Status(StatusCode.ERROR, span.failed))
        told.end(_nanoseconds(max(span.began, span.ended)))

    def sampled(self, trace: Trace) -> bool:
        """Whether this trace is told at all: the same answer in every process with the same settings."""
        outside = _remote(trace.id, trace.parent, sampled=bool(trace.sampled)) if trace.parent else None
        result = self._started().sampler.should_sample(outside, int(trace.id, 16), Part.JOB)
        return bool(result.decision.is_sampled())  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Send what was told, as far as the collector takes it within a moment."""
        if self._provider is None:
            return
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(CLOSE_WITHIN)

    def _parent(self, span: Span) -> Context:
        if span.part is Part.JOB:
            return _remote(span.trace.id, span.parent, sampled=bool(span.trace.sampled))
        return _remote(span.trace.id, span.parent, sampled=self.sampled(span.trace))

    def _started(self) -> TracerProvider:
        with self._starting:
            if self._provider is None:
                self._provider, self._ids = _begun(self.resource)
            return self._provider


def require_installed() -> None:
    """Raises SettingError where the optional packages are not there."""
    try:
        lacking = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    except ModuleNotFoundError:  # not even the package around it
        lacking = list(_NEEDED)
    if lacking:
        raise SettingError(
            "ORCHESTRATOR_TRACING is on and the packages that it needs are not installed",
            hint='install them: pip install "hybrid-job-orchestrator[tracing]"',
        )


def require_reachable(environment: Mapping[str, str]) -> None:
    """Raises SettingError for what the exporter would ignore, or find out in the middle of work."""
    for name in _PROTOCOLS:
        if environment.get(name, PROTOCOL) not in ("", PROTOCOL):
            raise SettingError(
                f"{name} is {environment[name]}, and traces are sent by {PROTOCOL} alone",
                hint=f"leave it out, and give {_ENDPOINTS[1]} the collector's port for that, mostly 4318",
            )
    for name in _ENDPOINTS:
        given = environment.get(name, "")
        if given and not _is_url(given):  # which may hold a password
            raise SettingError(f"{name} is no http:// or https:// URL", hint="such as http://127.0.0.1:4318")


def _is_url(given: str) -> bool:
    try:
        parts = urlsplit(given)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and " " not in given
        )
    except ValueError:
        return False


def _begun(resource: Mapping[str, str]) -> tuple[TracerProvider, Any]:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    class Given(IdGenerator):
        """The ids that were given to the span that begins next in this thread."""

        def __init__(self) -> None:
            self._next = threading.local()

        def give(self, trace_id: str, span_id: str) -> None:
            self._next.ids = int(trace_id, 16), int(span_id, 16)

        def generate_trace_id(self) -> int:
            return int(self._next.ids[0])

        def generate_span_id(self) -> int:
            return int(self._next.ids[1])

    ids = Given()
    provider = TracerProvider(
        id_generator=ids, resource=Resource.create(dict(resource)), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider, ids


def _remote(trace_id: str, span_id: str | None, *, sampled: bool) -> Context:
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    if span_id is None:
        return Context()
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    there = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(there), Context())


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)

"""Where results go: one file per kind of destination, all of the shape in `base`."""

from orchestrator.sinks.base import Delivered, Sink, Staging

__all__ = ["Delivered", "Sink", "Staging"]

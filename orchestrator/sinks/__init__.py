"""Where results go: one file per kind of destination, all of the shape in `base`."""

from orchestrator.sinks.base import Delivered, Kind, Parcel, Sink, SinkOptions, Staging, Tools

__all__ = ["Delivered", "Kind", "Parcel", "Sink", "SinkOptions", "Staging", "Tools"]

"""The client of an orchestrator's HTTP API, for programs in Python; the command line uses it for `--url`.

from orchestrator.client import Client

with Client("https://orchestrator.example", key) as client:
    job = client.submit({"model": "google/veo-3.1-lite", "prompt": "a red fox"}, reference="order-7")
    job = client.wait(job.id, timeout=600)
    client.save_output(job.id, 0, "fox.mp4")
"""

from orchestrator.client.client import Client
from orchestrator.client.event_stream import EventStream
from orchestrator.client.problems import (
    Forbidden,
    InvalidRequest,
    NotAllowed,
    NotFound,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from orchestrator.client.surroundings import Surroundings
from orchestrator.errors import ApiBadAnswer, ApiError, ApiUnreachable

__all__ = [
    "ApiBadAnswer",
    "ApiError",
    "ApiUnreachable",
    "Client",
    "EventStream",
    "Forbidden",
    "InvalidRequest",
    "NotAllowed",
    "NotFound",
    "RateLimited",
    "Surroundings",
    "Unauthorized",
    "Unavailable",
]

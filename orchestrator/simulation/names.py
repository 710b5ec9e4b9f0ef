"""What a name at a destination tells: whose output it is, or of which outcome it tells."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_NAME = re.compile(
    r"(?P<job>job_\d+)(?:-(?P<index>\d+)|[.-](?P<outcome>[a-z_]+(?:-\d+)?))"
    r"(?:[.-]again(?P<again>\d+))?(?:\.\w+)?"
)


@dataclass(frozen=True, slots=True)
class Named:
    """Either an output or an outcome of a job. `generation` grows where it is told as something new."""

    job_id: str
    index: int | None
    outcome: str | None
    generation: int


def read_name(name: str) -> Named:
    """What the product called something."""
    found = _NAME.fullmatch(name)
    assert found is not None, name
    index, again = found["index"], found["again"]
    return Named(found["job"], None if index is None else int(index), found["outcome"], int(again or 0))


def linked(body: bytes) -> frozenset[int]:
    """The outputs that a document tells a link of."""
    told = json.loads(body)["outputs"]
    return frozenset(one["index"] for one in told if one["output_url"] is not None)


def left_there(body: bytes) -> frozenset[int]:
    """The outputs of which a document says where the gateway has them."""
    told = json.loads(body)["outputs"]
    return frozenset(one["index"] for one in told if one["content_url"] is not None)

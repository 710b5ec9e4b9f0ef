"""The answers and deliveries captured from the gateway's own code."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[2] / "gateway"


@dataclass(frozen=True)
class Captured:
    file: str
    label: str
    status: int
    headers: dict[str, str]
    json: Any
    body: bytes
    threw: bool

    @property
    def name(self) -> str:
        return f"{self.file}: {self.label}"


def _status(entry: dict[str, Any]) -> int:
    status = entry.get("status")
    return status if isinstance(status, int) else 200  # one entry is a table of URLs, not an answer


def _captured(entry: dict[str, Any]) -> Captured:
    body = entry.get("body")
    text = body if isinstance(body, str) else json.dumps(body)
    return Captured(
        file=entry["file"],
        label=entry["label"],
        # What the gateway's code throws reaches the caller as a plain 500 (contract 1.2).
        status=500 if "threw" in entry else _status(entry),
        headers=entry.get("headers")
        or ({"content-type": "text/plain;charset=UTF-8"} if "threw" in entry else {}),
        json=body,
        body=b"Internal Server Error" if "threw" in entry else text.encode(),
        threw="threw" in entry,
    )


RESPONSES = [_captured(entry) for entry in json.loads((HERE / "responses.json").read_text())["responses"]]
EXAMPLES: list[dict[str, Any]] = json.loads((HERE / "webhook-examples.json").read_text())["examples"]
VECTORS: list[dict[str, Any]] = json.loads((HERE / "webhook-vectors.json").read_text())["vectors"]


def captured(file: str, label: str) -> Captured:
    return next(entry for entry in RESPONSES if (entry.file, entry.label) == (file, label))

"""A file of destinations for a measurement; secrets lie in files of their own beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.sinks import kinds


def write_destinations(file: Path, destinations: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write it."""
    lines = []
    for name, options in destinations.items():
        secret = kinds.secret_fields(kinds.find(options["type"]).Options)
        lines.append(f"[destinations.{name}]")
        for key, value in options.items():
            told = _in_file(file, f"{name}-{key}", value) if key in secret else json.dumps(value)
            lines.append(f"{key} = {told}")
    file.write_text("\n".join(lines) + "\n")
    return file


def _in_file(file: Path, name: str, value: str) -> str:
    secret = file.with_name(f"{file.stem}-{name}.secret")
    secret.write_text(value)
    return f"{{ file = {json.dumps(str(secret))} }}"

"""A file of destinations for a measurement; secrets lie in files of their own beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SECRET = {"access_key_id", "secret_access_key", "account_key"}


def write_destinations(
    file: Path, destinations: Mapping[str, Mapping[str, Any]], **secret: list[str]
) -> Path:
    """Write it; `secret` names further options that are secret, by type of destination."""
    lines = []
    for name, options in destinations.items():
        hidden = SECRET | set(secret.get(options["type"], ()))
        lines.append(f"[destinations.{name}]")
        for key, value in options.items():
            told = _in_files(file, f"{name}-{key}", value) if key in hidden else json.dumps(value)
            lines.append(f"{key} = {told}")
    file.write_text("\n".join(lines) + "\n")
    return file


def _in_files(file: Path, name: str, value: str | list[str]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_in_files(file, f'{name}-{at}', one) for at, one in enumerate(value))}]"
    secret = file.with_name(f"{file.stem}-{name}.secret")
    secret.write_text(value)
    secret.chmod(0o600)
    return f"{{ file = {json.dumps(str(secret))} }}"

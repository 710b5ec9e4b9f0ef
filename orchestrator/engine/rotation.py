"""Every secret at rest encrypted anew by the newest key: in the database, and in the file of destinations."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.core.vault import MARK, Vault
from orchestrator.engine.destinations_file import parse, read_bytes
from orchestrator.errors import SettingError, StoreError
from orchestrator.store import accounts, configured
from orchestrator.store.database import Store, Transaction

_TOKEN = re.compile(re.escape(MARK) + r"[A-Za-z0-9_-]{80,}={0,2}")


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many secrets were encrypted anew, and how many had been before."""

    database: int
    file: int
    already: int


def rotate(vault: Vault, store: Store | None, file: Path | None) -> Rotated:
    """Encrypt all by the newest key, or nothing: SettingError names what no key opens.

    The file is put in its place last, and the database then committed. Stopped just between, both can be
    read with the same keys as before, and the next run does the rest.
    """
    renewed = _File(vault, file.resolve()) if file else None
    if store is None:
        replaced = renewed.replace() if renewed else 0
        return Rotated(0, replaced, renewed.already if renewed else 0)
    with store.write() as tx:
        database, already = _renew_rows(tx, vault)
        replaced = renewed.replace() if renewed else 0
    return Rotated(database, replaced, already + (renewed.already if renewed else 0))


def _renew_rows(tx: Transaction, vault: Vault) -> tuple[int, int]:
    places: list[tuple[str, str, Callable[[str], bool]]] = [
        *(
            (f"destination {one.name}", one.secrets, partial(configured.reseal_if_still, tx, one))
            for one in configured.every(tx)
            if one.secrets
        ),
        *(
            (f"account {one.name}", one.secrets, partial(accounts.reseal_if_still, tx, one))
            for one in accounts.every(tx)
            if one.secrets
        ),
    ]
    tokens = [_resealed(vault, place, token) for place, token, _ in places]
    changed = [(one, token) for one, token in zip(places, tokens, strict=True) if one[1] != token]
    for (place, _, put_if_still), token in changed:
        if not put_if_still(token):
            raise StoreError(
                f"the {place} was changed at this moment", hint="nothing was changed; run it again"
            )
    return len(changed), len(places) - len(changed)


class _File:
    """The file with its tokens renewed, to be put in the place of the one there is."""

    def __init__(self, vault: Vault, path: Path) -> None:
        """Raises SettingError where the file cannot be read, or a token in it not be opened."""
        self._path = path
        self._before = read_bytes(path)
        before = parse(self._before, path)
        tokens = {token: _resealed(vault, f"{path}: {place}", token) for token, place in _tokens(before)}
        # What stands in comments is renewed too, where it can be: somebody may take the mark away.
        self._after = _TOKEN.sub(_renewing(vault, tokens), self._before.decode()).encode()
        changed = [token for token, renewed in tokens.items() if token != renewed]
        self.changed, self.already = len(changed), len(tokens) - len(changed)
        if parse(self._after, path) != _mapped(before, tokens):
            raise SettingError(
                f"{path}: an encrypted secret is not written as one plain text",
                hint="write each as it was printed, in one line between quotes",
            )

    def replace(self) -> int:
        """Do it in one step, unless somebody changed the file meanwhile; returns how many were renewed."""
        if self._after == self._before:
            return 0
        try:
            with written_beside(self._path, self._after) as new:
                self._require_unchanged()
                new.replace(self._path)
                sync_folder(self._path.parent)
        except OSError as error:
            raise SettingError(
                f"{self._path} cannot be replaced: {error.strerror}",
                hint="run it where the file and its folder can be written; nothing was changed",
            ) from error
        return self.changed

    def _require_unchanged(self) -> None:
        if self._path.read_bytes() != self._before:
            raise SettingError(f"{self._path} was changed at this moment", hint="run it again")


@contextmanager
def written_beside(path: Path, content: bytes, *, mode: int | None = None) -> Iterator[Path]:
    """A new file in the same folder, safe on the disk, that whoever could read the old one can read.

    With a `mode`, those alone whom that lets.
    """
    was = path.stat()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(descriptor, stat.S_IMODE(was.st_mode) if mode is None else mode)
            if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, was.st_uid, was.st_gid)
            file.flush()
            os.fsync(descriptor)
        yield Path(name)
    finally:
        with suppress(FileNotFoundError):  # it has the other name by now
            Path(name).unlink()


def sync_folder(folder: Path) -> None:
    """Let the names in it be safe on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _resealed(vault: Vault, place: str, token: str) -> str:
    try:
        return vault.reseal(token)
    except SettingError as error:
        raise SettingError(f"{place}: {error.message}; nothing was changed", hint=error.hint) from None


def _renewing(vault: Vault, tokens: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    def renew(found: re.Match[str]) -> str:
        with suppress(SettingError):  # in a comment, sealed by a key of long ago: nobody can use it
            return tokens.get(found[0]) or vault.reseal(found[0])
        return found[0]

    return renew


def tokens_in_file(path: Path) -> dict[str, str]:
    """Each encrypted secret in a file of destinations, by where it stands. Raises SettingError."""
    return {place: token for token, place in _tokens(parse(read_bytes(path), path))}


def _tokens(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Each token with where it stands."""
    if isinstance(value, str) and value.startswith(MARK):
        yield value, place
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _tokens(one, f"{place}.{name}" if place else name)
    elif isinstance(value, list):
        for one in value:
            yield from _tokens(one, place)


def _mapped(value: Any, tokens: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _mapped(one, tokens) for name, one in value.items()}
    if isinstance(value, list):
        return [_mapped(one, tokens) for one in value]
    return tokens.get(value, value) if isinstance(value, str) else value

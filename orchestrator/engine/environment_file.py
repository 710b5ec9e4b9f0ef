"""A webhook endpoint's id and secrets in a file of settings, as systemd, Docker and shells read them."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from orchestrator.engine.endpoint_keeping import BELIEVED_FOR, being_replaced
from orchestrator.engine.rotation import sync_folder, written_beside
from orchestrator.errors import SettingError
from orchestrator.settings import PREFIX, SigningSecret

ENDPOINT, SECRETS = f"{PREFIX}WEBHOOK_ENDPOINT_ID", f"{PREFIX}WEBHOOK_SECRETS"
_OWNER_ALONE = 0o600
_BEGUN = "# the signing secret is being replaced, begun "
_NOTE = re.compile(rf"^{re.escape(_BEGUN)}.*\n?", re.MULTILINE)


def in_settings(new: SecretStr, before: Iterable[SigningSecret], now: float) -> str:
    """The value of the setting: the new secret, and until when those from before are believed."""
    until = {one.secret: one.until or now + BELIEVED_FOR for one in before if one.secret != new}
    retired = [SigningSecret(*one).written() for one in until.items() if one[1] > now]
    return ",".join((new.get_secret_value(), *retired))


class InFile:
    """In two lines of a file; everything else in it stays as it is.

    Nobody but its owner can read it afterwards, and its group where others than these could not before.
    """

    def __init__(self, path: Path, clock: Callable[[], float], given: Sequence[SigningSecret] = ()) -> None:
        """`given` are the secrets that settings name now, for a file without any; `clock` the wall clock."""
        self.where = str(path)
        self._path = path.resolve()  # a link stays one
        self._clock = clock
        self._given = tuple(given)
        self._note = ""

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else replace a secret in this folder meanwhile. Raises NotAllowed and SettingError."""
        try:
            # Of the folder: the file itself is another one each time. Given back however this process ends.
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise being_replaced() from None
            yield
        finally:
            os.close(folder)

    def known(self) -> tuple[str | None, bool]:
        """The endpoint that the file names, and whether its newest secret is there. Raises SettingError."""
        text = self._read()
        return _value(text, ENDPOINT) or None, bool(_value(text, SECRETS)) and not _NOTE.search(text)

    def begin(self) -> None:
        """Write a comment. Raises SettingError."""
        text = self._read()
        found = _NOTE.search(text)
        self._note = found[0] if found else ""
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds")
        self._replace(f"{_BEGUN}{now}\n{_NOTE.sub('', text)}")

    def forget(self) -> None:
        """Take the comment back, and leave there what was noted before."""
        self._replace(self._note + _NOTE.sub("", self._read()))

    def keep(self, endpoint_id: str, secret: SecretStr) -> None:
        """Write both lines: the new secret, and until when the others are believed."""
        text = _NOTE.sub("", self._read())
        secrets = in_settings(secret, self._secrets(text), self._clock())
        self._replace(_with(_with(text, ENDPOINT, endpoint_id), SECRETS, secrets))

    def _secrets(self, text: str) -> Sequence[SigningSecret]:
        said = [one.strip() for one in _value(text, SECRETS).split(",") if one.strip()]
        try:
            return [SigningSecret.read(one) for one in said] or self._given
        except ValueError:
            raise SettingError(
                f"{SECRETS} in {self._path} has a secret with an @ and no time after it",
                hint="correct it: whsec_…, or whsec_…@2026-01-31T12:00:00Z",
            ) from None

    def _read(self) -> str:
        try:
            return self._path.read_bytes().decode()  # line ends as they are
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise SettingError(
                f"{self._path} cannot be read: {why}", hint="name a file that this user may read and write"
            ) from None

    def _replace(self, text: str) -> None:
        """In one step: whoever reads the file sees the old or the new one."""
        try:
            self._make()
            was = stat.S_IMODE(self._path.stat().st_mode)
            mode = _OWNER_ALONE if was & 0o007 else was
            with written_beside(self._path, text.encode(), mode=mode) as new:
                new.replace(self._path)
                sync_folder(self._path.parent)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> SettingError:
        return SettingError(
            f"{self._path} cannot be written: {error.strerror}",
            hint="name a file in a folder that this user may write",
        )

    def _make(self) -> None:
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNER_ALONE))


def _line(name: str) -> re.Pattern[str]:
    """A setting as all that read such files take it: what follows a blank and a # is a comment to a shell."""
    value = r"\"[^\"\n]*\"|'[^'\n]*'|[^\s#'\"]\S*|"
    return re.compile(
        rf"^(?P<before>[ \t]*(?:export[ \t]+)?{name}=)(?P<value>{value})(?P<after>[ \t]*(?:[ \t]#.*)?\r?)$",
        re.MULTILINE,
    )


def _last(text: str, name: str) -> re.Match[str] | None:
    """The line that counts: whoever reads the file lets a later one take the place of an earlier one."""
    return next(reversed(list(_line(name).finditer(text))), None)


def _value(text: str, name: str) -> str:
    found = _last(text, name)
    return found["value"].strip("'\"") if found else ""


def _with(text: str, name: str, value: str) -> str:
    if found := _last(text, name):
        return f"{text[: found.start('value')]}{value}{text[found.end('value') :]}"
    end = "\r\n" if "\r\n" in text else "\n"
    return f"{text}{'' if not text or text.endswith(end) else end}{name}={value}{end}"

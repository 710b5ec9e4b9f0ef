"""A webhook endpoint's id and secrets in a file of settings, as systemd, Docker and shells read them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from orchestrator.engine.endpoint_keeping import BELIEVED_FOR
from orchestrator.engine.rotation import sync_folder, written_beside
from orchestrator.errors import SettingError
from orchestrator.settings import PREFIX

ENDPOINT, SECRETS = f"{PREFIX}WEBHOOK_ENDPOINT_ID", f"{PREFIX}WEBHOOK_SECRETS"
_MODE = 0o600
_BEGUN = "# the signing secret is being replaced, begun "
_DONE = "# the first of these secrets is the newest, since "
_OURS = re.compile(rf"^(?:{re.escape(_BEGUN)}|{re.escape(_DONE)}).*\n?", re.MULTILINE)


class InFile:
    """In two lines of a file, which nobody but its owner can read. Everything else in it stays as it is."""

    def __init__(self, path: Path, clock: Callable[[], float], given: Sequence[SecretStr] = ()) -> None:
        """`given` are the secrets that settings name now, for a file without any; `clock` the wall clock."""
        self.where = str(path)
        self._path = path.resolve()  # a link stays one
        self._clock = clock
        self._given = [one.get_secret_value() for one in given]

    def known(self) -> tuple[str | None, bool]:
        """The endpoint that the file names, and whether its newest secret is there. Raises SettingError."""
        text = self._read()
        return _value(text, ENDPOINT) or None, bool(_value(text, SECRETS)) and _BEGUN not in text

    def begin(self) -> None:
        """Write a comment. Raises SettingError."""
        self._replace(f"{_BEGUN}{self._now()}\n{_without(self._read(), _BEGUN)}")

    def forget(self) -> None:
        """Take the comment back."""
        self._replace(_without(self._read(), _BEGUN))

    def keep(self, endpoint_id: str, secret: SecretStr) -> None:
        """Write both lines, the new secret first. What was replaced before the last time goes, in time."""
        text = self._read()
        before = _value(text, SECRETS)
        known = [one.strip() for one in before.split(",") if one.strip()] if before else self._given
        kept = known if self._lately(text) else known[:1]
        secrets = ",".join(dict.fromkeys((secret.get_secret_value(), *kept)))
        text = _with(_with(_OURS.sub("", text), ENDPOINT, endpoint_id), SECRETS, secrets)
        self._replace(f"{_DONE}{self._now()}\n{text}")

    def _lately(self, text: str) -> bool:
        """Whether more than one of the old ones may still sign what is under way, or nobody can say."""
        found = re.search(f"^{re.escape(_DONE)}(.+)$", text, re.MULTILINE)
        if found is None:
            return True
        with suppress(ValueError):
            return self._clock() - datetime.fromisoformat(found[1].strip()).timestamp() < BELIEVED_FOR
        return True

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds")

    def _read(self) -> str:
        try:
            return self._path.read_text()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text in UTF-8"
            raise SettingError(
                f"{self._path} cannot be read: {why}", hint="name a file that this user may read and write"
            ) from None

    def _replace(self, text: str) -> None:
        """In one step: whoever reads the file sees the old or the new one."""
        try:
            self._make()
            with written_beside(self._path, text.encode(), mode=_MODE) as new:
                new.replace(self._path)
                sync_folder(self._path.parent)
        except OSError as error:
            raise SettingError(
                f"{self._path} cannot be written: {error.strerror}",
                hint="name a file in a folder that this user may write",
            ) from None

    def _make(self) -> None:
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _MODE))


def _line(name: str) -> re.Pattern[str]:
    return re.compile(rf"^(?P<export>(?:export )?){name}=(?P<value>.*)$", re.MULTILINE)


def _value(text: str, name: str) -> str:
    found = _line(name).search(text)
    return found["value"].strip().strip("'\"") if found else ""


def _with(text: str, name: str, value: str) -> str:
    if _line(name).search(text):
        return _line(name).sub(lambda found: f"{found['export']}{name}={value}", text, count=1)
    ended = text if not text or text.endswith("\n") else f"{text}\n"
    return f"{ended}{name}={value}\n"


def _without(text: str, beginning: str) -> str:
    return re.sub(f"^{re.escape(beginning)}.*\n?", "", text, flags=re.MULTILINE)

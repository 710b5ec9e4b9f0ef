"""Standard input, output and error: there in every case, and what cannot be printed is said."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import TextIOWrapper
from typing import Any, NoReturn, TextIO, cast

from orchestrator.errors import OrchestratorError

STDOUT = 1  # the descriptor


class OutputLost(OrchestratorError):
    """Standard output could not be written."""

    default_hint = "only what was to be printed is lost: `orchestrator jobs` shows what was done"


class ReaderLeft(OutputLost):
    """Who reads standard output had enough, as `head` has: nothing to complain about."""


@contextmanager
def standard_streams() -> Iterator[None]:
    """Put something in the place of streams that are closed, and let print() raise OutputLost."""
    while (lowest := os.open(os.devnull, os.O_RDONLY)) <= 2:
        pass  # taken now, so that no file of ours is opened there and then printed into
    os.close(lowest)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # type: ignore[unreachable]
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # type: ignore[unreachable]
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict")  # some locales let any bytes pass
    out = sys.stdout or open(STDOUT, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if isinstance(out, TextIOWrapper):
        out.reconfigure(errors="backslashreplace")  # a path may be bytes that are no text
    with redirect_stdout(cast("TextIO", _Output(out))):
        yield


class _Output:
    """Standard output whose failures are errors of ours."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            _lost(error)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            _lost(error)


def _lost(error: OSError) -> NoReturn:
    # Python flushes once more at its end and would complain there again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
    kind = ReaderLeft if error.errno == errno.EPIPE else OutputLost
    raise kind(f"standard output cannot be written: {error.strerror or error}") from error

"""Redis' errors in words: what happened, and what a person does about it.

What a server says is not repeated where it is not known: some repeat the command, and with it the password.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from orchestrator.errors import DestinationError

PASSWORD = "put the right user and password into the destination's URL"
WORDS = {
    "NOAUTH": ("it wants a password", PASSWORD),
    "WRONGPASS": ("it refuses the password", PASSWORD),
    "NOPERM": (
        "the user may not do this",
        "allow it eval, type, get, set, del and xadd on the stream and on the keys beside it",
    ),
    "WRONGTYPE": (
        "something that is not a stream has the stream's name",
        "choose another stream, or move that away",
    ),
    "OOM": ("its memory is used up", "raise maxmemory, or let the stream be trimmed (`maxlen`)"),
    "READONLY": ("it is a replica", "give the address of the primary: after a failover it may be another"),
    "MISCONF": ("it takes no writes, since it cannot save to its disk", "free space there; see its log"),
    "NOREPLICAS": ("it takes no writes, since too few replicas follow it", "look at its replicas"),
    "LOADING": ("it is still reading its data", "it is tried again"),
    "BUSY": ("a script of somebody else holds it up", "see SCRIPT KILL"),
    "MOVED": (
        "another node of its cluster has the stream",
        "give the address of that node, or of a proxy that knows the cluster",
    ),
    "ASK": ("the stream is being moved to another node of its cluster", "it is tried again"),
    "TRYAGAIN": ("the stream is being moved to another node of its cluster", "it is tried again"),
    "CLUSTERDOWN": ("its cluster is down", "look at the cluster's nodes"),
    "MASTERDOWN": ("it is a replica that has lost its primary", "give the address of the primary"),
}
_CLASSES = {
    redis.exceptions.BusyLoadingError: "LOADING",
    redis.exceptions.ReadOnlyError: "READONLY",
    redis.exceptions.NoPermissionError: "NOPERM",
    redis.exceptions.OutOfMemoryError: "OOM",
    redis.exceptions.MasterDownError: "MASTERDOWN",
    redis.exceptions.ClusterDownError: "CLUSTERDOWN",
    redis.exceptions.TryAgainError: "TRYAGAIN",
    redis.exceptions.MovedError: "MOVED",
    redis.exceptions.AskError: "ASK",
}
_CODE = re.compile(rf"\b({'|'.join(WORDS)})\b")
_SAID_WITHOUT_CODE = {
    "user executing the script can't": "NOPERM",  # version 6
    "ACL failure in script": "NOPERM",  # version 7
    "unauthenticated": "NOAUTH",  # version 7, of a command that is long
}


@contextmanager
def translated(doing: str, place: str, timeout: float) -> Iterator[None]:
    """Raise DestinationError in place of any error of a client that waits for `timeout` seconds."""
    try:
        yield
    except (redis.RedisError, OSError, UnicodeError) as error:
        words, hint = _words(error, timeout)
        raise DestinationError(f"cannot {doing} {place}: {words}", hint=hint) from None


def _words(error: Exception, timeout: float) -> tuple[str, str]:
    if isinstance(error, redis.TimeoutError | TimeoutError):
        # A write may have been done all the same: then the next attempt is told of it.
        return f"no answer within {timeout:g} s", "see whether it runs and is not overloaded"
    code = _code(error)
    if code:
        return f"{WORDS[code][0]} ({code})", WORDS[code][1]
    if isinstance(error, redis.ResponseError):
        return f"it answers {_first_words(error)}", "see whether it is a Redis of version 5 or newer"
    return (
        f"it cannot be reached: {_first_words(error)}",
        "see whether it runs, and the host and port in the URL",
    )


def _code(error: Exception) -> str | None:
    if isinstance(error, redis.AuthenticationError):
        return "NOAUTH" if "required" in str(error) else "WRONGPASS"
    for kind, code in _CLASSES.items():
        if isinstance(error, kind):
            return code
    if not isinstance(error, redis.ResponseError):
        return None
    for words, code in _SAID_WITHOUT_CODE.items():
        if words in str(error):
            return code
    found = _CODE.search(str(error))  # not at its beginning, where it is a script's
    return found[1] if found else None


def _first_words(error: Exception) -> str:
    text = str(error).partition(", with args")[0]
    return "".join(letter if letter.isprintable() else " " for letter in text[:120]).strip() or "nothing"

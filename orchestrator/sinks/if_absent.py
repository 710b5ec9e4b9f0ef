"""How a store is made to keep the first object under a key, where two attempts publish at once.

Google Cloud Storage and Azure refuse to overwrite when they are asked to, for a put and for a copy. So does
S3, for both by `If-None-Match: *`, and R2 by a header of its own for copies. Of the many servers that speak
S3, some know the header for puts alone and some for none, and ignore it in silence. So each is tried once,
with two empty objects. Where it does not refuse, a look comes before: two attempts that look within the same
instant then both succeed, and the later replaces the earlier, each of them whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import obstore
from obstore.exceptions import AlreadyExistsError, GenericError, NotSupportedError, PreconditionError
from obstore.store import ObjectStore

from orchestrator.sinks.object_errors import STATUS

COPY_HEADERS = ("header: If-None-Match: *", "header: cf-copy-destination-if-none-match: *")
TRIES = 3
NOT_UNDERSTOOD = ("400", "501")


@dataclass(frozen=True, slots=True)
class Refuses:
    """Whether a put is refused where there is something, and the store whose copies are, if there is one."""

    put: bool
    copier: ObjectStore | None


def made(call: Callable[[], object]) -> bool:
    """Whether it was done; not where something is there already, or what was to be copied is not."""
    try:
        call()
    except (AlreadyExistsError, PreconditionError, FileNotFoundError):
        return False
    return True


def learn(store: ObjectStore, copiers: Sequence[ObjectStore], scratch: str) -> Refuses:
    """Try what the store refuses; `scratch` is a key that is nobody else's."""
    one, other = f"{scratch}-1", f"{scratch}-2"
    for key in (one, other):
        obstore.put(store, key, b"")
    try:
        put = _refused(lambda: obstore.put(store, other, b"", mode="create"))
        fit = (
            copier
            for copier in copiers
            if _refused(lambda: obstore.copy(copier, one, other, overwrite=False))  # noqa: B023 - called at once
        )
        return Refuses(put, next(fit, None))
    finally:
        for key in (one, other):
            obstore.delete(store, key)


def _refused(call: Callable[[], object]) -> bool:
    """Whether one of some tries is: a newer attempt may remove what is in the way just before any of them."""
    return any(_refused_once(call) for _ in range(TRIES))


def _refused_once(call: Callable[[], object]) -> bool:
    try:
        call()
    except (AlreadyExistsError, PreconditionError):
        return True
    except NotSupportedError:
        return False
    except GenericError as error:
        status = STATUS.search(str(error))
        if status and status[1] in NOT_UNDERSTOOD:
            return False
        raise
    return False

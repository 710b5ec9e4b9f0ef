"""Which jobs are alike, for learning when they end; and over which channel their webhooks come."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

ANY_SIZE = ""
UNKNOWN = "unknown"
DEFAULT_MODEL = "sora-2"  # gateway contract 1.1: what is taken where a request names none
SECONDS = (4, 8, 12, 20, 60, 120)  # of video: up to so many are one size
_LONGEST_WORD = 60
_APART = "|"
_ALL = "*"


def class_of(request: Mapping[str, Any], provider: str | None) -> str:
    """The class of a job: provider, the model asked for, and the size of what is asked for."""
    return _APART.join((_word(provider or UNKNOWN), _word(model_of(request)), _size(request)))


def model_of(request: Mapping[str, Any]) -> str:
    """The model asked for: only status answers tell the provider's own name of it, so not of every job."""
    model = request.get("model")
    return model if isinstance(model, str) and model else DEFAULT_MODEL


def wider(name: str) -> str:
    """The class of all sizes that a class belongs to."""
    provider, model, _ = name.split(_APART)
    return _APART.join((provider, model, ANY_SIZE))


def channel_of(account_id: str, provider: str | None) -> str:
    """The channel over which webhooks of an account's endpoint about a provider's jobs come."""
    return _APART.join((account_id, _word(provider or UNKNOWN)))


def everywhere(channel: str) -> str:
    """The channel of all providers that a channel belongs to: the endpoint itself."""
    return _APART.join((channel.partition(_APART)[0], _ALL))


def parts(name: str) -> list[str]:
    """What a class or a channel is made of."""
    return name.split(_APART)


def _size(request: Mapping[str, Any]) -> str:
    shape = request.get("size") or request.get("resolution")
    sizes = [_length(request), _word(shape) if isinstance(shape, str) else ""]
    return " ".join(filter(None, sizes)) or "usual"


def _length(request: Mapping[str, Any]) -> str:
    asked = request.get("duration") or request.get("seconds")
    try:
        seconds = float(asked) if asked is not None and not isinstance(asked, bool) else None
    except (TypeError, ValueError):
        return ""
    if seconds is None or not 0 < seconds < 1e6:
        return ""
    at = bisect_left(SECONDS, seconds)
    return f"{SECONDS[at]}s" if at < len(SECONDS) else f">{SECONDS[-1]}s"


def without_nul(text: str) -> str:
    """What PostgreSQL keeps as text: callers name what they like, and JSON carries NUL characters."""
    return text.replace("\x00", "\ufffd")


def _word(text: str) -> str:
    return without_nul(text).replace(_APART, "/").strip().lower()[:_LONGEST_WORD]

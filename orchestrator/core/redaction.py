"""Secrets taken out of texts that others wrote, such as the words of an exception. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote, unquote, urlsplit

MASK = "********"
SHORTEST = 4  # characters; what is shorter is no secret, and stands in every sentence


class Redactor:
    """Knows some secrets, and puts asterisks in their place."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spelled = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST}
        self._spelled = sorted(spelled, key=len, reverse=True)  # or a part would hide the whole

    def text(self, text: str) -> str:
        """The text without them."""
        for one in self._spelled:
            text = text.replace(one, MASK)
        return text

    def finds_in(self, text: str) -> bool:
        """Whether one of them is in the text."""
        return any(one in text for one in self._spelled)


def _forms(secret: str) -> set[str]:
    """As it is, as it stands in a URL, in JSON and in Python, and the password alone where it is a URL."""
    whole = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    return whole | {form for one in _passwords(secret) for form in (one, unquote(one))}


def _passwords(url: str) -> set[str]:
    try:
        found = urlsplit(url).password if "://" in url else None
    except ValueError:
        found = None
    return {found} if found else set()

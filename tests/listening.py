"""A client of event streams: collects what comes, in a thread of its own."""

import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.patience import LONG

_TLS = ssl.create_default_context()  # made once: it takes longer than a test may


@dataclass(frozen=True)
class Heard:
    """One event as it came."""

    id: str | None
    type: str | None
    data: Any


class Listener:
    """One stream. `path` begins after the base URL; a key goes into the header, a token into the URL."""

    def __init__(
        self, base: str, path: str, *, key: str = "", token: str = "", last: str = "", **query: Any
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers |= {"Last-Event-ID": last} if last else {}
        query |= {"token": token} if token else {}
        self.heard: list[Heard] = []
        self.last_id = last
        self.over = False
        self._changed = threading.Condition()
        self._client = httpx.Client(timeout=httpx.Timeout(LONG), verify=_TLS)
        request = self._client.build_request("GET", f"{base}{path}", params=query, headers=headers)
        self._response = self._client.send(request, stream=True)
        self.status, self.headers = self._response.status_code, self._response.headers
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def wait(self, what: Callable[[list[Heard]], bool]) -> list[Heard]:
        """Return what was heard once it is so."""
        with self._changed:
            assert self._changed.wait_for(lambda: what(self.heard), LONG), f"heard only {self.heard}"
            return list(self.heard)

    def count(self, many: int) -> list[Heard]:
        """What was heard, once it is so many events."""
        return self.wait(lambda heard: len(heard) >= many)

    def began(self) -> "Listener":
        """Once the stream has really begun: what is told from now on is told to it."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._begun or self.over, LONG)
        return self

    def end(self) -> list[Heard]:
        """What was heard in all, once the server has ended the stream."""
        self._thread.join(LONG)
        assert not self._thread.is_alive(), "the stream goes on"
        return self.heard

    def close(self) -> None:
        """Go away."""
        self._response.close()
        self._client.close()

    _begun = False

    def _listen(self) -> None:
        fields: dict[str, str] = {}
        try:
            for line in self._response.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    self._take(fields)
                    fields = {}
        except (httpx.HTTPError, httpx.StreamError, OSError):
            pass
        with self._changed:
            self.over = True
            self._changed.notify_all()

    def _take(self, fields: dict[str, str]) -> None:
        with self._changed:
            self._begun = True
            self.last_id = fields.get("id", self.last_id)
            if "data" in fields:
                self.heard.append(Heard(fields.get("id"), fields.get("event"), json.loads(fields["data"])))
            self._changed.notify_all()

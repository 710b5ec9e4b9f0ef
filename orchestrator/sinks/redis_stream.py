"""Results as entries of a Redis stream, each once: its name is remembered beside the stream for some days.

One script, which Redis runs as one step, looks whether the name is remembered, adds the entry and remembers
it. So however often an attempt is repeated, and whatever is killed in between, there is one entry, as long
as Redis remembers. It forgets: after the window; with its memory, if it keeps no file (`appendonly yes`) or
loses the file's last second; when it evicts keys (`maxmemory-policy` other than `noeviction`); and what its
replica had not yet got when that one takes over. A hand-off that is repeated after that makes a second
entry with the same `id`, and an entry that Redis forgot after it told us of it is lost to it.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, urlsplit

import redis
from pydantic import Field, SecretStr, field_validator
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.errors import DestinationError, SettingError
from orchestrator.sinks.base import Delivered, Parcel, SinkOptions, Tools
from orchestrator.sinks.documents import Document
from orchestrator.sinks.names import require_safe
from orchestrator.sinks.redis_errors import translated
from orchestrator.sinks.redis_scripts import CHECK, PUBLISH

TIMEOUT = 3.0  # seconds, for connecting and for each answer
WEEK = 7 * 86_400
MOST = 1_000_000_000  # seconds, or entries; Redis refuses numbers that are much larger
PROBE = ".check"  # as no parcel is called

# Printable, with braces around one hash tag at most.
_STREAM = re.compile(r"[!-z|~]+|[!-z|~]*\{[!-z|~]+\}[!-z|~]*")
_MARK = re.compile(rb"([0-9]+-[0-9]+) ([0-9]+) ([0-9a-f]{64})")


class RedisStreamSink:
    """A stream as destination; it takes documents, and tells by them where the files are."""

    takes_files: ClassVar[bool] = False

    class Options(SinkOptions):
        """A stream of a Redis of version 5 or newer, or of one node of a Redis Cluster."""

        url: SecretStr = Field(description="redis://USER:PASSWORD@HOST:PORT/DATABASE, or rediss:// for TLS.")
        stream: str = Field(max_length=200, description="The stream's key; the first entry creates it.")
        window_seconds: int = Field(
            WEEK,
            gt=0,
            le=MOST,
            description="How long the name of an entry is remembered, so that it is added only once; 7 "
            "days by default.",
        )
        maxlen: int | None = Field(
            None,
            gt=0,
            le=MOST,
            description="Trim the stream to about this many entries, read or not. Default: never.",
        )

        @field_validator("url")
        @classmethod
        def _is_of_redis(cls, value: SecretStr) -> SecretStr:
            try:
                parts = urlsplit(value.get_secret_value())
                usable = parts.scheme in ("redis", "rediss") and parts.hostname and parts.port != 0
            except ValueError:  # it may repeat the URL
                usable = False
            if not usable or not re.fullmatch(r"/?[0-9]*", parts.path):
                raise ValueError("is not like redis://user:password@host:6379/0")
            if not all(name.startswith("ssl_") for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
                raise ValueError("has options after `?` other than ssl_…")
            return value

        @field_validator("stream")
        @classmethod
        def _has_one_slot(cls, value: str) -> str:
            if not _STREAM.fullmatch(value):
                raise ValueError("is not printable ASCII without spaces, with one pair of braces at most")
            return value

    @classmethod
    def build(cls, options: Options, tools: Tools) -> Self:
        """The stream that the options name. Nothing is connected yet."""
        return cls(options)

    def __init__(self, options: Options) -> None:
        url = options.url.get_secret_value()
        self._options = options
        self._place = f"{_without_user(url)} stream {options.stream}"
        try:
            self._client = redis.Redis.from_url(
                url,
                protocol=2,
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                # Once, for a connection that was cut while nobody used it; a name makes it harmless.
                retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
            )
        except (ValueError, TypeError, redis.RedisError):
            raise SettingError(
                f"the options in the URL of {self._place} cannot be used", hint="see ssl_… of redis-py"
            ) from None

    def find(self, parcel: Parcel) -> Delivered | None:
        """What was added under this name, as it is remembered: consumers may have removed the entry since."""
        key = self._seen(parcel.name)
        with self._translated("read"):
            mark = self._client.get(key)
        return None if mark is None else self._delivered(mark)

    def stage(self, parcel: Parcel, attempt: int) -> Document:
        """Begin an attempt; Redis hears nothing of it before it is published."""
        self._seen(parcel.name)
        return Document(parcel, self.add)

    def add(self, parcel: Parcel, data: bytes) -> Delivered:
        """Add the entry, unless its name is remembered; what is told is of the first."""
        keys = (self._options.stream, self._seen(parcel.name))
        facts = f"{len(data)} {hashlib.sha256(data).hexdigest()}"
        fields: dict[str, str | bytes] = {
            "id": parcel.name,
            "type": parcel.event,
            "timestamp": datetime.fromtimestamp(parcel.at, UTC).isoformat(timespec="milliseconds"),
            "data": data,
        }
        pairs = [word for pair in fields.items() for word in pair]
        window, most = self._options.window_seconds, self._options.maxlen or ""
        with self._translated("add to"):
            mark = self._client.eval(PUBLISH, len(keys), *keys, facts, window, most, *pairs)
        return self._delivered(mark)

    def check(self) -> None:
        """Write, read and remove a key beside the stream, and try whether entries may be added; none is."""
        with self._translated("write into"):
            back = self._client.eval(CHECK, 2, self._options.stream, self._key(PROBE), "probe")
        if back != b"probe":
            raise DestinationError(
                f"cannot use {self.place}: what is written is not read again", hint="see its log"
            )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @property
    def place(self) -> str:
        """Server and stream, without the password."""
        return self._place

    def _seen(self, name: str) -> str:
        require_safe(name, f"an entry of {self._place}")
        return self._key(name)

    def _key(self, name: str) -> str:
        """A key beside the stream; braces let both lie on one node of a cluster."""
        stream = self._options.stream
        return f"{stream if '{' in stream else f'{{{stream}}}'}:seen:{name}"

    def _delivered(self, mark: Any) -> Delivered:
        found = _MARK.fullmatch(mark) if isinstance(mark, bytes) else None
        if found is None:
            raise DestinationError(
                f"cannot use {self._place}: a key beside it has what we never wrote",
                hint="nobody else is to use keys that have the stream's name and `:seen:`",
            )
        return Delivered(f"{self._place} entry {found[1].decode()}", int(found[2]), found[3].decode())

    def _translated(self, doing: str) -> Any:
        return translated(doing, self._place, TIMEOUT)


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"

"""How requests go to the API and answers come back: key, time limits, retries, errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from orchestrator import __version__
from orchestrator.client.problems import error_of, is_passing
from orchestrator.client.surroundings import Surroundings
from orchestrator.errors import ApiBadAnswer, ApiError, ApiUnreachable, SettingError

ATTEMPTS = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0  # seconds; doubles from attempt to attempt
LONGEST_WISH = 60.0  # seconds; who is to come back later than this is told so instead

Answer = TypeVar("Answer", bound=BaseModel)
Value = str | int | float | bool
Query = Mapping[str, Value | Sequence[Value] | None]


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `repeatable`: twice does no more than once. `wait`: how long it may take more."""

    method: str
    path: str
    query: Query = field(default_factory=dict)
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False
    wait: float = 0.0


class Connection:
    """The API at one URL, for one key."""

    def __init__(
        self,
        url: str,
        key: SecretStr,
        *,
        timeout: float,
        transport: httpx.BaseTransport | None,
        around: Surroundings,
        traceparent: Callable[[], str | None] | None,
    ) -> None:
        self.around = around
        self._url = _base(url)
        self._timeout = timeout
        self._traceparent = traceparent
        self._http = httpx.Client(
            base_url=self._url,
            auth=_Bearer(_sendable(key)),
            headers={"user-agent": f"orchestrator-client/{__version__}", "accept": "application/json"},
            transport=transport,
            verify=not self._url.lower().startswith("http:"),  # certificates take 25 to 50 ms to read
        )

    def close(self) -> None:
        """Close what is kept open to the server."""
        self._http.close()

    def ask(self, call: Call, kind: type[Answer]) -> Answer:
        """The answer. Raises ApiError."""
        response = self.send(call)
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            raise self._not_understood(response, kind, error) from None

    def send(self, call: Call) -> httpx.Response:
        """An answer that is no error, sent again where that helps and harms nothing. Raises ApiError."""
        attempt = 1
        while True:
            try:
                with self.opened(call) as response:
                    response.read()
                return response
            except ApiError as error:
                if not (call.repeatable and attempt < ATTEMPTS and may_try_again(error)):
                    raise
                self.around.sleep(self.pause(attempt, error))
            attempt += 1

    @contextmanager
    def opened(self, call: Call) -> Iterator[httpx.Response]:
        """An answer whose body is not read yet, asked for once. Raises ApiError, also while it is read."""
        try:
            with self._http.stream(
                call.method,
                call.path,
                params=_plain(call.query),
                content=call.body,
                headers=self._headers(call),
                timeout=httpx.Timeout(self._timeout, read=self._timeout + call.wait),
            ) as response:
                if not response.is_success:
                    response.read()
                    raise error_of(response)
                yield response
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise self._unreachable(error) from error

    def pause(self, attempt: int, error: ApiError) -> float:
        """Seconds until the next attempt: what the server asks for, or a growing span; chance only adds."""
        span = max(error.retry.after, min(FIRST_PAUSE * 2.0 ** (attempt - 1), LONGEST_PAUSE))
        return span * (1 + self.around.chance() / 4)

    def _headers(self, call: Call) -> dict[str, str]:
        traced = self._traceparent and self._traceparent()
        more = {"traceparent": traced} if traced else {}
        typed = {"content-type": "application/json"} if call.body is not None else {}
        return {**typed, **more, **call.headers}

    def _unreachable(self, error: httpx.HTTPError) -> ApiUnreachable:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return ApiUnreachable(f"{self._url} cannot be reached: {str(error) or 'no connection in time'}")
        told = "took too long" if isinstance(error, httpx.TimeoutException) else "was cut off"
        return ApiUnreachable(
            f"the answer of {self._url} {told}",
            hint="whether it was done is unknown: look before you ask again",
        )

    def _not_understood(
        self, response: httpx.Response, kind: type[BaseModel], error: ValidationError
    ) -> ApiBadAnswer:
        said = response.headers.get("content-type", "no type").partition(";")[0]
        if said != "application/json":
            return ApiBadAnswer(
                f"{self._url} answered with {said} instead of JSON",
                hint="check the URL: it is what stands before /v1",
                status=response.status_code,
            )
        place = ".".join(str(step) for step in error.errors(include_input=False)[0]["loc"])
        return ApiBadAnswer(
            f"{self._url} answered with something other than a {kind.__name__}"
            + (f": {place} does not fit" if place else ""),
            hint="server and client may be of versions that do not fit: upgrade the older one",
            status=response.status_code,
            request_id=response.headers.get("x-request-id"),
        )


def may_try_again(error: ApiError) -> bool:
    """Whether the same request may be answered soon."""
    return is_passing(error) and error.retry.after <= LONGEST_WISH


class _Bearer(httpx.Auth):
    """Puts the key into each request, and nowhere else."""

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["authorization"] = f"Bearer {self._key.get_secret_value()}"
        yield request


def _base(url: str) -> str:
    """The server's URL without `/v1` and what follows. Raises SettingError."""
    wrong = SettingError(
        "the API's URL must look like https://host or https://host/path",
        hint="keys and tokens have no place in it",
    )
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        raise wrong from None
    if not sound or parts.username is not None or parts.query or parts.fragment or not url.isprintable():
        raise wrong
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def _sendable(key: SecretStr) -> SecretStr:
    """A key that can stand in a header. Raises SettingError, which does not show it."""
    shown = key.get_secret_value()
    if not shown or not shown.isascii() or not all("!" <= one <= "~" for one in shown):
        raise SettingError(
            "the API key is empty or has characters that no key has",
            hint="give it as `orchestrator keys make` printed it",
        )
    return key


def _plain(query: Query) -> dict[str, str | list[str]]:
    """Without what was not said; true and false as JSON has them."""
    return {
        name: [_word(one) for one in value]
        if isinstance(value, Sequence) and not isinstance(value, str)
        else _word(value)
        for name, value in query.items()
        if value is not None
    }


def _word(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

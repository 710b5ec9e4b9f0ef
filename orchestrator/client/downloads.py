"""Outputs: read once, over as many connections as it takes, and checked against what the API says of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx

from orchestrator.client.connection import ATTEMPTS, Call, Connection
from orchestrator.errors import ApiBadAnswer, ApiUnreachable, ContentError, RequestError
from orchestrator.wire.jobs import Output


def chunks(connection: Connection, path: str, output: Output) -> Iterator[bytes]:
    """The bytes of an output. The last one is given before the check: ContentError is raised after it."""
    digest, got, silent, tag = hashlib.sha256(), 0, 0, ""
    while True:
        try:
            with connection.opened(_call(path, got, tag)) as response:
                tag = tag or response.headers.get("etag", "")
                for chunk in _from(response, got):
                    digest.update(chunk)
                    got, silent = got + len(chunk), 0
                    yield chunk
            break
        except ApiUnreachable as error:
            if got == output.bytes:
                break
            silent += 1
            if silent >= ATTEMPTS:
                raise
            connection.around.sleep(connection.pause(silent, error))
    _require_whole(output, got, digest.hexdigest())


def save(parts: Iterator[bytes], path: Path) -> None:
    """Put them into a file, which is there whole or not at all. Raises RequestError if it cannot be."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            for part in parts:
                file.write(part)
        partial.replace(path)
    except OSError as error:
        raise RequestError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _call(path: str, got: int, tag: str) -> Call:
    headers = {"accept": "*/*", "accept-encoding": "identity"}
    if got:
        headers["range"] = f"bytes={got}-"
        if tag.startswith('"'):
            headers["if-range"] = tag
    return Call("GET", path, headers=headers)


def _from(response: httpx.Response, got: int) -> Iterator[bytes]:
    """What follows after so many bytes, also where the server gives all of it."""
    skip = got
    if response.status_code == 206:
        if not response.headers.get("content-range", "").startswith(f"bytes {got}-"):
            raise ApiBadAnswer("the API gave another part of the output than was asked for")
        skip = 0
    for chunk in response.iter_raw():
        rest = chunk[skip:]
        skip -= len(chunk) - len(rest)
        if rest:
            yield rest


def _require_whole(output: Output, got: int, sha256: str) -> None:
    if output.bytes is not None and got != output.bytes:
        raise ContentError(
            f"output {output.index} has {got} bytes, not {output.bytes}", hint="fetch it again"
        )
    if output.sha256 is not None and sha256 != output.sha256:
        raise ContentError(
            f"output {output.index} was changed on its way: its SHA-256 differs", hint="fetch it again"
        )

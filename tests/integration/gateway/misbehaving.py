"""Scripts of servers that fail after a request has reached them."""

import asyncio

from tests.integration.gateway.servers import Wire

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n"


async def cut_before_headers(wire: Wire) -> None:
    await wire.request()


async def cut_mid_headers(wire: Wire) -> None:
    await wire.request()
    await wire.send(HEAD[:30])


async def cut_mid_body(wire: Wire) -> None:
    await wire.request()
    await wire.send(HEAD + b'{"id": "G-1", "status": "completed"}')


async def reset(wire: Wire) -> None:
    await wire.request()
    wire.writer.transport.abort()


async def reset_before_the_body_is_read(wire: Wire) -> None:
    await wire.reader.readuntil(b"\r\n\r\n")
    wire.writer.transport.abort()


async def nonsense(wire: Wire) -> None:
    await wire.request()
    await wire.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


async def huge_headers(wire: Wire) -> None:
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 300_000 + b"\r\n\r\n")


async def drip(wire: Wire) -> None:
    await wire.request()
    await wire.send(HEAD.replace(b"application/json", b"video/mp4"))
    while True:
        await wire.send(b" ")
        await asyncio.sleep(0.02)


async def oversized(wire: Wire) -> None:
    await wire.request()
    await wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        await wire.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")

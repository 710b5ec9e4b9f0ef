"""The receiver of the guide as a process: `receiver_process FILE PORT whole|before|after`.

With `before` and `after` it says so on its output when a call is there that it has not begun, or has done
and not answered, and then does nothing more: there it is killed.
"""

import asyncio
import importlib.util
import socket
import sys
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def load(path: str) -> ASGIApp:
    spec = importlib.util.spec_from_file_location("receiver", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    app: ASGIApp = module.app
    return app


def stopping(app: ASGIApp, where: str) -> ASGIApp:
    """The same app, that never answers."""

    async def swallow(_: Message) -> None:
        """The answer stays here."""

    async def stopped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        if where == "after":
            await app(scope, receive, swallow)
        print(where, flush=True)
        await asyncio.Event().wait()

    return stopped


def main(path: str, port: str, where: str) -> None:
    app: Any = load(path) if where == "whole" else stopping(load(path), where)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", int(port)))
        listening.listen()
        print("ready", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


if __name__ == "__main__":
    main(*sys.argv[1:])

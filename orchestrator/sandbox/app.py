"""The sandbox as an ASGI application: every route in one list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route, WebSocketRoute

from orchestrator.sandbox import content, control, creation, endpoint_routes, videos, websocket
from orchestrator.sandbox.config import SandboxConfig
from orchestrator.sandbox.front import Front
from orchestrator.sandbox.gateway import Gateway


def create_app(config: SandboxConfig, address: str | None = None) -> Starlette:
    """A sandbox gateway. `address` is `http://host:port` as clients reach it, for the URLs in its answers."""
    gateway = Gateway(config)
    if address:
        gateway.base = address

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await gateway.outbox.close()

    app = Starlette(routes=_routes(), middleware=[Middleware(Front, gateway)], lifespan=lifespan)
    app.state.gateway = gateway
    return app


def _video_routes(base: str) -> list[BaseRoute]:
    return [
        Route(f"{base}/{{id}}", videos.get_video, methods=["GET"]),
        Route(base, creation.create_video, methods=["POST"]),
        Route(base, videos.list_videos, methods=["GET"]),
        Route(f"{base}/{{id}}/content", content.get_content, methods=["GET"]),
        Route(f"{base}/{{id}}/download_url", videos.download_url, methods=["POST"]),
        Route(f"{base}/{{id}}/cancel", videos.cancel_video, methods=["POST"]),
        Route(f"{base}/{{id}}", videos.delete_video, methods=["DELETE"]),
    ]


def _routes() -> list[BaseRoute]:
    return [
        Route("/v1/videos/models", videos.list_models, methods=["GET"]),
        *_video_routes("/v1/videos"),
        *_video_routes("/v1/video/generations"),  # the same under the gateway's other name
        WebSocketRoute("/v1/async/{kind}/{id}/ws", websocket.follow),
        Route("/v1/async/{kind}/{id}/ws", websocket.needs_upgrade, methods=["GET"]),
        *endpoint_routes.ROUTES,
        *control.ROUTES,
    ]

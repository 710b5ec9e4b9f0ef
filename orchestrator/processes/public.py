"""What is reached from outside: the receiver of webhooks, outputs by their links, API and dashboard."""

from __future__ import annotations

import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from orchestrator import wiring
from orchestrator.core.job import Output
from orchestrator.engine.access import Guard
from orchestrator.engine.context import Context
from orchestrator.engine.receive import prove_ready
from orchestrator.errors import StoreError
from orchestrator.processes.listening import Listening
from orchestrator.settings import Settings
from orchestrator.store import outputs
from orchestrator.web.api.app import PREFIX as API_PREFIX
from orchestrator.web.api.app import make_api
from orchestrator.web.api.door import Door
from orchestrator.web.dashboard.app import make_dashboard
from orchestrator.web.doors import Doors, Part
from orchestrator.web.hub import Hub
from orchestrator.web.middleware import Bodies, Heads, Named, Recorded, SecurityHeaders
from orchestrator.web.outputs import output_routes
from orchestrator.web.problems import problem
from orchestrator.web.receiver import Send, make_receiver
from orchestrator.web.server import make_server

LARGEST_FORM = 65_536  # bytes that the dashboard is sent


def public_server(
    context: Context, send: Send, listening: Listening, hub: Hub, *, beat_expected: bool
) -> uvicorn.Server:
    """All in one server, as `web` and `up` run it."""
    app = public_app(context, send, listening, hub, beat_expected=beat_expected)
    return make_server(app, listening.limits, before_stop=hub.stop)


def keeps_nothing(context: Context) -> list[str]:
    """Why no webhook could be kept now; nothing where they can."""
    try:
        prove_ready(context)
    except StoreError as error:
        return [error.message]
    return []


def public_app(
    context: Context, send: Send, listening: Listening, hub: Hub, *, beat_expected: bool
) -> ASGIApp:
    """All in one application."""

    def find(job_id: str, index: int) -> Output | None:
        with context.store.read() as tx:
            return outputs.get(tx, job_id, index)

    settings = context.settings
    links = output_routes(find, context.archive, wiring.link_keys(settings))
    receiver = make_receiver(context, send, wiring.wall_clock, beat_expected=beat_expected, beside=links)
    door = _door(context, send, hub, beat_expected=beat_expected)
    api = make_api(door)
    narrow = SecurityHeaders(Heads(receiver))
    parts: dict[Part, ASGIApp] = {
        Part.API: _recorded(Bodies(api, settings.api_max_bytes), settings, API_PREFIX),
        Part.OUTPUTS: _recorded(receiver, settings),
        Part.WEBHOOKS: narrow,
        Part.HEALTH: narrow,
    }
    if settings.dashboard:
        pages = make_dashboard(door)
        parts[Part.DASHBOARD] = _recorded(Bodies(pages, LARGEST_FORM), settings)
    nothing = SecurityHeaders(problem(404, "no_such_path", "there is nothing under this path"))
    return _behind_proxies(Doors(parts, (receiver, api), listening.parts, nothing), settings)


def _door(context: Context, send: Send, hub: Hub, *, beat_expected: bool) -> Door:
    guard = Guard(context.store, wiring.monotonic, wiring.chance)
    return Door(context, send, guard, hub, wiring.wall_clock, beat_expected)


def _recorded(app: ASGIApp, settings: Settings, prefix: str = "") -> ASGIApp:
    recorded = Recorded(Heads(app), wiring.monotonic, prefix=prefix, bodies=settings.log_prompts)
    return Named(SecurityHeaders(recorded), wiring.new_id)


def _behind_proxies(app: ASGIApp, settings: Settings) -> ASGIApp:
    if not settings.trusted_proxies:
        return app
    return ProxyHeadersMiddleware(app, list(settings.trusted_proxies))  # type: ignore[arg-type, return-value]

"""The API and the dashboard on a real port, with a store of their own; the test makes the keys."""

import secrets
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import httpx
from starlette.responses import PlainTextResponse, Response

from orchestrator import wiring
from orchestrator.core.access import Caller, Scope
from orchestrator.engine import granting
from orchestrator.engine.access import Guard
from orchestrator.settings import load
from orchestrator.store import tenants
from orchestrator.store.database import Store
from orchestrator.store.schema import DEFAULT
from orchestrator.web import server
from orchestrator.web.api.app import make_api
from orchestrator.web.api.authentication import requires
from orchestrator.web.api.door import Door
from orchestrator.web.api.routing import api_router
from orchestrator.web.dashboard.app import make_dashboard
from orchestrator.web.doors import Doors, Part
from orchestrator.web.hub import Hub
from orchestrator.web.middleware import SecurityHeaders
from tests.patience import LONG
from tests.sandbox.harness import until

EVERY_SCOPE = frozenset(Scope)


class Api:
    """A running API on the migrated database in its folder, the dashboard, and `/probe`, for tokens."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings = load({}, data_dir=folder, **settings)
        self.store = Store(self.settings.resolved_database_url)
        self.context = wiring.build(self.settings, self.store, asks_gateway=False)
        guard = Guard(self.store, self.context.clock, wiring.chance)
        hub = Hub(self.store)
        self.store.ring = hub.wake
        self.door = Door(self.context, _nothing_follows, guard, hub, wiring.wall_clock)
        self.app = app = make_api(self.door)
        app.include_router(_probes(), prefix="/v1")
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        pages = SecurityHeaders(make_dashboard(self.door))
        doors = Doors({Part.API: app, Part.DASHBOARD: pages}, (app,), {}, elsewhere=app)
        self._server = server.make_server(doors, before_stop=hub.stop)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listening]})
        self._thread.start()
        until(lambda: self._server.started)
        self.client = httpx.Client(base_url=f"{self.url}/v1", verify=False)

    def close(self) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join()
        self._listening.close()
        self.context.close()
        self.store.close()

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(self._listening.getsockname(), timeout=LONG)

    def key(self, *scopes: Scope, tenant: str = DEFAULT, lasts: float | None = None) -> str:
        """A new key, with every scope unless some are named."""
        _, whole = granting.make_key(
            self.store, secrets.token_bytes, tenant, name="k", scopes=scopes or EVERY_SCOPE, lasts=lasts
        )
        return whole.get_secret_value()

    def token(self, *, tenant: str = DEFAULT, lasts: float = 60.0, **whose: str) -> str:
        _, whole = granting.make_token(
            self.store, secrets.token_bytes, tenant, lasts=lasts, **(whose or {"end_user": "u"})
        )
        return whole.get_secret_value()

    def tenant(self, name: str, **limits: Any) -> None:
        with self.store.write() as tx:
            tenants.add_once(tx, name)
            tenants.change(tx, name, limits)

    def ask(self, path: str, key: str | None = None, *, method: str = "GET", **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return self.client.request(method, path, headers=headers | more.pop("headers", {}), **more)


def _probes() -> Any:
    router = api_router()

    @router.get("/probe", response_class=PlainTextResponse)
    async def probe(caller: Annotated[Caller, requires(Scope.READ, tokens=True)]) -> Response:
        # A ready response: what routes hand out that stream.
        return PlainTextResponse(f"{caller.tenant_id} {caller.job_id} {caller.end_user}")

    return router


def _nothing_follows(_: Iterable[object]) -> None:
    pass

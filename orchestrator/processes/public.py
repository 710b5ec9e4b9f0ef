"""What is reached from outside: the receiver of webhooks, and the archived outputs by their links."""

from __future__ import annotations

from starlette.applications import Starlette

from orchestrator import wiring
from orchestrator.core.job import Output
from orchestrator.engine.context import Context
from orchestrator.store import outputs
from orchestrator.web.outputs import output_routes
from orchestrator.web.receiver import Send, make_receiver


def public_app(context: Context, send: Send, *, beat_expected: bool) -> Starlette:
    """Both in one application, as `web` and `up` serve them."""

    def find(job_id: str, index: int) -> Output | None:
        with context.store.read() as tx:
            return outputs.get(tx, job_id, index)

    links = output_routes(find, context.archive, wiring.link_keys(context.settings))
    return make_receiver(context, send, wiring.wall_clock, beat_expected=beat_expected, beside=links)

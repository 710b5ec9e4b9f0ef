"""Replacing the signing secret of a webhook endpoint: whenever this dies, nothing that was sent is lost.

The gateway shows a new secret once, in the answer that makes it valid, without an overlap (contract 4.4). So:

1. it is noted that this began, which also proves that the place for the new secret can be written;
2. the gateway is asked, and signs with the new one from then on;
3. the new one is kept, first; the old ones stay believed for what is still under way.

Dead before 2, nothing happened. Dead between 2 and 3, nobody has the secret: deliveries are refused, and
the note says why. Doing it again makes another one, and the gateway signs each further attempt at what was
refused with that. Dead after 3, all is done.
"""

from __future__ import annotations

from orchestrator.engine.endpoint_keeping import Keeping
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import BadAnswer, GatewayError, Unreachable
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.gateway.endpoints import Management

_REFUSED = range(400, 500)


def replace_secret(management: Management, http: HttpLoop, keeping: Keeping, endpoint_id: str) -> None:
    """Let the gateway sign with a new secret, and keep it. Raises GatewayError, SettingError, StoreError."""
    keeping.begin()
    reach(FaultPoint.ENDPOINT_SECRET_BEGUN)
    try:
        secret = http.run(management.rotate(endpoint_id))
    except GatewayError as error:
        if _did_nothing(error):
            keeping.forget()
            raise
        error.hint = "whether it signs with a new secret by now is not known: do this again, at once"
        raise
    reach(FaultPoint.ENDPOINT_SECRET_ANSWERED)
    keeping.keep(endpoint_id, secret)
    reach(FaultPoint.ENDPOINT_SECRET_KEPT)


def _did_nothing(error: GatewayError) -> bool:
    refused = isinstance(error, BadAnswer) and error.status in _REFUSED
    return refused or isinstance(error, Unreachable)

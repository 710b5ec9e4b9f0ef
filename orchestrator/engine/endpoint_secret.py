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

from pydantic import SecretStr

from orchestrator.engine.endpoint_keeping import Keeping
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import BadAnswer, GatewayError, OrchestratorError, Unreachable
from orchestrator.fault_points import FaultPoint, reach
from orchestrator.gateway.endpoints import Management

# Answers that surely come before anything is changed. A time-out (408) of what stands between may not.
_REFUSED = frozenset({400, 401, 403, 404, 405, 429})
_AGAIN = "whether the gateway signs with a new secret by now is not known: do this again, at once"


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
        error.hint = _AGAIN
        raise
    except KeyboardInterrupt as stopped:
        stopped.add_note(_AGAIN)
        raise
    reach(FaultPoint.ENDPOINT_SECRET_ANSWERED)
    keep(keeping, endpoint_id, secret)
    reach(FaultPoint.ENDPOINT_SECRET_KEPT)


def keep(keeping: Keeping, endpoint_id: str, secret: SecretStr) -> None:
    """Keep what was shown this once. Raises as the place does, and says what the loss means."""
    try:
        keeping.keep(endpoint_id, secret)
    except OrchestratorError as error:
        lost = "the gateway signs with a new secret by now, which was not kept: do this again, at once"
        error.hint = f"{error.hint}; {lost}" if error.hint else lost
        raise


def _did_nothing(error: GatewayError) -> bool:
    refused = isinstance(error, BadAnswer) and error.status in _REFUSED
    return refused or isinstance(error, Unreachable)

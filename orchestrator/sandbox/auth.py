"""Keys: who may call what (contract section 1)."""

from __future__ import annotations

import re

from starlette.requests import HTTPConnection
from starlette.responses import Response

from orchestrator.sandbox.gateway import Gateway
from orchestrator.sandbox.refusals import shape_b

_KEY = re.compile(r"(?:phaseo|aistats)_v1_(sk|mk)_([A-Za-z0-9]{6,64})_(.+)", re.DOTALL)


def gateway_of(connection: HTTPConnection) -> Gateway:
    """The sandbox behind a request."""
    gateway: Gateway = connection.app.state.gateway
    return gateway


def refuse_key(connection: HTTPConnection) -> Response | None:
    """401 for a key that may not use the video routes, or None."""
    gateway = gateway_of(connection)
    if gateway.spend_db_error():
        return _unauthorised(gateway, "db_error")
    header = connection.headers.get("authorization", "")
    if header == f"Bearer {gateway.config.api_key}":
        return None
    return _unauthorised(gateway, _reason(header, gateway.config.api_key))


def refuse_management_key(connection: HTTPConnection) -> Response | None:
    """401 for a key that may not use the control routes, or None."""
    gateway = gateway_of(connection)
    header = connection.headers.get("authorization", "")
    if header == f"Bearer {gateway.config.management_key}":
        return None
    if header == f"Bearer {gateway.config.api_key}":
        return _unauthorised(gateway, "management_key_required")
    return _unauthorised(gateway, _reason(header, gateway.config.management_key))


def _reason(header: str, right: str) -> str:
    if not header.startswith("Bearer ") or not header[7:].strip():
        return "missing_or_invalid_authorization_header"
    given, wanted = _KEY.fullmatch(header[7:]), _KEY.fullmatch(right)
    if given is None:
        return "invalid_key_format"
    if wanted is not None and given[1] != wanted[1]:
        return "management_key_not_valid_for_gateway" if given[1] == "mk" else "management_key_required"
    same_kid = wanted is not None and given[2] == wanted[2]
    return "invalid_secret" if same_kid else "key_not_found_or_revoked"


def _unauthorised(gateway: Gateway, reason: str) -> Response:
    return shape_b("unauthorised", reason, gateway.new_request_id())

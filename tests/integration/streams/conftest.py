"""The API as a server, and stores of both kinds."""

from tests.integration.access.conftest import api, new_api
from tests.integration.store.conftest import clock, elsewhere, kind, new_url, store

__all__ = [
    "api",
    "clock",
    "elsewhere",
    "kind",
    "new_api",
    "new_url",
    "store",
]

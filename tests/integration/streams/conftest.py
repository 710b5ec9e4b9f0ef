"""The API as a server, and stores of both kinds."""

from tests.integration.access.conftest import api, migrated, new_api
from tests.integration.store.conftest import clock, elsewhere, kind, migrated_file, new_url, store

__all__ = [
    "api",
    "clock",
    "elsewhere",
    "kind",
    "migrated",
    "migrated_file",
    "new_api",
    "new_url",
    "store",
]

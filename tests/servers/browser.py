"""Chromium for the tests: the one that TEST_BROWSER names, one that is installed, or Debian's."""

import os
import shutil
from pathlib import Path

from tests.servers import debian
from tests.servers.programs import ServerMissing

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> Path:
    """The program. Raises ServerMissing when there is none and none can be brought."""
    if given := os.environ.get("TEST_BROWSER"):
        return Path(given)
    found = _present()
    if found is None and debian.may_install():
        debian.install("chromium")
        found = _present()
    if found is None:
        raise ServerMissing(
            "the tests need the browser Chromium. Install it (Debian: sudo apt-get install -y chromium), "
            "or name the program in TEST_BROWSER."
        )
    return found


def _present() -> Path | None:
    return next((Path(found) for name in NAMES if (found := shutil.which(name))), None)

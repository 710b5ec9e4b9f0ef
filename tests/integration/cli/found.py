"""What `check` found."""

import json
from typing import Any

from tests.integration.cli.conftest import Run


def findings(run: Run) -> dict[str, Any]:
    return {one["what"]: one for one in json.loads(run("check", "--json").out)}

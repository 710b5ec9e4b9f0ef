"""Runs a program of ours whose webhooks and submissions share no transaction, to see what sharing brings.

python -m tests.benchmarks.each_alone orchestrator web
"""

import runpy
import sys
from typing import Any
from unittest.mock import patch

from orchestrator.web.group_commit import GroupCommit


async def do(self: GroupCommit[Any, Any], one: Any) -> Any:
    """Do it in a transaction of its own, at once."""
    return await self._run(self._alone, one)


if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    with patch.object(GroupCommit, "do", do):
        runpy.run_path(sys.argv[0], run_name="__main__")

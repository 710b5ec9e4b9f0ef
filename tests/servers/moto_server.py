"""moto's S3 as a process: `python -m tests.servers.moto_server PORT`.

Three things are added. Parts may be small. Requests that write are taken one at a time: moto looks and writes
without a lock, where S3 promises that of two conditional writes one is refused. And in buckets whose names
begin with `conditional-` a copy heeds `If-None-Match: *`, as it does in S3; moto itself ignores that header.
"""

import os
import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

CONDITIONAL = "conditional-"


def main(port: int) -> None:
    """Serve until killed."""
    os.environ["S3_UPLOAD_PART_MIN_SIZE"] = "1"
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from moto.s3 import responses
    from moto.s3.exceptions import PreconditionFailed
    from werkzeug.serving import run_simple

    writes = threading.RLock()
    ours: Any = responses.S3Response
    ours.copy_object = _heeding(ours.copy_object, PreconditionFailed)
    for name in ("put_object", "copy_object", "delete_object"):
        setattr(ours, name, _one_at_a_time(getattr(ours, name), writes))
    run_simple("127.0.0.1", port, DomainDispatcherApplication(create_backend_app), threaded=True)


def _one_at_a_time(method: Callable[..., Any], lock: Any) -> Callable[..., Any]:
    @wraps(method)
    def locked(*arguments: Any, **named: Any) -> Any:
        with lock:
            return method(*arguments, **named)

    return locked


def _heeding(copy: Callable[..., Any], refused: Callable[[str], Exception]) -> Callable[..., Any]:
    @wraps(copy)
    def heeding(self: Any) -> Any:
        asked = self.bucket_name.startswith(CONDITIONAL) and self.headers.get("If-None-Match") == "*"
        if asked and self.backend.get_object(self.bucket_name, self.parse_key_name()) is not None:
            raise refused("If-None-Match")
        return copy(self)

    return heeding


if __name__ == "__main__":
    main(int(sys.argv[1]))

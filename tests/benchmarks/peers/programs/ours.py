"""The submitter of this orchestrator: the client's `submit_many`, a thousand jobs per request.

It has `submit` alone; web, worker and beat are the product's own programs.
"""

import os
import sys

from orchestrator.client import Client
from orchestrator.wire.jobs import NewJob


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    with Client(os.environ["API_URL"], os.environ["API_KEY"]) as client:
        client.whoami()  # connected, and the key is known
        say("ready")
        count = int(sys.stdin.readline())
        request = {"model": "lean", "prompt": "waves", "duration": 4}
        kept = list(client.submit_many(NewJob(request=request) for _ in range(count)))
        assert len(kept) == count
        say("accepted")


if __name__ == "__main__":
    main()

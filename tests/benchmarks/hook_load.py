"""Signed webhooks over kept connections, as a program of its own; prints what it saw as JSON.

python -m tests.benchmarks.hook_load PORT CONNECTIONS SECRET < BODIES

One body a line. All are signed before the clock starts: what is measured is the receiver.
"""

import asyncio
import json
import sys
import time

from orchestrator.core.signatures import FAMILIES, sign
from orchestrator.gateway.expected import OF_WEBHOOKS, SENDERS
from tests.benchmarks.keep_alive_load import load, request

PATH = "/webhooks/gateway/default"


def signed(body: str, secret: str) -> bytes:
    """A request with all headers that the gateway sends."""
    told = json.loads(body)
    headers = {"User-Agent": SENDERS[0]} | dict.fromkeys(OF_WEBHOOKS, "1")
    headers |= {f"{FAMILIES[0]}-event-id": told["id"], f"{FAMILIES[0]}-event-type": told["type"]}
    return request("POST", PATH, headers | sign(secret, str(int(time.time())), body.encode()), body)


if __name__ == "__main__":
    port, connections, secret = sys.argv[1:]
    requests = [signed(line.rstrip("\n"), secret) for line in sys.stdin]
    print(json.dumps(asyncio.run(load(int(port), iter(requests), int(connections)))))

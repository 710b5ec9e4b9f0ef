"""The official SDK, and a thread for each job that creates it, looks until it has ended, and hands it off.

No roles but `submit`, which does everything: nothing is kept anywhere, so a kill loses what is open. The SDK
waits for no webhook; what it takes for a look is what the gateway says in `poll_after_seconds`.
"""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
from phaseo import Phaseo
from video_gateway import POLL_AFTER_SECONDS, TERMINAL, asked, run, say

ROLES = ()


class Loop:
    """One client for all threads."""

    def __init__(self) -> None:
        self._sdk = Phaseo(api_key=os.environ["GATEWAY_API_KEY"], base_url=os.environ["GATEWAY_URL"])
        self._sink = httpx.Client(limits=httpx.Limits(max_connections=100), trust_env=False)

    def run(self, number: int, created: threading.Semaphore) -> None:
        job = self._sdk.videos.create({"model": "lean", "prompt": f"waves {number}", "duration": 4})
        created.release()
        seen = {"status": "queued"}
        while seen["status"] not in TERMINAL:
            time.sleep(float(seen.get("poll_after_seconds", POLL_AFTER_SECONDS)))
            seen = self._sdk.videos.retrieve(job["id"])
        done = {"id": job["id"], "status": seen["status"]}
        self._sink.post(os.environ["SINK_URL"], json=done).raise_for_status()


def submit() -> None:
    loop, created = Loop(), threading.Semaphore(0)
    count = asked()
    with ThreadPoolExecutor(count) as threads:
        every = [threads.submit(loop.run, number, created) for number in range(count)]
        for _ in range(count):
            created.acquire()
        say("accepted")
        for one in every:
            one.result()
    sys.stdin.readline()  # until the harness has read what it used


if __name__ == "__main__":
    run({"submit": submit})

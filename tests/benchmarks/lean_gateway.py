"""A gateway that costs next to nothing, in a process of its own: every job is running, whoever asks.

python -m tests.benchmarks.lean_gateway

Answers every GET by the recorded answer about a running job (contract 1.3), with the id that was asked
for and whatever query. Says its port once it listens.
"""

import asyncio
import json
from typing import Any

from aiohttp import web

GATEWAY_ID = "G-01K3ZQ8W6X2M5N7P9R1T3V5Y7Z"
PROVIDER, MODEL, STATUS = "google-ai-studio", "veo-3.1-lite-generate-preview", "processing"
COST = 0.24
BASE = "api.phaseo.app/v1"


def running(gateway_id: str) -> dict[str, Any]:
    """What a GET tells of a running job."""
    return {
        "id": gateway_id,
        "object": "video",
        "status": STATUS,
        "lifecycle_status": "running",
        "output_access": "both",
        "progress": 0,
        "progress_source": "none",
        "polling_url": f"https://{BASE}/videos/{gateway_id}",
        "websocket_url": f"wss://{BASE}/async/video/{gateway_id}/ws",
        "poll_after_seconds": 20,
        "cancel_url": None,
        "generation_id": gateway_id,
        "native_video_id": f"models/{MODEL}/operations/op123",
        "created_at": "2026-08-20T10:00:00.000Z",
        "expires_at": None,
        "started_at": None,
        "completed_at": None,
        "provider": PROVIDER,
        "model": MODEL,
        "seconds": 8,
        "size": "720p",
        "audio": None,
        "asset": None,
        "outputs": [],
        "usage": {
            "output_video_seconds": 8,
            "cost_usd": COST,
            "costUsd": COST,
            "pricing_breakdown": {"total_nanos": 240_000_000, "total_usd_str": "0.240000000"},
            "cost": COST,
            "is_byok": False,
        },
        "billing": {
            "currency": "usd",
            "estimated_provider_cost": "0.24",
            "estimated_user_cost": "0.24",
            "settled_provider_cost": None,
            "settled_user_cost": None,
            "state": "estimated",
            "billable": True,
            "total_nanos": None,
            "estimated_nanos": 240_000_000,
            "reserved_nanos": 240_000_000,
            "reservation_id": f"video_hold:{gateway_id}",
            "reservation_status": "held",
            "charge_reason": None,
            "charged": None,
        },
        "content_url": f"https://{BASE}/videos/{gateway_id}/content",
        "download_url": None,
    }


_ANSWER = json.dumps(running(GATEWAY_ID)).encode()


async def answer(request: web.BaseRequest) -> web.Response:
    """The same for every job but for its id, put in without a JSON encoder."""
    gateway_id = request.path.rpartition("/")[2].encode()
    body = _ANSWER.replace(GATEWAY_ID.encode(), gateway_id)
    return web.Response(body=body, content_type="application/json")


async def main() -> None:
    """Serve until killed."""
    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())

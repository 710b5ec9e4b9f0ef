"""The pretend gateway as a process: its faults are set, and its truth is read, over HTTP."""

from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.processes import Child, clean_environment, free_port, module
from tests.acceptance.waiting import LONG

API_KEY, MANAGEMENT_KEY = "phaseo_v1_sk_sandbox_localonly", "phaseo_v1_mk_sandbox_localonly"
ENDPOINT_ID = "7f9c2ba4-e88f-4f9a-8d0e-0c1b2a3d4e5f"
SECRET = "whsec_sandboxsandboxsandboxsandboxsandboxsandbox0"
HINT = 0.5  # seconds between looks that it asks for


class Sandbox:
    """A running sandbox. It is reset, not restarted, between tests."""

    def __init__(self, folder: Path, name: str, *options: str, command: list[str] | None = None) -> None:
        nowhere = "http://127.0.0.1:9/webhooks/gateway/default"
        ours = ("--port", str(free_port()), "--poll-after-seconds", str(HINT), "--webhook-url", nowhere)
        program = command or module("orchestrator.sandbox")
        self.process = Child([*program, *ours, *options], folder, name, clean_environment())
        self.url = self.process.until_said("listening on").split()[-1]
        self._control = self._client(self.url.removesuffix("/v1") + "/_sandbox", None)
        self._api = self._client(self.url, API_KEY)
        self._management = self._client(self.url, MANAGEMENT_KEY)

    def _client(self, base: str, key: str | None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=base, headers=headers, timeout=LONG, trust_env=False, verify=False)

    def end(self) -> None:
        for client in (self._control, self._api, self._management):
            client.close()
        self.process.end()

    def reset(self) -> None:
        """No jobs, no faults, an empty log."""
        self._control.post("/reset").raise_for_status()

    def call(self, url: str) -> None:
        """Send webhooks there from now on."""
        self._management.patch(f"/webhook-endpoints/{ENDPOINT_ID}", json={"url": url}).raise_for_status()

    def endpoints(self) -> list[dict[str, Any]]:
        """All webhook endpoints, the latest first."""
        return list(self._management.get("/webhook-endpoints").raise_for_status().json()["data"])

    def register(self, url: str) -> dict[str, Any]:
        """Another endpoint, as the console would make it; with its secret."""
        return dict(self._management.post("/webhook-endpoints", json={"url": url}).raise_for_status().json())

    def change(self, endpoint_id: str, **changes: Any) -> None:
        """Change an endpoint."""
        self._management.patch(f"/webhook-endpoints/{endpoint_id}", json=changes).raise_for_status()

    def delete(self, endpoint_id: str) -> None:
        """Delete an endpoint."""
        self._management.delete(f"/webhook-endpoints/{endpoint_id}").raise_for_status()

    def rotate_secret(self) -> str:
        """Sign with a new secret from now on."""
        answer = self._management.post(f"/webhook-endpoints/{ENDPOINT_ID}/rotate-secret").raise_for_status()
        return str(answer.json()["signing_secret"])

    def faults(self, **switches: Any) -> None:
        """Lay switches over those in force."""
        self._control.put("/faults", json=switches).raise_for_status()

    def heal(self) -> None:
        """Take all faults back."""
        self._control.delete("/faults").raise_for_status()

    def truth(self, job_id: str = "") -> list[dict[str, Any]]:
        """What really became of the gateway's jobs; of one job of ours, by the session ids of its creates."""
        rows = self._control.get("/jobs").raise_for_status().json()["jobs"]
        return [row for row in rows if (row["session_id"] or "").startswith(f"{job_id}." if job_id else "")]

    def requests(self, method: str = "", **wanted: Any) -> list[dict[str, Any]]:
        """The log of requests, filtered by field; `path` by its beginning."""
        asked = wanted | ({"method": method} if method else {})
        return list(self._control.get("/requests", params=asked).raise_for_status().json()["requests"])

    def webhooks(self, **wanted: Any) -> list[dict[str, Any]]:
        """Every event owed, with its attempts."""
        return list(self._control.get("/webhooks", params=wanted).raise_for_status().json()["webhooks"])

    def contents(self) -> int:
        """How many requests for an output came."""
        return sum(one["path"].endswith("/content") for one in self.requests("GET", path="/v1/videos/"))

    def finish(self, gateway_id: str, status: str = "completed") -> None:
        """Let the provider end a running job now; hooks and looks tell it."""
        self._control.post(f"/jobs/{gateway_id}/end", json={"status": status}).raise_for_status()

    def trigger(self, gateway_id: str, event: str) -> None:
        """Send an event of a job now."""
        self._control.post(f"/jobs/{gateway_id}/trigger", json={"event": event}).raise_for_status()

    def create(self, **switches: Any) -> str:
        """A gateway job that is none of ours."""
        body = {"model": "google/veo-3.1-lite", "prompt": "p", "provider_params": {"sandbox": switches}}
        return str(self._api.post("/videos", json=body).raise_for_status().json()["id"])

    def create_hooked(self, endpoint_id: str) -> str:
        """A gateway job that tells an endpoint that it was made, and goes on."""
        switches = {"sandbox": {"outcome": "never"}}
        hook = {"endpoint_id": endpoint_id, "events": ["video.created"]}
        body = {"model": "google/veo", "prompt": "p", "webhook": hook, "provider_params": switches}
        return str(self._api.post("/videos", json=body).raise_for_status().json()["id"])

    def tried(self, gateway_id: str) -> list[int | None]:
        """What was answered when it was told that a job was made, so far."""
        (row,) = self.webhooks(job_id=gateway_id, type="video.created")
        return list(row["statuses"])

    def content(self, gateway_id: str, index: int = 0) -> bytes:
        """The bytes that the gateway serves for an output."""
        answer = self._api.get(f"/videos/{gateway_id}/content", params={"index": index} if index else {})
        return answer.raise_for_status().content

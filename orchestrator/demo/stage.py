"""The demo's stage: a sandbox gateway and an orchestrator, each a process of its own, on a fresh database."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from orchestrator import wiring
from orchestrator.core.cadence import GUIDANCE_WHEN_ABSENT
from orchestrator.demo.processes import Child
from orchestrator.errors import OrchestratorError, SettingError
from orchestrator.sandbox.config import API_KEY, ENDPOINT_ID, MANAGEMENT_KEY
from orchestrator.settings import GATEWAY_S_OWN_KEY, PREFIX, Settings, load

MARK = ".orchestrator-demo"  # lies in a folder that a demo made, so that the next one may empty it
NOWHERE = "http://127.0.0.1:9/"  # where webhooks go until the receiver's port is known


@dataclass(frozen=True, slots=True)
class Stage:
    """Two running processes and the way to both."""

    sandbox: Child
    orchestrator: Child
    settings: Settings
    control: httpx.Client  # the sandbox's own routes, and the gateway's with its key

    def require_alive(self) -> None:
        """Raise OrchestratorError if either has died."""
        self.sandbox.require_alive()
        self.orchestrator.require_alive()


@contextmanager
def stage(out: Path, *, keep: bool) -> Iterator[Stage]:
    """Start both and stop both, whatever happens between. Results go to `out`.

    `keep` leaves the database and the logs.
    """
    _empty(out)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="orchestrator-demo-"))
        if not keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        secret = f"whsec_{secrets.token_hex(24)}"
        sandbox = _start_sandbox(stack, folder, secret)
        url = sandbox.first_line().split()[-1]
        environment = _environment(folder, out, url, secret)
        settings = load({name: value for name, value in environment.items() if name.startswith(PREFIX)})
        orchestrator = Child("orchestrator", ["-m", "orchestrator.cli", "up", "--json"], folder, environment)
        stack.callback(orchestrator.stop)
        ready = json.loads(orchestrator.first_line())
        control = stack.enter_context(_client(url))
        _call_webhooks_at(control, ready["webhook_url"])
        yield Stage(sandbox, orchestrator, settings, control)


def _start_sandbox(stack: ExitStack, folder: Path, secret: str) -> Child:
    arguments = ["-m", "orchestrator.sandbox", "--webhook-url", NOWHERE, "--webhook-secret", secret]
    sandbox = Child("sandbox", arguments, folder, wiring.environment())
    stack.callback(sandbox.stop)
    return sandbox


def _environment(folder: Path, out: Path, url: str, secret: str) -> dict[str, str]:
    """The environment as it is, with what must be the demo's own: never a real key, database or folder."""
    ours = {
        "DATA_DIR": str(folder),
        "DATABASE_URL": "",
        "OUTPUT_DIR": str(out.absolute()),
        "GATEWAY_URL": url,
        "GATEWAY_API_KEY": API_KEY,
        "WEBHOOK_ENDPOINT_ID": ENDPOINT_ID,
        "WEBHOOK_SECRETS": secret,
        "HOST": "127.0.0.1",
        "PORT": "0",
        "KEEP_OUTPUTS": "true",
        # The cases declare how many looks there may be.
        "POLL_AFTER_SECONDS": str(GUIDANCE_WHEN_ABSENT),
        "DEADLINE_SECONDS": "3600",
    }
    theirs = wiring.environment()
    theirs.pop(GATEWAY_S_OWN_KEY, None)
    return theirs | {PREFIX + name: value for name, value in ours.items()}


def _client(url: str) -> httpx.Client:
    parts = urlsplit(url)
    headers = {"authorization": f"Bearer {API_KEY}"}
    return httpx.Client(
        base_url=f"{parts.scheme}://{parts.netloc}",
        headers=headers,
        timeout=30,
        trust_env=False,
        verify=parts.scheme != "http",  # certificates take 25 to 50 ms to read
    )


def _call_webhooks_at(control: httpx.Client, webhook_url: str) -> None:
    """Tell the gateway where webhooks go: the receiver's port was not known when it started."""
    answer = control.patch(
        f"/v1/webhook-endpoints/{ENDPOINT_ID}",
        json={"url": webhook_url},
        headers={"authorization": f"Bearer {MANAGEMENT_KEY}"},
    )
    if not answer.is_success:
        raise OrchestratorError(f"the sandbox would not take the webhook URL: {answer.text[:200]}")


def _empty(out: Path) -> None:
    """Remove what an earlier demo left. Raises SettingError for a folder that is somebody else's."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()) and not (out / MARK).exists():
            raise SettingError(
                f"{out} holds files that no demo made",
                hint="name another folder with --out; nothing was removed",
            )
        for path in out.iterdir():
            path.unlink()
        (out / MARK).write_text("made by `orchestrator demo`, which empties this folder when it runs again\n")
    except OSError as error:
        raise SettingError(
            f"the output folder {out} cannot be used: {error.strerror}", hint="name another one with --out"
        ) from error

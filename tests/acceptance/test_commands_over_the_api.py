"""Commands that have a URL and a key, and no database of their own: submit, follow, fetch, all over HTTP."""

import json
import subprocess
from pathlib import Path

from tests.acceptance.conftest import Begin
from tests.acceptance.processes import clean_environment, program
from tests.acceptance.sandbox import Sandbox

REQUEST = {
    "model": "google/veo-3.1-lite",
    "prompt": "a fox",
    "provider_params": {"sandbox": {"duration": 2.0}},
}


def test_a_video_is_asked_for_followed_and_fetched(begin: Begin, sandbox: Sandbox, tmp_path: Path) -> None:
    orchestrator = begin(sandbox)
    orchestrator.start()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def run(*arguments: str, **settings: str) -> str:
        named = {f"ORCHESTRATOR_{name.upper()}": value for name, value in settings.items()}
        ended = subprocess.run(
            program(*arguments),
            cwd=elsewhere,
            env=clean_environment(**named),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    folder = orchestrator.settings["ORCHESTRATOR_DATA_DIR"]
    key = run("keys", "make", "--name", "k", "--scope", "submit", "--scope", "read", data_dir=folder)
    there = {"api_url": f"http://127.0.0.1:{orchestrator.port}", "api_key": key}
    job_id = run("submit", "--request", json.dumps(REQUEST), "--reference", "order-7", **there)
    told = [json.loads(line) for line in run("events", "order-7", "--json", **there).splitlines()]
    assert [one["seq"] for one in told] == list(range(1, len(told) + 1))
    assert [one["state"] for one in told if one["type"] == "state"][-1] == "completed"
    assert "completed" in run("watch", job_id, **there)
    fetched = Path(run("fetch", job_id, **there))
    (truth,) = sandbox.truth(job_id)
    assert (elsewhere / fetched).read_bytes() == sandbox.content(truth["id"])
    assert [path.name for path in elsewhere.iterdir()] == [fetched.name]

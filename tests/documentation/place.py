"""Where a reader is, and what that reader has in place of what the pages show."""

from collections.abc import Mapping
from pathlib import Path

from tests.acceptance.processes import clean_environment
from tests.acceptance.sandbox import API_KEY
from tests.documentation.program import Program


class Place:
    """Where a reader is: ports, a folder that stands for the machine's, and settings."""

    def __init__(
        self, folder: Path, ours: Program, up: int, sandbox: int, settings: Mapping[str, str]
    ) -> None:
        self.folder, self.up, self.sandbox = folder, up, sandbox
        self.environment = clean_environment(**ours.environment(), **settings)

    def instead(self) -> dict[str, str]:
        """What the reader has in the place of what pages show."""
        here, gateway = f"http://127.0.0.1:{self.up}", f"http://127.0.0.1:{self.sandbox}/v1"
        hosts = "orchestrator.example|videos?.example(?:.com)?|hooks.example.com"
        return {
            r"(?<=UNCERTAIN_WAIT_SECONDS=)15\b": "2",  # nobody waits that long here
            rf"https://(?:{hosts})(?![\w.])": here,
            r"127\.0\.0\.1:8700": f"127.0.0.1:{self.up}",
            r"127\.0\.0\.1:8701": f"127.0.0.1:{self.sandbox}",
            r"(?<=--port )8701": str(self.sandbox),
            r"https://api\.phaseo\.app/v1": gateway,
            r"phaseo_v1_sk_…": API_KEY,
            r"(?<![\w/])/(?=srv/|run/secrets/|tmp/first-video|etc/orchestrator/)": f"{self.folder}/",
        }

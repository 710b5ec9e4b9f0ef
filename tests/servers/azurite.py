"""An Azure Blob Storage for the tests: Azurite as a process, and a reader that signs its own requests.

The account is the one that Azurite always has; its key is printed in Microsoft's documentation.
"""

import base64
import fcntl
import hashlib
import hmac
import shutil
import signal
import subprocess
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import httpx

from tests.patience import LONG
from tests.servers import debian
from tests.servers.private import PrivateServer
from tests.servers.programs import ServerMissing
from tests.servers.s3 import listens

ROOT = Path(__file__).parents[2]
PACKAGE = Path(__file__).with_name("azurite_package")
INSTALLED = ROOT / ".venv" / "azurite"
PROGRAM = "node_modules/azurite/dist/src/blob/main.js"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
VERSION = "2021-12-02"


def installed() -> Path:
    """Azurite's program; npm installs it below .venv, from our lock, if need be. Raises ServerMissing."""
    lock = (PACKAGE / "package-lock.json").read_bytes()
    with Path(tempfile.gettempdir(), "orchestrator-tests-npm.lock").open("w") as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        done = INSTALLED / ".done"
        if not done.exists() or done.read_bytes() != lock:
            _install()
            done.write_bytes(lock)
    return INSTALLED / PROGRAM


def _install() -> None:
    if shutil.which("npm") is None and debian.may_install():
        debian.install("npm")
    if shutil.which("npm") is None:
        raise ServerMissing(
            "the tests need Node.js 20 or newer with npm, for Azurite. Install it "
            "(Debian: sudo apt-get install -y npm)."
        )
    shutil.rmtree(INSTALLED, ignore_errors=True)
    shutil.copytree(PACKAGE, INSTALLED)
    npm = ["npm", "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"]
    for _ in range(2):  # once more where the network failed
        done = subprocess.run(npm, cwd=INSTALLED, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
    raise ServerMissing(f"npm could not install Azurite:\n{done.stderr[-2_000:]}")


class AzuriteServer(PrivateServer):
    """A private server."""

    name = "azurite"
    stops: ClassVar = {"fast": signal.SIGTERM, "immediate": signal.SIGKILL}
    options: ClassVar[dict[str, Any]] = {"account_name": ACCOUNT, "account_key": KEY}

    def __init__(self) -> None:
        self._program = installed()
        self._numbers = count()
        PrivateServer.__init__(self, user="")

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    def _command(self) -> list[str]:
        node = shutil.which("node") or "node"
        told = ["--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--location", str(self.folder)]
        return [node, str(self._program), *told, "--silent", "--skipApiVersionCheck", "--disableTelemetry"]

    def _answers(self) -> bool:
        return listens(self.port) and self.process.alive

    def new_container(self) -> "AzureContainer":
        """An empty container."""
        return AzureContainer(self, f"container{next(self._numbers)}")

    new_place = new_container

    def request(self, method: str, path: str, content: bytes = b"", **more: str) -> httpx.Response:
        """One signed request, made without obstore: `x_…` become headers, the others go into the query."""
        headers = {name.replace("_", "-"): value for name, value in more.items() if name.startswith("x_")}
        query = {name: value for name, value in more.items() if not name.startswith("x_")}
        headers |= {"x-ms-date": formatdate(usegmt=True), "x-ms-version": VERSION}
        path = quote(path, safe="/")
        headers["authorization"] = _signature(method, path, query, headers, len(content))
        url = f"http://127.0.0.1:{self.port}/{ACCOUNT}{path}" + (f"?{urlencode(query)}" if query else "")
        return self._client.request(method, url, headers=headers, content=content)

    @cached_property
    def _client(self) -> httpx.Client:
        return httpx.Client(timeout=LONG, trust_env=False, verify=False)

    def close(self) -> None:
        self._client.close()
        super().close()


class AzureContainer:
    """One container, as a reader sees it; made when it is asked for."""

    def __init__(self, server: AzuriteServer, name: str) -> None:
        self._server = server
        self.name = name
        self.make()

    def make(self) -> None:
        """Make it, also after its server has lost it."""
        made = self._server.request("PUT", f"/{self.name}", restype="container")
        assert made.status_code in (201, 409), made.text

    def options(self, prefix: str = "out/put", **more: Any) -> dict[str, Any]:
        """What a destination is told to get here."""
        place = {"url": f"az://{self.name}/{prefix}", "endpoint": self._server.endpoint, "allow_http": True}
        return place | {"allow": ["127.0.0.0/8"]} | self._server.options | more

    def get(self, key: str) -> bytes | None:
        found = self._server.request("GET", f"/{self.name}/{key}")
        assert found.status_code in (200, 404), found.text
        return found.content if found.status_code == 200 else None

    def attributes(self, key: str) -> dict[str, str]:
        """Its metadata, and its content type under that name."""
        found = self._server.request("HEAD", f"/{self.name}/{key}")
        meta = {name.removeprefix("x-ms-meta-"): value for name, value in found.headers.items()}
        kept = {name: value for name, value in meta.items() if name not in found.headers}
        return kept | {"Content-Type": found.headers["content-type"]}

    def put(self, key: str, content: bytes) -> None:
        done = self._server.request("PUT", f"/{self.name}/{key}", content, x_ms_blob_type="BlockBlob")
        assert done.status_code == 201, done.text

    def delete(self, key: str) -> None:
        self._server.request("DELETE", f"/{self.name}/{key}")

    def list(self) -> Sequence[str]:
        listed = self._server.request("GET", f"/{self.name}", restype="container", comp="list")
        return [one.text or "" for one in ElementTree.fromstring(listed.text).iter("Name")]

    def uploads(self) -> Sequence[str]:
        """Blobs of which there are blocks, and nothing else."""
        listed = self._server.request(
            "GET", f"/{self.name}", restype="container", comp="list", include="uncommittedblobs"
        )
        every = [one.text or "" for one in ElementTree.fromstring(listed.text).iter("Name")]
        return sorted(set(every) - set(self.list()))

    def sas_token(self) -> str:
        """A shared access signature for this container, for a day."""
        end = (datetime.fromtimestamp(time.time(), UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        fields = {"sp": "racwdl", "se": end, "sv": "2021-06-08", "sr": "c"}
        told = [
            fields["sp"],
            "",
            end,
            f"/blob/{ACCOUNT}/{self.name}",
            "",
            "",
            "",
            fields["sv"],
            "c",
            *[""] * 7,
        ]
        return urlencode(fields | {"sig": _sign("\n".join(told))})


def _signature(method: str, path: str, query: dict[str, str], headers: dict[str, str], length: int) -> str:
    """Azure's Shared Key: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key."""
    own = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-ms-"))
    resource = f"/{ACCOUNT}/{ACCOUNT}{path}" + "".join(f"\n{name}:{query[name]}" for name in sorted(query))
    standard = [method, "", "", str(length or ""), *[""] * 8]
    signed = _sign("\n".join(standard) + "\n" + own + resource)
    return f"SharedKey {ACCOUNT}:{signed}"


def _sign(text: str) -> str:
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()

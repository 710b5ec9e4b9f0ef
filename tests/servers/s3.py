"""An S3 for the tests: moto's server as a process, and boto3 as a reader that shares nothing with obstore."""

import signal
import socket
import sys
from collections.abc import Sequence
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.patience import LONG
from tests.servers.moto_server import CONDITIONAL
from tests.servers.private import PrivateServer

ROOT = Path(__file__).parents[2]
SECRET = "s3-secret-never-shown"


class S3Server(PrivateServer):
    """A private server; it keeps nothing over a restart."""

    name = "s3"
    stops: ClassVar = {"fast": signal.SIGTERM, "immediate": signal.SIGKILL}
    options: ClassVar[dict[str, Any]] = {"access_key_id": "tests", "secret_access_key": SECRET}

    def __init__(self) -> None:
        self._numbers = count()
        PrivateServer.__init__(self, user="")

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        place = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tests.servers.moto_server import main"
        return [sys.executable, "-c", f"{place}; main({self.port})"]

    def _answers(self) -> bool:
        return listens(self.port) and self.process.alive

    def new_bucket(self, kind: str = CONDITIONAL) -> "S3Bucket":
        """An empty bucket: one where copies can be conditional, or another kind."""
        return S3Bucket(self, f"{kind}{next(self._numbers)}")

    new_place = new_bucket

    def reset(self) -> None:
        """Forget all buckets."""
        self._tell("reset", b"")

    def ask_for_credentials(self, asked: bool) -> None:
        """Whether requests are refused unless they are signed with a key that it has made; it has none."""
        self._tell("reset-auth", b"0" if asked else b"inf")

    def _tell(self, what: str, body: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self.port), LONG) as asked:
            asked.sendall(
                f"POST /moto-api/{what} HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            )
            assert b" 200 " in asked.recv(100)

    @cached_property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id="reader",
            aws_secret_access_key="reader",
            region_name="us-east-1",
            config=Config(proxies={}, retries={"max_attempts": 1}),
        )


class S3Bucket:
    """One bucket, as a reader sees it; made when it is asked for."""

    def __init__(self, server: S3Server, name: str) -> None:
        self._server = server
        self.name = name
        self.make()

    def make(self) -> None:
        """Make it, also after its server has lost it."""
        self._server.client.create_bucket(Bucket=self.name)

    def options(self, prefix: str = "out/put", **more: Any) -> dict[str, Any]:
        """What a destination is told to get here."""
        place = {"url": f"s3://{self.name}/{prefix}", "endpoint": self._server.endpoint, "allow_http": True}
        return place | {"allow": ["127.0.0.0/8"]} | self._server.options | more

    def get(self, key: str) -> bytes | None:
        found = self._get(key)
        return None if found is None else bytes(found["Body"].read())

    def attributes(self, key: str) -> dict[str, str]:
        """Its metadata, and its content type under that name."""
        found = self._get(key)
        assert found is not None
        return {**found["Metadata"], "Content-Type": found["ContentType"]}

    def put(self, key: str, content: bytes) -> None:
        self._server.client.put_object(Bucket=self.name, Key=key, Body=content)

    def delete(self, key: str) -> None:
        self._server.client.delete_object(Bucket=self.name, Key=key)

    def list(self) -> Sequence[str]:
        return [
            one["Key"] for one in self._server.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        ]

    def uploads(self) -> Sequence[str]:
        """The keys of the uploads that were begun, and neither put together nor aborted."""
        found = self._server.client.list_multipart_uploads(Bucket=self.name)
        return [one["Key"] for one in found.get("Uploads", [])]

    def _get(self, key: str) -> Any:
        try:
            return self._server.client.get_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        probe.settimeout(LONG)
        return probe.connect_ex(("127.0.0.1", port)) == 0

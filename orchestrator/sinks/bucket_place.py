"""Where a bucket is and how to get in.

An endpoint that was given is looked up before each attempt, and refused where its host has an address that is
private and not in `allow`. obstore then connects by itself: it resolves the name again, and follows what a
proxy of the environment or a redirect says. So an answer of the DNS that changes in between is not caught
here; where tenants may name endpoints, let the network refuse such addresses too.
"""

from __future__ import annotations

import base64
import json
import re
import socket
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from orchestrator.errors import DestinationError
from orchestrator.sinks.addresses import Network, refuse_address, spelled_address
from orchestrator.sinks.base import SinkOptions
from orchestrator.sinks.keys import require_segments

URL = re.compile(r"(s3|gs|az)://([A-Za-z0-9$][A-Za-z0-9_.-]{1,220}[A-Za-z0-9])(?:/(.*?))?/?", re.DOTALL)
LONGEST_PREFIX = 300
# Which options belong to which store; the others have none of them.
OPTIONS_OF = {
    "s3": ("region", "access_key_id", "secret_access_key", "session_token"),
    "gs": ("service_account_key",),
    "az": ("account_name", "account_key", "sas_token"),
}


class BucketPlace(SinkOptions):
    """A bucket of S3 or of what speaks like it, of Google Cloud Storage, or a container of Azure.

    Where no credentials are set, those of the machine apply, such as its role.
    """

    url: str = Field(description="`s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.")
    endpoint: str | None = Field(None, description="Address of an S3-compatible server, or of an emulator.")
    allow_http: bool = Field(False, description="Whether the endpoint may be called without TLS.")
    allow: tuple[Network, ...] = Field(
        (), description="Private networks that the endpoint may be in, such as 10.1.0.0/16."
    )
    region: str | None = Field(None, pattern=r"^[a-z0-9-]{1,40}$", description="S3: where the bucket is.")
    access_key_id: SecretStr | None = Field(None, description="S3: the key.")
    secret_access_key: SecretStr | None = Field(None, description="S3: the key's secret.")
    session_token: SecretStr | None = Field(None, description="S3: the session token of a temporary key.")
    service_account_key: SecretStr | None = Field(
        None, description="Google: a service account's key, as JSON."
    )
    account_name: str | None = Field(
        None, pattern=r"^[a-z0-9]{3,24}$", description="Azure: the storage account."
    )
    account_key: SecretStr | None = Field(None, description="Azure: one of the account's keys.")
    sas_token: SecretStr | None = Field(
        None, description="Azure: a shared access signature, instead of a key."
    )

    @field_validator("url")
    @classmethod
    def _url_names_a_bucket(cls, value: str) -> str:
        found = URL.fullmatch(value)
        if not found:
            raise ValueError("is none of s3://bucket/prefix, gs://bucket/prefix and az://container/prefix")
        if found[3]:
            require_segments(found[3])
            if len(found[3]) > LONGEST_PREFIX:
                raise ValueError(f"has a prefix of more than {LONGEST_PREFIX} letters")
        return value

    @field_validator("endpoint")
    @classmethod
    def _endpoint_is_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parsed = urlsplit(value)
        if parsed.scheme not in ("https", "http") or not parsed.hostname or parsed.port == 0:
            raise ValueError("is not an https:// address of a server")
        if parsed.username or parsed.password or parsed.query or parsed.fragment:
            raise ValueError("must have no user, query or fragment: secrets have options of their own")
        return value.rstrip("/")

    @field_validator("service_account_key")
    @classmethod
    def _key_is_a_service_accounts(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        try:
            found = json.loads(value.get_secret_value())
        except ValueError:
            raise ValueError("is not JSON: give the contents of the key file, not its path") from None
        if not isinstance(found, dict) or not {"client_email", "private_key"} <= found.keys():
            raise ValueError("is not a service account's key: client_email or private_key is missing")
        return value

    @field_validator("account_key")
    @classmethod
    def _key_is_an_accounts(cls, value: SecretStr | None) -> SecretStr | None:
        try:
            base64.b64decode(value.get_secret_value() if value else "", validate=True)
        except ValueError:
            raise ValueError("is not a storage account's key: those are in base64") from None
        return value

    @field_validator("sas_token")
    @classmethod
    def _token_is_signed(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.search(r"(^|[?&])sig=", value.get_secret_value()):
            raise ValueError("is not a shared access signature: sig=… is missing")
        return value

    @model_validator(mode="after")
    def _all_fits_together(self) -> BucketPlace:
        for scheme, names in OPTIONS_OF.items():
            foreign = [name for name in names if getattr(self, name) is not None]
            if scheme != self.scheme and foreign:
                raise ValueError(
                    f"{', '.join(foreign)}: only for {scheme}:// places, and this is {self.scheme}://"
                )
        if (self.access_key_id is None) is not (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key: set both, or neither")
        if self.scheme == "az" and not self.account_name:
            raise ValueError("account_name: set it, Azure's addresses begin with it")
        if self.account_key and self.sas_token:
            raise ValueError("account_key and sas_token: set one of them")
        if self.endpoint is not None:
            self._require_fit_endpoint(self.endpoint)
        return self

    def _require_fit_endpoint(self, endpoint: str) -> None:
        if not self.has_credentials:
            raise ValueError(
                "endpoint: set credentials too, those of the machine are not sent to any endpoint"
            )
        if not self.allow_http and not endpoint.startswith("https://"):
            raise ValueError("endpoint: must begin with https://, unless allow_http is set")
        address = spelled_address(urlsplit(endpoint).hostname or "")
        why = refuse_address(address, self.allow) if address else None
        if why is not None:
            raise ValueError(f"endpoint: leads to {why}; `allow` can name its network")

    @property
    def scheme(self) -> Literal["s3", "gs", "az"]:
        """Which kind of store it is."""
        return self._named()[0]  # type: ignore[return-value]

    @property
    def bucket(self) -> str:
        """The bucket, or container."""
        return self._named()[1]

    @property
    def prefix(self) -> str:
        """What all keys begin with, without slashes at its ends; may be empty."""
        return self._named()[2]

    def _named(self) -> tuple[str, str, str]:
        found = URL.fullmatch(self.url)
        assert found  # it was checked
        return found[1], found[2], found[3] or ""

    @property
    def has_credentials(self) -> bool:
        """Whether it brings its own."""
        return any((self.access_key_id, self.service_account_key, self.account_key, self.sas_token))


def require_public(place: BucketPlace) -> None:
    """Raise DestinationError where the endpoint's host has an address that may not be called."""
    if place.endpoint is None:
        return
    parsed = urlsplit(place.endpoint)
    host = parsed.hostname or ""
    try:
        found = socket.getaddrinfo(host, parsed.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DestinationError(
            f"cannot reach {place.url}: the host {host!r} of its endpoint cannot be resolved",
            hint="correct `endpoint`, and look at the DNS",
        ) from error
    for *_, address in found:
        why = refuse_address(str(address[0]), place.allow)
        if why is not None:
            raise DestinationError(
                f"cannot reach {place.url}: its endpoint leads to {address[0]}, {why}",
                hint="if that is meant, name its network in `allow`",
            )

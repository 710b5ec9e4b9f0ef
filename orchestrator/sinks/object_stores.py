"""The stores that obstore is asked through, made from what a destination's options say."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

from orchestrator import __version__
from orchestrator.errors import SettingError
from orchestrator.sinks.bucket_place import BucketPlace

if TYPE_CHECKING:
    from obstore.store import AzureConfig, ClientConfig, GCSConfig, RetryConfig, S3Config

OF_ACCOUNT_KEY = ("type", "client_email", "private_key", "private_key_id")
CONNECT = 5.0  # seconds


def open_store(
    place: BucketPlace, *, seconds: float, retries: int, copy_header: str | None = None
) -> ObjectStore:
    """A store whose requests end after so many seconds; nothing is asked of it. Raises SettingError.

    `copy_header` is what S3 is told, as in `header: name: value`, to copy only where nothing is.
    """
    client: ClientConfig = {
        "allow_http": place.allow_http,
        "connect_timeout": timedelta(seconds=min(CONNECT, seconds)),
        "timeout": timedelta(seconds=seconds),
        "user_agent": f"hybrid-job-orchestrator/{__version__}",
    }
    retry: RetryConfig = {"max_retries": retries, "retry_timeout": timedelta(seconds=seconds)}
    try:
        limits = {"client_options": client, "retry_config": retry}
        return _OPEN[place.scheme](place, limits, copy_header)
    except (BaseError, OSError, ValueError):
        failure = SettingError(  # the foreign text may have a secret in it
            f"{place.url} cannot be used with the options it has",
            hint="look at its credentials: was a key cut off, or is it the path of one?",
        )
    raise failure


def _open_s3(place: BucketPlace, limits: dict[str, Any], copy_header: str | None) -> ObjectStore:
    config: S3Config = {"disable_bulk_delete": True}  # many servers that speak S3 have none
    if copy_header:
        config["copy_if_not_exists"] = copy_header
    if place.region:
        config["region"] = place.region
    if place.endpoint:  # by both names, or the environment's AWS_ENDPOINT_URL_S3 would win
        config |= {"endpoint": place.endpoint, "aws_endpoint_url_s3": place.endpoint}
    if place.access_key_id and place.secret_access_key:
        # By a provider, and not in the config: so nothing of the environment's credentials is mixed in.
        credential = {
            "access_key_id": place.access_key_id.get_secret_value(),
            "secret_access_key": place.secret_access_key.get_secret_value(),
            "token": place.session_token.get_secret_value() if place.session_token else None,
            "expires_at": None,
        }
        limits |= {"credential_provider": lambda: credential}
    return S3Store(place.bucket, config=config, **limits)


def _open_gcs(place: BucketPlace, limits: dict[str, Any], _: str | None) -> ObjectStore:
    config: GCSConfig = {}
    if place.service_account_key:
        # Only what identifies the account: such a file can also name an address, and switch off signing.
        key = json.loads(place.service_account_key.get_secret_value())
        kept = {"private_key_id": ""} | {name: key[name] for name in OF_ACCOUNT_KEY if name in key}
        config["service_account_key"] = json.dumps(kept)
    if place.endpoint:
        config["base_url"] = place.endpoint
    return GCSStore(place.bucket, config=config, **limits)


def _open_azure(place: BucketPlace, limits: dict[str, Any], _: str | None) -> ObjectStore:
    config: AzureConfig = {"account_name": place.account_name or ""}
    if place.endpoint:
        config["endpoint"] = place.endpoint
    if place.account_key:
        key = {"access_key": place.account_key.get_secret_value(), "expires_at": None}
        limits |= {"credential_provider": lambda: key}
    elif place.sas_token:
        token = {"sas_token": place.sas_token.get_secret_value().removeprefix("?"), "expires_at": None}
        limits |= {"credential_provider": lambda: token}
    return AzureStore(place.bucket, config=config, **limits)


_OPEN = {"s3": _open_s3, "gs": _open_gcs, "az": _open_azure}

"""What a bucket can be told: what is wrong is refused with what to do, and no secret is ever repeated."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from orchestrator.errors import DestinationError, SettingError
from orchestrator.sinks import Tools
from orchestrator.sinks.bucket import BucketSink

S3 = {"url": "s3://videos/out"}
S3_KEYS = {"access_key_id": "AKSECRET", "secret_access_key": "hunter2SECRET"}
AZURE = {"url": "az://videos/out", "account_name": "account"}
GOOGLE = {"url": "gs://videos/out"}
ELSEWHERE = S3 | S3_KEYS | {"endpoint": "https://s3.example.com"}


def wrong(**options: Any) -> str:
    """What the error says, which must not repeat what it was given."""
    with pytest.raises(ValidationError) as raised:
        BucketSink.Options.model_validate(options)
    assert "SECRET" not in str(raised.value)
    assert "SECRET" not in repr(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "url\n  Field required"),
        ({"url": "videos"}, "is none of s3://bucket/prefix"),
        ({"url": "https://videos"}, "is none of s3://bucket/prefix"),
        ({"url": "s3://SECRET:SECRET@videos/out"}, "is none of s3://bucket/prefix"),
        ({"url": "s3://videos/out?SECRET=1"}, "has a part between slashes"),
        ({"url": "s3://videos/../out"}, "has a part between slashes"),
        ({"url": "s3://videos//out"}, "has a part between slashes"),
        ({"url": "s3://videos/" + "x" * 301}, "prefix of more than 300"),
        (S3 | {"secret": "SECRET"}, "Extra inputs are not permitted"),
        (S3 | {"key": "{date}"}, "has no {name}"),
        (S3 | {"access_key_id": "SECRET"}, "set both, or neither"),
        (S3 | {"secret_access_key": "SECRET"}, "set both, or neither"),
        (S3 | {"region": "x.SECRET.com/"}, "region\n  String should match pattern"),
        (S3 | {"account_key": "SECRET=="}, "account_key: only for az:// places, and this is s3://"),
        (S3 | {"endpoint": "https://s3.example.com"}, "set credentials too"),
        (ELSEWHERE | {"endpoint": "http://s3.example.com"}, "must begin with https://, unless allow_http"),
        (ELSEWHERE | {"endpoint": "s3.example.com"}, "is not an https:// address"),
        (ELSEWHERE | {"endpoint": "https://SECRET:SECRET@s3.example.com"}, "must have no user"),
        (ELSEWHERE | {"endpoint": "https://s3.example.com/?SECRET"}, "must have no user, query"),
        (ELSEWHERE | {"endpoint": "https://127.0.0.1:9000"}, "leads to a loopback address; `allow` can"),
        (ELSEWHERE | {"endpoint": "https://[::ffff:10.0.0.1]"}, "leads to a private address"),
        (ELSEWHERE | {"endpoint": "https://2130706433"}, "leads to a loopback address"),
        (ELSEWHERE | {"endpoint": "https://169.254.169.254"}, "leads to a cloud metadata address"),
        (ELSEWHERE | {"allow": ["10.0.0.1/8"]}, "allow"),
        ({"url": "az://videos"}, "account_name: set it"),
        (AZURE | {"account_name": "x.SECRET/"}, "account_name\n  String should match pattern"),
        (AZURE | {"account_key": "SECRET is no base64"}, "is not a storage account's key"),
        (AZURE | {"sas_token": "SECRET"}, "is not a shared access signature"),
        (AZURE | {"account_key": "SECRET==", "sas_token": "sig=SECRET"}, "set one of them"),
        (GOOGLE | {"service_account_key": "/SECRET.json"}, "give the contents of the key file, not its path"),
        (GOOGLE | {"service_account_key": '{"x": "SECRET"}'}, "client_email or private_key is missing"),
        (GOOGLE | S3_KEYS, "access_key_id, secret_access_key: only for s3:// places"),
    ],
)
def test_what_is_wrong_is_refused_with_what_to_do(options: dict[str, Any], why: str) -> None:
    assert why in wrong(**options)


@pytest.mark.parametrize(
    "options",
    [
        S3,
        {"url": "s3://videos"},
        {"url": "s3://videos/"},
        ELSEWHERE,
        ELSEWHERE | {"endpoint": "https://10.1.2.3:9000", "allow": ["10.1.0.0/16"]},
        ELSEWHERE | {"endpoint": "http://10.1.2.3", "allow": ["10.1.2.3"], "allow_http": True},
        AZURE | {"account_key": "SECRETSECRET"},
        AZURE | {"sas_token": "?sv=2021-06-08&sig=SECRET"},
        AZURE,
    ],
)
def test_what_is_right_makes_a_sink_that_shows_no_secret(options: dict[str, Any], tools: Tools) -> None:
    read = BucketSink.Options.model_validate(options)
    sink = BucketSink.build(read, tools)
    for shown in (repr(read), str(read), read.model_dump_json(), repr(sink), repr(vars(sink))):
        assert "SECRET" not in shown
    sink.close()


@pytest.fixture
def tools() -> Tools:
    def run(_: Any) -> Any:
        raise AssertionError("nothing is asked")

    return Tools(run=run, wall_clock=lambda: 0.0)


def test_a_key_of_google_is_taken_and_one_that_was_cut_off_is_not(tools: Tools) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = {
        "client_email": "a@example.com",
        "private_key": private.decode(),
        "gcs_base_url": "http://169.254.169.254",
    }
    for whole in (True, False):
        key["private_key"] = key["private_key"] if whole else "SECRET, cut off"
        read = BucketSink.Options.model_validate(GOOGLE | {"service_account_key": json.dumps(key)})
        assert "PRIVATE" not in repr(read)
        if whole:
            BucketSink.build(read, tools)
        else:
            with pytest.raises((SettingError, DestinationError)) as raised:
                BucketSink.build(read, tools)
            assert "SECRET" not in f"{raised.value.message} {raised.value.hint}"


def test_places_are_told_by_their_url_alone() -> None:
    read = BucketSink.Options.model_validate(ELSEWHERE | {"url": "s3://videos/a/b/"})
    assert (read.scheme, read.bucket, read.prefix) == ("s3", "videos", "a/b")

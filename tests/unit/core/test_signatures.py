"""Signatures against every vector and every behaviour that was observed of the gateway's own verifiers."""

import json
import math
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.signatures import Refusal, Verified, sign, signer, verify
from tests.signing import signature

FOLDER = Path(__file__).parents[2] / "gateway"
VECTORS: dict[str, Any] = json.loads((FOLDER / "webhook-vectors.json").read_text())
EXAMPLES: dict[str, Any] = json.loads((FOLDER / "webhook-examples.json").read_text())
FIXTURE = VECTORS["verifier_behaviour"]["fixture"]
CASES = {case["case"]: case for case in VECTORS["verifier_behaviour"]["cases"]}
SIGNED_AT = 1_781_166_600.0


@dataclass(frozen=True)
class Delivery:
    """What a receiver has in hand; the defaults are the fixture, which verifies."""

    signature: str | None = FIXTURE["signature"]
    timestamp: str | None = FIXTURE["timestamp"]
    body: bytes = FIXTURE["body"].encode()
    secrets: tuple[str, ...] = (FIXTURE["secret"],)
    now: float = SIGNED_AT
    tolerance: float = 300.0
    family: str = "x-phaseo"

    @property
    def headers(self) -> Mapping[str, str]:
        named = {"signature": self.signature, "timestamp": self.timestamp}
        return {f"{self.family}-{name}": value for name, value in named.items() if value is not None}

    def verified(self) -> Verified | Refusal:
        return verify(self.headers, self.body, self.secrets, now=self.now, tolerance=self.tolerance)


RIGHT = Delivery()
BELIEVED = Verified(secret_index=0, signed_at=SIGNED_AT)
HEX: str = FIXTURE["signature"]

# Each observed behaviour as a delivery, and our answer to it.
BEHAVIOURS: dict[str, tuple[Delivery, Verified | Refusal]] = {
    "exact now": (RIGHT, BELIEVED),
    "now = ts + 300 s": (replace(RIGHT, now=SIGNED_AT + 300), BELIEVED),
    "now = ts + 300.001 s": (replace(RIGHT, now=SIGNED_AT + 300.001), Refusal.STALE),
    "now = ts + 301 s": (replace(RIGHT, now=SIGNED_AT + 301), Refusal.STALE),
    "now = ts - 300 s (future timestamp)": (replace(RIGHT, now=SIGNED_AT - 300), BELIEVED),
    "now = ts - 301 s": (replace(RIGHT, now=SIGNED_AT - 301), Refusal.STALE),
    "upper-case hex": (replace(RIGHT, signature=HEX.upper()), BELIEVED),
    "signature with spaces around": (replace(RIGHT, signature=f"  {HEX} "), BELIEVED),
    "sha256= prefix": (replace(RIGHT, signature=f"sha256={HEX}"), Refusal.FORGED),
    "v1= prefix": (replace(RIGHT, signature=f"v1={HEX}"), Refusal.FORGED),
    "two comma-separated signatures": (replace(RIGHT, signature=f"{HEX},{HEX}"), Refusal.FORGED),
    # The receiver lowers the names, as its own test shows.
    "header name mixed case": (RIGHT, BELIEVED),
    "legacy x-ai-stats-* headers": (replace(RIGHT, family="x-ai-stats"), BELIEVED),
    "missing signature": (replace(RIGHT, signature=None), Refusal.NO_SIGNATURE),
    "missing timestamp": (replace(RIGHT, timestamp=None), Refusal.NO_SIGNATURE),
    "secret with surrounding whitespace": (replace(RIGHT, secrets=(f" {FIXTURE['secret']}\n",)), BELIEVED),
    "blank secret": (replace(RIGHT, secrets=(" ",)), Refusal.NO_SECRET),
    "tolerance null disables freshness": (replace(RIGHT, now=0.0, tolerance=math.inf), BELIEVED),
    "tolerance negative": (replace(RIGHT, tolerance=-1.0), Refusal.STALE),
    "tolerance 0 and equal": (replace(RIGHT, tolerance=0.0), BELIEVED),
    "timestamp with leading space (signed over trimmed)": (
        replace(RIGHT, timestamp=f" {FIXTURE['timestamp']}"),
        BELIEVED,
    ),
    "non-numeric timestamp": (replace(RIGHT, timestamp="yesterday"), Refusal.BAD_TIMESTAMP),
    "signature containing a non-ASCII char": (replace(RIGHT, signature=HEX[:-1] + "é"), Refusal.FORGED),
    "truncated signature": (replace(RIGHT, signature=HEX[:-2]), Refusal.FORGED),
    "tampered body": (replace(RIGHT, body=RIGHT.body + b" "), Refusal.FORGED),
}

# Where we answer otherwise than the gateway's verifiers, and why.
ON_PURPOSE = {
    "legacy x-ai-stats-* headers": "gateways of before July 2026 sign with these names, in the same way",
    "timestamp with leading space (signed over trimmed)": "HTTP takes that space away before we see it",
}


def test_every_behaviour_that_was_observed_has_an_answer_here() -> None:
    assert set(BEHAVIOURS) == set(CASES)


@pytest.mark.parametrize("case", sorted(BEHAVIOURS))
def test_we_answer_as_the_gateways_own_verifiers_do_except_on_purpose(case: str) -> None:
    delivery, ours = BEHAVIOURS[case]
    assert delivery.verified() == ours
    agrees = isinstance(ours, Verified) == (CASES[case]["ts_sdk"] is True)
    assert agrees == (case not in ON_PURPOSE)


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_every_vector_verifies_in_both_header_families(vector: dict[str, Any]) -> None:
    body = b64decode(vector["body_base64"])
    assert body == vector["body"].encode()
    assert signature(vector["secret"], vector["timestamp"], body).hex() == vector["signature"]
    for family in ("x-phaseo", "x-ai-stats"):
        headers = {f"{family}-timestamp": vector["timestamp"], f"{family}-signature": vector["signature"]}
        found = verify(headers, body, [vector["secret"]], now=0.0, tolerance=math.inf)
        assert isinstance(found, Verified)
        assert found.signed_at in (float(1_787_220_300), SIGNED_AT)


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["name"])
def test_no_vector_verifies_with_the_secret_of_another(vector: dict[str, Any]) -> None:
    others = [other["secret"] for other in VECTORS["vectors"] if other["secret"] != vector["secret"]]
    headers = {"x-phaseo-timestamp": vector["timestamp"], "x-phaseo-signature": vector["signature"]}
    found = verify(headers, vector["body"].encode(), others, now=0.0, tolerance=math.inf)
    assert found is Refusal.FORGED


@pytest.mark.parametrize("row", VECTORS["sdk_divergence_on_odd_bytes"]["rows"], ids=lambda row: row["what"])
def test_odd_bytes_are_signed_as_they_are_whatever_text_they_would_make(row: dict[str, str]) -> None:
    odd = VECTORS["sdk_divergence_on_odd_bytes"]
    body = b64decode(row["body_base64"])
    delivery = replace(RIGHT, body=body, secrets=(odd["secret"],), timestamp=odd["timestamp"])
    assert replace(delivery, signature=row["hmac_over_raw_bytes"]).verified() == BELIEVED
    assert replace(delivery, signature=row["py_sdk"]).verified() == BELIEVED
    assert replace(delivery, signature=row["ts_sdk"]).verified() is Refusal.FORGED


@pytest.mark.parametrize("example", EXAMPLES["examples"], ids=lambda example: example["example"])
def test_every_delivery_of_the_gateways_verifies(example: dict[str, Any]) -> None:
    headers = {name.lower(): value for name, value in example["headers"].items()}
    now = float(headers["x-phaseo-timestamp"])
    body = example["raw_body"].encode()
    assert verify(headers, body, [EXAMPLES["secret"]], now=now) == Verified(0, now)
    assert verify(headers, body + b"\n", [EXAMPLES["secret"]], now=now) is Refusal.FORGED


def test_the_settings_are_what_the_file_says_of_the_gateways() -> None:
    assert VECTORS["default_tolerance_seconds"] == 300
    assert {VECTORS["header_signature"], VECTORS["header_timestamp"]} == set(RIGHT.headers)


def test_around_a_rotation_any_live_secret_will_do() -> None:
    for position in range(3):
        secrets = ["whsec_old", "", "whsec_new"]
        secrets[position] = FIXTURE["secret"]
        live = [secret for secret in secrets if secret]
        found = replace(RIGHT, secrets=tuple(secrets)).verified()
        assert found == Verified(live.index(FIXTURE["secret"]), SIGNED_AT)


def test_an_account_without_a_secret_believes_nobody() -> None:
    assert replace(RIGHT, secrets=()).verified() is Refusal.NO_SECRET


def test_a_forged_delivery_is_called_forged_even_when_it_is_old() -> None:
    assert replace(RIGHT, body=b"x", now=SIGNED_AT + 9_999).verified() is Refusal.FORGED


def test_a_timestamp_of_thirteen_digits_is_in_milliseconds() -> None:
    stamp = f"{int(SIGNED_AT)}000"
    made = signature(FIXTURE["secret"], stamp, RIGHT.body).hex()
    assert replace(RIGHT, timestamp=stamp, signature=made).verified() == BELIEVED


NO_TIMES = [
    *("", "1e9", "+1781166600", "-1", "1_781", "١٧٨١١٦٦٦٠٠", "1781166600.5", "nan", "inf", "0x10"),
    *("9" * 18, "9" * 5000, "2026-06-11", "2026-06-11T08:30:00", "2026-13-45T08:30:00Z"),
    *("2026-06-11T99:99:99Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
]


@pytest.mark.parametrize("stamp", NO_TIMES)
def test_a_timestamp_that_is_no_plain_time_is_refused(stamp: str) -> None:
    made = signature(FIXTURE["secret"], stamp, RIGHT.body).hex()
    found = replace(RIGHT, timestamp=stamp, signature=made).verified()
    assert found in (Refusal.BAD_TIMESTAMP, Refusal.NO_SIGNATURE, Refusal.STALE)


def test_the_newer_headers_decide_when_both_families_are_there() -> None:
    legacy = replace(RIGHT, family="x-ai-stats").headers
    wrong = replace(RIGHT, signature="0" * 64).headers
    assert verify({**legacy, **wrong}, RIGHT.body, RIGHT.secrets, now=SIGNED_AT) is Refusal.FORGED
    found = verify({**RIGHT.headers, "x-ai-stats-signature": "x"}, RIGHT.body, RIGHT.secrets, now=SIGNED_AT)
    assert found == BELIEVED


ANYTHING = st.text() | st.text("0123456789abcdefABCDEFé", max_size=70) | st.integers().map(str)
NAMES = st.sampled_from(
    [f"{family}-{name}" for family in ("x-phaseo", "x-ai-stats") for name in ("signature", "timestamp")]
)


@given(
    st.dictionaries(NAMES | st.text(), ANYTHING),
    st.binary(),
    st.lists(st.text(), max_size=3),
    st.floats(),
)
def test_hostile_bytes_are_refused_and_never_raise(
    headers: dict[str, str], body: bytes, secrets: list[str], now: float
) -> None:
    assert isinstance(verify(headers, body, secrets, now=now), Refusal)


@given(st.binary(), st.text(min_size=1), st.integers(0, 10**11))
def test_what_is_signed_is_believed_and_one_changed_bit_is_not(body: bytes, secret: str, at: int) -> None:
    if not secret.strip():
        secret = "s"
    made = signature(secret, str(at), body)
    right = Delivery(made.hex(), str(at), body, (secret,), float(at))
    assert right.verified() == Verified(0, float(at))
    flipped = bytes([made[0] ^ 1]) + made[1:]
    assert replace(right, signature=flipped.hex()).verified() is Refusal.FORGED
    assert replace(right, timestamp=str(at + 1)).verified() is Refusal.FORGED


def test_what_we_sign_is_believed_and_signed_as_the_gateway_does() -> None:
    headers = sign("whsec_ours", "1781166600", b"body")
    assert headers["x-phaseo-signature"] == signature("whsec_ours", "1781166600", b"body").hex()
    assert verify(headers, b"body", ["whsec_ours"], now=SIGNED_AT) == BELIEVED


def test_it_can_be_told_which_secret_signed_however_long_ago_that_was() -> None:
    headers = sign("new", "1", b"body")
    assert signer(headers, b"body", ["old", "new"]) == 1
    assert signer(headers, b"other", ["old", "new"]) is None
    assert signer({}, b"body", ["new"]) is None

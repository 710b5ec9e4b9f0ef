"""Links to outputs: who has none cannot make one, and those that were made live as long as their key."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.links import derive, sign, verify
from orchestrator.core.vault import new_key
from orchestrator.errors import SettingError

SECRETS = [new_key(), new_key()]
KEYS = derive(SECRETS)
SIGNED = sign(KEYS, "job_1", 0)


def test_a_signature_is_short_stands_in_a_url_and_is_the_same_each_time() -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", SIGNED)
    assert sign(derive(SECRETS), "job_1", 0) == SIGNED


def test_it_is_believed_for_the_output_it_was_made_for_and_no_other() -> None:
    assert verify(KEYS, "job_1", 0, SIGNED)
    for job_id, index in (("job_1", 1), ("job_1", 10), ("job_2", 0), ("job_1\x000", 0), ("", 0)):
        assert not verify(KEYS, job_id, index, SIGNED)


def test_links_live_as_long_as_the_key_that_made_them_is_listed() -> None:
    newer = new_key()
    assert verify(derive([newer, *SECRETS]), "job_1", 0, SIGNED)
    assert verify(derive([newer, SECRETS[0]]), "job_1", 0, SIGNED)
    assert not verify(derive([newer, SECRETS[1]]), "job_1", 0, SIGNED)
    assert sign(derive([newer, *SECRETS]), "job_1", 0) != SIGNED


def test_without_a_key_nothing_is_signed_and_nothing_believed() -> None:
    with pytest.raises(SettingError, match="no key to sign links") as raised:
        sign([], "job_1", 0)
    assert "ORCHESTRATOR_SECRET_KEYS" in raised.value.hint
    assert not verify([], "job_1", 0, SIGNED)


def test_the_keys_of_links_are_not_the_secret_keys() -> None:
    for secret, key in zip(SECRETS, KEYS, strict=True):
        assert len(key) == 32
        assert key not in secret.encode()
        assert key.hex() not in secret


@given(signature=st.text() | st.sampled_from([SIGNED[:-1], SIGNED + "=", SIGNED + "\n", SIGNED.lower()]))
def test_hostile_signatures_are_no_error_and_not_believed(signature: str) -> None:
    assert verify(KEYS, "job_1", 0, signature) is (signature == SIGNED)


@given(other=st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
def test_the_last_letter_counts_whole(other: str) -> None:
    """Base64 leaves bits of it unused: other letters would decode to the same bytes."""
    assert verify(KEYS, "job_1", 0, SIGNED[:-1] + other) is (SIGNED[-1] == other)


@given(job_id=st.text(), index=st.integers(0, 10**9))
def test_whatever_is_signed_is_believed(job_id: str, index: int) -> None:
    assert verify(KEYS, job_id, index, sign(KEYS, job_id, index))

"""Secrets at rest: what opens a token, what does not, and what is never repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.vault import MARK, Vault, new_key
from orchestrator.errors import SettingError

OLD, NEW, OTHER = new_key(), new_key(), new_key()
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=80)


def refused(vault: Vault, purpose: str, token: str) -> str:
    with pytest.raises(SettingError) as caught:
        vault.open(purpose, token)
    return f"{caught.value.message} {caught.value.hint}"


@given(purpose=texts.filter(lambda one: "\0" not in one), plain=texts)
def test_what_was_sealed_for_a_purpose_is_opened_for_it(purpose: str, plain: str) -> None:
    vault = Vault([NEW])
    token = vault.seal(purpose, plain)
    assert token.startswith(MARK)
    assert vault.open(purpose, token) == plain


def test_a_token_opens_nothing_for_another_purpose() -> None:
    vault = Vault([NEW])
    token = vault.seal("destination a", "hunter2")
    for purpose in ("destination b", "destination", "destination a\0", ""):
        assert "was made for another place" in refused(vault, purpose, token)


def test_no_token_shows_what_is_in_it_and_no_two_are_alike() -> None:
    vault = Vault([NEW])
    assert "hunter2" not in vault.seal("p", "hunter2")
    assert vault.seal("p", "hunter2") != vault.seal("p", "hunter2")


def test_any_of_the_keys_opens_and_the_first_one_seals() -> None:
    token = Vault([OLD]).seal("p", "hunter2")
    both = Vault([NEW, OLD])
    assert both.open("p", token) == "hunter2"
    assert Vault([NEW]).open("p", both.seal("p", "x")) == "x"
    assert "cannot be read with any of the keys" in refused(Vault([OLD]), "p", both.seal("p", "x"))


def test_resealed_it_needs_the_old_key_no_more_and_keeps_its_purpose() -> None:
    token = Vault([OLD]).seal("p", "hunter2")
    renewed = Vault([NEW, OLD]).reseal(token)
    assert Vault([NEW]).open("p", renewed) == "hunter2"
    assert "another place" in refused(Vault([NEW]), "q", renewed)


def test_what_the_newest_key_made_stays_as_it_is() -> None:
    vault = Vault([NEW, OLD])
    token = vault.seal("p", "x")
    assert vault.reseal(token) == token
    assert Vault([OLD, NEW]).reseal(token) != token


@pytest.mark.parametrize(
    "token", ["", MARK, "hunter2", f"{MARK}hunter2", f"{MARK}hünter2", f"{MARK}gAAAAABhunter2", "\ud800"]
)
def test_what_is_no_token_of_ours_is_refused_and_not_repeated(token: str) -> None:
    vault = Vault([NEW, OLD])
    assert "hunter2" not in refused(vault, "p", token)
    with pytest.raises(SettingError, match="cannot be read with any of the keys"):
        vault.reseal(token)


@given(place=st.integers(0, 119), other=st.sampled_from("Aa0_-"))
def test_a_token_that_was_tampered_with_is_refused(place: int, other: str) -> None:
    token = Vault([NEW]).seal("p", "x" * 20)
    place += len(MARK)
    damaged = token[:place] + other + token[place + 1 :]
    if damaged != token and place < len(token) - 3:  # the last letters have bits that say nothing
        refused(Vault([NEW]), "p", damaged)


@pytest.mark.parametrize(
    ("use", "given", "hint"),
    [
        ("seal", ("p", "x"), "orchestrator secrets new-key"),
        ("open", ("p", "x"), "the key that made it"),  # a new one would open nothing
        ("reseal", ("x",), "the key that made it"),
    ],
)
def test_without_a_key_it_says_which_one_is_needed(use: str, given: tuple[str, ...], hint: str) -> None:
    with pytest.raises(SettingError, match="there is no key") as caught:
        getattr(Vault([]), use)(*given)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "key", ["", "hunter2", NEW[:-2], "ü" * 44], ids=["nothing", "a word", "too short", "no ASCII"]
)
def test_a_key_that_is_none_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(SettingError, match="is no Fernet key") as caught:
        Vault([OTHER, key])
    assert "hunter2" not in f"{caught.value!r} {caught.value.hint} {caught.value.__cause__}"


def test_a_vault_shows_neither_keys_nor_where_they_are() -> None:
    vault = Vault([NEW])
    assert NEW not in f"{vault!r} {vault}"

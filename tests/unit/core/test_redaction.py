"""Secrets in what others say: found in every spelling, and nothing else is touched."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.redaction import MASK, SHORTEST, Redactor

words = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
secrets = st.text(
    alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="*"), min_size=SHORTEST, max_size=30
)


@given(secret=secrets, before=words, after=words)
def test_what_is_left_does_not_hold_the_secret(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret])
    assert secret not in redactor.text(f"{before}{secret}{after}")
    assert redactor.finds_in(f"{before}{secret}{after}")


@given(text=words)
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert Redactor(["a secret that no text of thirty letters holds"]).text(text) == text
    assert Redactor().text(text) == text


@pytest.mark.parametrize("secret", ["p@ss/wörd", 'qu"ote\n', "back\\slash"])
def test_it_is_found_in_a_url_in_json_and_in_python(secret: str) -> None:
    redactor = Redactor([secret])
    for text in (f"https://h/?k={quote(secret, safe='')}", json.dumps({"k": secret}), repr({"k": secret})):
        assert redactor.finds_in(text)
        assert MASK in redactor.text(text)


def test_the_password_of_a_url_is_a_secret_by_itself() -> None:
    redactor = Redactor(["redis://me:hunter2%21@host:6379/0"])
    assert redactor.text("WRONGPASS for me:hunter2!, hunter2%21") == f"WRONGPASS for me:{MASK}, {MASK}"
    assert redactor.text("no answer from host:6379") == "no answer from host:6379"


def test_what_cannot_be_a_secret_leaves_sentences_readable() -> None:
    assert Redactor(["", "a", "the"]).text("the answer was late") == "the answer was late"


def test_of_two_that_share_letters_none_shows_its_rest() -> None:
    assert Redactor(["hunter", "hunter2-and-more"]).text("hunter2-and-more") == MASK

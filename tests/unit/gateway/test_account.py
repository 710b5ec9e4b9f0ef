"""An account that could never work is refused at once, without saying what is secret."""

import pytest
from pydantic import SecretStr

from orchestrator.errors import SettingError
from orchestrator.gateway.account import Account

KEY = "phaseo_v1_sk_abcdef_do_not_show"


def account(key: str = KEY) -> Account:
    return Account(
        "main", "https://api.phaseo.app/v1", SecretStr(key), None, (SecretStr("whsec_do_not_show"),)
    )


def test_no_secret_is_printed() -> None:
    assert "do_not_show" not in repr(account()) + str(account())


@pytest.mark.parametrize("key", ["", "do_not_show\n", "do not_show", "do_not_show\u00e9"])
def test_a_key_that_cannot_be_sent_is_refused_unseen(key: str) -> None:
    with pytest.raises(SettingError) as caught:
        account(key)
    assert "not_show" not in str(caught.value)

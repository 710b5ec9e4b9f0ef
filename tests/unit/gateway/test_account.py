"""An account that could never work is refused at once, without saying what is secret."""

import pytest
from pydantic import SecretStr

from orchestrator.errors import SettingError
from orchestrator.gateway.account import Account

KEY = "phaseo_v1_sk_abcdef_do_not_show"


def account(url: str = "https://api.phaseo.app/v1", key: str = KEY) -> Account:
    return Account("main", url, SecretStr(key), None, (SecretStr("whsec_do_not_show"),))


def test_no_secret_is_printed() -> None:
    assert "do_not_show" not in repr(account()) + str(account())


@pytest.mark.parametrize("key", ["", "do_not_show\n", "do not_show", "do_not_show\u00e9"])
def test_a_key_that_cannot_be_sent_is_refused_unseen(key: str) -> None:
    with pytest.raises(SettingError) as caught:
        account(key=key)
    assert "not_show" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.phaseo.app/v1",
        "ftp://api.phaseo.app",
        "https://",
        "https://[::1",
        "https://host:99999",
        "https://user:do_not_show@host",
        "https://host?key=do_not_show",
    ],
)
def test_a_url_that_is_none_is_refused_unseen(url: str) -> None:
    with pytest.raises(SettingError) as caught:
        account(url)
    assert "not_show" not in str(caught.value)

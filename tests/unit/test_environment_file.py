"""The two lines of a file of settings that tell of a webhook endpoint."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from orchestrator.engine.environment_file import InFile
from orchestrator.errors import NotAllowed, SettingError
from orchestrator.settings import SigningSecret, load

ENDPOINT, SECRETS = "ORCHESTRATOR_WEBHOOK_ENDPOINT_ID", "ORCHESTRATOR_WEBHOOK_SECRETS"


def test_what_was_begun_and_taken_back_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "a.env"
    before = f"A=1\n{ENDPOINT}=e\n\n{SECRETS}=one,two"
    file.write_text(before)
    keeping = InFile(file, lambda: 0.0)
    assert keeping.known() == ("e", True)
    keeping.begin()
    assert keeping.known() == ("e", False)
    keeping.forget()
    assert file.read_text() == before


def test_secrets_of_the_settings_are_kept_where_the_file_has_none(tmp_path: Path) -> None:
    file = tmp_path / "a.env"
    keeping = InFile(file, lambda: 0.0, [SigningSecret(SecretStr("of-settings"))])
    assert keeping.known() == (None, False)
    keeping.begin()
    keeping.keep("e", SecretStr("new"))
    assert f"{SECRETS}=new,of-settings@1970-01-01T00:40:00Z\n" in file.read_text()


def test_a_name_that_only_ends_alike_is_another_setting(tmp_path: Path) -> None:
    file = tmp_path / "a.env"
    file.write_text(f"MY_{SECRETS}=theirs\n# {SECRETS}=commented\n")
    keeping = InFile(file, lambda: 0.0)
    keeping.keep("e", SecretStr("new"))
    lines = file.read_text().splitlines()
    assert lines == [f"MY_{SECRETS}=theirs", f"# {SECRETS}=commented", f"{ENDPOINT}=e", f"{SECRETS}=new"]


def test_what_is_no_text_or_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"\xff")
    for path in (tmp_path / "b", tmp_path):
        with pytest.raises(SettingError, match="cannot be read"):
            InFile(path, lambda: 0.0).begin()


def test_a_link_to_a_file_stays_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("A=1\n")
    (tmp_path / "link").symlink_to("file")
    InFile(tmp_path / "link", lambda: 0.0).keep("e", SecretStr("new"))
    assert (tmp_path / "link").is_symlink()
    assert f"{SECRETS}=new" in (tmp_path / "file").read_text()


def test_of_two_lines_the_last_one_counts_as_for_whoever_reads_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.env"
    file.write_text(f"{SECRETS}=whsec_dead\n  export {SECRETS}='whsec_old' # ours\r\nA=1\n{ENDPOINT}=\n")
    InFile(file, lambda: 0.0).keep("e", SecretStr("whsec_new"))
    assert file.read_bytes().decode().splitlines(keepends=True) == [
        f"{SECRETS}=whsec_dead\n",
        f"  export {SECRETS}=whsec_new,whsec_old@1970-01-01T00:40:00Z # ours\r\n",
        "A=1\n",
        f"{ENDPOINT}=e\n",
    ]


@pytest.mark.parametrize(
    ("before", "after"), [(0o644, 0o600), (0o640, 0o640), (0o600, 0o600), (0o604, 0o600)]
)
def test_strangers_cannot_read_it_afterwards_and_a_group_that_was_let_in_can(
    tmp_path: Path, before: int, after: int
) -> None:
    file = tmp_path / "a.env"
    file.touch()
    file.chmod(before)
    InFile(file, lambda: 0.0).keep("e", SecretStr("new"))
    assert stat.S_IMODE(file.stat().st_mode) == after


def test_what_was_noted_before_is_not_taken_back_with_what_came_to_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.env"
    file.write_text(f"{ENDPOINT}=e\n{SECRETS}=old\n")
    InFile(file, lambda: 0.0).begin()  # and died
    noted = file.read_text()
    again = InFile(file, lambda: 60.0)
    again.begin()
    again.forget()
    assert file.read_text() == noted
    assert again.known() == ("e", False)


def test_two_at_once_are_not_both_let_in(tmp_path: Path) -> None:
    file = tmp_path / "a.env"
    first, second = InFile(file, lambda: 0.0), InFile(file, lambda: 0.0)
    with first.alone(), pytest.raises(NotAllowed, match="somebody else"), second.alone():
        raise AssertionError
    with second.alone():
        pass


def test_replaced_secrets_have_their_time_in_the_file_and_leave_it_afterwards(tmp_path: Path) -> None:
    file, now = tmp_path / "a.env", 0.0
    keeping = InFile(file, lambda: now)
    for number in range(3):
        keeping.keep("e", SecretStr(f"whsec_{number}"))
        now += 2500
    kept = file.read_text().partition(f"{SECRETS}=")[2].strip()
    assert kept == "whsec_2,whsec_1@1970-01-01T02:03:20Z"  # the time of the first one is over
    settings = load({ENDPOINT: "7f9c2ba4-e88f-4f9a-8d0e-0c1b2a3d4e5f", SECRETS: kept})
    assert [one.get_secret_value() for one in settings.live_secrets] == ["whsec_2"]
    assert settings.signing_secrets[1] == SigningSecret(SecretStr("whsec_1"), 7400.0)


def test_a_time_that_is_none_is_refused_by_name_and_not_repeated(tmp_path: Path) -> None:
    for wrong in ("whsec_a@soon", "whsec_a@2026-01-31T12:00:00", "whsec_@"):
        with pytest.raises(SettingError, match="no time after it") as refused:
            load({SECRETS: wrong})
        assert wrong not in str(refused.value)
        file = tmp_path / "a.env"
        file.write_text(f"{SECRETS}={wrong}\n")
        with pytest.raises(SettingError, match="no time after it"):
            InFile(file, lambda: 0.0).keep("e", SecretStr("new"))

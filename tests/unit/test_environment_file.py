"""The two lines of a file of settings that tell of a webhook endpoint."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from orchestrator.engine.environment_file import InFile
from orchestrator.errors import SettingError

ENDPOINT, SECRETS = "ORCHESTRATOR_WEBHOOK_ENDPOINT_ID", "ORCHESTRATOR_WEBHOOK_SECRETS"


def test_what_was_begun_and_taken_back_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "a.env"
    before = f"A=1\n{ENDPOINT}=e\n\n{SECRETS}=one,two"
    file.write_text(before)
    keeping = InFile(file, lambda: 0.0)
    assert keeping.known() == ("e", True)
    keeping.begin()
    keeping.begin()
    assert keeping.known() == ("e", False)
    keeping.forget()
    assert file.read_text() == before


def test_secrets_of_the_settings_are_kept_where_the_file_has_none(tmp_path: Path) -> None:
    file = tmp_path / "a.env"
    keeping = InFile(file, lambda: 0.0, [SecretStr("of-settings")])
    assert keeping.known() == (None, False)
    keeping.begin()
    keeping.keep("e", SecretStr("new"))
    assert f"{SECRETS}=new,of-settings\n" in file.read_text()


def test_a_name_that_only_ends_alike_is_another_setting(tmp_path: Path) -> None:
    file = tmp_path / "a.env"
    file.write_text(f"MY_{SECRETS}=theirs\n# {SECRETS}=commented\n")
    keeping = InFile(file, lambda: 0.0)
    keeping.keep("e", SecretStr("new"))
    lines = file.read_text().splitlines()
    assert lines[1:] == [f"MY_{SECRETS}=theirs", f"# {SECRETS}=commented", f"{ENDPOINT}=e", f"{SECRETS}=new"]


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

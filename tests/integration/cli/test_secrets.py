"""`secrets`: a key, a token for the file, and all of them encrypted anew by a newer key, or none."""

import json
import os
import re
import stat
from pathlib import Path

import pytest

from orchestrator.cli.exits import Exit
from orchestrator.core.vault import MARK, Vault, new_key
from orchestrator.engine.destination_settings import purpose
from orchestrator.store import configured
from tests import kinds as for_tests
from tests.integration.cli.conftest import Rows, Run, Said

OLD, NEW, LOST = new_key(), new_key(), new_key()
SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for_tests.install(monkeypatch)


@pytest.fixture
def file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = folder / "destinations.toml"
    monkeypatch.setenv("ORCHESTRATOR_DESTINATIONS_FILE", str(made))
    return made


def keys(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", ",".join(names))


def sealed(field: str, plain: str = SECRET, key: str = OLD) -> str:
    return Vault([key]).seal(purpose(*field.split(".")), plain)


def written(file: Path, *, token: str, tokens: str, more: str = "") -> str:
    """A file with two secrets, and with what makes a text its own."""
    text = (
        "# Ours; \t kept as it is \u00e9\r\n"
        '[destinations."told"]\n'
        f"type='noted'   # with `{token}` once more\n"
        'label = "x"\r\n'
        f'token="{token}"\n'
        f"tokens = [ '{tokens}' ,\n]\n"
        f"{more}\n\n"
    )
    file.write_bytes(text.encode())
    return text


def in_database(rows: Rows) -> str:
    with rows.context.store.read() as tx:
        return "".join(one.secrets or "" for one in configured.every(tx))


def check(run: Run) -> Said:
    return run("destinations", "check")


def add(run: Run, name: str) -> None:
    command = f"destinations add {name} --type noted --option label=x --secret token=-"
    assert run(*command.split(), stdin=SECRET).code == Exit.OK


def test_a_new_key_is_one_that_the_settings_take(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    key, other = (
        run("secrets", "new-key").out.strip(),
        json.loads(run("secrets", "new-key", "--json").out)["key"],
    )
    assert key != other
    keys(monkeypatch, key, other)
    assert run("secrets", "seal", "told.token", stdin=SECRET).code == Exit.OK


@pytest.mark.parametrize("given", [SECRET, f"{SECRET}\n", f"{SECRET}\r\n"])
def test_a_sealed_secret_is_a_token_for_one_option_of_one_destination(
    run: Run, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    keys(monkeypatch, NEW, OLD)
    token = run("secrets", "seal", "told.token", stdin=given).out.strip()
    assert Vault([NEW]).open(purpose("told", "token"), token) == SECRET
    assert SECRET not in token
    assert json.loads(run("secrets", "seal", "archive.token", "--json", stdin=given).out)["token"].startswith(
        MARK
    )


def test_a_sealed_secret_can_be_used_in_the_file(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys(monkeypatch, NEW)
    token = run("secrets", "seal", "told.token", stdin=SECRET).out.strip()
    file.write_text(f'[destinations.told]\ntype = "noted"\nlabel = "x"\ntoken = "{token}"\n')
    assert check(run).code == Exit.OK
    file.write_text(file.read_text().replace("told", "other"))
    assert "was made for another place" in check(run).out


@pytest.mark.parametrize(
    ("place", "stdin", "words"),
    [
        ("told", SECRET, "names no option of a destination"),
        ("told.", SECRET, "names no option of a destination"),
        ("told.headers.Authorization", SECRET, "names no option of a destination"),
        ("Told.token", SECRET, "cannot be the name of a destination"),
        ("told.token", "", "standard input holds no secret"),
    ],
)
def test_what_cannot_be_sealed_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch, place: str, stdin: str, words: str
) -> None:
    keys(monkeypatch, NEW)
    said = run("secrets", "seal", place, stdin=stdin)
    assert (said.code, words in said.err) == (Exit.USAGE, True)


def test_without_a_key_nothing_is_sealed_or_rotated(run: Run, rows: Rows, file: Path) -> None:
    written(file, token=sealed("told.token"), tokens=sealed("told.tokens"))
    for said in (run("secrets", "seal", "told.token", stdin=SECRET), run("secrets", "rotate")):
        assert (said.code, "there is no key" in said.err) == (Exit.USAGE, True)


def test_after_a_rotation_the_old_key_can_be_taken_away(
    run: Run, rows: Rows, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys(monkeypatch, OLD)
    file.write_text("")
    add(run, "added")
    add(run, "added-too")
    token, tokens = sealed("told.token"), sealed("told.tokens")
    before = written(file, token=token, tokens=tokens)
    file.chmod(0o640)
    keys(monkeypatch, NEW)
    assert check(run).code == Exit.OTHERWISE
    keys(monkeypatch, NEW, OLD)
    assert json.loads(run("secrets", "rotate", "--json").out) == {"database": 2, "file": 2, "already": 0}
    keys(monkeypatch, NEW)
    assert check(run).code == Exit.OK
    after = file.read_bytes().decode()
    assert OLD not in after
    assert token not in after, "in the comment too"
    assert re.sub(r"fernet:[\w=-]+", "T", after) == before.replace(token, "T").replace(tokens, "T")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [one.name for one in file.parent.iterdir() if one.name.startswith(f".{file.name}")] == []


def test_a_second_rotation_changes_nothing(
    run: Run, rows: Rows, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys(monkeypatch, OLD)
    file.write_text("")
    add(run, "added")
    written(file, token=sealed("told.token"), tokens=sealed("told.tokens", key=NEW))
    keys(monkeypatch, NEW, OLD)
    said = run("secrets", "rotate")
    assert said.out == (
        "encrypted again: 1 in the database, 1 in the destinations file\nby the newest key before: 1\n"
    )
    then = file.read_bytes(), file.stat().st_ino, in_database(rows)
    assert json.loads(run("secrets", "rotate", "--json").out) == {"database": 0, "file": 0, "already": 3}
    assert (file.read_bytes(), file.stat().st_ino, in_database(rows)) == then


@pytest.mark.parametrize("where", ["file", "database"])
def test_where_no_key_opens_one_nothing_at_all_is_changed_and_that_one_is_named(
    run: Run, rows: Rows, file: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    file.write_text("")
    keys(monkeypatch, OLD)
    add(run, "added")
    keys(monkeypatch, LOST if where == "database" else OLD)
    add(run, "by-another")
    lost = sealed("told.tokens", key=LOST if where == "file" else OLD)
    written(file, token=sealed("told.token"), tokens=lost)
    before = file.read_bytes(), in_database(rows)
    keys(monkeypatch, NEW, OLD)
    said = run("secrets", "rotate")
    assert said.code == Exit.USAGE
    place = f"{file}: destinations.told.tokens: " if where == "file" else "destination by-another: "
    assert f"error: {place}an encrypted secret cannot be read with any of the keys" in said.err
    assert "nothing was changed" in said.err
    assert (file.read_bytes(), in_database(rows)) == before


def test_a_token_in_a_comment_that_no_key_opens_any_more_stays_as_it_is(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = sealed("told.token", key=LOST)
    written(file, token=sealed("told.token"), tokens=sealed("told.tokens"), more=f"# once: {lost}")
    keys(monkeypatch, NEW, OLD)
    assert json.loads(run("secrets", "rotate", "--json").out) == {"database": 0, "file": 2, "already": 0}
    assert f"# once: {lost}\n" in file.read_text()


def test_a_token_that_is_not_one_plain_text_is_refused_and_left(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = sealed("told.token")
    written(file, token=f"{token[:-30]}\\u{ord(token[-30]):04x}{token[-29:]}", tokens=sealed("told.tokens"))
    before = file.read_bytes()
    keys(monkeypatch, NEW, OLD)
    said = run("secrets", "rotate")
    assert (said.code, "is not written as one plain text" in said.err) == (Exit.USAGE, True)
    assert file.read_bytes() == before


def test_a_link_to_the_file_stays_a_link(
    run: Run, folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = folder / "elsewhere" / "real.toml"
    real.parent.mkdir()
    written(real, token=sealed("told.token"), tokens=sealed("told.tokens"))
    file.symlink_to(real)
    keys(monkeypatch, NEW, OLD)
    assert run("secrets", "rotate").code == Exit.OK
    assert file.is_symlink()
    keys(monkeypatch, NEW)
    assert check(run).code == Exit.OK


def test_a_file_that_cannot_be_replaced_leaves_the_database_as_it_was(
    run: Run, rows: Rows, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys(monkeypatch, OLD)
    file.write_text("")
    add(run, "added")
    written(file, token=sealed("told.token"), tokens=sealed("told.tokens"))
    before = file.read_bytes(), in_database(rows)

    def refuse(self: Path, target: object) -> Path:
        raise PermissionError(1, os.strerror(1))

    monkeypatch.setattr(Path, "replace", refuse)
    keys(monkeypatch, NEW, OLD)
    said = run("secrets", "rotate")
    assert said.code == Exit.USAGE
    assert f"{file} cannot be replaced: Operation not permitted" in said.err
    assert (file.read_bytes(), in_database(rows)) == before
    assert sorted(one.name for one in file.parent.iterdir() if one.is_file()) == [file.name]


def test_with_neither_a_database_nor_a_file_there_is_nothing_to_do(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys(monkeypatch, NEW)
    assert json.loads(run("secrets", "rotate", "--json").out) == {"database": 0, "file": 0, "already": 0}
    assert not list(folder.iterdir())

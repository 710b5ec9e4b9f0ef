"""`destinations`: adding, showing, trying and removing, with secrets that are never arguments."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.exits import Exit
from orchestrator.core.job import HandOffState
from orchestrator.core.vault import Vault, new_key
from orchestrator.engine.destination_settings import purpose
from orchestrator.sinks.folder import FolderSink
from orchestrator.store import configured
from orchestrator.store.schema import hand_offs, lanes
from tests import kinds as for_tests
from tests.integration.cli.conftest import Rows, Run
from tests.integration.store.rows import START, a_job, keep

KEY = new_key()
SECRET = "hunter2-hunter2"
ADD = ("destinations", "add", "told", "--type", "noted", "--option", "label=x")


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for_tests.install(monkeypatch)


@pytest.fixture
def key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEYS", KEY)
    return KEY


@pytest.fixture
def file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The destinations file, with one folder in it."""
    made = folder / "destinations.toml"
    made.write_text(f'[destinations.given]\ntype = "folder"\npath = "{folder}/given"\ndefault = false\n')
    monkeypatch.setenv("ORCHESTRATOR_DESTINATIONS_FILE", str(made))
    return made


def listed(run: Run) -> dict[str, Any]:
    return {one["name"]: one for one in json.loads(run("destinations", "list", "--json").out)}


def kept(rows: Rows, name: str) -> configured.Entry:
    with rows.context.store.read() as tx:
        found = configured.get(tx, name)
    assert found is not None
    return found


def owe(rows: Rows, destination: str) -> None:
    keep(rows.context.store, a_job())
    with rows.context.store.write() as tx:
        lane = {"id": f"default/{destination}", "tenant_id": "default", "destination": destination}
        tx.execute(tx.insert(lanes).values(**lane))
        facts = {"key": "k", "tenant_id": "default", "job_id": "job_1", "kind": "outcome", "lane": lane["id"]}
        counts = {"attempts": 0, "created_at": START, "due_at": START, "fence": 0, "generation": 0}
        row = {**facts, **counts, "destination": destination, "state": HandOffState.OWED}
        tx.execute(tx.insert(hand_offs).values(**row))


def test_before_there_is_anything_the_folder_is_listed_and_nothing_is_made(run: Run, folder: Path) -> None:
    (only,) = listed(run).values()
    assert (only["name"], only["source"], only["default"]) == ("folder", "built in", True)
    assert only["options"] == {"path": str(folder / "outputs")}
    assert not list(folder.iterdir())


def test_one_that_is_added_is_listed_shown_and_tried(run: Run, folder: Path) -> None:
    option = f"path={folder}/videos"
    said = run("destinations", "add", "disk", "--type", "folder", "--option", option, "--at-once", 3)
    assert said.code == Exit.OK
    assert said.out.startswith("disk was added\n")
    found = listed(run)
    assert (found["disk"]["source"], found["disk"]["at_once"], found["disk"]["deliver"]) == (
        "database",
        3,
        "files",
    )
    assert (found["folder"]["default"], found["disk"]["default"]) == (False, True)
    shown = run("destinations", "show", "disk").out
    assert f"option path               {folder}/videos" in shown
    assert json.loads(run("destinations", "show", "disk", "--json").out) == found["disk"]
    assert run("destinations", "check", "disk").out == (
        "ok    destination disk a probe was written there and removed\n"
    )
    assert (folder / "videos").is_dir()
    assert not list((folder / "videos").iterdir())


def test_everything_can_be_said(run: Run) -> None:
    said = run(
        *("destinations", "add", "told", "--type", "noted", "--option", "label=x", "--deliver", "link"),
        *("--outcomes", "completed, failed", "--at-once", 2, "--not-default", "--json"),
    )
    assert json.loads(said.out) == listed(run)["told"]
    told = listed(run)["told"]
    assert (told["outcomes"], told["default"], told["at_once"]) == (["completed", "failed"], False, 2)


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        (["size=7"], {"label": "x", "size": 7}),
        (["label=2024"], {"label": "2024"}),
        (["label=true"], {"label": "true"}),
        (['label="quoted"'], {"label": "quoted"}),
        (["label=a=b"], {"label": "a=b"}),
        (["many=one"], {"label": "x", "many": ["one"]}),
        (["many=one", "many=2"], {"label": "x", "many": ["one", "2"]}),
        (['many=["one", "two"]'], {"label": "x", "many": ["one", "two"]}),
        (['facts={"a": "b"}'], {"label": "x", "facts": {"a": "b"}}),
    ],
)
def test_options_are_given_as_json_or_as_text(run: Run, options: list[str], meant: dict[str, Any]) -> None:
    given = options if any(one.startswith("label") for one in options) else ["label=x", *options]
    arguments = [part for one in given for part in ("--option", one)]
    assert run("destinations", "add", "told", "--type", "noted", *arguments).code == Exit.OK
    assert listed(run)["told"]["options"] == meant


def test_secrets_are_read_from_where_they_are_and_kept_encrypted(
    run: Run, rows: Rows, key: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", f"{SECRET}-1")
    (folder / "secret").write_text(f"{SECRET}-2\n")
    said = run(
        *("destinations", "add", "told", "--type", "noted", "--option", "label=x", "--secret", "token=-"),
        *("--secret", "tokens=env:A_TOKEN", "--secret", f"tokens=file:{folder}/secret"),
        *("--secret", "headers.Authorization=env:A_TOKEN"),
        stdin=f"{SECRET}-3\n",
    )
    assert said.code == Exit.OK, said.err
    entry = kept(rows, "told")
    assert SECRET not in f"{entry.settings}"
    assert json.loads(Vault([key]).open(purpose("told"), entry.secrets or "")) == {
        "token": f"{SECRET}-3",
        "tokens": [f"{SECRET}-1", f"{SECRET}-2"],
        "headers": {"Authorization": f"{SECRET}-1"},
    }
    shown = listed(run)["told"]["options"]
    assert shown == {"label": "x", "token": "********", "tokens": "********", "headers": "********"}
    assert run("destinations", "check", "told").code == Exit.OK


def test_one_secret_for_a_list_is_a_list_of_one(run: Run, rows: Rows, key: str) -> None:
    run(*ADD, "--secret", "tokens=-", stdin=SECRET)
    assert json.loads(Vault([key]).open(purpose("told"), kept(rows, "told").secrets or "")) == {
        "tokens": [SECRET]
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (f"--option token={SECRET}", "token is a secret: as an argument it would be in the shell's history"),
        (f"--secret token={SECRET}", "--secret token=… does not say where the secret is"),
        (f"--secret token=plain:{SECRET}", "--secret token=… does not say where the secret is"),
        (f"--secret label={SECRET}", "label is not a secret option of this kind"),
        (f"--secret {SECRET}", "--secret is not given as NAME=VALUE"),
        (f"--option {SECRET}", "--option is not given as NAME=VALUE"),
        ("--secret token=env:NOT_SET", "token: the environment variable NOT_SET is not set"),
        ("--secret token=env:ORCHESTRATOR_SECRET_KEYS", "is a setting of the orchestrator"),
        ("--secret token=file:/nowhere", "token: the file /nowhere cannot be read: No such file"),
        ("--secret token=- --secret tokens=-", "standard input holds one secret"),
        ("--secret token=-", "standard input holds no secret"),
        ("--option many=[1]", "many.0: Input should be a valid string"),
        ("--option size=many", "size: Input should be a valid integer"),
        ("--option colour=red", "colour: is not an option of this kind; there are label, size"),
        ("--outcomes done", "outcomes.0: Input should be 'completed'"),
        ("--deliver files", "deliver: noted takes no files"),
        ("--at-once 0", "at-once"),
        ("--type gone", "there is no kind 'gone' of destination"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(run: Run, key: str, arguments: str, words: str) -> None:
    kind = [] if "--type" in arguments else ["--type", "noted"]
    said = run("destinations", "add", "told", *kind, "--option", "label=x", *arguments.split())
    assert said.code == Exit.USAGE
    assert words in said.err
    assert SECRET not in said.err + said.out
    assert "told" not in listed(run)


@pytest.mark.parametrize("name", ["archive", "Upper", "-x", "a b", "", "x" * 64])
def test_a_name_that_cannot_be_is_refused(run: Run, name: str) -> None:
    said = run("destinations", "add", "--type", "noted", "--option", "label=x", "--", name)
    assert said.code == Exit.USAGE


def test_one_whose_kind_refuses_it_is_not_kept(run: Run) -> None:
    said = run("destinations", "add", "told", "--type", "noted", "--option", "label=unbuildable")
    assert (said.code, "it cannot be built" in said.err) == (Exit.USAGE, True)
    assert "told" not in listed(run)


def test_without_a_key_no_secret_is_kept_and_it_says_how_to_make_one(run: Run) -> None:
    said = run(*ADD, "--secret", "token=-", stdin=SECRET)
    assert said.code == Exit.USAGE
    assert "there is no key to encrypt secrets with" in said.err
    assert "orchestrator secrets new-key" in said.err
    assert "told" not in listed(run)


def test_a_name_is_added_once_and_changed_only_when_that_is_said(run: Run) -> None:
    add = ("destinations", "add", "told", "--type", "noted", "--option")
    said = run(*add, "label=a", "--replace")
    assert (said.code, "no destination told was added" in said.err) == (Exit.REFUSED, True)
    assert run(*add, "label=a").code == Exit.OK
    said = run(*add, "label=b")
    assert (said.code, "there is a destination told already" in said.err) == (Exit.REFUSED, True)
    assert listed(run)["told"]["options"] == {"label": "a"}
    assert run(*add, "label=b", "--replace").out.startswith("told was changed\n")
    assert listed(run)["told"]["options"] == {"label": "b"}


def test_what_is_removed_is_gone(run: Run) -> None:
    run(*ADD)
    assert run("destinations", "remove", "told").out == "told was removed\n"
    assert "told" not in listed(run)
    for name in ("told", "folder"):
        said = run("destinations", "remove", name)
        assert (said.code, f"no destination {name} was added" in said.err) == (Exit.REFUSED, True)


def test_one_that_something_is_owed_to_is_removed_only_by_force(run: Run, rows: Rows) -> None:
    run(*ADD)
    owe(rows, "told")
    said = run("destinations", "remove", "told")
    assert said.code == Exit.REFUSED
    assert "1 hand-offs are owed to told" in said.err
    assert "--force" in said.err
    assert "told" in listed(run)
    removed = json.loads(run("destinations", "remove", "told", "--force", "--json").out)
    assert removed == {"name": "told", "removed": True, "owed": 1}


def test_those_of_the_file_are_listed_and_belong_to_the_file(run: Run, file: Path) -> None:
    found = listed(run)
    assert (found["given"]["source"], found["given"]["default"]) == ("file", False)
    for command in (("remove", "given"), ("add", "given", "--type", "noted", "--option", "label=x")):
        said = run("destinations", *command)
        assert (said.code, f"the destination given is in {file}" in said.err) == (Exit.REFUSED, True)


def test_a_name_in_both_is_said_wherever_destinations_are_used(run: Run, file: Path) -> None:
    text = file.read_text()
    file.write_text("")
    run("destinations", "add", "given", "--type", "noted", "--option", "label=x")
    file.write_text(text)
    said = run("destinations", "list")
    assert (said.code, "both have a destination given" in said.err) == (Exit.USAGE, True)
    said = run("check", "--destinations")
    assert (said.code, "both have a destination given" in said.out) == (Exit.OTHERWISE, True)


def test_a_file_that_is_wrong_is_said_by_every_check(run: Run, file: Path) -> None:
    file.write_text("[destinations.given]\ntype = 'folder'\n")
    for command in ("check", "check --destinations", "destinations check"):
        said = run(*command.split())
        assert said.code == Exit.OTHERWISE
        assert "[destinations.given] path: is missing" in said.out
    assert run("destinations", "list").code == Exit.USAGE


def test_checking_tries_each_destination_and_says_which_does_not_work(
    run: Run, folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "in-the-way").touch()
    run("destinations", "add", "shut", "--type", "folder", "--option", f"path={folder}/in-the-way")
    said = run("check", "--destinations", "--json")
    found = {one["what"]: one for one in json.loads(said.out)}
    assert said.code == Exit.OTHERWISE
    assert {name: one["status"] for name, one in found.items() if name.startswith("destination ")} == {
        "destination folder": "ok",
        "destination given": "ok",
        "destination shut": "fail",
    }
    assert "in-the-way" in found["destination shut"]["found"]
    assert found["destination shut"]["hint"]
    run("destinations", "remove", "shut")
    assert run("check", "--destinations").code == Exit.OK
    assert "destination folder" not in run("check").out


def test_a_probe_is_really_written(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []
    check = FolderSink.check

    def noting(self: FolderSink) -> None:
        tried.append(self)
        check(self)

    monkeypatch.setattr(FolderSink, "check", noting)
    assert run("destinations", "check").code == Exit.OK
    assert len(tried) == 2
    assert run("destinations", "check", "given").code == Exit.OK
    assert len(tried) == 3


def test_a_kind_that_breaks_does_not_hide_the_others(
    run: Run, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_TOKEN", SECRET)
    broken = "destinations add broken --type leaky --option how=bug --secret token=env:A_TOKEN"
    assert run(*broken.split()).code == Exit.OK
    found = {one["what"]: one for one in json.loads(run("destinations", "check", "--json").out)}
    assert found["destination folder"]["status"] == "ok"
    assert found["destination broken"]["status"] == "fail"
    assert "broke: KeyError" in found["destination broken"]["found"]


@pytest.mark.parametrize("command", ["show", "check", "remove"])
def test_a_destination_that_is_not_there_is_refused(run: Run, rows: Rows, command: str) -> None:
    said = run("destinations", command, "nowhere")
    assert said.code == Exit.REFUSED
    assert "nowhere" in said.err


def test_one_that_this_version_cannot_read_is_listed_with_the_reason(run: Run, rows: Rows) -> None:
    with rows.context.store.write() as tx:
        assert configured.add_once(tx, "later", "noted", {"of_a_later_version": 1}, None)
    assert "something else than expected" in run("destinations", "list").out
    assert "something else than expected" in listed(run)["later"]["problem"]
    assert run("destinations", "show", "later").code == Exit.OK
    assert run("destinations", "remove", "later").code == Exit.OK


def test_one_may_be_for_some_tenants_alone(run: Run) -> None:
    assert run(*ADD, "--tenant", "acme", "--tenant", "other").code == Exit.OK
    assert listed(run)["told"]["tenants"] == ["acme", "other"]
    assert "acme, other" in run("destinations", "show", "told").out
    assert listed(run)["folder"]["tenants"] is None

"""The file of destinations: what it says, and that whatever is wrong is named without a value."""

import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from orchestrator.core.routes import Outcome
from orchestrator.core.vault import MARK, Vault, new_key
from orchestrator.engine.building import Builder
from orchestrator.engine.destination_settings import KindSettings, legible_options, purpose
from orchestrator.engine.destinations_file import Configured, read_file
from orchestrator.engine.secret_sources import SecretSources
from orchestrator.errors import SettingError
from orchestrator.sinks import Tools, kinds
from tests import kinds as for_tests
from tests.kinds import Noted

TOKEN = Vault([new_key()]).seal("p", "x")
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-destination.md"


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for_tests.install(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "destinations.toml"


def read(file: Path, text: str) -> Configured:
    file.write_text(text)
    return read_file(file)


def wrong(file: Path, text: str | bytes) -> str:
    """What the error says, its hint included."""
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingError) as caught:
        read_file(file)
    assert str(file) in caught.value.message
    return f"{caught.value.message} {caught.value.hint}"


def test_a_file_may_say_nothing(file: Path) -> None:
    assert read(file, "# nothing yet\n") == Configured()


def test_a_destination_may_be_for_some_tenants_alone(file: Path) -> None:
    said = '[destinations.told]\ntype = "noted"\nlabel = "x"\n'
    assert [one.tenants for one in read(file, said).destinations] == [None]
    assert [one.tenants for one in read(file, said + 'tenants = ["acme"]').destinations] == [("acme",)]
    for none in ("[]", '"acme"', "[7]"):
        assert "[destinations.told] tenants" in wrong(file, f"{said}tenants = {none}")


def test_what_is_left_out_follows_from_the_kind(file: Path) -> None:
    said = """
        [destinations.disk]
        type = "folder"
        path = "/srv/videos"

        [destinations.told]
        type = "noted"
        label = "x"
    """
    disk, told = read(file, said).destinations
    assert (disk.name, disk.type, disk.options) == ("disk", "folder", {"path": "/srv/videos"})
    assert (disk.outcomes, disk.default, disk.at_once) == (tuple(Outcome), True, None)
    assert (disk.deliver, told.deliver) == ("files", "link")
    assert (disk.link, told.link) == (False, True)


def test_everything_can_be_said(file: Path) -> None:
    said = """
        [destinations.disk-2]
        type = "folder"
        path = "/srv/videos"
        outcomes = ["completed", "output_missing"]
        deliver = "link"
        default = false
        at_once = 3

        [archive]
        type = "folder"
        path = "/srv/archive"
    """
    found = read(file, said)
    (disk,) = found.destinations
    assert disk.outcomes == (Outcome.COMPLETED, Outcome.OUTPUT_MISSING)
    assert (disk.link, disk.default, disk.at_once) == (True, False, 3)
    assert found.archive_options is not None
    assert found.archive_options.options == {"path": "/srv/archive"}


def test_secrets_are_named_in_every_shape_and_read_only_when_they_are_needed(file: Path) -> None:
    key = new_key()
    vault = Vault([key])
    token, other = (vault.seal(purpose("told", "tokens"), plain) for plain in ("one", "two"))
    secret = file.with_name("secret")
    said = f"""
        [destinations.told]
        type = "noted"
        label = "x"
        token = {{ env = "THE_TOKEN" }}
        tokens = ["{token}", "{other}"]
        headers = {{ Authorization = {{ file = "{secret}" }}, env = {{ env = "THE_TOKEN" }} }}
    """
    (told,) = read(file, said).destinations
    secret.write_text("from a file\r\n")
    sources = SecretSources(vault, {"THE_TOKEN": "from the environment"})
    sink = Builder(sources, Tools(lambda _: None, float)).build(told).sink  # type: ignore[arg-type]
    assert isinstance(sink, Noted)
    options = sink.options
    assert options.token is not None
    assert options.token.get_secret_value() == "from the environment"
    assert [one.get_secret_value() for one in options.tokens] == ["one", "two"]
    assert {name: one.get_secret_value() for name, one in options.headers.items()} == {
        "Authorization": "from a file",
        "env": "from the environment",
    }


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('"hunter2"', "in plain text: give what `orchestrator secrets seal told.token` prints"),
        ("7", "is a secret: give one of { env"),
        ("true", "is a secret"),
        ('{ env = "" }', "is a secret"),
        ('{ env = "A", file = "/b" }', "is a secret"),
        ('{ path = "/hunter2" }', "is a secret"),
        ("{ env = 7 }", "is a secret"),
        ('{ file = "hunter2" }', "is not an absolute path"),
        ('{ env = "ORCHESTRATOR_SECRET_KEYS" }', "is a setting of the orchestrator"),
        ('{ env = "PHASEO_API_KEY" }', "is a setting of the orchestrator"),
    ],
)
def test_a_secret_that_would_lie_there_in_plain_text_is_refused(file: Path, value: str, words: str) -> None:
    said = wrong(file, f'[destinations.told]\ntype = "noted"\nlabel = "x"\ntoken = {value}\n')
    assert "[destinations.told] token: " in said
    assert words in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://receiver.example/hook", "must begin with https://"),
        ("https://me:hunter2@receiver.example/hook", "has a user or password in it"),
        ("https://0x7f000001/hook", "leads to a loopback address"),
    ],
)
def test_a_url_that_may_not_be_called_is_told_before_any_secret_is_read(
    file: Path, url: str, words: str
) -> None:
    said = wrong(file, f'[destinations.hook]\ntype = "webhook"\nurl = "{url}"\nsecrets = [{{ env = "A" }}]\n')
    assert "[destinations.hook] url: " in said
    assert words in said
    assert "hunter2" not in said


def test_a_folder_with_a_name_that_no_file_system_takes_is_refused(file: Path) -> None:
    said = wrong(file, '[destinations.disk]\ntype = "folder"\npath = "/a\\u0000b"\n')
    assert "[destinations.disk] path: has a letter that no path has" in said


@pytest.mark.parametrize(
    "field", ['tokens = ["hunter2"]', 'headers = { A = "hunter2" }', 'headers = "hunter2"']
)
def test_so_is_one_of_several(file: Path, field: str) -> None:
    said = wrong(file, f'[destinations.told]\ntype = "noted"\nlabel = "x"\n{field}\n')
    assert f"[destinations.told] {field.split(maxsplit=1)[0]}: it would lie in the file in plain text" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('type = "folder"', "[destinations.d] path: is missing"),
        ('path = "/srv"', "[destinations.d] type: must be one of "),
        ('type = "fodler"', "(did you mean folder?)"),
        ("type = 7", "[destinations.d] type: must be one of "),
        ('type = "folder"\npath = "hunter2"', "[destinations.d] path: is not an absolute path"),
        (
            'type = "folder"\npath = "/srv"\nhunter = "hunter2"',
            "hunter: is not an option of this kind; there are path",
        ),
        ('type = "folder"\npath = "/srv"\nname = "other"', "name: is not an option of this kind"),
        ('type = "folder"\npath = "/srv"\noutcomes = ["hunter2"]', "outcomes.0: Input should be 'completed'"),
        ('type = "folder"\npath = "/srv"\noutcomes = []', "outcomes: "),
        ('type = "folder"\npath = "/srv"\ndeliver = "hunter2"', "deliver: Input should be 'files' or 'link'"),
        (
            'type = "folder"\npath = "/srv"\nat_once = 0',
            "at_once: Input should be greater than or equal to 1",
        ),
        ('type = "folder"\npath = "/srv"\ndefault = "hunter2"', "default: Input should be a valid boolean"),
        ('type = "noted"\nlabel = "x"\ndeliver = "files"', "deliver: noted takes no files"),
        ('type = "noted"\nlabel = "hunter2 7"', "[destinations.d] label: '********' has a space"),
        (f'type = "noted"\nlabel = "{TOKEN}"', "label: is not a secret, so nothing would decrypt it"),
    ],
)
def test_what_is_wrong_is_named_with_its_table_and_field_and_without_its_value(
    file: Path, table: str, words: str
) -> None:
    said = wrong(file, f"[destinations.d]\n{table}\n")
    assert words in said
    assert "hunter2" not in said
    assert MARK + "gAAA" not in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[destinations.archive]\ntype = 'folder'\npath = '/srv'", "no destination may be called archive"),
        (
            "[destinations.Upper]\ntype = 'folder'\npath = '/srv'",
            "'Upper' cannot be the name of a destination",
        ),
        (f"[destinations.{'x' * 64}]\ntype = 'folder'\npath = '/srv'", "cannot be the name"),
        ("[destinations]\nd = 'hunter2'", "[destinations.d] is not a table"),
        ("destinations = 'hunter2'", "[destinations] is not a table"),
        ("archive = 'hunter2'", "[archive] is not a table"),
        ("[archive]\ntype = 'noted'\nlabel = 'x'", "[archive] type: must be one of folder, bucket"),
        ("[archive]\ntype = 'folder'\npath = '/srv'\ndefault = true", "[archive] default: is not an option"),
        ("[destination.d]\ntype = 'folder'", "[destination] is neither [destinations.NAME] nor [archive]"),
        ("hunter2 hunter2", "is not TOML: "),
        ("[destinations.d]\ntype = hunter2", "at line 2"),
        (b"\xff\xfe", "is not text in UTF-8"),
    ],
)
def test_a_file_of_another_shape_is_refused(file: Path, text: str | bytes, words: str) -> None:
    said = wrong(file, text)
    assert words in said
    assert "hunter2" not in said


def test_everything_wrong_is_told_at_once(file: Path) -> None:
    said = wrong(
        file, "[destinations.a]\ntype = 'x'\n[destinations.b]\ntype = 'folder'\nat_once = 0\n[more]\n"
    )
    for words in (
        "[destinations.a] type: ",
        "[destinations.b] path: ",
        "[destinations.b] at_once: ",
        "[more] is",
    ):
        assert words in said


def test_a_file_that_is_not_there_is_named_with_the_setting(file: Path) -> None:
    with pytest.raises(SettingError, match=f"{file} cannot be read: No such file") as caught:
        read_file(file)
    assert "ORCHESTRATOR_DESTINATIONS_FILE" in caught.value.hint


def test_the_examples_of_the_documentation_can_be_read(file: Path) -> None:
    (text,) = [one.partition("```")[0] for one in PAGE.read_text().split("```toml\n")[1:]]
    there = {one.name for one in kinds.installed() if find_spec(one.module)}
    tables = tomllib.loads(text)["destinations"]
    left_out = [name for name, table in tables.items() if table["type"] not in there]
    for name in left_out:  # kinds that are not part of this version
        before, _, after = text.partition(f"[destinations.{name}]")
        text = before + after.partition("\n\n")[2]
    found = read(file, text)
    assert {one.name for one in found.destinations} == tables.keys() - left_out
    assert found.archive_options is not None


def test_what_is_shown_of_options_has_no_secret_in_it() -> None:
    said = KindSettings(
        name="hook",
        type="webhook",
        options={
            "url": "https://me:pass@host/a/b?token=abc",
            "endpoint": "http://host:9000",
            "path": "/a@b?c",
            "many": ("x",),
        },
        secrets={"secrets": None},
    )
    assert legible_options(said) == {
        "url": "https://********@host/a/b?********",
        "endpoint": "http://host:9000",
        "path": "/a@b?c",
        "many": ("x",),
        "secrets": "********",
    }

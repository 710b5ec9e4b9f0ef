"""What can be known of the image without building it: its parts exist, nothing unlocked or secret gets in."""

import json
import re
import tomllib
from fnmatch import fnmatch

from pydantic import SecretStr

from orchestrator.settings import PREFIX, Settings, load
from tests.house_rules.deployed import COMPOSE, ROOT, SERVICES, given, mounts, parsed

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")]
RUNS = given("RUN")
ENVIRONMENT = dict(re.findall(r"(\w+)=(\S+)", " ".join(given("ENV"))))


def copied() -> list[str]:
    """What is copied out of the project's folder."""
    copies = [arguments.split() for arguments in given("COPY") if not arguments.startswith("--from=")]
    return [source for *sources, _ in copies for source in sources]


def reaches_the_build(path: str) -> bool:
    """What .dockerignore says of a path; its last pattern that fits decides."""
    verdict = True
    for pattern in IGNORED:
        plain = pattern.lstrip("!").removeprefix("**/")
        if fnmatch(path, plain) or path.startswith(f"{plain}/") or fnmatch(path.rpartition("/")[2], plain):
            verdict = pattern.startswith("!")
    return verdict


def test_everything_copied_exists_and_reaches_the_build() -> None:
    for path in copied():
        assert (ROOT / path).exists(), path
        assert reaches_the_build(path), path


def test_nothing_reaches_the_build_but_what_is_copied() -> None:
    assert IGNORED[0] == "*"
    assert {pattern[1:] for pattern in IGNORED if pattern.startswith("!")} == set(copied())
    for path in (".git/config", ".env", "deploy/.env", "tests/conftest.py", "orchestrator/__pycache__"):
        assert not reaches_the_build(path), path


def test_all_that_the_build_of_the_project_reads_is_copied() -> None:
    project, build = PYPROJECT["project"], PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = {"pyproject.toml", project["readme"], *project["license-files"], *build["packages"]}
    assert wanted <= set(copied())


def test_only_locked_wheels_are_installed_and_the_project_is_built_without_the_network() -> None:
    installs = [arguments for arguments in RUNS if "pip install" in arguments]
    assert len(installs) == 2
    for option in ("--require-hashes", "--only-binary :all:", "-r requirements.lock", "--no-deps"):
        assert option in installs[0]
    for option in ("--no-index", "--no-build-isolation", "--no-deps"):
        assert option in installs[1]


def test_both_stages_have_the_same_python_of_a_version_that_the_project_supports() -> None:
    (argument,) = given("ARG")
    version = argument.removeprefix("PYTHON=")
    lowest = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    assert [int(part) for part in version.split(".")] >= [int(part) for part in lowest.split(".")]
    assert {base.removesuffix(" AS build") for base in given("FROM")} == {
        "python:${PYTHON}-slim-bookworm"
    }  # the environment holds the path of its interpreter, so it must be there in the second one too


def test_it_runs_as_a_user_that_it_makes_and_that_is_not_root() -> None:
    user, group = given("USER")[-1].split(":")
    assert int(user) > 0
    made = next(run for run in RUNS if "useradd" in run)
    assert f"--uid {user} --gid {group} " in made
    assert f"--gid {group} orchestrator" in made
    # Made for that user: a named volume takes the owner of what it covers.
    assert {ENVIRONMENT[f"{PREFIX}{name}_DIR"] for name in ("DATA", "ARCHIVE", "OUTPUT")} <= set(made.split())


def test_the_command_chooses_the_role_and_sigterm_drains() -> None:
    assert json.loads(given("ENTRYPOINT")[-1]) == [*PYPROJECT["project"]["scripts"]]
    assert json.loads(given("CMD")[-1]) == ["--help"]
    assert given("STOPSIGNAL") == ["SIGTERM"]
    assert parsed([*json.loads(given("ENTRYPOINT")[-1]), "worker"])[0] == "worker"


def test_its_settings_are_right_and_none_of_them_is_a_secret() -> None:
    ours = {name: value for name, value in ENVIRONMENT.items() if name.startswith(PREFIX)}
    settings = load(ours)
    assert given("EXPOSE") == [str(settings.port)]
    secret = {name for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)}
    assert not {name.removeprefix(PREFIX).lower() for name in ours} & secret
    assert isinstance(settings.gateway_api_key, SecretStr)


def test_compose_and_the_image_agree_on_where_things_are() -> None:
    for name, value in SERVICES["worker"]["environment"].items():
        if name in ENVIRONMENT:
            assert value == ENVIRONMENT[name], name
    for service, folders in (("worker", ("ARCHIVE", "OUTPUT")), ("web", ("ARCHIVE",))):
        named = {path for path, (source, _) in mounts(service).items() if source in COMPOSE["volumes"]}
        assert named == {ENVIRONMENT[f"{PREFIX}{name}_DIR"] for name in folders}

"""Which server program is taken: the PATH before Debian's place before the wheels, and else a plain word."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers import debian
from tests.servers.folders import program_for
from tests.servers.postgres import PostgresServer
from tests.servers.programs import POSTGRES, REDIS, ServerMissing, Wanted, present, program
from tests.servers.redis import RedisServer

WANTED = replace(POSTGRES, wheel="wheel_of_ours", in_wheel=("newer/bin", "older/bin"))


def install(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or ("postgres", "initdb"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system with no server in it and no root."""
    monkeypatch.setenv("PATH", str(install(tmp_path / "path", "ls")))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    return tmp_path


@pytest.fixture
def with_wheel(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = install(root / "site" / WANTED.wheel / "older" / "bin")
    (root / "site" / WANTED.wheel / "__init__.py").write_text("raise SystemExit('nobody imports it')")
    monkeypatch.syspath_prepend(root / "site")
    return folder


def test_without_any_other_the_wheels_program_is_taken(root: Path, with_wheel: Path) -> None:
    assert program(WANTED, root=root) == with_wheel / "postgres"


def test_debians_newest_comes_before_the_wheels(root: Path, with_wheel: Path) -> None:
    for number in ("9", "15", "17"):
        install(root / "usr/lib/postgresql" / number / "bin")
    (root / "usr/lib/postgresql/17/bin/initdb").unlink()
    assert program(WANTED, root=root) == root / "usr/lib/postgresql/15/bin/postgres"


def test_the_path_comes_first_and_a_link_on_it_is_followed(
    root: Path, with_wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(root / "usr/lib/postgresql/17/bin")
    folder = install(root / "opt/postgres/bin")
    (root / "path/postgres").symlink_to(folder / "postgres")
    assert program(WANTED, root=root) == folder / "postgres"


def test_a_program_without_what_belongs_to_it_is_passed_over(root: Path) -> None:
    install(root / "path", "postgres")
    assert present(WANTED, root=root) is None


@pytest.mark.parametrize("wanted", [POSTGRES, REDIS], ids=["postgres", "redis"])
def test_where_there_is_none_the_error_says_what_to_install(root: Path, wanted: Wanted) -> None:
    with pytest.raises(ServerMissing) as caught:
        program(replace(wanted, wheel="wheel_that_is_not_there"), root=root)
    for hint in (f"apt-get install -y {wanted.debian_package}", wanted.variable, wanted.names[0]):
        assert hint in str(caught.value)


def test_as_root_on_debian_the_package_is_installed_and_starts_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    policy, told = root / "policy-rc.d", root / "told"
    apt = install(root / "path", "apt-get") / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$*; policy: $(/bin/cat {policy} | /usr/bin/tail -1)" >> {told}\n')
    assert debian.may_install()
    debian.install("postgresql", policy=policy)
    update, installed = told.read_text().splitlines()
    assert " update;" in update
    assert installed.endswith("install --no-install-recommends postgresql; policy: exit 101")
    assert not policy.exists()


def test_every_server_that_is_here_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = {wanted: {present(wanted)} for wanted in (POSTGRES, REDIS)}
    monkeypatch.setenv("PATH", str(tmp_path))
    for wanted, programs in found.items():
        programs.add(present(wanted, root=tmp_path))  # from its wheel, where there is one
    for executable in found[POSTGRES] - {None}:
        postgres = PostgresServer(executable)
        postgres.database()
        postgres.close()
    for executable in found[REDIS] - {None}:
        redis = RedisServer(executable)
        redis.flush()
        redis.close()


def test_a_program_that_only_root_can_reach_is_copied_for_whom_it_runs_as(tmp_path: Path) -> None:
    hidden = install(tmp_path / "hidden" / "bin") / "postgres"
    (tmp_path / "hidden").chmod(0o700)
    assert program_for("", hidden, tmp_path / "server") == hidden
    copied = program_for("nobody", hidden, tmp_path / "server")
    assert copied == tmp_path / "server/installation/bin/postgres"
    assert copied.with_name("initdb").exists()

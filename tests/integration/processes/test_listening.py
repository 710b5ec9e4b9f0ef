"""What is bound, for whom, and with how many connections."""

import resource
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.errors import SettingError
from orchestrator.processes.listening import OTHER_FILES, allow_files, listen
from orchestrator.settings import Settings, load
from orchestrator.web.doors import FOR_CALLERS, FOR_GATEWAY
from tests.acceptance.processes import free_port


def settings(**given: Any) -> Settings:
    return load({}, **{"port": free_port(), **given})


@pytest.fixture
def few_files() -> Iterator[int]:
    """A system that lets this process open no more than so many files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(before[0], 1024)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    yield most
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_one_port_is_for_everybody_with_the_connections_of_the_api() -> None:
    with listen(settings(api_connections=300, receiver_connections=200)) as listening:
        (one,) = listening.sockets
        assert listening.urls.receiver == listening.urls.api
        assert not listening.parts
        assert listening.limits[one.getsockname()[1]].connections == 300


def test_two_ports_have_their_parts_and_their_limits() -> None:
    with listen(settings(api_port=0, api_connections=300, receiver_connections=200)) as listening:
        receiver, api = (one.getsockname()[1] for one in listening.sockets)
        assert listening.parts == {receiver: FOR_GATEWAY, api: FOR_CALLERS}
        assert [listening.limits[port].connections for port in (receiver, api)] == [200, 300]


def test_a_port_that_is_taken_frees_the_other_one_again() -> None:
    first, taken = settings(), free_port()
    with (
        listen(settings(port=taken)),
        pytest.raises(SettingError) as refused,
        listen(settings(port=first.port, api_port=taken)),
    ):
        pass
    assert "ORCHESTRATOR_API_PORT" in refused.value.hint
    with listen(first):
        pass


def test_files_are_allowed_up_to_what_the_system_allows(few_files: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert allow_files(few_files - 1) == few_files, "never fewer than before"
    assert allow_files(few_files + 10) == min(few_files + 10, hard)


def test_there_are_not_more_connections_than_files_for_them(few_files: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestrator.processes.listening.allow_files", lambda _: few_files)
        with listen(settings(api_connections=100_000)) as listening:
            assert {one.connections for one in listening.limits.values()} == {few_files - OTHER_FILES}

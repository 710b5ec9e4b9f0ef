"""A second `up` on the same database is refused, and changes nothing; a dead one's lock is free."""

from orchestrator.cli.exits import Exit
from tests.acceptance.conftest import Begin
from tests.acceptance.database import wanted
from tests.acceptance.processes import free_port
from tests.acceptance.sandbox import Sandbox
from tests.acceptance.truth import assert_delivered_once


def test_it_says_which_process_has_the_database(begin: Begin, sandbox: Sandbox) -> None:
    orchestrator = begin(sandbox)
    first = orchestrator.start()
    second = orchestrator.launch(port=free_port())
    assert second.wait() == Exit.STORE
    assert f"error: another orchestrator (process {first.pid}) is running on" in second.complained()

    assert first.alive
    (job,) = orchestrator.database.submit(wanted(duration=0.1))
    orchestrator.database.wait([job])
    first.kill()
    orchestrator.start()
    assert_delivered_once(orchestrator, sandbox, [job])


def test_a_port_that_is_taken_is_named(begin: Begin, sandbox: Sandbox) -> None:
    first, second = begin(sandbox), begin(sandbox)
    holder = first.start()
    refused = second.launch(port=first.port)
    assert refused.wait() == Exit.USAGE
    assert f"error: cannot listen on 127.0.0.1:{first.port}: Address already in use" in refused.complained()
    assert holder.alive

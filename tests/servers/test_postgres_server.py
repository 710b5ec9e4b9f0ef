"""A private PostgreSQL: data and port outlast everything that is done to it."""

import threading

import psycopg
import pytest

from tests.patience import LONG
from tests.servers.postgres import Databases, PostgresServer
from tests.servers.processes import descendants, runs


def keep(databases: Databases, url: str, *words: str) -> None:
    with databases.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
        for word in words:
            connection.execute("INSERT INTO kept VALUES (%s)", [word])


def kept(databases: Databases, url: str) -> list[str]:
    with databases.connect(url) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM kept").fetchall()]


def test_a_copy_of_a_template_has_what_the_template_has_and_nothing_of_other_copies(
    postgres: Databases,
) -> None:
    filled: list[str] = []

    def fill(url: str) -> None:
        filled.append(url)
        keep(postgres, url, "from the template")

    for _ in range(2):
        url = postgres.database("copy", like=postgres.template("words", fill))
        assert kept(postgres, url) == ["from the template"]
        keep(postgres, url, "mine")
    assert len(filled) == 1
    postgres.drop(url)


def test_a_new_database_is_empty_and_can_be_dropped_while_it_is_in_use(postgres: Databases) -> None:
    first, second = postgres.database(), postgres.database()
    assert first != second
    with postgres.connect(first) as connection:
        assert connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() == (0,)
        for url in (first, second):
            postgres.drop(url)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
def test_what_was_committed_is_there_after_a_restart_on_the_same_port(
    own_postgres: PostgresServer, how: str
) -> None:
    url = own_postgres.database()
    keep(own_postgres, url, "committed")
    if how == "kill":
        own_postgres.kill()
        own_postgres.start()
    else:
        own_postgres.restart(how)
    assert kept(own_postgres, url) == ["committed"]


def test_killed_it_leaves_no_process_and_stopped_it_answers_nobody(own_postgres: PostgresServer) -> None:
    everything = [own_postgres.process.pid, *descendants(own_postgres.process.pid)]
    assert len(everything) > 3, "it has processes of its own to do the work"
    own_postgres.kill()
    assert not [pid for pid in everything if runs(pid)]
    with pytest.raises(psycopg.OperationalError):
        own_postgres.connect()


def test_paused_it_answers_once_it_goes_on(own_postgres: PostgresServer) -> None:
    connection = own_postgres.connect()
    answered = threading.Event()

    def ask() -> None:
        connection.execute("SELECT 1")
        answered.set()

    own_postgres.pause()
    asking = threading.Thread(target=ask)
    asking.start()
    assert not answered.wait(0.2)
    own_postgres.resume()
    assert answered.wait(LONG)
    asking.join()
    connection.close()


def test_a_durable_one_waits_for_the_disk_and_takes_200_connections() -> None:
    server = PostgresServer(durable=True)
    with server.connect() as connection:
        for name, value in (("fsync", "on"), ("synchronous_commit", "on"), ("max_connections", "200")):
            assert connection.execute(f"SHOW {name}").fetchone() == (value,)
    server.close()
    assert not server.folder.exists()

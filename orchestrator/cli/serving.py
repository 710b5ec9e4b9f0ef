"""Commands that run the orchestrator, or prepare its database."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.loading import loading
from orchestrator.cli.options import AsJson, DataDir, OutputDir

if TYPE_CHECKING:
    from orchestrator.processes.listening import Urls
    from orchestrator.settings import Settings

WEBHOOK_PATH = "/webhooks/gateway/default"


Port = Annotated[
    int | None,
    typer.Option(help="Port of the receiver; 0 takes a free one. [ORCHESTRATOR_PORT]", show_default=False),
]
Host = Annotated[
    str | None, typer.Option(help="Address of the receiver. [ORCHESTRATOR_HOST]", show_default=False)
]
ApiPort = Annotated[
    int | None,
    typer.Option(
        help="Port of the API, apart from the receiver's; 0 takes a free one. [ORCHESTRATOR_API_PORT]",
        show_default=False,
    ),
]
ApiHost = Annotated[
    str | None, typer.Option(help="Address of the API. [ORCHESTRATOR_API_HOST]", show_default=False)
]


def up(
    port: Port = None,
    host: Host = None,
    api_port: ApiPort = None,
    api_host: ApiHost = None,
    data_dir: DataDir = None,
    output_dir: OutputDir = None,
    gateway_url: Annotated[
        str | None,
        typer.Option(help="Base URL of the gateway. [ORCHESTRATOR_GATEWAY_URL]", show_default=False),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(help="debug, info, warning or error. [ORCHESTRATOR_LOG_LEVEL]", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run everything in one process, until SIGTERM or Ctrl-C.

    Receiver, API, dashboard, workers and timers, on a SQLite file. Each option is also a setting, named in
    brackets; `orchestrator check --settings` lists them all.
    """
    with loading():
        from orchestrator import wiring
        from orchestrator.processes.up import serve

    settings = wiring.read_settings(
        port=port,
        host=host,
        api_port=api_port,
        api_host=api_host,
        data_dir=data_dir,
        output_dir=output_dir,
        gateway_url=gateway_url,
        log_level=log_level,
    )
    try:
        serve(settings, lambda urls: _announce(settings, urls, as_json=as_json))
    except KeyboardInterrupt:
        return  # during the start: nothing was under way


def _announce(settings: Settings, urls: Urls, *, as_json: bool) -> None:
    from orchestrator.cli.exits import explain
    from orchestrator.cli.streams import OutputLost

    try:
        _print_ready(settings, urls, as_json=as_json)
    except OutputLost as error:  # nobody has to be told for jobs to go on
        explain(error)


def _print_ready(settings: Settings, urls: Urls, *, as_json: bool) -> None:
    from orchestrator.store.database import sqlite_path

    facts: dict[str, object] = {}
    if database := sqlite_path(settings.resolved_database_url):
        facts = {"database": database, "output_dir": settings.output_dir.absolute()}
    if as_json:
        from orchestrator.cli.screen import print_json

        addresses = {"webhook_url": urls.receiver + WEBHOOK_PATH, "url": urls.receiver, "api_url": urls.api}
        print_json(addresses | facts, lines=True)
    else:
        kept = "".join(f", {name.replace('output_dir', 'outputs in')} {it}" for name, it in facts.items())
        api = f"the API at {urls.api}/v1"
        print(f"ready: webhooks at {urls.receiver}{WEBHOOK_PATH}, {api}{kept}", flush=True)


def web(
    port: Port = None,
    host: Host = None,
    api_port: ApiPort = None,
    api_host: ApiHost = None,
    as_json: AsJson = False,
) -> None:
    """Run the receiver, the API and the dashboard.

    On PostgreSQL and Redis, until SIGTERM or Ctrl-C. Run as many as you like behind any HTTP proxy; it needs
    no key of the gateway.
    """
    with loading():
        from orchestrator import wiring
        from orchestrator.processes.web import receive

    settings = wiring.read_settings(port=port, host=host, api_port=api_port, api_host=api_host)
    with suppress(KeyboardInterrupt):  # during the start: nothing was under way
        receive(settings, lambda urls: _announce(settings, urls, as_json=as_json))
    wiring.leave_threads()


def worker(
    queues: Annotated[
        str | None,
        typer.Option(
            help="Queues to take work from, separated by commas: create, look, hand_off, sweep. "
            "[ORCHESTRATOR_QUEUES]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a worker: it creates, looks and hands off.

    On PostgreSQL and Redis, until SIGTERM or Ctrl-C; then it finishes what it is doing. Run as many as you
    like, on any number of machines.
    """
    with loading():
        from orchestrator import wiring
        from orchestrator.processes.worker import work

    work(wiring.read_settings(queues=queues))
    wiring.leave_threads()


def beat() -> None:
    """Remind the workers every second to look for due work.

    Until SIGTERM or Ctrl-C. A second one does no harm.
    """
    with loading():
        from orchestrator import wiring
        from orchestrator.processes.beat import beat as run

    run(wiring.read_settings())


def migrate(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Bring the database to the version of this program.

    Does nothing if it already is. Refuses a SQLite file while an `orchestrator up` runs on it.
    """
    from contextlib import closing, nullcontext

    from orchestrator import wiring
    from orchestrator.cli.screen import print_json
    from orchestrator.processes.lock import exclusive
    from orchestrator.store import migrate as migrations
    from orchestrator.store.database import sqlite_path

    settings = wiring.read_settings(quiet=True, data_dir=data_dir)
    with closing(wiring.open_store(settings)) as store:
        database = sqlite_path(store.url)
        with exclusive(database) if database is not None else nullcontext():
            before = migrations.migrate(store)
    if as_json:
        print_json({"from": before.found, "to": before.wanted, "changed": not before.current})
    elif before.current:
        print(f"the database is already at revision {before.wanted}")
    elif before.found:
        print(f"migrated the database from revision {before.found} to {before.wanted}")
    else:
        print(f"created the tables, at revision {before.wanted}")

"""Builds the real things. The one place that reads the environment, the clock and chance.

Each function loads what it builds: a command that only reads the database loads neither sinks nor the
gateway's client, and `beat` not even the database.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from orchestrator import __version__, fault_points, telemetry
from orchestrator.core.drift import Notice, ignored
from orchestrator.errors import SettingError, StoreError
from orchestrator.fault_points import FaultPoint
from orchestrator.gateway.account import Account
from orchestrator.settings import GATEWAY_S_OWN_KEY, PREFIX, Cadence, Problem, Settings, load, read

if TYPE_CHECKING:
    from orchestrator.archive import Archive
    from orchestrator.core.vault import Vault
    from orchestrator.engine.account_secrets import Opener
    from orchestrator.engine.accounts import Accounts
    from orchestrator.engine.building import Builder
    from orchestrator.engine.catalogue import Catalogue
    from orchestrator.engine.context import Context
    from orchestrator.engine.destinations_file import Configured
    from orchestrator.gateway.client import Gateway
    from orchestrator.gateway.endpoints import Management
    from orchestrator.otlp import Spans
    from orchestrator.sinks.base import Run
    from orchestrator.sinks.folder import FolderSink
    from orchestrator.store.database import Store


def environment() -> dict[str, str]:
    """What settings are read from. The API key may also come under the gateway's own name for it."""
    found = dict(os.environ)
    ours = f"{PREFIX}GATEWAY_API_KEY"
    if found.get(GATEWAY_S_OWN_KEY) and not found.get(ours):
        found[ours] = found[GATEWAY_S_OWN_KEY]
    return found


def read_settings(*, quiet: bool = False, **overrides: Any) -> Settings:
    """The settings of this process: the environment, with what a command line says on top.

    `quiet` logs errors only, for a command that talks to a person, unless the environment names a level.
    """
    found = environment()
    settings = load(found, **overrides)
    named = f"{PREFIX}LOG_LEVEL" in found or overrides.get("log_level")
    telemetry.configure("error" if quiet and not named else settings.log_level)
    if settings.fault_point:
        fault_points.arm(settings.fault_point, _die)
    return settings


def read_what_is_right(**overrides: Any) -> tuple[Settings, list[Problem]]:
    """The settings, each wrong one as if it were not given, and what is wrong with them."""
    telemetry.configure("error")
    return read(environment(), **overrides)


def open_store(settings: Settings, *, connections: int | None = None, only_looks: bool = False) -> Store:
    """The database, its connections as the settings say or so many.

    A SQLite file's folder is made, unless this `only_looks`.
    """
    from orchestrator.store.database import Store

    if not only_looks and not settings.database_url.get_secret_value():
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingError(
                f"the data folder {settings.data_dir} cannot be made: {error.strerror}",
                hint="point ORCHESTRATOR_DATA_DIR at a folder that this user may write",
            ) from error
    return Store(
        settings.resolved_database_url,
        connections=connections or settings.database_connections,
        only_looks=only_looks,
    )


def build(settings: Settings, store: Store, *, asks_gateway: bool = True) -> Context:
    """Everything the use-cases work with. Without the gateway no API key is needed."""
    from orchestrator.core.learned.paces import Paces, left_alone_for
    from orchestrator.engine.accounts import BaseUrls, Gateways, WebhookSecrets
    from orchestrator.engine.context import Context, Quota
    from orchestrator.engine.drifting import Drifts
    from orchestrator.engine.http_loop import HttpLoop

    http = HttpLoop()
    known, drifts = accounts(settings, store), Drifts()
    connect = partial(connected, settings, notice=drifts.see)
    if asks_gateway:
        _require_a_key(settings, store)
    return Context(
        settings=settings,
        store=store,
        http=http,
        gateways=Gateways(known, connect, http, time.monotonic) if asks_gateway else {},
        base_urls=BaseUrls(known),
        webhook_secrets=WebhookSecrets(known, wall_clock),
        destinations=catalogue(settings, store, http.run),
        archive=archive(settings, builder(settings, http.run)),
        link=linker(settings),
        worker=f"worker_{new_id()}",
        random=random.random,
        new_id=new_id,
        pause=time.sleep,
        clock=time.monotonic,
        rejections=Quota(time.monotonic),
        paces=Paces(
            explored=settings.explored_share,
            left_alone_for=left_alone_for(settings.request_worth_seconds),
            off=settings.cadence is Cadence.GUIDANCE,
        ),
        drifts=drifts,
        spans=spans(settings),
    )


def spans(settings: Settings) -> Spans | None:
    """Tells traces, as the standard variables say. None where it is off. Raises SettingError."""
    if not settings.tracing:
        return None
    from orchestrator.otlp import Spans, require_reachable

    host, pid = whoami()
    resource = {"service.version": __version__, "service.instance.id": f"{host}:{pid}"}
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "orchestrator"}
    require_reachable(os.environ)
    made = Spans(resource | named)
    made.start()  # or the first span would find out what is wrong, in the middle of work
    return made


def accounts(settings: Settings, store: Store) -> Accounts:
    """Every gateway account, as the database and, for the default one, the settings say."""
    from orchestrator.engine.accounts import Accounts

    return Accounts(store, opener(settings), time.monotonic)


def opener(settings: Settings) -> Opener:
    """Opens what the database says of accounts."""
    from orchestrator.engine.account_secrets import Opened, Opener, Retired
    from orchestrator.store.schema import DEFAULT

    default = Opened(
        DEFAULT,
        settings.gateway_url,
        settings.gateway_api_key,
        settings.webhook_endpoint_id,
        settings.live_secrets,
        retired=tuple(Retired(one.secret, one.until) for one in settings.signing_secrets if one.until),
    )
    return Opener(vault(settings), default)


def _require_a_key(settings: Settings, store: Store) -> None:
    """Raises SettingError where nobody could be asked: no key in the settings, and no account has one."""
    if settings.gateway_api_key.get_secret_value() or not _has_keys(store):
        account(settings)


def _has_keys(store: Store) -> bool:
    from orchestrator.store import accounts as accounts_store

    try:
        with store.read() as tx:
            return any(one.secrets for one in accounts_store.every(tx))
    except StoreError:
        return True  # nobody can say before the database is there; whoever starts waits for it


def gateway(settings: Settings) -> Gateway:
    """The client of the default account, as the settings say. Raises SettingError without a key."""
    return connected(settings, account(settings))


def connected(settings: Settings, to: Account, notice: Notice = ignored) -> Gateway:
    """A client of an account."""
    from orchestrator.gateway.client import connect
    from orchestrator.gateway.connection import Timeouts

    timeouts = Timeouts(
        total_create=settings.create_timeout_seconds,
        total_look=settings.look_timeout_seconds,
        read=settings.look_timeout_seconds,
    )
    return connect(to, timeouts, notice=notice)


def management(settings: Settings, account_id: str, base_url: str, key: str) -> Management:
    """A client of the routes that change webhook endpoints. Raises SettingError for what can be no key."""
    from orchestrator.gateway.connection import Timeouts
    from orchestrator.gateway.endpoints import Management

    timeouts = Timeouts(total_look=settings.look_timeout_seconds, read=settings.look_timeout_seconds)
    return Management(Account(account_id, base_url, SecretStr(key), None, ()), timeouts)


def public_tls() -> ssl.SSLContext:
    """What strangers believe: the system's authorities, unless SSL_CERT_FILE names others."""
    return ssl.create_default_context()


def output_folder(settings: Settings) -> FolderSink:
    """The destination that is there unless another one has its name."""
    from orchestrator.sinks.folder import FolderSink

    return FolderSink(settings.output_dir.absolute())


def archive(settings: Settings, make: Builder) -> Archive:
    """Where outputs are kept: the folder of the settings, unless the destinations file says otherwise."""
    from orchestrator.archive.folder import FolderArchive
    from orchestrator.sinks.folder import FolderSink

    said = configured(settings).archive_options
    if said is None:
        return FolderArchive(settings.resolved_archive_dir)
    options, _ = make.options(said)
    if isinstance(options, FolderSink.Options):
        return FolderArchive(options.path)
    from orchestrator.archive.bucket import BucketArchive  # obstore is large, and few need it

    assert isinstance(options, BucketArchive.Options)  # the file is refused otherwise
    return BucketArchive.build(options)


def link_keys(settings: Settings) -> list[bytes]:
    """What links to outputs are signed with, and believed by."""
    from orchestrator.core import links

    return links.derive([key.get_secret_value() for key in settings.secret_keys])


def linker(settings: Settings) -> Callable[[str, int], str | None]:
    """Makes the link to an output, or none where there is no key to sign it with."""
    from orchestrator.core import links

    keys, base = link_keys(settings), settings.resolved_public_url

    def link(job_id: str, index: int) -> str | None:
        if not keys:
            return None
        return f"{base}/outputs/{job_id}/{index}?signature={links.sign(keys, job_id, index)}"

    return link


def catalogue(settings: Settings, store: Store | None, run: Run) -> Catalogue:
    """Every destination, those of the database too where a store is given. Raises SettingError."""
    from orchestrator.engine import unkept
    from orchestrator.engine.catalogue import Added, Catalogue, Destination

    make = builder(settings, run)
    given = [make.destination(one) for one in configured(settings).destinations]
    if not settings.keep_outputs:
        unkept.require_told_only(one.route for one in given)
    elif linked := [one.name for one in given if one.link and not settings.secret_keys]:
        raise SettingError(
            f"the destination {linked[0]} gets links to outputs, but there is no key to sign them with",
            hint="`orchestrator secrets new-key` makes one; set it as ORCHESTRATOR_SECRET_KEYS",
        )
    return Catalogue(
        given,
        builtin=Destination(
            "folder",
            output_folder(settings),
            kind="folder",
            link=not settings.keep_outputs,
            options={"path": str(settings.output_dir.absolute())},
        ),
        added=Added(store, make.added, time.monotonic) if store else None,
    )


def configured(settings: Settings) -> Configured:
    """What the destinations file says; nothing where there is none. Raises SettingError."""
    from orchestrator.engine.destinations_file import Configured, read_file

    return read_file(settings.destinations_file) if settings.destinations_file else Configured()


def builder(settings: Settings, run: Run) -> Builder:
    """Makes destinations, or only reads the options of one, such as the archive's."""
    from orchestrator.engine.building import Builder
    from orchestrator.engine.secret_sources import SecretSources
    from orchestrator.sinks import Tools

    return Builder(SecretSources(vault(settings), environment()), Tools(run, wall_clock))


def vault(settings: Settings) -> Vault:
    """Encrypts the secrets of destinations."""
    from orchestrator.core.vault import Vault

    return Vault([key.get_secret_value() for key in settings.secret_keys])


def account(settings: Settings) -> Account:
    """The default account, as the settings say. Its secrets stay in memory."""
    if not settings.gateway_api_key.get_secret_value():
        raise SettingError(
            "there is no API key for the gateway",
            hint="set ORCHESTRATOR_GATEWAY_API_KEY; `orchestrator demo` needs none",
        )
    from orchestrator.store.schema import DEFAULT

    return Account(
        id=DEFAULT,
        base_url=settings.gateway_url,
        api_key=settings.gateway_api_key,
        webhook_endpoint_id=settings.webhook_endpoint_id,
        webhook_secrets=settings.live_secrets,
    )


def new_id() -> str:
    """A unique id that sorts by time."""
    from ulid import ULID

    return str(ULID()).lower()


def chance(size: int) -> bytes:
    """So many bytes that nobody can guess, for keys and tokens."""
    return secrets.token_bytes(size)


def wall_clock() -> float:
    """Epoch seconds, for what others sign with theirs."""
    return time.time()


def monotonic() -> float:
    """Seconds that only ever grow, for countdowns."""
    return time.monotonic()


def whoami() -> tuple[str, int]:
    """This machine and this process."""
    return socket.gethostname(), os.getpid()


def leave_threads() -> None:
    """End this process as one that is done, also where a thread still waits for an answer from somewhere.

    Python would wait for it as long as that takes, and kombu would talk to Redis over the connections that
    such a thread uses. Draining had its time, and rows make the rest safe.
    """
    if threading.active_count() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def abort() -> None:
    """End this process at once, for its supervisor to start it anew; rows make that safe."""
    os._exit(70)


def _die(point: FaultPoint) -> None:
    sys.stderr.write(f"fault point reached: {point}\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)

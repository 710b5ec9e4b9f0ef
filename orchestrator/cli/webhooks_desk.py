"""What commands about webhook endpoints work with: an account, its gateway, and where secrets are kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator import wiring
from orchestrator.cli.catalogued import existing_store
from orchestrator.cli.database import opened as opened_database
from orchestrator.cli.management import management_at
from orchestrator.engine import endpoint, endpoint_standing
from orchestrator.engine.account_secrets import Opened
from orchestrator.engine.endpoint import Deed, Wanted
from orchestrator.engine.endpoint_keeping import InDatabase, InMemory, Keeping, being_replaced
from orchestrator.engine.endpoint_secret import replace_secret
from orchestrator.engine.environment_file import ENDPOINT, SECRETS, InFile, in_settings
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import NotFound, RequestError
from orchestrator.gateway.endpoints import Endpoint, Management
from orchestrator.settings import Settings, checked_gateway_url
from orchestrator.store import accounts, replacing
from orchestrator.store.accounts import Entry
from orchestrator.store.database import Store
from orchestrator.store.schema import DEFAULT

ROTATED = "rotated"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person wants the secret: in a file, printed, or else in the database."""

    file: Path | None = None
    shown: bool = False

    @property
    def here(self) -> bool:
        """Whether that is the database."""
        return self.file is None and not self.shown


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, or with `dry_run` would be.

    `instead_of` is an endpoint that the account had and the gateway does not show with this management key;
    `settings` is what a person has to put somewhere.
    """

    account: str
    deed: Deed | str
    endpoint: Endpoint | None
    changes: list[str]
    kept_in: str | None
    dry_run: bool
    instead_of: str | None = None
    restart: bool = False
    settings: dict[str, str] = field(default_factory=dict, repr=False)


@contextmanager
def at(
    settings: Settings, tenant: str, name: str, variable: str, *, changes: Place | None = None
) -> Iterator[Desk]:
    """An account, with a client for its gateway's control routes.

    With `changes` nobody else changes its endpoint or secret meanwhile, and the database is made where that
    is the place. Raises NotAllowed where somebody does.
    """
    with ExitStack() as stack:
        if changes is not None and changes.here and settings.secret_keys:
            store: Store | None = stack.enter_context(opened_database(settings, create=True)).store
        else:
            store = stack.enter_context(existing_store(settings))
        if changes is not None:  # before it is looked what there is
            stack.enter_context(_alone(store, changes, f"{tenant}/{name}"))
        entry = _entry(store, tenant, name)
        opened = wiring.opener(settings)(entry)
        if opened.problem is not None:
            raise opened.problem
        asking = stack.enter_context(management_at(settings, opened, variable))
        yield Desk(settings, store, entry, opened, asking, variable)


@contextmanager
def _alone(store: Store | None, place: Place, account: str) -> Iterator[None]:
    if place.file:
        with InFile(place.file, wiring.wall_clock).alone():
            yield
    elif store is not None:
        with replacing.alone(store, account) as mine:
            if not mine:
                raise being_replaced()
            yield
    else:
        yield  # nothing is kept that others could know of


def _entry(store: Store | None, tenant: str, name: str) -> Entry:
    if store is not None:
        with store.read() as tx:
            found = [one for one in accounts.every(tx) if (one.tenant_id, one.name) == (tenant, name)]
    elif (tenant, name) == (DEFAULT, DEFAULT):
        return Entry(DEFAULT, DEFAULT, DEFAULT, None, None, None, None)
    else:
        found = []
    if not found:
        raise NotFound(
            f"tenant {tenant} has no account {name}", hint="`orchestrator accounts list` shows all"
        )
    return found[0]


@dataclass(frozen=True, slots=True)
class Desk:
    """One account, and what is asked about it."""

    settings: Settings
    store: Store | None
    entry: Entry
    opened: Opened
    asking: tuple[Management, HttpLoop] | None
    variable: str

    def register(self, base: str | None, place: Place, *, adopt: bool, dry_run: bool) -> Done:
        """Have an endpoint that works. Raises GatewayError, RequestError, SettingError and StoreError."""
        management, http = self._required()
        known_id, secret_known = self._known(place)
        path = endpoint_standing.path_of(self.opened.id)
        at_base = _checked(base).removesuffix(path) if base else self.settings.receiver_url
        sure = base is not None or endpoint_standing.public(self.settings)
        wanted = Wanted(at_base + path, self.entry.name, known_id, secret_known, sure)
        planned = endpoint.plan(http.run(management.every()), wanted, adopt=adopt)
        there, changes = planned.endpoint, list(planned.changes)
        lost = known_id if there is None or there.id != known_id else None
        if planned.new_secret:
            self._require_possible(place)
        if dry_run:
            where = self._where(place) if planned.new_secret else None
            return Done(self.entry.name, planned.deed, there, changes, where, dry_run, lost)
        keeping = self._keeping(place) if planned.new_secret else InMemory()
        there = endpoint.carry_out(management, http, keeping, wanted, planned)
        done = self._done(planned.deed, there, changes, keeping if planned.new_secret else None)
        return replace(done, instead_of=lost)

    def rotate(self, place: Place, *, dry_run: bool) -> Done:
        """Another secret for the endpoint there is. Raises as `register` does, and NotFound."""
        management, http = self._required()
        self._require_possible(place)
        endpoint_id, _ = self._known(place)
        there = http.run(management.get(endpoint_id)) if endpoint_id else None
        if endpoint_id is None or there is None:
            raise NotFound(
                f"the account {self.entry.name} has no webhook endpoint at the gateway",
                hint="`orchestrator webhooks register"
                f"{endpoint_standing.options_for(self.entry.tenant_id, self.entry.name)}` makes one",
            )
        if dry_run:
            return Done(self.entry.name, ROTATED, there, [], self._where(place), dry_run)
        keeping = self._keeping(place)
        replace_secret(management, http, keeping, endpoint_id)
        return self._done(ROTATED, there, [], keeping)

    def _required(self) -> tuple[Management, HttpLoop]:
        if self.asking is None:
            raise RequestError(
                f"there is no management key in {self.variable}",
                hint="make one in the gateway's console, with the scopes settings:read and settings:write, "
                "and export it for this command alone",
            )
        return self.asking

    def _require_possible(self, place: Place) -> None:
        """Before anything is changed: a secret is shown once. Raises RequestError."""
        if not place.here and (self.entry.id != DEFAULT or self._kept_here):
            raise RequestError(
                "the signing secrets of this account are in the database",
                hint="leave the option out: a new one elsewhere would not take the place of those",
            )
        if place.here and not self.settings.secret_keys:
            raise RequestError(
                "there is no place for the signing secret",
                hint="set ORCHESTRATOR_SECRET_KEYS (`orchestrator secrets new-key`): the database keeps it "
                "then, encrypted; or give --env-file FILE, or --show-secret",
            )

    @property
    def _kept_here(self) -> bool:
        """Whether the database has a secret that is not of the settings."""
        return bool(set(self.opened.webhook_secrets) - set(self.settings.live_secrets))

    def _known(self, place: Place) -> tuple[str | None, bool]:
        """The endpoint that the account has, and whether its secret is known."""
        opened = self.opened
        if place.file:
            named, complete = InFile(place.file, wiring.wall_clock).known()
            if named:
                return named, complete
        return opened.webhook_endpoint_id, bool(opened.webhook_secrets) and opened.begun_at is None

    def _where(self, place: Place) -> str:
        return str(place.file) if place.file else InMemory.where if place.shown else InDatabase.where

    def _keeping(self, place: Place) -> Keeping:
        ours = self.entry.id == DEFAULT
        if place.file:
            given = self.settings.signing_secrets if ours else ()
            return InFile(place.file, wiring.wall_clock, given)
        if place.shown:
            return InMemory()
        assert self.store is not None  # made, where there is a key to encrypt with
        live = self.settings.live_secrets if ours else ()
        return InDatabase(self.store, wiring.vault(self.settings), self.entry, live)

    def _done(self, deed: Deed | str, there: Endpoint, changes: list[str], keeping: Keeping | None) -> Done:
        return Done(
            self.entry.name,
            deed,
            there,
            changes,
            keeping.where if keeping else None,
            dry_run=False,
            restart=isinstance(keeping, InFile | InMemory),
            settings=self._to_put(keeping) if isinstance(keeping, InMemory) else {},
        )

    def _to_put(self, kept: InMemory) -> dict[str, str]:
        before, now = self.settings.signing_secrets, wiring.wall_clock()
        return {ENDPOINT: kept.endpoint_id, SECRETS: in_settings(kept.secret, before, now)}


def _checked(base: str) -> str:
    try:
        return checked_gateway_url(base)
    except ValueError:
        raise RequestError(
            f"{base} is not a URL of a receiver", hint="give https://host or https://host/path"
        ) from None

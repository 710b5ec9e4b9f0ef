"""What commands about webhook endpoints work with: an account, its gateway, and where secrets are kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator import wiring
from orchestrator.cli.catalogued import existing_store
from orchestrator.cli.database import opened as opened_database
from orchestrator.cli.management import management_at
from orchestrator.engine import endpoint, endpoint_standing
from orchestrator.engine.account_secrets import Opened
from orchestrator.engine.endpoint import Deed, Wanted
from orchestrator.engine.endpoint_keeping import InDatabase, InMemory, Keeping
from orchestrator.engine.endpoint_secret import replace_secret
from orchestrator.engine.environment_file import InFile
from orchestrator.engine.http_loop import HttpLoop
from orchestrator.errors import NotFound, RequestError
from orchestrator.gateway.endpoints import Endpoint, Management
from orchestrator.settings import Settings, checked_gateway_url
from orchestrator.store import accounts
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
    """What was done, or with `dry_run` would be. `settings` is what a person has to put somewhere."""

    account: str
    deed: Deed | str
    endpoint: Endpoint | None
    changes: list[str]
    kept_in: str | None
    dry_run: bool
    restart: bool = False
    settings: dict[str, str] = field(default_factory=dict, repr=False)


@contextmanager
def at(settings: Settings, tenant: str, name: str, variable: str, *, make: bool) -> Iterator[Desk]:
    """An account, with a client for its gateway's control routes. `make`: also the database."""
    with ExitStack() as stack:
        if make and settings.secret_keys:
            store: Store | None = stack.enter_context(opened_database(settings, create=True)).store
        else:
            store = stack.enter_context(existing_store(settings))
        entry = _entry(store, tenant, name)
        opened = wiring.opener(settings)(entry)
        if opened.problem is not None:
            raise opened.problem
        asking = stack.enter_context(management_at(settings, opened, variable))
        yield Desk(settings, store, entry, opened, asking, variable)


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
        base = _checked(base) if base else self.settings.receiver_url
        wanted = Wanted(
            base + endpoint_standing.path_of(self.opened.id), self.entry.name, known_id, secret_known
        )
        planned = endpoint.plan(http.run(management.every()), wanted, adopt=adopt)
        there, changes = planned.endpoint, list(planned.changes)
        if planned.new_secret:
            self._require_possible(place)
        if dry_run:
            where = self._where(place) if planned.new_secret else None
            return Done(self.entry.name, planned.deed, there, changes, where, dry_run)
        keeping = self._keeping(place) if planned.new_secret else InMemory()
        there = endpoint.carry_out(management, http, keeping, wanted, planned)
        return self._done(planned.deed, there, changes, keeping if planned.new_secret else None)

    def rotate(self, place: Place, *, dry_run: bool) -> Done:
        """Another secret for the endpoint there is. Raises as `register` does, and NotFound."""
        management, http = self._required()
        self._require_possible(place)
        endpoint_id, _ = self._known(place)
        there = http.run(management.get(endpoint_id)) if endpoint_id else None
        if endpoint_id is None or there is None:
            raise NotFound(
                f"the account {self.entry.name} has no webhook endpoint at the gateway",
                hint="`orchestrator webhooks register` makes one",
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
        if not place.here and self.entry.id != DEFAULT:
            raise RequestError(
                "the secrets of a tenant's account are in the database", hint="leave the option out"
            )
        if place.here and not self.settings.secret_keys:
            raise RequestError(
                "there is no place for the signing secret",
                hint="set ORCHESTRATOR_SECRET_KEYS (`orchestrator secrets new-key`): the database keeps it "
                "then, encrypted; or give --env-file FILE, or --show-secret",
            )

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
        given = self.settings.webhook_secrets if self.entry.id == DEFAULT else ()
        if place.file:
            return InFile(place.file, wiring.wall_clock, given)
        if place.shown:
            return InMemory()
        assert self.store is not None  # made, where there is a key to encrypt with
        return InDatabase(self.store, wiring.vault(self.settings), self.entry, given)

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
        before = [one.get_secret_value() for one in self.settings.webhook_secrets]
        secrets = dict.fromkeys((kept.secret.get_secret_value(), *before))
        return {
            "ORCHESTRATOR_WEBHOOK_ENDPOINT_ID": kept.endpoint_id,
            "ORCHESTRATOR_WEBHOOK_SECRETS": ",".join(secrets),
        }


def _checked(base: str) -> str:
    try:
        return checked_gateway_url(base)
    except ValueError:
        raise RequestError(
            f"{base} is no URL of a receiver", hint="give https://host or https://host/path"
        ) from None

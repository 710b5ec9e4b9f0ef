"""Every setting, read from the environment with the prefix ORCHESTRATOR_.

The reference page of the documentation and `orchestrator check` print the descriptions given here.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import ipaddress
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from orchestrator.errors import SettingError

PREFIX = "ORCHESTRATOR_"
GATEWAY_S_OWN_KEY = "PHASEO_API_KEY"  # as the gateway's documents tell people to call it
# By purpose, so that slow hand-offs never starve looks or creates.
QUEUES = ("create", "look", "hand_off", "sweep")
GATEWAY = "https://api.phaseo.app/v1"
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+):(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
_NAMED = re.compile(PREFIX + "([A-Z_]+)")
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


class UncertainPolicy(StrEnum):
    """What to do with a create that stayed uncertain."""

    PERSON = "person"  # wait for `orchestrator resolve`
    RESUBMIT = "resubmit"  # create again: if the first create did make a job, both are paid


class Cadence(StrEnum):
    """How the moments of looks are chosen."""

    LEARNED = "learned"  # by what was learned about the ends of jobs and about webhooks
    GUIDANCE = "guidance"  # as soon as the gateway allows


class Problem(NamedTuple):
    """What is wrong, in words that name the setting; `fields` are those that cannot be used."""

    fields: frozenset[str]
    words: str


class Settings(BaseModel):
    """The settings of one process."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)

    data_dir: Path = Field(Path(".orchestrator"), description="Folder for the database and the lock.")
    database_url: SecretStr = Field(
        SecretStr(""),
        description="Database URL: postgresql://user:password@host/name, or sqlite:////absolute/path.db. "
        "Empty: a SQLite file `orchestrator.db` in the data folder.",
    )
    database_connections: int = Field(
        24,
        ge=4,
        le=500,
        description="Most connections to PostgreSQL that one process holds; a worker has one more, to beat.",
    )
    broker_url: SecretStr = Field(
        SecretStr(""),
        description="Redis URL for messages between processes: redis://host:6379/0, rediss:// with TLS. "
        "Not used by `up`.",
    )
    queues: tuple[str, ...] = Field(
        QUEUES, description="Queues that `worker` takes work from, separated by commas."
    )
    output_dir: Path = Field(
        Path("outputs"), description="Folder that the destination `folder` hands results to."
    )
    archive_dir: Path | None = Field(
        None,
        description="Folder that keeps every output, unless the destinations file has an [archive] table. "
        "Empty: `archive` in the data folder.",
    )
    destinations_file: Path | None = Field(
        None,
        description="TOML file of destinations; `orchestrator destinations add` adds others. "
        "Where there are none, results go to `folder` alone.",
    )
    secret_keys: tuple[SecretStr, ...] = Field(
        (),
        description="Keys that encrypt secrets of destinations and accounts, separated by commas, the newest "
        "first; `orchestrator secrets new-key` makes one.",
    )
    gateway_url: str = Field(GATEWAY, description="Base URL of the gateway, with its version.")
    gateway_api_key: SecretStr = Field(SecretStr(""), description="API key of the gateway.")
    webhook_endpoint_id: str | None = Field(
        None, description="UUID of the gateway's webhook endpoint that calls us. Empty: looks only."
    )
    webhook_secrets: tuple[SecretStr, ...] = Field(
        (),
        description="Signing secrets of that endpoint, separated by commas; keep the old one while rotating.",
    )
    host: str = Field("127.0.0.1", description="Address that the receiver listens on.")
    port: int = Field(
        8700, ge=0, le=65535, description="Port that the receiver listens on; 0 takes a free one."
    )
    public_url: str | None = Field(
        None,
        description="URL at which the outside reaches `web`, the beginning of links to outputs. "
        "Empty: http:// with host and port of the API.",
    )
    api_host: str | None = Field(None, description="Address that the API listens on. Empty: HOST.")
    api_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port of the API and of outputs, apart from the receiver's; 0 takes a free one. "
        "Empty: one port for everything.",
    )
    api_max_bytes: int = Field(
        8_388_608, ge=1024, le=268_435_456, description="Largest body of a request to the API."
    )
    receiver_connections: int = Field(
        512, ge=1, le=1_000_000, description="Most connections at once to a port that only takes webhooks."
    )
    api_connections: int = Field(
        12_000, ge=1, le=1_000_000, description="Most connections at once to the port of the API."
    )
    trusted_proxies: tuple[str, ...] = Field(
        (),
        description="Addresses or networks of proxies, separated by commas, whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed. Empty: nobody's.",
    )
    dashboard: bool = Field(True, description="Serve the dashboard at /dashboard, on the port of the API.")
    log_prompts: bool = Field(
        False, description="Log what is submitted over the API, prompts too; otherwise no log has any."
    )
    api_url: str | None = Field(
        None,
        description="URL of an orchestrator's API that commands use instead of a database, unless a command "
        "names another with `--url`, or a `--data-dir`.",
    )
    api_key: SecretStr = Field(SecretStr(""), description="API key for that URL.")
    updates: str = Field(
        "hybrid",
        pattern="^(hybrid|poll|shadow)$",
        description="How a job is followed that does not say. `hybrid`: webhooks and looks; `poll`: looks "
        "only; `shadow`: looks only, and webhooks are scored.",
    )
    poll_after_seconds: float = Field(
        20.0, gt=0, le=3600, description="Seconds between looks where the gateway gives no guidance."
    )
    cadence: Cadence = Field(
        Cadence.LEARNED,
        description="`learned`: looks when it is worth a request, by what was learned; "
        "`guidance`: as often as the gateway allows.",
    )
    request_worth_seconds: float = Field(
        20.0,
        gt=0,
        le=86_400,
        description="Seconds of lag that one saved request to the gateway is worth: less looks more often.",
    )
    longest_spacing_seconds: float = Field(
        900.0, gt=0, le=86_400, description="Most seconds between two looks, however well webhooks come."
    )
    explored_share: float = Field(
        0.01,
        ge=0,
        le=0.2,
        description="Share of jobs left alone to learn how late webhooks come, and of those followed closely "
        "to learn when jobs end, where nothing else tells.",
    )
    looks_per_second: float = Field(
        0.0, ge=0, description="Requests a second about one tenant's jobs; those worth least wait. 0: any."
    )
    deadline_seconds: float = Field(
        21_600.0, gt=0, description="Seconds after which a job that nobody ended is timed out."
    )
    uncertain_every_seconds: float = Field(
        5.0, gt=0, le=300, description="Seconds between attempts to find out what an uncertain create did."
    )
    uncertain_wait_seconds: float = Field(
        900.0,
        ge=0,
        description="Seconds after which an uncertain create is left to a person, or resubmitted.",
    )
    uncertain_policy: UncertainPolicy = Field(
        UncertainPolicy.PERSON,
        description="`person`: wait for `orchestrator resolve`; `resubmit`: once a job, risk paying for two.",
    )
    create_timeout_seconds: float = Field(
        120.0, gt=0, le=600, description="Seconds for one create call; beyond it the create is uncertain."
    )
    look_timeout_seconds: float = Field(30.0, gt=0, le=300, description="Seconds for one look.")
    hand_off_attempts: int = Field(
        18, ge=1, le=100, description="Attempts at one hand-off before it is dead; 18 take about a day."
    )
    hand_off_first_retry_seconds: float = Field(
        5.0, gt=0, le=3600, description="Seconds to the second attempt; doubles up to three hours."
    )
    create_threads: int = Field(8, ge=1, le=64, description="Create calls under way at once, per worker.")
    look_threads: int = Field(4, ge=1, le=32, description="Batches of looks under way at once, per worker.")
    hand_off_threads: int = Field(8, ge=1, le=64, description="Hand-offs under way at once, per worker.")
    drain_seconds: float = Field(
        30.0, ge=0, description="Seconds that calls under way may take to finish when the process is stopped."
    )
    max_open_jobs: int = Field(
        0,
        ge=0,
        description="Jobs of one tenant that are open at once; further ones wait. 0: any.",
    )
    spend_cap_usd: float = Field(
        0.0, ge=0, description="US dollars that one tenant's jobs may cost; further ones wait. 0: any."
    )
    spend_window_days: float = Field(
        30.0, gt=0, le=366, description="Days, up to now, over which the cost is added up."
    )
    requests_per_minute: int = Field(
        6_000, ge=0, description="API requests a minute of one tenant; further ones get a 429. 0: any."
    )
    streams_per_tenant: int = Field(
        10_000, ge=1, description="Event streams that one tenant may hold open at one process."
    )
    streams_per_token: int = Field(
        20, ge=1, description="Event streams that one come-back token may hold open at one process."
    )
    look_batch: int = Field(200, ge=1, le=1000, description="Jobs claimed by one look.")
    webhook_max_bytes: int = Field(
        262_144, ge=1024, le=16_777_216, description="Largest webhook body that is read; they are a few KiB."
    )
    content_patience_seconds: float = Field(
        600.0,
        ge=0,
        description="Seconds for which a completed job's content may be missing before that is its outcome.",
    )
    output_max_bytes: int = Field(
        1_073_741_824, ge=1024, description="Largest output that is fetched; the gateway's limit is 512 MiB."
    )
    rejected_keep: int = Field(500, ge=0, description="Rejected webhooks kept per account, the latest ones.")
    rejected_per_minute: int = Field(60, ge=0, description="Rejected webhooks kept per account and minute.")
    retain_observations_days: float = Field(
        90.0, gt=0, description="Days that the timeline of a settled job is kept."
    )
    retain_inbox_days: float = Field(30.0, gt=0, description="Days that received webhooks are kept.")
    retain_attempts_days: float = Field(
        90.0, gt=0, description="Days that it is kept what each attempt at a hand-off led to."
    )
    retain_outputs_days: float = Field(
        0.0, ge=0, description="Days that archived outputs of settled jobs are kept; 0: for ever."
    )
    retain_jobs_days: float = Field(
        0.0, ge=0, description="Days that settled jobs are kept with everything about them; 0: for ever."
    )
    metrics_address: str | None = Field(
        None,
        description="Address at which each process tells its metrics and whether it lives: 127.0.0.1:9464, "
        "or 127.0.0.1:9464-9479, of which it takes the first that is free. Empty: nowhere.",
    )
    tracing: bool = Field(
        False,
        description="Tell each job as an OpenTelemetry trace; where to is in the standard OTEL_* variables.",
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level logged.")
    fault_point: str = Field(
        "", description="For tests: `name` or `name:n`; the process kills itself there, the n-th time."
    )

    @field_validator(
        "archive_dir",
        "destinations_file",
        "public_url",
        "api_host",
        "api_port",
        "api_url",
        "metrics_address",
        mode="before",
    )
    @classmethod
    def _none(cls, value: Any) -> Any:
        return None if value == "" else value  # as a path it would be the folder we are in

    @field_validator("webhook_secrets", "queues", "secret_keys", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("webhook_endpoint_id", mode="before")
    @classmethod
    def _uuid(cls, value: Any) -> Any:
        return checked_endpoint_id(str(value)) if value else None

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: SecretStr) -> SecretStr:
        # A URL may hold a password: neither this nor the gateway's is repeated in a message.
        if wrong := value.get_secret_value() and _why_no_database(value.get_secret_value()):
            raise ValueError(
                f"{wrong}; give postgresql://user:password@host/name, or a file: sqlite:////absolute/path.db"
            )
        return value

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not _has_host(value.get_secret_value(), ("redis", "rediss")):
            raise ValueError("is not the URL of a Redis server; give redis://host:6379/0")
        return value

    @field_validator("queues")
    @classmethod
    def _known_queues(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or set(value) - set(QUEUES):
            raise ValueError(f"must name some of {', '.join(QUEUES)}")
        return tuple(dict.fromkeys(value))

    @field_validator("gateway_url")
    @classmethod
    def _http(cls, value: str) -> str:
        return checked_gateway_url(value)

    @field_validator("public_url")
    @classmethod
    def _base(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not _is_http(value):
            raise ValueError("is not an http(s) URL with a host and a possible port; give https://host/path")
        if _has_more(value):
            raise ValueError("must have no user, query or fragment; paths are added to it")
        return value.rstrip("/")

    @field_validator("metrics_address")
    @classmethod
    def _ports(cls, value: str | None) -> str | None:
        if value is not None:
            ports_of(value)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_is_network(one) for one in value):
            raise ValueError("has something that is no address or network; give 10.0.0.7 or 10.0.0.0/8")
        return value

    @field_validator("secret_keys")
    @classmethod
    def _fernet(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(_is_fernet_key(one.get_secret_value()) for one in value):
            raise ValueError("has something that is no Fernet key; `orchestrator secrets new-key` makes one")
        return value

    @model_validator(mode="after")
    def _secret_for_endpoint(self) -> Self:
        if self.webhook_endpoint_id and not self.webhook_secrets:
            raise ValueError(
                f"{PREFIX}WEBHOOK_ENDPOINT_ID is set and {PREFIX}WEBHOOK_SECRETS is empty: "
                "every webhook would be refused"
            )
        return self

    @model_validator(mode="after")
    def _two_ports(self) -> Self:
        if self.api_host and self.api_port in (None, self.port or None):
            raise ValueError(f"{PREFIX}API_HOST needs an {PREFIX}API_PORT of its own")
        return self

    @property
    def resolved_database_url(self) -> str:
        """The database URL with the default filled in, and with the driver that is used for PostgreSQL."""
        given = self.database_url.get_secret_value()
        scheme, _, rest = given.partition("://")
        if scheme in _POSTGRESQL:
            return f"postgresql+psycopg://{rest}"
        return given or f"sqlite:///{self.data_dir.absolute() / 'orchestrator.db'}"

    @property
    def resolved_archive_dir(self) -> Path:
        """The archive's folder with the default filled in."""
        return (self.archive_dir or self.data_dir / "archive").absolute()

    @property
    def resolved_public_url(self) -> str:
        """The base of links, without a slash at its end, with the default filled in."""
        return self.public_url or _http(*(self.api_address or (self.host, self.port)))

    @property
    def receiver_url(self) -> str:
        """The base of the URLs of webhooks: the public one, unless that is of an API with its own port."""
        return _http(self.host, self.port) if self.api_address else self.resolved_public_url

    @property
    def api_address(self) -> tuple[str, int] | None:
        """Host and port of the API, where it has a port of its own."""
        own = self.api_port is not None and (self.api_port == 0 or self.api_port != self.port)
        return (self.api_host or self.host, self.api_port or 0) if own else None

    @property
    def scaled(self) -> bool:
        """Whether several processes share the work, with a broker between them."""
        return bool(self.broker_url.get_secret_value())


def load(environment: Mapping[str, str], **overrides: Any) -> Settings:
    """Read the settings from an environment. Raises SettingError naming each unknown or wrong one."""
    settings, problems = read(environment, **overrides)
    if problems:
        raise SettingError("; ".join(one.words for one in problems))
    return settings


def read(environment: Mapping[str, str], **overrides: Any) -> tuple[Settings, list[Problem]]:
    """The settings, each wrong one as if it were not given, and everything that is wrong."""
    problems, wrong = _unknown(environment), set[str]()
    names = {PREFIX + name.upper(): name for name in Settings.model_fields}
    given: dict[str, Any] = {names[name]: value for name, value in environment.items() if name in names}
    given |= {name: value for name, value in overrides.items() if value is not None}
    while True:  # what is wrong together shows once each by itself is right
        try:
            return Settings.model_validate(given), problems
        except ValidationError as error:
            found = [_explained(one) for one in error.errors(include_input=False, include_url=False)]
        problems += [one for one in found if not one.fields & wrong]
        wrong |= {name for one in found for name in one.fields}
        given = {name: value for name, value in given.items() if name not in wrong}


def _unknown(environment: Mapping[str, str]) -> list[Problem]:
    known = [name.upper() for name in Settings.model_fields]
    found = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in known:
            close = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1)
            meant = f" (did you mean {PREFIX}{close[0]}?)" if close else ""
            found.append(Problem(frozenset(), f"unknown setting {name}{meant}"))
    return found


def ports_of(address: str) -> tuple[str, range]:
    """The host and the ports of an address such as 127.0.0.1:9464-9479. Raises ValueError."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ValueError("is no address with a port; give 127.0.0.1:9464, or 127.0.0.1:9464-9479")
    ports = range(int(found[2]), int(found[3] or found[2]) + 1)
    if not ports or ports[-1] > 65_535:
        raise ValueError("names no possible ports")
    return found[1].strip("[]"), ports


def checked_gateway_url(value: str) -> str:
    """The base URL of a gateway, without a slash at its end. Raises ValueError, without repeating it."""
    if not _is_http(value):
        raise ValueError(f"is not an http(s) URL with a host and a possible port; the gateway's is {GATEWAY}")
    if _has_more(value):
        raise ValueError("must have no user, query or fragment; the key has a setting of its own")
    return value.rstrip("/")


def checked_endpoint_id(value: str) -> str:
    """The id of a webhook endpoint, as the gateway writes it. Raises ValueError."""
    try:
        return str(UUID(value))
    except ValueError:
        # The gateway answers 500 to an id that is none (contract 5), which would look like an outage.
        raise ValueError("is not a UUID; the gateway shows it as the `id` of the webhook endpoint") from None


def _http(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return url.startswith(("http://", "https://")) and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
        return True
    except ValueError:
        return False


def _has_more(url: str) -> bool:
    return "@" in urlsplit(url).netloc or "?" in url or "#" in url


def _is_fernet_key(key: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(key.encode())) == 32
    except (binascii.Error, ValueError):
        return False


def _names_database(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return len(parts.path) > 1 and parts.port != 0
    except ValueError:
        return False


def _has_host(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _why_no_database(url: str) -> str:
    scheme, found, rest = url.partition("://")
    if not found:
        return "is not a database URL"
    if scheme in _POSTGRESQL:
        return "" if _names_database(url) else "names no PostgreSQL database"
    if scheme != "sqlite":
        return "names a database that is not supported"
    if not rest.startswith("/") or rest in ("/", "/:memory:") or "?" in rest:
        return "must name a file and nothing else, after three slashes"
    return ""


def _explained(error: Any) -> Problem:
    words = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return Problem(frozenset(name.lower() for name in _NAMED.findall(words)), words)
    field = str(error["loc"][0])
    return Problem(frozenset({field}), f"{PREFIX}{field.upper()}: {words}")

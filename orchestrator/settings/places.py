"""Where rows, messages and results are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator

from orchestrator.settings.base import Group, or_none, parted
from orchestrator.settings.checks import POSTGRESQL, has_host, is_fernet_key, why_no_database

# By purpose, so that slow hand-offs never starve looks or creates.
QUEUES = ("create", "look", "hand_off", "sweep")


class Places(Group):
    """Where rows, messages and results are kept."""

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
        description="Most connections to PostgreSQL that one process opens; a worker has one more, for its "
        "heartbeat.",
    )
    broker_url: SecretStr = Field(
        SecretStr(""),
        description="Redis URL for messages between processes: redis://host:6379/0, rediss:// with TLS. "
        "Not used by `up`.",
    )
    queues: tuple[str, ...] = Field(
        QUEUES, description="Queues that `worker` takes work from, separated by commas."
    )
    output_dir: Path = Field(Path("outputs"), description="Folder of the destination `folder`.")
    archive_dir: Path | None = Field(
        None,
        description="Folder of the archive, unless the destinations file has an [archive] table. Empty: "
        "`archive` in the data folder.",
    )
    destinations_file: Path | None = Field(
        None,
        description="TOML file with destinations; `orchestrator destinations add` adds others. If there are "
        "none, results go to `folder`.",
    )
    secret_keys: tuple[SecretStr, ...] = Field(
        (),
        description="Keys that encrypt secrets of destinations and accounts, separated by commas, the newest "
        "first; `orchestrator secrets new-key` makes one.",
    )

    @field_validator("archive_dir", "destinations_file", mode="before")
    @classmethod
    def _no_path(cls, value: Any) -> Any:
        return or_none(value)

    @field_validator("queues", "secret_keys", mode="before")
    @classmethod
    def _split_places(cls, value: Any) -> Any:
        return parted(value)

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: SecretStr) -> SecretStr:
        # A URL may hold a password: neither this nor the gateway's is repeated in a message.
        if wrong := value.get_secret_value() and why_no_database(value.get_secret_value()):
            raise ValueError(
                f"{wrong}; give postgresql://user:password@host/name, or a file: sqlite:////absolute/path.db"
            )
        return value

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not has_host(value.get_secret_value(), ("redis", "rediss")):
            raise ValueError("is not the URL of a Redis server; give redis://host:6379/0")
        return value

    @field_validator("queues")
    @classmethod
    def _known_queues(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or set(value) - set(QUEUES):
            raise ValueError(f"must name some of {', '.join(QUEUES)}")
        return tuple(dict.fromkeys(value))

    @field_validator("secret_keys")
    @classmethod
    def _fernet(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(is_fernet_key(one.get_secret_value()) for one in value):
            raise ValueError("has something that is no Fernet key; `orchestrator secrets new-key` makes one")
        return value

    @property
    def resolved_database_url(self) -> str:
        """The database URL with the default filled in, and with the driver that is used for PostgreSQL."""
        given = self.database_url.get_secret_value()
        scheme, _, rest = given.partition("://")
        if scheme in POSTGRESQL:
            return f"postgresql+psycopg://{rest}"
        return given or f"sqlite:///{self.data_dir.absolute() / 'orchestrator.db'}"

    @property
    def resolved_archive_dir(self) -> Path:
        """The archive's folder with the default filled in."""
        return (self.archive_dir or self.data_dir / "archive").absolute()

    @property
    def scaled(self) -> bool:
        """Whether several processes share the work, with a broker between them."""
        return bool(self.broker_url.get_secret_value())

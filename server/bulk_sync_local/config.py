"""What the service is told at its start. Nothing else in this package reads the environment for settings."""

import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from bulk_sync_local.connectors.base import Confinement

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SECRET_NAME = re.compile(r"BULK_SYNC_SECRET_[A-Z0-9_]+")


class ConfigError(ValueError):
    """The settings cannot be used; the text says which one and how to mend it."""


@dataclass(frozen=True, slots=True)
class SecretBinding:
    """Where one secret may be used: connections of this type, and, for types with a host, this host only."""

    type_id: str
    host: str | None = None


@dataclass(frozen=True, slots=True)
class LocalConfig:
    """Settings of one local service: one workspace, one state directory, one organization.

    `workspace` is what relative paths in connections are relative to. `state_dir` holds the store and is never
    inside a root, or a connection could read or overwrite it. `roots` are the directories connections may touch
    (empty: the workspace alone), `hosts` the database hosts they may name. `api_key` None means that no credential
    is asked for; that is for use inside one process, and never behind a network socket. `secrets` maps names of environment
    variables to where they may be used; values are never part of the settings. `batch_pause` is slow motion for
    rehearsals: seconds (0 for none) that a run waits when a table starts and after every batch of it.
    """

    workspace: Path
    state_dir: Path
    roots: tuple[Path, ...] = ()
    hosts: frozenset[str] = LOOPBACK
    api_key: str | None = field(default=None, repr=False)
    organization_id: str = ""
    secrets: Mapping[str, SecretBinding] = field(default_factory=dict[str, SecretBinding])
    batch_pause: float = 0.0

    def __post_init__(self) -> None:
        """Resolves paths and fills defaults. Raises `ConfigError` for settings that are unsafe or malformed."""
        set_field = object.__setattr__
        set_field(self, "workspace", self.workspace.resolve())
        set_field(self, "state_dir", self.state_dir.resolve())
        set_field(self, "roots", tuple(root.resolve() for root in self.roots) or (self.workspace,))
        if not self.organization_id:
            set_field(self, "organization_id", str(uuid.uuid5(uuid.NAMESPACE_URL, self.workspace.as_uri())))
        for root in self.roots:
            if self.state_dir == root or root in self.state_dir.parents:
                raise ConfigError(
                    f"the state directory {self.state_dir} is inside {root}, which connections may write to; "
                    "put it elsewhere"
                )
        for name in self.secrets:
            if not SECRET_NAME.fullmatch(name):
                raise ConfigError(f"secret {name!r}: only names of the form BULK_SYNC_SECRET_NAME are allowed")
        if self.api_key is not None and not self.api_key:
            raise ConfigError("the API key is empty")
        if not 0 <= self.batch_pause <= 3600:
            raise ConfigError("batch_pause must be between 0 and 3600 seconds")

    @property
    def confinement(self) -> Confinement:
        """What connections may touch, in the form connectors take."""
        return Confinement(roots=self.roots, root_for_relative=self.workspace, hosts=self.hosts)

    @property
    def store_path(self) -> Path:
        return self.state_dir / "store.sqlite"

    def run_dir(self, execution_id: str) -> Path:
        """Where one execution keeps its lock, its settings and the output of its worker."""
        return self.state_dir / "runs" / execution_id

    def make_state_dir(self) -> None:
        """Creates the state directory, readable by its owner only."""
        for directory in (self.state_dir, self.state_dir / "runs"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            directory.chmod(0o700)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker process is told through a file: the settings without the API key, and no secret values."""

    workspace: Path
    state_dir: Path
    roots: tuple[Path, ...]
    hosts: frozenset[str]
    organization_id: str
    secrets: dict[str, SecretBinding]
    batch_pause: float

    def config(self) -> LocalConfig:
        """The worker's `LocalConfig`; raises `ConfigError` as usual."""
        return LocalConfig(
            workspace=self.workspace,
            state_dir=self.state_dir,
            roots=self.roots,
            hosts=self.hosts,
            organization_id=self.organization_id,
            secrets=self.secrets,
            batch_pause=self.batch_pause,
        )


_WORKER_SETTINGS = TypeAdapter(WorkerSettings)


def write_worker_settings(config: LocalConfig, execution_id: str) -> Path:
    """Writes the settings of one worker, for its owner's eyes only, and returns the file's path."""
    directory = config.run_dir(execution_id)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = WorkerSettings(
        workspace=config.workspace,
        state_dir=config.state_dir,
        roots=config.roots,
        hosts=config.hosts,
        organization_id=config.organization_id,
        secrets=dict(config.secrets),
        batch_pause=config.batch_pause,
    )
    path = directory / "settings.json"
    scratch = directory / f"settings.{os.getpid()}.tmp"
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(_WORKER_SETTINGS.dump_json(settings))
    scratch.replace(path)
    return path


def read_worker_settings(state_dir: Path, execution_id: str) -> LocalConfig:
    """The settings `write_worker_settings` wrote. Raises `OSError`, `ValueError` or `ConfigError`."""
    path = state_dir / "runs" / execution_id / "settings.json"
    return _WORKER_SETTINGS.validate_json(path.read_bytes()).config()

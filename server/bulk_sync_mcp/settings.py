"""All settings, read once: flags over environment over a configuration file.

The only reader of the environment. A file is read from `--config`, or from the user's configuration directory;
never from the working directory, where a cloned project could plant one, and there is no `.env`.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

NAME = "bulk-sync-mcp"
PREFIX = "BULK_SYNC_MCP_"


class SettingsError(Exception):
    """A setting cannot be used; the text names it and the remedy, and shows no secret."""


class Settings(BaseSettings):
    """What the server runs with. Secrets are `SecretStr`, so that they show nowhere."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    polytomic_api_key: SecretStr | None = Field(default=None, validation_alias="POLYTOMIC_API_KEY")
    polytomic_organization_id: str | None = Field(default=None, validation_alias="POLYTOMIC_ORGANIZATION_ID")
    polytomic_base_url: str = Field(default="https://app.polytomic.com", validation_alias="POLYTOMIC_BASE_URL")
    ca_file: Path | None = None
    """Further certificate authorities in PEM form, for a self-hosted deployment."""
    state_dir: Path = Field(default_factory=lambda: platformdirs.user_state_path(NAME))
    workspace: Path = Field(default_factory=lambda: platformdirs.user_data_path(NAME) / "workspace")
    """What file paths of local connections are relative to, and by default confined to."""
    roots: list[Path] = Field(default_factory=list[Path])
    """Further directories that local connections may touch."""
    batch_pause: float = Field(default=0.0, ge=0, le=60)
    """Slow motion for rehearsals on the local service, in seconds after each batch."""
    http_port: int = Field(default=8765, ge=0, le=65_535)
    http_token: SecretStr | None = Field(default=None, min_length=16)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Given values, then the environment; no `.env`, no secrets directory. The file comes in `load`."""
        return (init_settings, env_settings)

    @property
    def on_polytomic(self) -> bool:
        """Whether a credential is configured; otherwise the local service is used."""
        return self.polytomic_api_key is not None

    @property
    def guard_dir(self) -> Path:
        """Where approvals, locks and the audit log live."""
        return self.state_dir / "guard"

    @property
    def local_dir(self) -> Path:
        """Where the local service keeps what it knows."""
        return self.state_dir / "local"


def load(flags: Mapping[str, Any] | None = None, config: Path | None = None) -> Settings:
    """The settings. Raises `SettingsError` for an unknown name or a wrong value, naming the nearest known one."""
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    path = config or platformdirs.user_config_path(NAME) / "config.toml"
    from_file = _read(path, required=config is not None)
    _check_names(from_file, f"in {path}")
    _check_environment()
    try:
        environment = Settings().model_dump(exclude_unset=True)
        return Settings(**{**from_file, **environment, **given})
    except ValidationError as error:
        lines = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
        raise SettingsError(f"wrong setting: {'; '.join(lines)}") from None


def _read(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise SettingsError(f"there is no configuration file {path}") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot read {path}: {error}") from None


def _check_names(given: Mapping[str, Any], where: str) -> None:
    known = list(Settings.model_fields)
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise SettingsError(
                f"unknown setting `{name}` {where}"
                + (f"; did you mean `{close[0]}`?" if close else f"; known: {', '.join(known)}")
            )


def _check_environment() -> None:
    names = [name for name in os.environ if name.startswith(PREFIX)]
    _check_names({name.removeprefix(PREFIX).lower(): None for name in names}, "in the environment")

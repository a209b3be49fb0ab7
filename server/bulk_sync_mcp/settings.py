"""All settings, read once: flags over environment over a configuration file.

The only reader of the environment. A file is read from `--config`, or from the user's configuration directory;
never from the working directory, where a cloned project could plant one, and there is no `.env`.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
import pydantic_settings
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

NAME = "bulk-sync-mcp"
PREFIX = "BULK_SYNC_MCP_"
_TOKEN = re.compile(r"[\x21-\x7e]{16,}")


def _names(given: object) -> object:
    """Names between commas, as flags and environment give them; a list stays one. Nothing at all is not given."""
    if not isinstance(given, str):
        return given
    return tuple(name for part in given.split(",") if (name := part.strip()))


def _names_or_none(given: object) -> object:
    return _names(given) or None


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]


class SettingsError(Exception):
    """A setting cannot be used; the text names it and the remedy, and shows no secret."""


class SecretUse(BaseModel):
    """Where one secret may be used: connections of this type and, for types with a host, this host only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str
    host: str | None = None


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
    secrets: dict[str, SecretUse] = Field(default_factory=dict[str, SecretUse])
    """Which environment variables `BULK_SYNC_SECRET_*` local connections may refer to, each bound to a connection
    type and, for types with one, a host."""
    hosts: list[str] = Field(default_factory=list[str])
    """Database hosts that local connections may name besides this machine."""
    batch_pause: float = Field(default=0.0, ge=0, le=60)
    """Slow motion for rehearsals on the local service, in seconds after each batch."""
    http_port: int = Field(default=8765, ge=0, le=65_535)
    http_token: SecretStr | None = None
    policy: Path | None = None
    """The policy file; by default `policy.toml` in the user's configuration directory, if there is one."""
    access: Literal["full", "read-only"] = "full"
    toolsets: Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_names_or_none)] = None
    """Groups of tools that are on, or `all`; `default` unless something is named here or in `tools`."""
    tools: Names = ()
    """Single tools that are on besides."""
    exclude_tools: Names = ()
    """Tools that are off whatever else is said."""
    unattended: bool = False
    """Lets the policy file's [[unattended]] entries take effect."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "WARNING"

    @field_validator("polytomic_api_key")
    @classmethod
    def _not_blank(cls, key: SecretStr | None) -> SecretStr | None:
        """A key that came out empty, say from a missing secret, must not become work on the local service."""
        if key is not None and not key.get_secret_value().strip():
            raise ValueError("is set but empty; give a key, or unset it to work on the local service")
        return key

    @field_validator("http_token")
    @classmethod
    def _sendable(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and _TOKEN.fullmatch(token.get_secret_value()) is None:
            raise ValueError("must be 16 or more printable ASCII characters without spaces")
        return token

    @field_validator("ca_file", "state_dir", "workspace", "policy", mode="after")
    @classmethod
    def _home(cls, path: Path | None) -> Path | None:
        """`~` means the home directory here too: clients start servers without a shell that would know."""
        return path.expanduser() if path is not None else None

    @field_validator("roots", mode="after")
    @classmethod
    def _homes(cls, paths: list[Path]) -> list[Path]:
        return [path.expanduser() for path in paths]

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
    def policy_path(self) -> Path | None:
        """The policy file in force, None when there is none."""
        usual = platformdirs.user_config_path(NAME) / "policy.toml"
        return self.policy or (usual if _stands(usual) else None)

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
    _check_names(from_file, list(Settings.model_fields), f"in {path}")
    _check_environment()
    try:
        environment = Settings().model_dump(exclude_unset=True)
        settings = Settings(**{**from_file, **environment, **given})
    except ValidationError as error:
        lines = [f"{_spelled(one['loc'])}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors()]
        raise SettingsError(f"wrong setting: {'; '.join(lines)}") from None
    except pydantic_settings.SettingsError as error:
        # Told of a list that is no JSON. Its cause quotes the value, so only its own words are passed on.
        raise SettingsError(f"wrong setting: {error}; write a list as JSON") from None
    _check_credential(settings)
    return settings


def _spelled(location: tuple[int | str, ...]) -> str:
    """`http_port (BULK_SYNC_MCP_HTTP_PORT)`: a setting as it is called in a file, and in the environment."""
    first = str(location[0])
    names = {field.validation_alias: name for name, field in Settings.model_fields.items() if field.validation_alias}
    name = names.get(first, first)
    rest = "".join(f"[{part}]" for part in location[1:])
    return f"{name}{rest} ({_variable(name)})"


def _variable(name: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else PREFIX + name.upper()


def _check_credential(settings: Settings) -> None:
    """Whoever names an organization or an address means Polytomic, and must not end up on the local service."""
    if settings.on_polytomic:
        return
    for name in ("polytomic_organization_id", "polytomic_base_url"):
        if (getattr(settings, name) or "").strip() not in ("", Settings.model_fields[name].default):
            raise SettingsError(
                f"{_variable(name)} is set but POLYTOMIC_API_KEY is not; "
                f"set the key, or unset {_variable(name)} to work on the local service"
            )


def _stands(path: Path) -> bool:
    """Whether somebody has put something there. A link that leads nowhere, or a directory that may not be looked into,
    is not the same as nothing: a policy must not be left out unnoticed."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _read(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required or _stands(path):
            raise SettingsError(f"there is no configuration file {path}") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot read {path}: {error}") from None


def _check_names(given: Iterable[str], known: Sequence[str], where: str) -> None:
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise SettingsError(
                f"unknown setting `{name}` {where}"
                + (f"; did you mean `{close[0]}`?" if close else f"; known: {', '.join(known)}")
            )


def _check_environment() -> None:
    names = [name for name in os.environ if name.upper().startswith(PREFIX)]
    _check_names(
        [name.upper() for name in names], [_variable(name) for name in Settings.model_fields], "in the environment"
    )

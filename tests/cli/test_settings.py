"""Settings: flags over environment over file; whatever cannot be used is named, and no secret is shown."""

import argparse
import os
from pathlib import Path

import pytest

from bulk_sync_mcp.cli import main
from bulk_sync_mcp.commands import settings_of
from bulk_sync_mcp.composition import compose
from bulk_sync_mcp.settings import Settings, SettingsError, load

SECRET = "not-a-real-key-Tg5Hn8Jm2Pq"
Set = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: Set) -> None:
    """A home and a working directory without any configuration."""
    for name in ("home", "cwd"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_flags_go_over_the_environment_and_that_over_the_file(file: Path, monkeypatch: Set) -> None:
    file.write_text('http_port = 1001\nlog_level = "INFO"\nworkspace = "/from/file"\nbatch_pause = 2.5\n')
    monkeypatch.setenv("BULK_SYNC_MCP_HTTP_PORT", "1002")
    monkeypatch.setenv("BULK_SYNC_MCP_LOG_LEVEL", "ERROR")
    settings = load({"http_port": 1003, "log_level": None}, file)
    assert (settings.http_port, settings.log_level) == (1003, "ERROR")
    assert (settings.workspace, settings.batch_pause) == (Path("/from/file"), 2.5)


def test_every_command_hands_its_flags_on(file: Path) -> None:
    file.write_text("http_port = 1001\n")
    flags = argparse.Namespace(config=file, workspace=Path("/w"), state_dir=Path("/s"), log_level="ERROR", http_port=0)
    settings = settings_of(flags)
    assert (settings.workspace, settings.state_dir, settings.http_port) == (Path("/w"), Path("/s"), 0)


def test_credentials_from_the_file_and_over_them_from_the_environment(file: Path, monkeypatch: Set) -> None:
    file.write_text(
        'polytomic_api_key = "from-file"\npolytomic_organization_id = "org"\n'
        'polytomic_base_url = "https://polytomic.internal.example"\n'
    )
    settings = load(config=file)
    assert settings.polytomic_api_key is not None
    assert settings.polytomic_api_key.get_secret_value() == "from-file"
    assert compose(settings).backend.origin == "https://polytomic.internal.example"
    monkeypatch.setenv("POLYTOMIC_API_KEY", SECRET)
    settings = load(config=file)
    assert settings.polytomic_api_key is not None
    assert settings.polytomic_api_key.get_secret_value() == SECRET
    assert settings.polytomic_organization_id == "org"


def test_the_users_own_file_is_read_and_the_working_directory_is_not(tmp_path: Path, monkeypatch: Set) -> None:
    for name in ("config.toml", "bulk-sync-mcp.toml", ".bulk-sync-mcp.toml"):
        (tmp_path / "cwd" / name).write_text("http_port = 1\n")
    (tmp_path / "cwd" / ".env").write_text(f"POLYTOMIC_API_KEY={SECRET}\nBULK_SYNC_MCP_HTTP_PORT=2\n")
    assert load() == Settings()
    assert not load().on_polytomic
    monkeypatch.setattr("platformdirs.user_config_path", lambda name: tmp_path / "home" / name)
    own = tmp_path / "home" / "bulk-sync-mcp"
    own.mkdir()
    (own / "config.toml").write_text("http_port = 3\n")
    assert load().http_port == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("http_prot = 1\n", "did you mean `http_port`?"),
        ("zzz = 1\n", "known: polytomic_api_key, "),
        ("[http]\nport = 1\n", "unknown setting `http`"),
        ("http_port = 1\nlog_level = INFO\n", "line 2"),
        (f'polytomic_api_key = "{SECRET}\n', "line 1"),
        ("http_port = 1\nhttp_port = 2\n", "line 2"),
        ('http_port = "many"\n', "http_port (BULK_SYNC_MCP_HTTP_PORT): "),
        ("http_port = 65536\n", "http_port (BULK_SYNC_MCP_HTTP_PORT): "),
        ('log_level = "LOUD"\n', "log_level (BULK_SYNC_MCP_LOG_LEVEL): "),
        ('roots = ["/a", 7]\n', "roots[1] (BULK_SYNC_MCP_ROOTS): "),
        ('http_token = "short-secret"\n', "http_token (BULK_SYNC_MCP_HTTP_TOKEN): must be 16 or more"),
        (f'http_token = "{SECRET} {SECRET}"\n', "http_token (BULK_SYNC_MCP_HTTP_TOKEN): must be 16 or more"),
        ("polytomic_api_key = 12345678\n", "polytomic_api_key (POLYTOMIC_API_KEY): "),
        ('polytomic_api_key = ""\n', "polytomic_api_key (POLYTOMIC_API_KEY): is set but empty"),
        ("batch_pause = -1\n", "batch_pause (BULK_SYNC_MCP_BATCH_PAUSE): "),
        ("\x00\n", "cannot read"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_where_and_why(file: Path, text: str, told: str) -> None:
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        load(config=file)
    assert told in str(refused.value)
    for secret in (SECRET, "short-secret", "12345678"):
        assert secret not in str(refused.value)


@pytest.mark.parametrize("name", ["policy.toml", "config.toml"])
def test_a_link_that_leads_nowhere_is_not_taken_for_no_file(tmp_path: Path, monkeypatch: Set, name: str) -> None:
    """A policy on a disk that is not there must not become no policy."""
    monkeypatch.setattr("platformdirs.user_config_path", lambda name: tmp_path / name)
    own = tmp_path / "bulk-sync-mcp"
    own.mkdir()
    assert load().policy_path is None
    (own / name).symlink_to(tmp_path / "unmounted" / name)
    with pytest.raises(SettingsError, match=name):
        compose(load())


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(SettingsError, match=str(path)):
            load(config=path)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("BULK_SYNC_MCP_HTTP_PROT", "1", "did you mean `BULK_SYNC_MCP_HTTP_PORT`?"),
        ("BULK_SYNC_MCP_POLYTOMIC_API_KEY", SECRET, "unknown setting `BULK_SYNC_MCP_POLYTOMIC_API_KEY`"),
        ("BULK_SYNC_MCP_ROOTS", f"/a:{SECRET}", 'error parsing value for field "roots"'),
        ("BULK_SYNC_MCP_HTTP_PORT", SECRET, "http_port (BULK_SYNC_MCP_HTTP_PORT): "),
        ("BULK_SYNC_MCP_HTTP_TOKEN", "short-secret", "http_token (BULK_SYNC_MCP_HTTP_TOKEN): "),
        ("POLYTOMIC_API_KEY", "", "polytomic_api_key (POLYTOMIC_API_KEY): is set but empty"),
        ("POLYTOMIC_API_KEY", " \t", "polytomic_api_key (POLYTOMIC_API_KEY): is set but empty"),
        ("POLYTOMIC_ORGANIZATION_ID", "org", "POLYTOMIC_ORGANIZATION_ID is set but POLYTOMIC_API_KEY is not"),
        ("POLYTOMIC_BASE_URL", "https://x.example", "POLYTOMIC_BASE_URL is set but POLYTOMIC_API_KEY is not"),
    ],
)
def test_an_environment_that_cannot_be_used_is_told_by_name(
    monkeypatch: Set, name: str, value: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load()
    assert told in str(refused.value)
    assert main(["tools"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"bulk-sync-mcp: {refused.value}\n"
    for secret in (SECRET, "short-secret"):
        assert secret not in err


def test_an_empty_organization_or_address_counts_as_none(monkeypatch: Set) -> None:
    monkeypatch.setenv("POLYTOMIC_ORGANIZATION_ID", " ")
    monkeypatch.setenv("POLYTOMIC_BASE_URL", "")
    assert not load().on_polytomic
    monkeypatch.delenv("POLYTOMIC_BASE_URL")
    monkeypatch.setenv("POLYTOMIC_API_KEY", SECRET)
    assert compose(load()).backend.authorization.get_secret_value() == f"Bearer {SECRET}"


def test_a_root_list_is_json_in_the_environment(monkeypatch: Set, tmp_path: Path) -> None:
    monkeypatch.setenv("BULK_SYNC_MCP_ROOTS", '["/a", "~/b"]')
    assert load().roots == [Path("/a"), tmp_path / "home" / "b"]


def test_a_tilde_is_the_home_directory_though_no_shell_has_seen_it(monkeypatch: Set, tmp_path: Path) -> None:
    monkeypatch.setenv("BULK_SYNC_MCP_STATE_DIR", "~/state")
    monkeypatch.setenv("BULK_SYNC_MCP_WORKSPACE", "~/data")
    settings = load()
    assert (settings.state_dir, settings.workspace) == (tmp_path / "home/state", tmp_path / "home/data")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://polytomic.example", "plain http would send the API key to polytomic.example unprotected"),
        ("http://127.0.0.1.evil.example", "plain http"),
        ("http://10.0.0.1:8080", "plain http"),
        ("ftp://polytomic.example", "must look like"),
        ("polytomic.example", "must look like"),
        ("", "must look like"),
        ("https://user:pass@polytomic.example", "user name or password"),
        ("https://polytomic.example/api", "must end after the host"),
    ],
)
def test_an_address_that_would_give_the_key_away_is_refused(monkeypatch: Set, address: str, told: str) -> None:
    monkeypatch.setenv("POLYTOMIC_API_KEY", SECRET)
    monkeypatch.setenv("POLYTOMIC_BASE_URL", address)
    with pytest.raises(SettingsError) as refused:
        compose(load())
    assert str(refused.value).startswith("POLYTOMIC_BASE_URL: ")
    assert told in str(refused.value)
    assert "pass@" not in str(refused.value)


@pytest.mark.parametrize("address", ["http://localhost:9", "http://127.0.0.1:9", "http://[::1]:9"])
def test_plain_http_is_allowed_on_loopback(monkeypatch: Set, address: str) -> None:
    monkeypatch.setenv("POLYTOMIC_API_KEY", SECRET)
    monkeypatch.setenv("POLYTOMIC_BASE_URL", address)
    assert compose(load()).backend.origin == address


@pytest.mark.parametrize("key", ["schlüssel", "two words", "line\nbreak"])
def test_a_key_that_cannot_be_sent_is_refused_by_name_and_not_shown(monkeypatch: Set, key: str) -> None:
    monkeypatch.setenv("POLYTOMIC_API_KEY", key)
    with pytest.raises(SettingsError, match="POLYTOMIC_API_KEY") as refused:
        compose(load())
    assert key not in str(refused.value)


def test_secrets_show_in_no_representation(monkeypatch: Set) -> None:
    monkeypatch.setenv("POLYTOMIC_API_KEY", SECRET)
    monkeypatch.setenv("BULK_SYNC_MCP_HTTP_TOKEN", SECRET + "-token")
    settings = load()
    application = compose(settings)
    shown = [repr(settings), str(settings), settings.model_dump_json(), repr(application), repr(application.backend)]
    assert all(SECRET not in one for one in shown)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().http_port = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_secrets_that_connections_may_refer_to_are_bound_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[secrets.BULK_SYNC_SECRET_WAREHOUSE]\ntype = "postgresql"\nhost = "localhost"\n')
    use = load({"state_dir": tmp_path / "state"}, file).secrets["BULK_SYNC_SECRET_WAREHOUSE"]
    assert (use.type, use.host) == ("postgresql", "localhost")

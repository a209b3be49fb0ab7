"""The other commands: `tools`, `manifests`, `local`, and what argparse makes of mistakes."""

import json
import re
import signal
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from bulk_sync_mcp import operations
from bulk_sync_mcp.cli import COMMANDS, main
from bulk_sync_mcp.core.operation import discover
from support import Workshop
from transports.kit import PATIENCE, Place, ran, started

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]
Out = pytest.CaptureFixture[str]


async def test_version_and_help_come_at_once(bare: Place) -> None:
    version = await ran(bare, "--version")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (version.status, version.out, version.err) == (0, f"{declared}\n", "")
    told = await ran(bare, "--help")
    assert (told.status, told.err) == (0, "")
    for command in COMMANDS:
        assert command in told.out


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command: str, capsys: Out) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert "--state-dir" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["no-such"], "no-such"),
        (["--nope"], "--nope"),
        (["tools", "--nope"], "--nope"),
        (["tools", "more"], "more"),
        (["serve", "--transport", "sse"], "sse"),
        (["serve", "--port", "many"], "many"),
        (["manifests"], "action"),
        (["call"], "TOOL"),
    ],
)
def test_a_mistake_on_the_command_line_is_status_2_and_named(words: list[str], told: str, capsys: Out) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert told in err


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_there_cannot_be_is_told(port: str, bare: Place, capsys: Out) -> None:
    for words in (["serve", "--transport", "http", "--port", port], ["local", "--port", port]):
        assert main([*words, *bare.flags]) == 2
        assert capsys.readouterr().err.startswith("bulk-sync-mcp: ")


def test_tools_are_listed_readers_first(bare: Place, capsys: Out) -> None:
    assert main(["tools", *bare.flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    kinds = [re.split(r"\s{2,}", line)[1].split()[0] for line in lines]
    assert kinds == sorted(kinds, key=lambda kind: kind == "WRITES")
    assert {line.split()[0] for line in lines} >= {"list_bulk_syncs", "delete_bulk_sync"}
    assert main(["tools", "--json", *bare.flags]) == 0
    tools = json.loads(capsys.readouterr().out)
    assert [tool["name"] for tool in tools] == [line.split()[0] for line in lines]
    assert all(set(tool) == {"name", "title", "description", "inputSchema"} for tool in tools)
    assert not bare.state.exists()


def rewrite(path: Path, change: Any) -> None:
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def test_manifests_are_written_and_every_difference_is_told(bare: Place, tmp_path: Path, capsys: Out) -> None:
    words = ["--directory", str(tmp_path / "manifests"), *bare.flags]
    directory = tmp_path / "manifests"
    assert main(["manifests", "check", *words]) == 1
    assert capsys.readouterr().err.count(": missing\n") == len(discover(operations))
    assert main(["manifests", "write", *words]) == 0
    capsys.readouterr()
    assert main(["manifests", "check", *words]) == 0
    assert capsys.readouterr() == ("", "")
    (directory / "list_connections.json").unlink()
    (directory / "gone_tool.json").write_text("{}")
    rewrite(directory / "list_bulk_syncs.json", lambda one: one.update(description="Another one."))
    rewrite(
        directory / "get_bulk_sync.json",
        lambda one: one["inputSchema"]["properties"].update(verbose={"type": "boolean"}),
    )
    rewrite(directory / "delete_bulk_sync.json", lambda one: one["inputSchema"].update(required=[]))
    assert main(["manifests", "check", *words]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert "list_connections.json: missing" in lines
    assert "gone_tool.json: orphaned, no such tool" in lines
    assert "list_bulk_syncs.json: changed; callers are not affected" in lines
    assert "get_bulk_sync.json: changed; BREAKS callers: argument `verbose` is gone" in lines
    assert "delete_bulk_sync.json: changed; BREAKS callers: argument `sync_id` is required now" in lines
    assert lines[-1] == "Run `bulk-sync-mcp manifests write` and commit the result."
    assert main(["manifests", "write", *words]) == 0
    assert not (directory / "gone_tool.json").exists()
    assert main(["manifests", "check", *words]) == 0


async def test_local_serves_the_api_to_whoever_has_the_key(workshop: Workshop, place: Place) -> None:
    sync_id = await workshop.create_sync()
    async with started(place, "local", "--port", "0") as service:
        await service.says(re.compile("POLYTOMIC_API_KEY=.*\n"))
        printed = dict(line.split("=", 1) for line in service.errors.splitlines())
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", printed["POLYTOMIC_BASE_URL"])
        async with httpx.AsyncClient(
            base_url=printed["POLYTOMIC_BASE_URL"], trust_env=False, timeout=PATIENCE
        ) as plain:
            version = {"X-Polytomic-Version": "2025-09-18"}
            for key in ({}, {"Authorization": "Bearer wrong"}):
                assert (await plain.get("/api/me", headers={**version, **key})).status_code == 401
        told = await ran(place, "doctor", environment=printed)
        assert told.status == 0, told
        assert f"backend      {printed['POLYTOMIC_BASE_URL']}" in told.out
        assert printed["POLYTOMIC_API_KEY"] not in told.out + told.err
        run = await ran(place, "call", "start_bulk_sync_execution", f"sync_id={sync_id}", environment=printed)
        assert run.status == 0, run
        words = ["call", "wait_for_bulk_sync_execution", f"sync_id={sync_id}", "timeout_seconds=60"]
        waited = await ran(place, *words, environment=printed)
        assert "status: completed" in waited.out
        assert await service.end(signal.SIGTERM) == 0
    assert service.lines == []
    assert workshop.rows("SELECT count(*) FROM customers") == [(3,)]


async def test_a_key_from_a_file_is_used_and_not_printed(bare: Place, capsys: Out) -> None:
    key_file = bare.directory / "key"
    key_file.write_text("a-key-of-my-own-0123456789\n")
    async with started(bare, "local", "--port", "0", "--key-file", str(key_file)) as service:
        await service.says(re.compile("POLYTOMIC_BASE_URL=.*\n"))
        address = service.errors.partition("=")[2].strip()
        headers = {"X-Polytomic-Version": "2025-09-18", "Authorization": "Bearer a-key-of-my-own-0123456789"}
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as plain:
            assert (await plain.get(address + "/api/me", headers=headers)).status_code == 200
        assert await service.end(signal.SIGINT) == 0
    assert "a-key-of-my-own" not in service.errors
    key_file.write_text("\n")
    for path in (key_file, bare.directory / "missing", bare.directory):
        assert main(["local", "--port", "0", "--key-file", str(path), *bare.flags]) == 2
        assert capsys.readouterr().err.startswith("bulk-sync-mcp: ")

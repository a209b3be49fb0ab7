"""Which tools are on: by flag, environment and file; what is taken out stays out; what is off is said to be off."""

import argparse
import re
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from bulk_sync_mcp import operations
from bulk_sync_mcp.cli import main
from bulk_sync_mcp.commands import settings_of
from bulk_sync_mcp.composition import compose
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.core.operation import Registry, discover
from bulk_sync_mcp.instructions import instructions
from bulk_sync_mcp.present.content import failure_data, failure_text
from bulk_sync_mcp.present.hints import Hints
from bulk_sync_mcp.settings import Settings, SettingsError, load
from bulk_sync_mcp.toolsets import ALL, TOOLSETS
from support import build_workshop

anyio = pytest.mark.anyio
Set = pytest.MonkeyPatch
EVERY = discover(operations)
NAMES = {one.name for one in EVERY}
DEFAULT = {one.name for one in EVERY if one.toolset == "default"}
READING = {one.name for one in EVERY if one.read_only}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: Set) -> None:
    """No configuration of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))


def on(**settings: Any) -> set[str]:
    """The tools that are on under these settings."""
    return {one.name for one in compose(Settings(**settings)).registry}


def of(*toolsets: str) -> set[str]:
    return {one.name for one in EVERY if one.toolset in toolsets}


def test_without_any_choice_the_default_tools_are_on() -> None:
    assert on() == DEFAULT


def test_toolsets_named_are_on_and_no_others() -> None:
    assert on(toolsets=["executions"]) == of("executions")
    assert on(toolsets=["default", "account"]) == of("default", "account")


@pytest.mark.parametrize("toolset", TOOLSETS)
def test_every_toolset_has_tools(toolset: str) -> None:
    assert on(toolsets=[toolset]) == of(toolset) != set()


def test_all_is_every_tool() -> None:
    assert on(toolsets=[ALL]) == NAMES


def test_single_tools_come_on_top_of_toolsets_and_alone_are_exactly_those() -> None:
    assert on(toolsets=["default"], tools=["get_job"]) == DEFAULT | {"get_job"}
    assert on(tools=["get_job", "list_bulk_syncs"]) == {"get_job", "list_bulk_syncs"}


def test_what_is_excluded_is_off_whatever_else_is_said() -> None:
    assert on(exclude_tools=["delete_bulk_sync"]) == DEFAULT - {"delete_bulk_sync"}
    assert on(toolsets=["all"], tools=["get_job"], exclude_tools=["get_job"]) == NAMES - {"get_job"}


def test_read_only_access_takes_out_what_writes_also_when_it_is_named() -> None:
    assert on(toolsets=["all"], access="read-only") == READING
    assert on(toolsets=["default"], tools=["export_bulk_sync_execution_logs"], access="read-only") == DEFAULT & READING


def test_a_policy_file_that_allows_reading_only_takes_out_what_writes(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('access = "read-only"\n')
    assert on(policy=policy) == DEFAULT & READING


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"toolsets": ["exectuions"]}, "toolsets: there is no toolset `exectuions`; did you mean `executions`?"),
        ({"toolsets": ["qqq"]}, "there is no toolset `qqq`; known: default, executions,"),
        ({"toolsets": ["get_job"]}, "`get_job` is a tool, not a toolset; name it in `tools`"),
        ({"tools": ["get_jobs"]}, "tools: there is no tool `get_jobs`; did you mean `get_job`?"),
        ({"exclude_tools": ["delete_bulk_syncs"]}, "exclude_tools: there is no tool `delete_bulk_syncs`; did you mean"),
        ({"tools": ["get_job"], "exclude_tools": ["get_job"]}, "no tool is left on"),
        ({"tools": ["delete_bulk_sync"], "access": "read-only"}, "no tool is left on"),
    ],
)
def test_a_name_that_does_not_exist_stops_the_server_with_the_nearest(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError) as stopped:
        compose(Settings(**settings))
    assert told in str(stopped.value)


def test_flags_go_over_the_environment_and_that_over_the_file(tmp_path: Path, monkeypatch: Set) -> None:
    file = tmp_path / "config.toml"
    file.write_text('toolsets = ["schedules"]\ntools = ["get_job"]\nexclude_tools = ["get_identity"]\n')
    assert load(config=file).toolsets == ("schedules",)
    monkeypatch.setenv("BULK_SYNC_MCP_TOOLSETS", "default, executions,")
    monkeypatch.setenv("BULK_SYNC_MCP_EXCLUDE_TOOLS", "delete_bulk_sync")
    read = load(config=file)
    assert (read.toolsets, read.tools) == (("default", "executions"), ("get_job",))
    assert read.exclude_tools == ("delete_bulk_sync",)
    flags = argparse.Namespace(config=file, toolsets="all", tools=None, exclude_tools="get_job,get_identity")
    read = settings_of(flags)
    assert (read.toolsets, read.tools, read.exclude_tools) == (("all",), ("get_job",), ("get_job", "get_identity"))


def test_an_empty_list_of_toolsets_counts_as_none_given(monkeypatch: Set) -> None:
    monkeypatch.setenv("BULK_SYNC_MCP_TOOLSETS", "")
    assert load().toolsets is None


def test_a_list_that_is_none_is_told_by_name(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("tools = 5\n")
    with pytest.raises(SettingsError, match="tools \\(BULK_SYNC_MCP_TOOLS\\)"):
        load(config=file)


def test_the_command_line_lists_what_is_on(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    where = ["--state-dir", str(tmp_path / "state"), "--workspace", str(tmp_path / "data")]
    assert main(["tools", *where, "--tools", "get_job,get_identity"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == {"get_job", "get_identity"}
    assert main(["tools", *where, "--toolsets", "acount"]) == 2
    assert "did you mean `account`?" in capsys.readouterr().err


def test_a_call_of_a_tool_that_is_off_says_how_to_switch_it_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    where = ["--state-dir", str(tmp_path / "state"), "--workspace", str(tmp_path / "data")]
    assert main(["call", *where, "get_identity"]) == 2
    assert "`get_identity` is off here: a person can switch it on with --toolsets default,account" in (
        capsys.readouterr().err
    )
    assert main(["call", *where, "--toolsets", "account", "get_identity"]) == 0
    assert "Local workspace" in capsys.readouterr().out


@anyio
async def test_clients_see_only_what_is_on_and_are_told_of_what_is_off(tmp_path: Path, era: str) -> None:
    made = await build_workshop(tmp_path, exclude_tools=["delete_bulk_sync"])
    async with made.tools(era) as tools:
        listed = {tool.name for tool in (await tools.client.list_tools()).tools}
        assert listed == DEFAULT - {"delete_bulk_sync"}
        for name, words in (
            ("get_job", "switched off on this server: a person can switch it on with --toolsets default,executions"),
            ("delete_bulk_sync", "this server is configured without it"),
            ("drop_everything", "Unknown tool: drop_everything"),
        ):
            with pytest.raises(MCPError, match=words):
                await tools.call(name, {})
    await made.api.aclose()


@anyio
async def test_a_next_step_that_names_a_tool_that_is_off_says_so(tmp_path: Path, era: str) -> None:
    made = await build_workshop(tmp_path, exclude_tools=["wait_for_bulk_sync_execution", "get_bulk_sync_status"])
    sync_id = await made.create_sync()
    async with made.tools(era) as tools:
        started = await tools.start_bulk_sync_execution(sync_id=sync_id)
        assert not started.error, started.text
        descriptions = {tool.name: tool.description or "" for tool in (await tools.client.list_tools()).tools}
        said = "`wait_for_bulk_sync_execution` is switched off on this server"
        assert said in descriptions["start_bulk_sync_execution"]
        again = await tools.start_bulk_sync_execution(sync_id=sync_id)
        if again.code == "already_running":
            assert said in again.text
        while (await tools.get_bulk_sync_execution(sync_id=sync_id, execution_id=started.data["id"])).data[
            "ended"
        ] is False:
            await tools.list_bulk_syncs()
        nothing = await tools.cancel_bulk_sync(sync_id=sync_id)
    assert "`get_bulk_sync_status` is switched off on this server" in nothing.text
    await made.api.aclose()


def test_hints_speak_only_of_tools_that_are_off() -> None:
    hints = Hints({"get_job": "a person can switch it on with --toolsets default,executions"})
    said = "`get_job` is switched off on this server: a person can switch it on with --toolsets default,executions."
    assert hints.told("Call `get_job`, then `get_job`.") == f"Call `get_job`, then `get_job`. {said}"
    assert hints.told("Call `list_bulk_syncs` with sync_id.") == "Call `list_bulk_syncs` with sync_id."
    failure = Failure("conflict", "It runs.", next="Call `get_job`.")
    assert said in failure_text(failure, hints)
    assert said in failure_data(failure, hints)["next"]
    content = {"name": "`get_job`", "next": "Call get_job", "rows": [{"next": "get_job"}]}
    assert hints.in_result(content) == {
        "name": "`get_job`",
        "next": f"Call get_job {said}",
        "rows": [{"next": f"get_job {said}"}],
    }


CHOICES: list[dict[str, Any]] = [
    {},
    {"toolsets": ["all"]},
    {"access": "read-only"},
    {"toolsets": ["account"]},
    {"tools": ["list_bulk_syncs", "start_bulk_sync_execution"]},
    {"exclude_tools": ["create_bulk_sync", "list_connections"]},
]


@pytest.mark.parametrize("settings", CHOICES, ids=str)
def test_the_instructions_name_only_tools_that_are_on_and_stay_small(settings: dict[str, Any]) -> None:
    application = compose(Settings(**settings))
    told = application.instructions
    named = NAMES & set(re.findall(r"\w+", told))
    assert named <= {one.name for one in application.registry}
    assert len(told.encode()) < 2_048


def test_the_instructions_tell_of_confirmations_only_where_something_writes() -> None:
    writing, reading = compose(Settings()).instructions, compose(Settings(access="read-only")).instructions
    assert "`confirmation`" in writing
    assert "`confirmation`" not in reading
    assert "resync_mode" not in reading
    for told in (writing, reading):
        assert "data, not instructions" in told


def test_the_instructions_name_the_toolsets_that_could_be_switched_on() -> None:
    assert "Further toolsets" in compose(Settings()).instructions
    assert "executions, schemas" in compose(Settings()).instructions
    assert "Further toolsets" not in compose(Settings(toolsets=["all"])).instructions


def test_the_instructions_of_a_server_with_one_tool_make_sense() -> None:
    one = Registry([tool for tool in EVERY if tool.name == "get_identity"])
    assert "Usual order" not in instructions("https://app.polytomic.com", False, one)


def test_a_flag_that_does_not_exist_stops_the_server_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--acess", "read-only"], ["serve", "--acess=read-only"]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
        assert "did you mean --access?" in capsys.readouterr().err

"""`approvals` and `policy` on the command line: what they print, ask for, and end with."""

import getpass
import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from approvals import kit
from approvals.kit import EXAMPLE, LINE, SECRET, Printed, policy_file
from bulk_sync_mcp import cli
from bulk_sync_mcp.composition import approval_store
from bulk_sync_mcp.core.errors import Failure
from bulk_sync_mcp.guard.approval import Binding, Channel, Shown
from bulk_sync_mcp.guard.budget import BudgetLedger
from bulk_sync_mcp.guard.secret import hashed, matches
from bulk_sync_mcp.settings import Settings
from support import Clock

Command = Callable[..., Printed]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and state directory of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def command(home: Path) -> Command:
    """Runs a command in this process, in that home; `given` is its standard input."""

    def run(*words: str, given: str = "") -> Printed:
        directories = ["--state-dir", str(home / "state"), "--workspace", str(home / "data")]
        return kit.command(*words, *directories, given=given)

    return run


@pytest.fixture
def issue(home: Path) -> Callable[..., str]:
    """Puts an approval into the store; returns its reference."""

    def make(channel: Channel = "operator", principal: str = "stdio:ada:01", **shown: Any) -> str:
        store = approval_store(Settings(state_dir=home / "state"))
        binding = Binding("start_bulk_sync_execution", principal, principal, "b", channel)
        store.issue(binding, Shown(**{**EXAMPLE, "secret_hash": LINE, **shown}))
        standing = store.standing(binding)
        assert standing is not None
        return standing.reference

    return make


def test_list_says_when_nothing_waits_and_makes_nothing(home: Path, command: Command) -> None:
    assert command("approvals", "list") == Printed(0, "No approval is waiting.\n", "")
    assert json.loads(command("approvals", "list", "--json").out) == []
    assert not (home / "state").exists()


def test_list_and_show_tell_what_waits_for_whom(command: Command, issue: Callable[..., str]) -> None:
    operator, user = issue(), issue("page", "http:0123")
    issue("two_step", "call:ada")
    listed = command("approvals", "list")
    assert listed.status == 0
    assert len(listed.out.splitlines()) == 3
    assert f"{operator}  operator" in listed.out
    assert f"{user}  user" in listed.out
    shown = command("approvals", "show", operator)
    assert shown.status == 0
    assert "DROPS and recreates 2 tables" in shown.out
    assert "an assistant on this machine (user ada)" in shown.out
    assert LINE not in shown.out
    data = json.loads(command("approvals", "show", user, "--json").out)
    assert data["waits_for"] == "the user, on the approval page"
    assert data["effects"][1] == "Starts a run of “Shop”."


def test_what_is_shown_cannot_steer_the_terminal(command: Command, issue: Callable[..., str]) -> None:
    reference = issue(title="x\x1b[2J\u202e\ny", effects=[{"text": "a\x07\nb"}], undo="\x1b]0;c")
    for words in (("list",), ("show", reference)):
        shown = command("approvals", *words).out
        assert not {"\x1b", "\x07", "\u202e"} & set(shown)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("show", "0123456789"), 1),
        (("approve", "0123456789"), 1),
        (("deny", "0123456789"), 1),
        (("show",), 2),
        (("list", "0123456789"), 2),
    ],
)
def test_a_reference_that_does_not_fit_is_refused(
    command: Command, issue: Callable[..., str], words: tuple[str, ...], status: int
) -> None:
    assert command("approvals", *words).status == status
    issue()
    assert command("approvals", *words).status == status


def test_the_secret_is_typed_without_echo_or_read_from_a_file(
    home: Path, command: Command, issue: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "secret"
    file.write_text(SECRET + "\n")
    assert command("approvals", "approve", issue(), "--secret-file", str(file)).status == 0
    assert command("approvals", "approve", issue("page", "a"), "--secret-file", "-", given=SECRET).status == 0
    missing = command("approvals", "approve", issue("page", "b"), "--secret-file", str(home / "nothing"))
    assert missing.status == 2
    asked: list[str] = []

    def typed(prompt: str) -> str:
        asked.append(prompt)
        return SECRET

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    reference = issue("page", "c")
    monkeypatch.setattr(getpass, "getpass", typed)
    monkeypatch.setattr(sys, "stdin", Terminal())
    words = ["approvals", "approve", reference, "--state-dir", str(home / "state")]
    assert cli.main(words) == 0
    assert asked == ["Operator secret: "]


def test_the_secret_cannot_be_an_argument(command: Command, issue: Callable[..., str]) -> None:
    with pytest.raises(SystemExit):
        command("approvals", "approve", issue(), SECRET)


def test_without_an_operator_secret_only_the_page_approves(command: Command, issue: Callable[..., str]) -> None:
    refused = command("approvals", "approve", issue("page", secret_hash=""), given=SECRET)
    assert refused.status == 2
    assert "hash-secret" in refused.err


def test_hash_secret_prints_a_line_the_policy_file_takes(home: Path, command: Command) -> None:
    printed = command("policy", "hash-secret", given=SECRET + "\n")
    assert printed.status == 0
    assert SECRET not in printed.out
    shown = command("policy", "show", "--policy", str(policy_file(home, printed.out)))
    assert shown.status == 0
    assert "operator secret       configured" in shown.out
    assert matches(SECRET, printed.out.split('"')[1])
    assert printed.out.split('"')[1] not in shown.out


def test_hash_secret_refuses_a_short_secret(command: Command) -> None:
    assert command("policy", "hash-secret", given="short\n").status == 1


@pytest.mark.skipif(os.name != "posix", reason="needs a terminal made by hand")
@pytest.mark.parametrize(("second", "status"), [(SECRET, 0), ("something else", 1)])
def test_hash_secret_asks_twice_on_a_terminal_and_echoes_nothing(home: Path, second: str, status: int) -> None:
    child, descriptor = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "bulk_sync_mcp", "policy", "hash-secret"])
    seen = b""
    for prompt, answer in ((b"New operator secret: ", SECRET), (b"The same again: ", second)):
        while not seen.endswith(prompt):
            seen += os.read(descriptor, 1024)
        os.write(descriptor, answer.encode() + b"\n")
    try:
        while more := os.read(descriptor, 1024):
            seen += more
    except OSError:
        pass  # how Linux tells that the other end is gone
    os.close(descriptor)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == status
    assert SECRET.encode() not in seen
    assert (b"operator_secret_hash" in seen) is (status == 0)


def test_show_tells_the_policy_in_force(home: Path, command: Command) -> None:
    assert "none; the defaults hold" in command("policy", "show").out
    path = policy_file(
        home,
        f'operator_secret_hash = "{LINE}"\naccess = "read-only"\n[effects]\nDeletesSync = "operator"\n'
        '[tools]\ncancel_bulk_sync = "human"\n[budget]\ndestructive_per_hour = 3\n'
        '[[rules]]\nsync = "prod-*"\nevidence = "human"\n[[protected]]\ndestination = "Ledger"\n',
    )
    shown = command("policy", "show", "--policy", str(path)).out
    for line in (
        "access                read-only",
        "budget                3 destructive calls an hour",
        "cancel_bulk_sync: at least human",
        "sync prod-*: human for whatever needs a confirmation",
        "destination Ledger",
        "DeletesSync                   confirm   operator  <- tightened",
    ):
        assert line in shown
    data = json.loads(command("policy", "show", "--policy", str(path), "--json").out)
    assert data["access"] == "read-only"
    assert LINE not in json.dumps(data)
    assert not (home / "state").exists()


def test_reset_budget_asks_for_the_operator_secret(home: Path, command: Command) -> None:
    path = str(policy_file(home, f'operator_secret_hash = "{LINE}"\n'))
    ledger = BudgetLedger(home / "state" / "guard" / "budget.sqlite", Clock())
    ledger.trip("too much")
    assert "USED UP" in command("policy", "show", "--policy", path).out
    wrong = command("policy", "reset-budget", "--policy", path, given="wrong\n")
    assert wrong.status == 1
    assert ledger.tripped() == "too much"
    right = command("policy", "reset-budget", "--policy", path, given=SECRET + "\n")
    assert right.status == 0
    assert "too much" in right.out
    assert ledger.tripped() is None


def test_reset_budget_asks_for_the_secret_of_the_server_whatever_policy_the_command_is_given(
    home: Path, command: Command
) -> None:
    own = str(policy_file(home, f'operator_secret_hash = "{hashed("one of my own")}"\n'))
    ledger = BudgetLedger(home / "state" / "guard" / "budget.sqlite", Clock())
    with pytest.raises(Failure):
        ledger.charge("delete_bulk_sync", 0, LINE)
    for words, given in (((), ""), (("--policy", own), "one of my own\n")):
        assert command("policy", "reset-budget", *words, given=given).status == 1
        assert ledger.tripped() is not None
    assert command("policy", "reset-budget", given=SECRET + "\n").status == 0
    assert ledger.tripped() is None
    assert ledger.secret_hashes() == []


def test_reset_budget_needs_no_secret_where_none_is_configured(home: Path, command: Command) -> None:
    assert command("policy", "reset-budget") == Printed(0, "The budget was not used up.\n", "")
    assert not (home / "state").exists()


@pytest.mark.parametrize("words", [("show", "x"), ("hash-secret", "x=1"), ("explain",), ("explain", "no_such_tool")])
def test_words_that_do_not_fit_are_refused(command: Command, words: tuple[str, ...]) -> None:
    assert command("policy", *words).status == 2


def test_the_page_loads_nothing_before_it_is_needed() -> None:
    program = """
import sys
from pathlib import Path
before = set(sys.modules)
import bulk_sync_mcp.approvals.page
from bulk_sync_mcp.composition import compose
from bulk_sync_mcp.settings import Settings
compose(Settings(), page=True)
print(sorted({"uvicorn", "bulk_sync_mcp.approvals.web", "bulk_sync_mcp.approvals.markup"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_documented_policy_file_is_one_that_works(home: Path, command: Command) -> None:
    page = (Path(__file__).resolve().parents[2] / "server" / "docs" / "policy.md").read_text(encoding="utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    shown = command("policy", "show", "--policy", str(policy_file(home, example)), "--json")
    assert shown.status == 0, shown.err
    data = json.loads(shown.out)
    assert data["rules"][0] == "sync prod-*: operator for whatever needs a confirmation"
    assert data["budget"]["tables_per_call"] == 20
    for key in ("access", "operator_secret_hash", "effects", "tools", "rules", "protected", "budget", "unattended"):
        assert key in example

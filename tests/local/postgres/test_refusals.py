"""What a server refuses: locks, room and rights. The table fails in words with its old data in place, the others go
on, and the next run works."""

import pytest

from bulk_sync_local.connectors import postgres_session
from local.postgres.kit import POSTGRES, PostgresWorkspace
from local.postgres.server import running

ROWS = 40_000
ROOM = 2 * 1024 * 1024  # more than a segment of the log takes, which PostgreSQL cannot do without
NUMBERS = f"WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})"
RESYNCS = pytest.mark.parametrize("resync", [None, "resync", "rebuild"])


@pytest.fixture(autouse=True)
def prepared(workspace: PostgresWorkspace) -> None:
    workspace.sql(
        "CREATE TABLE big (id INTEGER PRIMARY KEY, name TEXT)",
        "CREATE TABLE small (id INTEGER PRIMARY KEY, name TEXT)",
        "INSERT INTO big VALUES (1, 'old')",
        "INSERT INTO small VALUES (1, 'old')",
    )
    workspace.load(POSTGRES, "big", "small")
    workspace.sql("UPDATE big SET name = 'new'", "UPDATE small SET name = 'new'")


def names(workspace: PostgresWorkspace) -> list[str]:
    return [name for table in ("big", "small") for (name,) in workspace.pg(f"SELECT name FROM {table} WHERE id = 1")]


def failed(workspace: PostgresWorkspace, resync: str | None) -> str:
    """What is said of the table `big`, which fails alone."""
    outcomes = workspace.run(POSTGRES, "big", "small", resync_mode=resync).finished
    assert [one.status for one in outcomes.values()] == ["failed", "completed"], outcomes
    return outcomes["big"].message or ""


def check_the_rest(workspace: PostgresWorkspace) -> None:
    assert names(workspace) == ["old", "new"]
    assert workspace.pg("SELECT relname FROM pg_class WHERE relname ~ '^__stage'") == []


@RESYNCS
@pytest.mark.parametrize("lock", ["ACCESS EXCLUSIVE", "ACCESS SHARE"])
def test_a_table_that_another_session_holds_is_told(
    workspace: PostgresWorkspace, monkeypatch: pytest.MonkeyPatch, lock: str, resync: str | None
) -> None:
    monkeypatch.setitem(postgres_session.READ_WRITE, "lock_timeout", "100ms")
    with workspace.server.session() as other, other.cursor() as cursor:
        cursor.execute(f"LOCK TABLE public.big IN {lock} MODE")
        if lock == "ACCESS SHARE" and resync != "rebuild":
            workspace.load(POSTGRES, "big", "small", resync_mode=resync)  # whoever only reads is in nobody's way
            return
        said = failed(workspace, resync)
    check_the_rest(workspace)
    assert "Another session holds the table. Try again when it is done." in said
    workspace.load(POSTGRES, "big", "small", resync_mode=resync)
    assert names(workspace) == ["new", "new"]


def test_a_server_without_room_is_told(workspace: PostgresWorkspace) -> None:
    """A server of its own, whose files are limited after the first load."""
    with running() as server:
        workspace.server = server
        workspace.load(POSTGRES, "big", "small")
        workspace.sql(
            "UPDATE big SET name = 'newer'", f"{NUMBERS} INSERT INTO big SELECT i, hex(randomblob(40)) FROM n"
        )
        server.stop()
        server.largest_file = ROOM
        server.start()
        for resync in (None, "resync", "rebuild"):
            outcomes = workspace.run(POSTGRES, "big", "small", resync_mode=resync).finished
            assert [one.status for one in outcomes.values()] == ["failed", "completed"], outcomes
            assert "File too large" in (outcomes["big"].message or "")
            assert workspace.pg("SELECT name FROM big") == [("new",)]
            assert workspace.pg("SELECT relname FROM pg_class WHERE relname ~ '^__stage'") == []
        server.stop()
        server.largest_file = None
        server.start()
        workspace.load(POSTGRES, "big", "small")
        assert workspace.pg("SELECT count(*) FROM big") == [(ROWS,)]


@RESYNCS
def test_a_role_without_rights_to_one_table_is_told(
    workspace: PostgresWorkspace, reader: str, resync: str | None
) -> None:
    workspace.pg(
        f"GRANT USAGE, CREATE ON SCHEMA public TO {reader}",
        f"ALTER TABLE public.small OWNER TO {reader}",
        f"ALTER TABLE public._bulk_sync_state OWNER TO {reader}",
        f"GRANT SELECT ON public.big TO {reader}",
    )
    workspace.user = reader
    said = failed(workspace, resync)
    check_the_rest(workspace)
    assert "Grant the role what it lacks, or use another role." in said
    workspace.user = "admin"
    workspace.load(POSTGRES, "big", "small", resync_mode=resync)
    assert names(workspace) == ["new", "new"]


@RESYNCS
def test_a_role_that_only_reads_changes_nothing(workspace: PostgresWorkspace, reader: str, resync: str | None) -> None:
    workspace.pg(
        f"GRANT USAGE ON SCHEMA public TO {reader}", f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}"
    )
    workspace.user = reader
    outcomes = workspace.run(POSTGRES, "big", "small", resync_mode=resync).finished
    for outcome in outcomes.values():
        assert outcome.status == "failed"
        assert "may not make tables in the schema public. Grant it" in (outcome.message or "")
    assert names(workspace) == ["old", "old"]


def test_a_view_on_one_table_stops_its_rebuild_alone(workspace: PostgresWorkspace) -> None:
    workspace.pg("CREATE VIEW shop.names AS SELECT name FROM big")
    said = failed(workspace, "rebuild")
    check_the_rest(workspace)
    assert "view shop.names depend(s) on it" in said
    assert "a resync empties it instead" in said
    workspace.load(POSTGRES, "big", "small", resync_mode="resync")
    assert workspace.pg("SELECT name FROM shop.names") == [("new",)]

"""The page of types is what the table says, and nothing the table says goes untried."""

from local.oracle import mapping, values


def test_the_page_is_written_from_the_table_the_oracle_uses() -> None:
    page = mapping.page().read_text(encoding="utf-8")
    assert page == mapping.rendered(), "run: python tests/local/oracle/mapping.py > server/docs/types.md"


def test_every_type_of_the_table_has_values_to_try() -> None:
    for source in mapping.NAMES:
        for declared, _ in mapping.columns(source):
            assert values.values(source, declared) is not None


def test_the_table_knows_every_type_the_connectors_name() -> None:
    """The other way round: what the code can read or make is in the table. (The oracle itself knows no connector.)"""
    from bulk_sync_local.connectors import postgres_types, sqlite_output, sqlite_types
    from bulk_sync_local.engine import types

    carried = {row.carried.split("(p,s)")[0] for row in mapping.DESTINATIONS}
    assert set(types._NATIVE) | set(types._AS_TEXT_AND_BACK) <= carried
    assert set(postgres_types._OUTPUT) <= carried
    assert {sqlite_output.declared_type(row.duckdb) for row in mapping.DESTINATIONS if "," not in row.duckdb} <= {
        row.sqlite for row in mapping.DESTINATIONS
    }
    known = {declared for declared, _ in mapping.columns("postgresql")}
    assert {one for one in postgres_types._KINDS if one not in ("name", "character", "character varying")} <= known | {
        "character"
    }
    assert set(sqlite_types._KINDS) <= {kind.split("(")[0] for _, kind in mapping.columns("sqlite")}

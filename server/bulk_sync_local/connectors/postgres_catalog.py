"""What a destination asks PostgreSQL's catalog about the outputs in one schema. Raises the driver's own errors."""

# Names and values in statements are quoted by engine/sql.py.
# ruff: noqa: S608

from collections.abc import Mapping
from typing import Any

from bulk_sync_local.connectors import postgres_session
from bulk_sync_local.engine.ports import TableFailed
from bulk_sync_local.engine.sql import text

_TABLES = ("r", "p")
_NOT_TABLES = {
    "v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence", "i": "an index",
    "I": "an index", "c": "a type",
}  # fmt: skip


class Catalog:
    def __init__(self, connection: Any, schema: str) -> None:
        self._connection = connection
        self._schema = schema

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return postgres_session.rows(self._connection, query)

    def has_schema(self) -> bool:
        return bool(self.rows(f"SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {text(self._schema)}"))

    def may_make_tables(self) -> bool:
        """In the schema, or in one that has yet to be made."""
        ((allowed,),) = self.rows(
            "SELECT coalesce((SELECT has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE') "
            f"FROM pg_catalog.pg_namespace WHERE nspname = {text(self._schema)}), "
            "has_database_privilege(current_database(), 'CREATE'))"
        )
        return bool(allowed)

    def _oid(self, table: str) -> str:
        """The subquery for a table's id."""
        return (
            "(SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            f"WHERE n.nspname = {text(self._schema)} AND c.relname = {text(table)})"
        )

    def columns(self, table: str) -> Mapping[str, str] | None:
        """Columns and their types, None when there is no such table. Raises `TableFailed` when it is something else."""
        found = self.rows(f"SELECT CAST(relkind AS text) FROM pg_catalog.pg_class WHERE oid = {self._oid(table)}")
        if not found:
            return None
        if found[0][0] not in _TABLES:
            what = _NOT_TABLES.get(found[0][0], "something else")
            raise TableFailed(f"{table} is {what} at the destination, not a table. Choose another output name.")
        return dict(
            self.rows(
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute "
                f"WHERE attrelid = {self._oid(table)} AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
            )
        )

    def dependents(self, table: str) -> list[str]:
        """What keeps a table from being dropped, in words: views, foreign keys, functions."""
        described = self.rows(
            "SELECT DISTINCT coalesce('view ' || CAST(CAST(r.ev_class AS regclass) AS text), "
            "pg_describe_object(d.classid, d.objid, 0)) FROM pg_catalog.pg_depend d "
            "LEFT JOIN pg_catalog.pg_rewrite r "
            "ON d.classid = CAST('pg_catalog.pg_rewrite' AS regclass) AND r.oid = d.objid "
            "WHERE d.refclassid = CAST('pg_catalog.pg_class' AS regclass) AND d.deptype = 'n' "
            f"AND d.refobjid = {self._oid(table)} AND r.ev_class IS DISTINCT FROM d.refobjid ORDER BY 1"
        )
        return [row[0] for row in described]

    def has_references(self) -> bool:
        """Whether tables of the schema refer to others of it by foreign keys."""
        return bool(
            self.rows(
                "SELECT k.oid FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.confrelid "
                "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.oid = k.connamespace "
                f"WHERE k.contype = 'f' AND k.conrelid <> k.confrelid AND n.nspname = {text(self._schema)} LIMIT 1"
            )
        )

    def has_index(self, table: str, columns: tuple[str, ...]) -> bool:
        """Whether an index covers exactly these columns, in whatever order."""
        wanted = ", ".join(text(column) for column in sorted(columns))
        found = self.rows(
            "SELECT i.indexrelid FROM pg_catalog.pg_index i WHERE i.indisvalid AND i.indpred IS NULL "
            f"AND i.indrelid = {self._oid(table)} AND (SELECT array_agg(CAST(a.attname AS text)) "
            "FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)) "
            f"OPERATOR(pg_catalog.@>) ARRAY[{wanted}] AND i.indnkeyatts = {len(columns)}"
        )
        return bool(found)

    def indexes(self, table: str, prefix: str) -> list[str]:
        """The names of its indexes that begin so."""
        found = self.rows(
            "SELECT c.relname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid "
            f"WHERE i.indrelid = {self._oid(table)} AND starts_with(CAST(c.relname AS text), {text(prefix)}) ORDER BY 1"
        )
        return [row[0] for row in found]

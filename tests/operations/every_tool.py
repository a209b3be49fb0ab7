"""Workshops with the tools of every toolset, and log lines put into the local service's store by hand."""

import sqlite3
from contextlib import closing
from dataclasses import replace

from bulk_sync_mcp import operations
from bulk_sync_mcp.core.operation import discover
from bulk_sync_mcp.present.hints import EVERY_TOOL_ON
from support import Workshop


def with_every_tool(workshop: Workshop) -> Workshop:
    """The workshop with every tool switched on."""
    application = replace(workshop.application, registry=discover(operations), hints=EVERY_TOOL_ON)
    return replace(workshop, application=application)


def write_lines(workshop: Workshop, execution_id: str, *messages: str, schema_id: str | None = None) -> None:
    """Console lines as a source's error messages might make them."""
    path = workshop.application.settings.local_dir / "store.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "INSERT INTO console_lines (execution_id, schema_id, level, message, timestamp)"
            " VALUES (?, ?, 'WARNING', ?, '2036-05-12T04:15:00.000000Z')",
            [(execution_id, schema_id, message) for message in messages],
        )

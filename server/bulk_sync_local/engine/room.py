"""More memory for the few tables that need it: a stage is given little at first, and spills."""

from collections.abc import Callable

from bulk_sync_local.connectors.confined import give_room
from bulk_sync_local.engine.faults import short_of_memory
from bulk_sync_local.engine.job import Reporter, TableJob, TableOutcome
from bulk_sync_local.engine.ports import Destination


def with_room(
    load: Callable[[], TableOutcome], table: TableJob, destination: Destination, reporter: Reporter
) -> TableOutcome:
    """What `load` returns; it is called again with more memory when DuckDB had too little for some rows.

    A failed load leaves its output as it was, so that the second time begins from there.
    """
    try:
        return load()
    except Exception as failure:
        if not short_of_memory(failure) or not give_room(destination.scratch):
            raise
    reporter.log(table.schema_id, "info", "The rows need more memory than usual: reading again.")
    return load()

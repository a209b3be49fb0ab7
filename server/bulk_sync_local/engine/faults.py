"""What a failure is called in an outcome, and whether another attempt may help."""

from bulk_sync_local.connectors.base import ConnectorError
from bulk_sync_local.connectors.complaints import remedy
from bulk_sync_local.engine.ports import TableFailed
from bulk_sync_local.engine.strategy import Refused

_LONGEST = 400


def in_words(failure: BaseException) -> str:
    """One short text for a person: our own words as they are, a library's cut to its first line, with a remedy
    where one is known."""
    if isinstance(failure, TableFailed | ConnectorError | Refused):
        return str(failure)
    lines = str(failure).strip().splitlines()
    first = lines[0].strip() if lines else ""
    cut = first if len(first) <= _LONGEST else first[: _LONGEST - 1] + "…"
    said = f"The table could not be loaded ({type(failure).__name__}: {cut}); its output is as it was before."
    meaning = remedy(str(failure))
    return f"{said} {meaning}" if meaning else said


def short_of_memory(failure: BaseException) -> bool:
    """Whether something had less memory than it needed, be it DuckDB, directly or through a driver, or a server."""
    return isinstance(failure, MemoryError) or "out of memory" in str(failure).casefold()

"""Log files of executions, and the signed addresses they are served at.

An address is a bearer secret: it needs no credential, and works for `LIFE`. Files are written from the store at the
moment they are read, so nothing has to be kept or cleaned up, and they go with their sync.
"""

import hashlib
import hmac
import io
import json
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any  # JSON values
from urllib.parse import parse_qs, urlencode

from bulk_sync_local import store_console, store_executions, store_exports, store_syncs
from bulk_sync_local.clock import Clock, from_text
from bulk_sync_local.errors import ApiError
from bulk_sync_local.ids import canonical_uuid
from bulk_sync_local.store import Store, Tx
from bulk_sync_local.store_executions import StoredExecution

PREFIX = "/logs/"
LIFE = timedelta(minutes=15)
IN_MEMORY = "http://localhost"
"""The origin of addresses given out by a service that listens nowhere."""
NOTE = (
    "This service runs inside another program and listens on no port, so nothing can open these addresses; "
    "`bulk-sync-mcp local` serves the same logs at addresses that open."
)


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is sent."""

    name: str
    media_type: str
    content: bytes


def _console(tx: Tx, execution: StoredExecution) -> bytes:
    return _json_lines(asdict(line) for line in store_console.every(tx, execution.id))


def _tables(_tx: Tx, execution: StoredExecution) -> bytes:
    return _json_lines(asdict(table) for table in execution.schemas)


def _archive(tx: Tx, execution: StoredExecution) -> bytes:
    packed, when = io.BytesIO(), from_text(execution.updated_at).timetuple()[:6]
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in NAMES:
            archive.writestr(zipfile.ZipInfo(name, when), _FILES[name][1](tx, execution), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _json_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


NAMES = ("console.jsonl", "tables.jsonl")
"""The log files of an execution; the archive holds them all."""
ARCHIVE = "logs.zip"
_FILES: dict[str, tuple[str, Callable[[Tx, StoredExecution], bytes]]] = {
    "console.jsonl": ("application/x-ndjson", _console),
    "tables.jsonl": ("application/x-ndjson", _tables),
    ARCHIVE: ("application/zip", _archive),
}


def address(tx: Tx, execution: StoredExecution, name: str, origin: str | None, clock: Clock) -> str:
    """The signed address of one file. `origin` is where the service can be reached, None for nowhere."""
    path = f"{PREFIX}{execution.sync_id}/{execution.id}/{name}"
    expires = int((clock() + LIFE).timestamp())
    query = urlencode({"expires": expires, "signature": _signature(store_exports.signing_key(tx), path, expires)})
    return f"{origin or IN_MEMORY}{path}?{query}"


def _signature(key: bytes, path: str, expires: int) -> str:
    return hmac.new(key, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()


def read(store: Store, clock: Clock, path: str, query: str) -> File:
    """The file at a signed address. Raises `ApiError` 403 for one that is not signed or has expired, 404 for none."""
    given = parse_qs(query)
    expires, signature = given.get("expires", [""])[0], given.get("signature", [""])[0]
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
        raise ApiError(403, "this address is not signed by this service")
    with store.read() as tx:
        expected = _signature(store_exports.signing_key(tx), path, int(expires))
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise ApiError(403, "this address is not signed by this service")
        if clock().timestamp() >= int(expires):
            raise ApiError(403, "this address has expired; ask the API for a new one")
        sync_id, execution_id, name = [*path.removeprefix(PREFIX).split("/"), "", "", ""][:3]
        sync = store_syncs.get(tx, canonical_uuid(sync_id) or "")
        execution = store_executions.get(tx, sync.id, execution_id) if sync is not None else None
        if execution is None or name not in _FILES:
            raise ApiError(404, "the log is gone: its sync was deleted")
        media_type, write = _FILES[name]
        return File(name, media_type, write(tx, execution))

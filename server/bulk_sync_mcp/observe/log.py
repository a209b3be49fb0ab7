"""The server's log: one line a record on standard error, `name=value`, secrets removed.

Standard output carries JSON-RPC alone.
"""

import json
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime

from bulk_sync_mcp.observe.redact import Redactor

CHATTY = ("httpx", "httpcore")
"""Both log whole requests at INFO and below, addresses included."""


class LogFormatter(logging.Formatter):
    """`time=… level=… logger=… message="…"`, with `exception="…"` where there is one.

    Secrets are removed here, not in a filter: a filter sees neither tracebacks nor the message put together, and
    whatever it changes in a record is changed for other handlers too.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The record on one line, whatever it contains."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        parts = [f"time={moment} level={record.levelname} logger={record.name} message={self._quoted(record)}"]
        if record.exc_info:
            parts.append(f"exception={self._safe(self.formatException(record.exc_info))}")
        if record.stack_info:
            parts.append(f"stack={self._safe(record.stack_info)}")
        return " ".join(parts)

    def _quoted(self, record: logging.LogRecord) -> str:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            # Arguments that do not fit the message would end as a traceback with the arguments in plain.
            message = f"{record.msg} (its arguments do not fit)"
        return self._safe(message)

    def _safe(self, text: str) -> str:
        return json.dumps(self._redactor.text(text), ensure_ascii=True)


def set_up(level: str, secrets: Iterable[str] = ()) -> None:
    """Logs to standard error from `level` on. `secrets` are removed wherever they stand."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormatter(Redactor(secrets)))
    logging.basicConfig(level=level, handlers=[handler])
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)

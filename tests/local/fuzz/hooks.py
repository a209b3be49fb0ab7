"""Loaded by the fuzzer, in its own process: what the description cannot tell it, and a tally of what was answered."""

import atexit
import json
import os
import re
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis

_ANSWERS: Counter[str] = Counter()


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Where a request names a table or a column, one that is there is tried as well."""
    for name, schema in raw_schema["components"]["schemas"].items():
        for key, described in schema.get("properties", {}).items():
            if (name, key) in (("BulkSchemaPatch", "id"), ("SchemaConfiguration", "id")):
                described["examples"] = ["orders"]
            elif key == "field_id" or (name.endswith(("Field", "FieldConfiguration")) and key == "id"):
                described["examples"] = ["id"]


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """A valid idempotency key is good for one request: repeated, it would be refused before anything is looked at."""
    key = (case.headers or {}).get("Idempotency-Key")
    if key is not None and re.fullmatch(r"[A-Za-z0-9_-]{8,255}", key):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Counts answers by operation and status."""
    _ANSWERS[f"{case.operation.definition.raw['operationId']} {response.status_code}"] += 1


@atexit.register
def write_tally() -> None:
    """For the test that started the fuzzer."""
    Path(os.environ["BULK_SYNC_FUZZ_TALLY"]).write_text(json.dumps(_ANSWERS))

"""Tables of a bulk sync with their columns and row filters, as the schema endpoints tell them (api/README.md 2, 4).

A PUT clears what its body lacks, and PUT and PATCH without `fields` switch every column on. So what is sent starts
from what was read, keys that this server does not know included.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from bulk_sync_mcp.core.operation import Input, Result
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.models.base import moment
from bulk_sync_mcp.models.bulk_sync import FieldInput, FilterInput
from bulk_sync_mcp.models.merge import Json, as_objects

COMPUTED = frozenset(
    {
        "id",
        "output_name",
        "destination_history_output_name",
        "created_at",
        "created_by",
        "updated_at",
        "updated_by",
    }
)
"""What the backend works out itself."""
CLEARABLE = ("tracking_field", "partition_key", "data_cutoff_timestamp")


class TableSettings(Input):
    """What can be set of one table. What is left out stays."""

    enabled: bool | None = None
    fields: list[FieldInput] | None = Field(
        default=None, min_length=1, max_length=2000, description="Columns to change; others stay as they are."
    )
    filters: list[FilterInput] | None = Field(default=None, description="All row filters; [] removes them.")
    tracking_field: str | None = Field(default=None, description="Null or empty: full reads.")
    partition_key: str | None = None
    data_cutoff_timestamp: str | None = None
    disable_data_cutoff: bool | None = None
    history_enabled: bool | None = None
    user_output_name: str | None = Field(default=None, description="Empty: the source's name.")


def settings_of(raw: Json) -> Json:
    """Every setting of a table as a replacement has to send it; a PUT of just this changes nothing.

    `history_enabled` is left out, since only that one stays when it is (api/README.md 4).
    """
    body: Json = {key: value for key, value in raw.items() if key not in COMPUTED and key != "history_enabled"}
    body |= {key: raw.get(key) or None for key in CLEARABLE}
    body["enabled"] = raw.get("enabled") is not False
    body["disable_data_cutoff"] = raw.get("disable_data_cutoff") is True
    body["user_output_name"] = raw.get("user_output_name") or ""
    body["filters"] = as_objects(raw.get("filters"))
    body["fields"] = [_column(one) for one in as_objects(raw.get("fields"))]
    return body


def _column(raw: Json) -> Json:
    kept = {key: value for key, value in raw.items() if key not in COMPUTED - {"id"}}
    return {
        **kept,
        "enabled": raw.get("enabled") is not False,
        "obfuscated": raw.get("obfuscated") is True,
        "user_output_name": raw.get("user_output_name") or "",
    }


def changed_by(settings: Json, given: Mapping[str, Any]) -> Json:
    """`settings` with what the caller names laid over them. Null clears; what cannot be cleared counts as not given."""
    result = dict(settings)
    for key, value in given.items():
        if key == "fields":
            result["fields"] = _columns(as_objects(settings.get("fields")), as_objects(value))
        elif key == "filters":
            result[key] = as_objects(value)
        elif key == "user_output_name":
            result[key] = value or ""
        elif key in CLEARABLE:
            result[key] = value or None
        elif value is not None:
            result[key] = value
    return result


def _columns(present: list[Json], given: list[Json]) -> list[Json]:
    columns = {str(one.get("id")): one for one in present}
    for one in given:
        column = dict(columns.get(str(one["id"]), {"id": one["id"], "enabled": True, "obfuscated": False}))
        if one.get("enabled") is not None:
            column["enabled"] = one["enabled"]
        if one.get("obfuscate") is not None:
            column["obfuscated"] = one["obfuscate"]
        if "user_output_name" in one:
            column["user_output_name"] = one["user_output_name"] or ""
        columns[str(one["id"])] = column
    return list(columns.values())


def as_embedded(settings: Json) -> Json:
    """The settings with columns spelled as in a sync's own body: `obfuscate` (api/README.md 4)."""
    columns = [
        {**{key: value for key, value in one.items() if key != "obfuscated"}, "obfuscate": one.get("obfuscated")}
        for one in as_objects(settings.get("fields"))
    ]
    return {**settings, "fields": columns}


def not_taken(body: Json, answer: Json) -> list[str]:
    """Settings of a body that the answer does not show as sent; keys the answer lacks are no difference."""
    wrong = [
        key
        for key, sent in body.items()
        if key not in ("id", "fields", "filters") and key in answer and not _same(sent, answer[key])
    ]
    if "filters" in answer and as_objects(answer["filters"]) != as_objects(body.get("filters")):
        wrong.append("filters")
    shown = {str(one.get("id")): one for one in as_objects(answer.get("fields"))}
    for column in as_objects(body.get("fields")):
        got = shown.get(str(column["id"]), column)
        wrong += [
            f"column {column['id']} {key}"
            for key in ("enabled", "obfuscated", "user_output_name")
            if key in got and not _same(column.get(key), got[key])
        ]
    return wrong


def _same(sent: object, got: object) -> bool:
    times = [moment(one) for one in (sent, got) if isinstance(one, str)]
    return (sent or None) == (got or None) or (len(times) == 2 and times[0] is not None and times[0] == times[1])


class ColumnRow(Result):
    """One column of a table."""

    id: str
    enabled: bool
    obfuscate: bool | None = None
    output: str | None = None


class TableRow(Result):
    """One table of a bulk sync, as it is now."""

    id: str
    enabled: bool
    output: str | None = None
    columns: str | None = Field(
        default=None, description="How many are synced of how many, and how many of those are obfuscated."
    )
    filters: list[dict[str, Any]] | None = None
    tracking_field: str | None = None
    partition_key: str | None = None
    data_cutoff_timestamp: str | None = None
    disable_data_cutoff: bool | None = None
    history: str | None = Field(default=None, description="Name of the history table, where one is kept.")
    other: dict[str, Any] | None = Field(default=None, description="Settings this server does not know.")

    @classmethod
    def of(cls, raw: Json, schema_id: str = "") -> "TableRow":
        settings = settings_of(raw)
        columns = as_objects(settings["fields"])
        on = [one for one in columns if one["enabled"]]
        hidden = sum(1 for one in on if one["obfuscated"])
        known = {*TableSettings.model_fields, *COMPUTED}
        other = {key: value for key, value in raw.items() if key not in known and value not in (None, [], {}, "")}
        name = str(raw.get("output_name") or raw.get("user_output_name") or "")
        return cls(
            id=clean(raw.get("id") or schema_id, 512),
            enabled=settings["enabled"],
            output=clean(name) if name else None,
            columns=f"{len(on)} of {len(columns)}{f', {hidden} obfuscated' if hidden else ''}" if columns else None,
            filters=as_objects(settings["filters"]) or None,
            **{key: clean(settings[key]) for key in CLEARABLE if settings[key]},
            disable_data_cutoff=settings["disable_data_cutoff"] or None,
            history=clean(raw.get("destination_history_output_name") or "kept") if raw.get("history_enabled") else None,
            other=other or None,
        )

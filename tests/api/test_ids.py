"""Ids as argument types."""

import pytest
from pydantic import TypeAdapter, ValidationError

from bulk_sync_mcp.core.ids import MAX_SCHEMA_ID, ConnectionId, ExecutionId, ScheduleId, SchemaId, SyncId

ID = "3f8b2c6e-0d41-4b7a-9c55-1e2a7d904b11"
UUIDS = [SyncId, ExecutionId, ConnectionId, ScheduleId]


@pytest.mark.parametrize("kind", UUIDS)
def test_a_uuid_is_accepted_in_any_case_and_becomes_lower_case(kind):
    assert TypeAdapter(kind).validate_python(ID.upper()) == ID


@pytest.mark.parametrize("kind", UUIDS)
@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        ID[:-1],
        ID + "0",
        ID.replace("-", ""),
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        ID + "\n",
        " " + ID,
        "../" + ID,
        5,
    ],
)
def test_anything_else_is_refused(kind, value):
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize("kind", UUIDS)
def test_the_schema_a_model_reads_is_short(kind):
    assert TypeAdapter(kind).json_schema() == {"type": "string", "format": "uuid"}


def test_the_schema_of_a_schema_id_is_short():
    assert TypeAdapter(SchemaId).json_schema() == {"type": "string", "minLength": 1}


@pytest.mark.parametrize("value", ["public.users", "Contact", "a/b", "Größe", "100%", "...", "x" * MAX_SCHEMA_ID])
def test_a_schema_id_is_kept_as_it_is(value):
    assert TypeAdapter(SchemaId).validate_python(value) == value


@pytest.mark.parametrize(
    "value", ["", ".", "..", "%2e%2E", "%25252e.", "a/../b", "a\tb", "\x00", "\ud800", "x" * (MAX_SCHEMA_ID + 1)]
)
def test_a_schema_id_that_could_reach_another_resource_is_refused(value):
    with pytest.raises(ValidationError):
        TypeAdapter(SchemaId).validate_python(value)


def test_a_refusal_says_why():
    with pytest.raises(ValidationError, match="path segment"):
        TypeAdapter(SchemaId).validate_python("../x")
    with pytest.raises(ValidationError, match="not a UUID such as"):
        TypeAdapter(SyncId).validate_python("x")

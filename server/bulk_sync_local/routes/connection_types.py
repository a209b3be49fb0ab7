"""Which connections can be made, and what settings they take."""

from bulk_sync_local import catalog
from bulk_sync_local.connectors.registry import infos
from bulk_sync_local.dispatch import Answer, Call, Endpoint, data
from bulk_sync_local.errors import not_found
from bulk_sync_local.store import Tx


def list_connection_types(call: Call, tx: Tx) -> Answer:
    return data(
        [
            {
                "id": entry.type_id,
                "name": entry.name,
                "capabilities": {
                    "source": entry.is_source,
                    "destination": entry.is_destination,
                    "enrichment": False,
                    "orchestration": False,
                    "logging": False,
                },
                "configurationForm": {"jsonschema": entry.configuration_schema, "uischema": None},
                "use_oauth": False,
            }
            for entry in infos()
        ]
    )


def get_connection_type_schema(call: Call, tx: Tx) -> Answer:
    entry = catalog.info(call.path["id"])
    if entry is None:
        raise not_found("connection type", call.path["id"])
    # The vendor's SDK takes a schema here and no boolean; this one lets nothing through either.
    return Answer({**entry.configuration_schema, "additionalProperties": {"not": {}}})


ENDPOINTS = [
    Endpoint("GET", "/api/connection_types", list_connection_types),
    Endpoint("GET", "/api/connection_types/{id}", get_connection_type_schema),
]

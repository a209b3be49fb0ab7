"""Operations of the API that the local service does not have. They answer 404 and say so."""

from pydantic import ConfigDict

from bulk_sync_local.dispatch import Answer, Call, Endpoint, Method, Query
from bulk_sync_local.errors import ApiError
from bulk_sync_local.store import Tx


class _AnyQuery(Query):
    model_config = ConfigDict(extra="ignore", frozen=True)


_EXECUTION = "/api/bulk/syncs/{sync_id}/executions/{execution_id}"
_CONSOLE = "read the console log of the execution"


def _at(method: Method, path: str, what: str, instead: str) -> Endpoint:
    def handle(call: Call, tx: Tx) -> Answer:
        raise ApiError(404, f"{what} are not available in the local service; {instead}", key="not_available_locally")

    return Endpoint(method, path, handle, query=_AnyQuery)


ENDPOINTS = [
    _at("GET", f"{_EXECUTION}/logs", "log files", _CONSOLE),
    _at("POST", f"{_EXECUTION}/logs/export", "log exports", _CONSOLE),
    _at("GET", "/api/jobs/{type}/{id}", "background jobs", "every call here does its work before it answers"),
    _at(
        "GET",
        "/api/connections/{connection_id}/ingest/consolelog",
        "ingestion logs",
        "nothing is ingested between runs",
    ),
    _at(
        "GET",
        "/api/connections/{id}/schemas/{schema_id}/records",
        "sample records",
        "query the source itself",
    ),
]

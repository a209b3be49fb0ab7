"""Connections: made, tried, changed, removed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any  # Any: settings of a connection are JSON

from pydantic import Field

from bulk_sync_local import catalog, render, store_connections
from bulk_sync_local.connectors.base import ConnectorError, SourceTable
from bulk_sync_local.dispatch import Answer, Body, Call, Endpoint, Query, QueryBool, Service, Uuid, data
from bulk_sync_local.errors import ApiError, bad_request, not_found, not_possible
from bulk_sync_local.ids import canonical_uuid, new_id
from bulk_sync_local.lookups import connection_of
from bulk_sync_local.routes.removal import remove_sync
from bulk_sync_local.store import Tx
from bulk_sync_local.store_connections import StoredConnection

Name = Annotated[str, Field(min_length=1, max_length=255)]
Settings = dict[str, Any]


class CreateConnection(Body):
    name: Name
    type: str
    configuration: Settings
    # `validate` is a method of pydantic's models.
    try_out: bool | None = Field(default=None, alias="validate")
    redirect_url: str | None = None
    healthcheck_interval: str | None = None
    organization_id: Uuid | None = None
    policies: list[Uuid] | None = None


class UpdateConnection(Body):
    name: Name
    configuration: Settings
    type: str | None = None
    try_out: bool | None = Field(default=None, alias="validate")
    reconnect: bool | None = None
    healthcheck_interval: str | None = None
    organization_id: Uuid | None = None
    policies: list[Uuid] | None = None


class TryConnection(Body):
    type: str
    configuration: Settings
    connection_id: Uuid | None = None


class DeleteConnection(Query):
    force: QueryBool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """What trying a connection showed. `tables` is None when it was not, or could not be, read as a source."""

    type_id: str
    status: str
    status_error: str | None
    tables: tuple[SourceTable, ...] | None
    at: str


def try_out(service: Service, type_id: str, settings: Mapping[str, Any], *, wanted: bool) -> Tried:
    """Checks the settings, for real if `wanted`. Raises `ApiError` 400 or 422."""
    entry = catalog.require_info(type_id)
    catalog.validate_settings(service.config, entry, settings)
    at = service.now()
    if not wanted:
        return Tried(type_id, "unchecked", None, None, at)
    try:
        catalog.check(service.config, type_id, settings)
    except ConnectorError as error:
        raise not_possible(str(error)) from error
    if not entry.is_source:
        return Tried(type_id, "healthy", None, None, at)
    try:
        tables = catalog.discover(service.config, catalog.resolve(service.config, type_id, settings))
    except ConnectorError as error:
        # It can be written to, which is all that is asked of a destination; who reads from it is told why not.
        return Tried(type_id, "healthy", f"It can be written to, but not read from: {error}", None, at)
    return Tried(type_id, "healthy", None, tables, at)


def list_connections(call: Call, tx: Tx) -> Answer:
    return data([render.connection(call.service.config, entry) for entry in store_connections.every(tx)])


def get_connection(call: Call, tx: Tx) -> Answer:
    return data(render.connection(call.service.config, connection_of(call, tx)))


def prepare_create(call: Call) -> Tried:
    body = call.body(CreateConnection)
    _check_unsupported(call.service, body.organization_id, body.policies)
    if body.redirect_url:
        raise bad_request("redirect_url: no connection of the local service is authorised in a browser")
    return try_out(call.service, body.type, body.configuration, wanted=body.try_out is not False)


def create_connection(call: Call, tx: Tx) -> Answer:
    body, tried, now = call.body(CreateConnection), call.found(Tried), call.service.now()
    stored = StoredConnection(
        id=new_id(),
        name=body.name,
        type_id=body.type,
        configuration=body.configuration,
        status=tried.status,
        status_error=tried.status_error,
        healthcheck_interval=body.healthcheck_interval,
        tables=tried.tables,
        refresh_started=None if tried.tables is None else tried.at,
        refresh_finished=None if tried.tables is None else now,
        created_at=now,
        updated_at=now,
    )
    store_connections.save(tx, stored)
    return data(_changed(call.service, stored))


def prepare_update(call: Call) -> Tried:
    body = call.body(UpdateConnection)
    _check_unsupported(call.service, body.organization_id, body.policies)
    with call.service.store.read() as tx:
        stored = connection_of(call, tx)
    if body.type not in (None, stored.type_id):
        raise bad_request(f"type: this connection is of type {stored.type_id}, which cannot be changed")
    if body.reconnect:
        raise bad_request("reconnect: no connection of the local service is authorised in a browser")
    return try_out(call.service, stored.type_id, body.configuration, wanted=body.try_out is not False)


def update_connection(call: Call, tx: Tx) -> Answer:
    body, tried, now = call.body(UpdateConnection), call.found(Tried), call.service.now()
    stored = replace(
        connection_of(call, tx),
        name=body.name,
        configuration=body.configuration,
        status=tried.status,
        status_error=tried.status_error,
        healthcheck_interval=body.healthcheck_interval,
        tables=tried.tables,
        refresh_started=None if tried.tables is None else tried.at,
        refresh_finished=None if tried.tables is None else now,
        updated_at=now,
    )
    store_connections.save(tx, stored)
    return data(_changed(call.service, stored))


def delete_connection(call: Call, tx: Tx) -> Answer:
    stored = connection_of(call, tx)
    users = store_connections.used_by(tx, stored.id)
    if users and not call.query(DeleteConnection).force:
        raise ApiError(
            422,
            f"connection in use by {len(users)} bulk syncs",
            key="connection_in_use",
            metadata={"used_by": [{"type": "bulk_sync", "id": user, "name": name} for user, name in users]},
        )
    for sync_id, _ in users:
        remove_sync(tx, sync_id, call.service.now())
    store_connections.delete(tx, stored.id)
    return Answer(status=204, after=call.service.supervisor.purge)


def prepare_test(call: Call) -> None:
    body, service = call.body(TryConnection), call.service
    settings: Settings = dict(body.configuration)
    if body.connection_id is not None:
        with service.store.read() as tx:
            stored = store_connections.get(tx, body.connection_id)
        if stored is None:
            raise not_found("connection", body.connection_id)
        if stored.type_id != body.type:
            raise bad_request(f"type: connection {stored.id} is of type {stored.type_id}")
        settings = {**stored.configuration, **settings}
    catalog.validate_settings(service.config, catalog.require_info(body.type), settings)
    try:
        catalog.check(service.config, body.type, settings)
    except ConnectorError as error:
        raise bad_request(str(error)) from error


def test_connection(call: Call, tx: Tx) -> Answer:
    return Answer(status=204)


def _check_unsupported(service: Service, organization_id: str | None, policies: list[str] | None) -> None:
    if organization_id not in (None, canonical_uuid(service.config.organization_id)):
        raise bad_request("organization_id: the local service has one organization; leave it out")
    if policies:
        raise bad_request("policies: the local service has no permission policies; leave them out")


def _changed(service: Service, stored: StoredConnection) -> dict[str, Any]:
    return {**render.connection(service.config, stored), "auth_url": None, "auth_code": None}


ENDPOINTS = [
    Endpoint("GET", "/api/connections", list_connections),
    Endpoint("POST", "/api/connections", create_connection, body=CreateConnection, prepare=prepare_create),
    Endpoint("POST", "/api/connections/test", test_connection, body=TryConnection, prepare=prepare_test),
    Endpoint("GET", "/api/connections/{id}", get_connection),
    Endpoint("PUT", "/api/connections/{id}", update_connection, body=UpdateConnection, prepare=prepare_update),
    Endpoint("DELETE", "/api/connections/{id}", delete_connection, query=DeleteConnection),
]

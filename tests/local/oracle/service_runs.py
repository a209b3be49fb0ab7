"""Runs a sync through the whole service, by its REST API, as an assistant's tools do."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bulk_sync_local.app import create_app
from bulk_sync_local.config import LocalConfig
from local.oracle.configuring import Sync
from local.oracle.driving import Outcome
from local.oracle.engine_runs import settings_of
from local.oracle.histories import Settings, Step, TableSetup
from local.oracle.sources import table_id, write
from local.postgres.server import Server
from local.service.harness import Api


@dataclass
class WholeService:
    """`workers` says whether each run gets a process of its own."""

    source: str
    target: str
    folder: Path
    state: Path
    server: Server | None
    workers: bool = True
    id: str = ""
    names_fields: bool = True
    loop: asyncio.Runner = field(default_factory=asyncio.Runner)

    def __post_init__(self) -> None:
        config = LocalConfig(workspace=self.folder, state_dir=self.state, api_key="local-key-1")
        self.app = create_app(config)
        self.api = Api(config, self.app)
        if not self.workers:
            self.api.run_here()

    def close(self) -> None:
        self.api.service.store.close()
        self.loop.close()

    def configure(self, sync: Sync, before: Mapping[str, TableSetup], changed: Collection[str], way: str) -> None:
        if not self.id:
            self.loop.run(self._create(sync))
        elif changed:
            self.loop.run(self._configure(sync, before, changed, way))
        self.loop.run(self._compare(sync))

    def run(self, settings: Settings, step: Step, tables: Mapping[str, TableSetup], every: bool) -> dict[str, Outcome]:
        return self.loop.run(self._run(settings, step, tables, every))

    async def _run(
        self, settings: Settings, step: Step, tables: Mapping[str, TableSetup], every: bool
    ) -> dict[str, Outcome]:
        body: dict[str, Any] = {} if every else {"schemas": [table_id(self.source, one) for one in tables]}
        if step.resync_mode:
            body["resync_mode"] = step.resync_mode
        if step.test:
            body["test"] = True
        refused = "append" if settings.mode == "append" and step.resync_mode == "refetch" else None
        if step.test and step.resync_mode:
            refused = "exclude each other"
        if refused:
            said = await self.api.refused(400, "POST", f"/api/bulk/syncs/{self.id}/executions", body)
            assert refused in said, said
            return {table_id(self.source, one): Outcome("failed", 0, 0, 0, said) for one in tables}
        done = await self.api.run(self.id, **body)
        return {
            one["schema"]: Outcome(
                one["status"], one["record_count"], one["error_count"], one["warning_count"], one.get("status_message")
            )
            for one in done["schemas"]
        }

    def refuses_to_create(self, settings: Settings, tables: Sequence[TableSetup], naming: str) -> None:
        """Holds the service to a 400 that names a setting which the destination does not have."""
        self.loop.run(self._refuses_to_create(settings, tables, naming))

    async def _refuses_to_create(self, settings: Settings, tables: Sequence[TableSetup], naming: str) -> None:
        for one in tables:
            write(self.source, self.folder / f"source.{self.source}", one.name, one.columns, one.key, [])
        await self._connect()
        body = self._body(settings, None)
        body["destination_configuration"]["advanced"][naming] = getattr(settings, naming)
        said = await self.api.refused(400, "POST", "/api/bulk/syncs", body)
        assert f"unknown key '{naming}'" in said, said

    async def _connect(self) -> None:
        self.ends = [
            await self.api.ok(
                "POST",
                "/api/connections",
                {"name": end, "type": kind, "configuration": settings_of(kind, end, self.server)},
            )
            for kind, end in ((self.source, "source"), (self.target, "output"))
        ]

    async def _create(self, sync: Sync) -> None:
        await self._connect()
        schemas = [self._whole(one) for one in sync.said.values() if one.enabled]
        self.id = (await self.api.ok("POST", "/api/bulk/syncs", self._body(sync.settings, schemas)))["id"]

    async def _configure(
        self, sync: Sync, before: Mapping[str, TableSetup], changed: Collection[str], way: str
    ) -> None:
        """In one of three ways: with the sync as a whole, each table replaced, or patched with what is new."""
        path = f"/api/bulk/syncs/{self.id}"
        tables = [sync.said[one] for one in changed if one]
        if way == "sync":
            # A table named by its id alone keeps its configuration, one that is not named is disabled.
            named = [one for one in sync.said.values() if one.enabled]
            schemas = [self._whole(one) if one in tables else table_id(self.source, one.name) for one in named]
            await self.api.ok("PUT", path, self._body(sync.settings, schemas))
            tables = [one for one in tables if not one.enabled]
        elif "" in changed:
            await self.api.ok("PUT", path, self._body(sync.settings, None))
        if way == "patch" and tables:
            patches = [self._patch(before[one.name], one, sync.known(one.name)) for one in tables]
            await self.api.ok("PATCH", f"{path}/schemas", {"schemas": patches})
        elif way != "patch":
            for one in tables:
                body = self._replacement(before[one.name], one, sync.known(one.name))
                await self.api.ok("PUT", f"{path}/schemas/{_segment(table_id(self.source, one.name))}", body)

    def _body(self, settings: Settings, schemas: list[Any] | None) -> dict[str, Any]:
        advanced: dict[str, Any] = {"table_prefix": settings.table_prefix, "hard_deletes": settings.hard_deletes}
        if self.target != "parquet":
            advanced["truncate_existing"] = settings.truncate_existing
        return {
            "name": "shop to warehouse",
            "source_connection_id": self.ends[0]["id"],
            "destination_connection_id": self.ends[1]["id"],
            "default_schedule": {"frequency": "manual"},
            "mode": settings.mode,
            "normalize_names": settings.normalize_names,
            "disable_record_timestamps": not settings.record_timestamps,
            "automatically_add_new_fields": settings.new_fields,
            "automatically_add_new_objects": settings.new_objects,
            "destination_configuration": {"advanced": advanced},
            **({"data_cutoff_timestamp": settings.cutoff} if settings.cutoff else {}),
            **({"schemas": schemas} if schemas is not None else {}),
        }

    def _whole(self, setup: TableSetup) -> dict[str, Any]:
        return {"id": table_id(self.source, setup.name), **_schema(setup), "fields": _fields(setup, "obfuscate")}

    def _replacement(self, before: TableSetup, setup: TableSetup, known: Sequence[str]) -> dict[str, Any]:
        """Without `fields` every field is enabled and called by its own name, and obfuscation stays."""
        body = {one: value for one, value in _schema(setup).items() if value not in (None, [])}
        plain = not setup.renamed and _all_on(before, setup, known)
        return body if plain else {**body, "fields": _fields(setup, "obfuscated")}

    def _patch(self, before: TableSetup, setup: TableSetup, known: Sequence[str]) -> dict[str, Any]:
        """Without `fields` every field is enabled; all else that is left out stays."""
        was = _schema(before)
        body = {one: value for one, value in _schema(setup).items() if value != was[one]}
        body["id"] = table_id(self.source, setup.name)
        names = set(setup.renamed) == {one for one in before.renamed if one[0] in known}
        return body if names and _all_on(before, setup, known) else {**body, "fields": _fields(setup, "obfuscated")}

    async def _compare(self, sync: Sync) -> None:
        """What the service says of the sync is what the documentation does."""
        for one in sync.said.values():
            path = f"/api/bulk/syncs/{self.id}/schemas/{_segment(table_id(self.source, one.name))}"
            shown = await self.api.ok("GET", path)
            renamed = dict(one.renamed)
            fields = {
                field["id"]: (field["enabled"], field["obfuscated"], field["user_output_name"])
                for field in shown["fields"]
            }
            assert fields == {
                name: (name not in one.deselected, name in one.obfuscated, renamed.get(name))
                for name in one.fields or ()
            }, one.name
            assert shown["enabled"] == one.enabled, one.name
            assert shown["tracking_field"] == one.tracking, one.name
            assert shown["user_output_name"] == one.user_output_name, one.name


def _all_on(before: TableSetup, setup: TableSetup, known: Collection[str]) -> bool:
    """Whether every field there is shall be enabled, and be obfuscated or not as it was."""
    obfuscated = {one for one in before.obfuscated if one in known}
    return not setup.deselected and set(setup.fields or ()) == set(known) and set(setup.obfuscated) == obfuscated


def _segment(name: str) -> str:
    return quote(name, safe="")


def _fields(setup: TableSetup, obfuscation: str) -> list[dict[str, Any]]:
    renamed = dict(setup.renamed)
    return [
        {
            "id": one,
            "enabled": one not in setup.deselected,
            obfuscation: one in setup.obfuscated,
            "user_output_name": renamed.get(one, ""),
        }
        for one in setup.fields or ()
    ]


def _schema(setup: TableSetup) -> dict[str, Any]:
    return {
        "enabled": setup.enabled,
        "filters": [
            {"field_id": column, "function": function, **({} if "Null" in function else {"value": value})}
            for column, function, value in setup.filters
        ],
        "tracking_field": setup.tracking,
        "user_output_name": setup.user_output_name,
        "data_cutoff_timestamp": setup.cutoff,
    }

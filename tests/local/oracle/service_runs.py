"""Runs a sync through the whole service, by its REST API and its worker processes, as an assistant's tools do."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulk_sync_local.app import create_app
from bulk_sync_local.config import LocalConfig
from local.oracle.driving import Outcome
from local.oracle.engine_runs import settings_of
from local.oracle.histories import Settings, Step, TableSetup
from local.oracle.sources import table_id
from local.postgres.server import Server
from local.service.harness import Api


@dataclass
class WholeService:
    source: str
    target: str
    folder: Path
    state: Path
    server: Server | None
    sync: str = ""
    loop: asyncio.Runner = field(default_factory=asyncio.Runner)

    def __post_init__(self) -> None:
        config = LocalConfig(workspace=self.folder, state_dir=self.state, api_key="local-key-1")
        self.app = create_app(config)
        self.api = Api(config, self.app)

    def close(self) -> None:
        self.api.service.store.close()
        self.loop.close()

    def run(self, settings: Settings, step: Step, tables: Mapping[str, TableSetup]) -> dict[str, Outcome]:
        return self.loop.run(self._run(settings, step, tables))

    async def _run(self, settings: Settings, step: Step, tables: Mapping[str, TableSetup]) -> dict[str, Outcome]:
        if not self.sync:
            self.sync = await self._make(settings, tables)
        body: dict[str, Any] = {"schemas": [table_id(self.source, one) for one in tables]}
        if step.resync_mode:
            body["resync_mode"] = step.resync_mode
        if step.test:
            body["test"] = True
        done = await self.api.run(self.sync, **body)
        return {
            one["schema"]: Outcome(
                one["status"], one["record_count"], one["error_count"], one["warning_count"], one.get("status_message")
            )
            for one in done["schemas"]
        }

    async def _make(self, settings: Settings, tables: Mapping[str, TableSetup]) -> str:
        ends = [
            await self.api.ok(
                "POST",
                "/api/connections",
                {"name": end, "type": kind, "configuration": settings_of(kind, end, self.server)},
            )
            for kind, end in ((self.source, "source"), (self.target, "output"))
        ]
        advanced: dict[str, Any] = {"table_prefix": settings.table_prefix, "hard_deletes": settings.hard_deletes}
        if self.target != "parquet":
            advanced["truncate_existing"] = settings.truncate_existing
        return await self.api.sync(
            ends[0]["id"],
            ends[1]["id"],
            mode=settings.mode,
            normalize_names=settings.normalize_names,
            disable_record_timestamps=not settings.record_timestamps,
            destination_configuration={"advanced": advanced},
            schemas=[_schema(self.source, one) for one in tables.values()],
        )


def _schema(source: str, setup: TableSetup) -> dict[str, Any]:
    renamed = dict(setup.renamed)
    body: dict[str, Any] = {
        "id": table_id(source, setup.name),
        "enabled": True,
        "fields": [
            {
                "id": one.name,
                "enabled": one.name not in setup.deselected,
                "obfuscate": one.name in setup.obfuscated,
                **({"user_output_name": renamed[one.name]} if one.name in renamed else {}),
            }
            for one in setup.columns
        ],
        "filters": [
            {"field_id": column, "function": function, **({} if "Null" in function else {"value": value})}
            for column, function, value in setup.filters
        ],
    }
    for key, value in (
        ("tracking_field", setup.tracking),
        ("user_output_name", setup.user_output_name),
        ("data_cutoff_timestamp", setup.cutoff),
    ):
        if value is not None:
            body[key] = value
    return body

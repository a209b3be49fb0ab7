"""One workspace with syncs of every way of loading into one destination, through runs disturbed and undisturbed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from bulk_sync_local.app import create_app
from bulk_sync_local.config import LocalConfig
from local.kills import history, workers
from local.kills.history import TABLES, WAYS, History, Output
from local.kills.places import Place
from local.kills.workers import Life
from local.service.harness import Api

ROWS = 3000
RESYNCS = (None, None, None, "refetch", "resync", "rebuild")


@dataclass
class Episode:
    folder: Path
    place: Place
    rng: Random
    recover: Callable[[str], None]
    """Returns once nothing of what was killed is at work any more."""
    verdict: str = ""
    told: list[str] = field(default_factory=list[str])
    unhealed: str = ""
    """The way of loading that was disturbed and has not been through a run since."""
    _offset: timedelta = timedelta()

    def __str__(self) -> str:
        return f"what happened: {'; '.join(self.told)}"

    async def open(self) -> None:
        workspace = self.folder / "workspace"
        self.history = History(workspace / "source.sqlite", self.rng, ROWS)
        config = LocalConfig(workspace=workspace, state_dir=self.folder / "state", api_key="local-key-1")
        self.api = Api(config, create_app(config, clock=lambda: datetime.now(UTC) + self._offset))
        source = await self.api.connection("sqlite", "source.sqlite")
        body = {"name": "out", "type": self.place.type_id, "configuration": self.place.configuration}
        destination = (await self.api.ok("POST", "/api/connections", body))["id"]
        self.syncs: dict[str, str] = {}
        self.known: dict[str, dict[str, Output | None]] = {}
        for name, way in WAYS.items():
            self.syncs[name] = await self.api.sync(
                source,
                destination,
                name=name,
                mode=way.mode,
                destination_configuration={
                    "advanced": {"table_prefix": f"{name}_", **({"hard_deletes": True} if way.hard_deletes else {})}
                },
                schemas=[
                    {"id": table.name, **({"tracking_field": "seen"} if table.name in way.tracked else {})}
                    for table in TABLES
                ],
            )
            self.known[name] = dict.fromkeys(table.name for table in TABLES)

    def close(self) -> None:
        self.api.service.store.close()

    async def undisturbed(self) -> Life:
        """A run that nobody disturbs: afterwards all is as it has to be, and nothing else is there."""
        life = await self._run(self.unhealed or self.rng.choice(list(WAYS)), "nobody", None, None)
        self.unhealed = ""
        return life

    async def disturbed(self, victim: str, strike: Callable[[Any], bool], usual: Life) -> Life:
        """A run struck at a moment of a life such as `usual`, and a look at what is left of it."""
        if self.rng.random() < 0.9:
            self.history.change()
        self.unhealed = self.unhealed or self.rng.choice(list(WAYS))
        return await self._run(self.unhealed, victim, strike, usual)

    async def _run(self, name: str, victim: str, strike: Callable[[Any], bool] | None, usual: Life | None) -> Life:
        way, sync_id, prefix = WAYS[name], self.syncs[name], f"{name}_"
        resync = self.rng.choice(RESYNCS)
        if way.mode == "append" and resync == "refetch":
            resync = None
        before = self.known[name]
        after = {
            table.name: history.after(before[table.name], table, self.history.live(table), way, resync)
            for table in TABLES
        }
        moment = usual.moment(self.rng) if usual is not None else None
        self.told.append(f"{name} {resync or 'ordinary'} {victim} {moment or ''}")
        execution_id = await workers.prepared(self.api, sync_id, resync)
        life = workers.lived(self.api, execution_id, self.place.sight, moment, strike)
        self.recover(victim)
        found = self.place.outputs(prefix)
        execution = await self.api.ok("GET", f"/api/bulk/syncs/{sync_id}/executions/{execution_id}")
        self._check(execution, life, before, found, after)
        self.known[name] = found
        if execution["status"] == "created":
            # It died before it had taken the execution on; another worker does, once it has been missed.
            assert found == before, "an output changed before the run had begun"
            self._offset += timedelta(minutes=1)
            execution = await self.api.finished(sync_id, execution_id)
            found = self.place.outputs(prefix)
            assert found == after, f"{_told(found)} instead of {_told(after)}"
            self.known[name] = found
        if strike is None:
            assert execution["status"] == "completed", execution
            done = [one for one, outputs in self.known.items() if any(outputs.values())]
            strays = self.place.strays(f"{one}_" for one in done)
            assert not strays, strays
        return life

    def _check(
        self,
        execution: dict[str, Any],
        life: Life,
        before: dict[str, Output | None],
        found: dict[str, Output | None],
        after: dict[str, Output],
    ) -> None:
        for table, output in found.items():
            assert output in (before[table], after[table]), (
                f"{table} holds {output}; before: {before[table]}; after: {after[table]}; {execution}"
            )
        new = sum(output == after[table] for table, output in found.items())
        self.verdict = f"{execution['status']} with {new} of {len(found)} tables loaded"
        for schema in execution["schemas"]:
            table, status, message = schema["schema"], schema["status"], schema["status_message"] or ""
            if status == "completed":
                assert found[table] == after[table], (schema, str(found[table]))
            if status == "failed" and "either as it was before or as it is after" not in message:
                assert found[table] == before[table], (schema, str(found[table]))
        if life.status != 0:
            assert life.struck, f"the worker ended with {life.status}"
            assert execution["status"] in ("interrupted", "created", "completed"), execution
            # It may be at its end already: then it had nothing more to lose.
            life.struck = execution["status"] != "completed"
        elif not life.struck:
            assert execution["status"] == "completed", execution
        else:
            assert execution["status"] in ("completed", "errors", "failed"), execution


def _told(outputs: Mapping[str, Output | None]) -> str:
    return ", ".join(f"{table}: {output}" for table, output in outputs.items())

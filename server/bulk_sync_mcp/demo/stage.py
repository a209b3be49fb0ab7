"""Where the demo takes place: its workspace, source, destination and connections; and clearing up."""

import json
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from bulk_sync_mcp.api.client import ApiClient
from bulk_sync_mcp.demo import copies, sample
from bulk_sync_mcp.demo.options import Options
from bulk_sync_mcp.demo.places import Place
from bulk_sync_mcp.demo.proof import engines_own
from bulk_sync_mcp.demo.tables import name, opened, text
from bulk_sync_mcp.models.status import SyncStatus
from bulk_sync_mcp.settings import Settings

HELD_PAUSE = 10.0
"""Slow motion of the run that is held for the second start, in seconds after each batch."""
_BOOKS = "_bulk_sync_state"
_STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Stage:
    """Everything one run of the demo works with. Names hold `run_id`, so that a directory can be used again."""

    options: Options
    folder: Path
    run_id: str
    source: Place
    destination: Place
    prefix: str
    destination_configuration: dict[str, Any]

    @property
    def kept(self) -> bool:
        """Whether the folder stays when the demo ends."""
        return self.options.workspace is not None

    @property
    def data(self) -> Path:
        """What connections may touch."""
        return self.folder / "data"

    @property
    def state(self) -> Path:
        """Approvals, audit log and the local service's own state; out of reach of connections."""
        return self.folder / "state"

    @property
    def own(self) -> str:
        """What the demo writes to inside a given destination, in words."""
        if self.destination.kind == "duckdb":
            return f"the new schema {self.destination.schema}"
        if self.destination.kind == "parquet":
            return f"the new folder {self.destination.path.name}"
        return f"new tables whose names begin with {self.prefix}, and to the books of the syncs, table {_BOOKS}"

    def removal(self, outputs: list[str], sync_id: str) -> list[str]:
        """How to remove what the demo has left in a given destination, in commands or words."""
        if self.destination.kind == "duckdb":
            return [f"DROP SCHEMA IF EXISTS {name(self.destination.schema)} CASCADE;"]
        if self.destination.kind == "parquet":
            return [f"delete the folder {self.destination.path}"]
        drops = [f"DROP TABLE IF EXISTS {name(output)};" for output in outputs]
        return [*drops, f"DELETE FROM {_BOOKS} WHERE sync_id = {text(sync_id)};"]  # noqa: S608

    def config(self, pause: float) -> Path:
        """The configuration file of a server with this slow motion."""
        path = self.state / f"demo-{self.run_id}-{pause}.toml"
        # A given destination alone is added to what may be touched, not the folder it is in.
        roots = [str(self.destination.path)] if self.options.destination else []
        settings = {"workspace": str(self.data), "state_dir": str(self.state), "roots": roots, "batch_pause": pause}
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in settings.items()]
        path.write_text("".join(lines), encoding="utf-8")
        return path

    def log(self, who: str) -> Path:
        """Where the server of a client writes what it logs."""
        return self.state / f"demo-{self.run_id}-{who}.log"

    def server_log(self) -> list[str]:
        """What the servers have logged, line by line."""
        logs = [self.log(who) for who in "ABC"]
        return [line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()]

    @asynccontextmanager
    async def service(self) -> AsyncGenerator[ApiClient]:
        """The local service's REST API in this process, on the workspace the servers use."""
        import httpx

        from bulk_sync_mcp.api.backend import Backend, bearer
        from bulk_sync_mcp.composition import local_asgi

        # Made without reading environment or configuration: the demo must never reach Polytomic.
        settings = Settings.model_construct(
            workspace=self.data,
            state_dir=self.state,
            roots=[self.destination.path] if self.options.destination else [],
            batch_pause=0.0,
        )
        key = secrets.token_hex(16)
        app = local_asgi(settings, key)
        backend = Backend("http://localhost", bearer(key), "local")
        client = ApiClient(backend, transport=httpx.ASGITransport(app=app))
        try:
            yield client
        finally:
            await client.aclose()
            app.state.service.store.close()

    async def connect(self) -> tuple[str, str]:
        """Makes the two connections, and the destination where it is the demo's own. Returns their ids."""
        names = ("Shop", "Warehouse") if self.options.source is None else ("Source", "Destination")
        ids: list[str] = []
        self._make_destination()
        async with self.service() as api:
            for label, place in zip(names, (self.source, self.destination), strict=True):
                body = {
                    "name": f"{label} {self.run_id}",
                    "type": place.kind,
                    "configuration": {"path": str(place.path)},
                }
                ids.append(str((await api.post("/api/connections", body=body)).data["id"]))
        return ids[0], ids[1]

    def _make_destination(self) -> None:
        if self.destination.kind == "parquet":
            self.destination.path.mkdir()
        elif self.options.destination is None:
            import duckdb

            duckdb.connect(str(self.destination.path)).close()

    async def stop(self, sync_id: str) -> bool:
        """Cancels what still runs of a sync and waits for it to end. Returns whether anything ran."""
        ran = False
        async with self.service() as api:
            with anyio.move_on_after(_STOP_SECONDS):
                while True:
                    answer = await api.get("/api/bulk/syncs/{id}/status", id=sync_id)
                    if SyncStatus.read(answer.data).running is None:
                        break
                    if not ran:
                        ran = True
                        await api.post("/api/bulk/syncs/{id}/cancel", id=sync_id)
                    await anyio.sleep(0.2)
        return ran

    def bystanders(self) -> dict[str, object]:
        """What else a given destination holds: tables with columns and rows, or files with size and time."""
        given = self.options.destination
        if given is None:
            return {}
        if given.kind == "parquet":
            files = [one for one in given.path.rglob("*") if one.is_file()]
            others = [one for one in files if not one.is_relative_to(self.destination.path)]
            return {str(one): (one.stat().st_size, one.stat().st_mtime_ns) for one in others}
        found: dict[str, object] = {}
        own = self.prefix or f"{self.destination.schema}."
        with opened(given) as tables:
            for table in tables.names():
                if table.startswith(own) or engines_own(table):
                    continue
                (rows,) = next(iter(tables.rows(f"SELECT count(*) FROM {tables.reference(table)}")))  # noqa: S608
                found[table] = (tuple(column.name for column in tables.columns(table)), rows)
        return found

    def clear(self) -> None:
        """Removes a temporary folder. A worker that has just told its end may still hold a file for a moment."""
        deadline = time.monotonic() + 5
        while not self.kept and self.folder.exists() and time.monotonic() < deadline:
            shutil.rmtree(self.folder, ignore_errors=True)
            time.sleep(0.05)


def set_up(options: Options) -> Stage:
    """Makes the workspace and the source in it. Raises `NotUsable` for a source that cannot be copied."""
    folder = options.workspace or Path(tempfile.mkdtemp(prefix="bulk-sync-demo-")).resolve()
    run_id = secrets.token_hex(3)
    here = folder / "data" / run_id
    try:
        for directory in (folder / "data", folder / "state", here, here / "source"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if options.source is None:
            source = sample.make(here / "source" / "shop.sqlite", options.rows)
        else:
            source = copies.copy(options.source, here / "source")
    except BaseException:
        if options.workspace is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    own = f"bulk_sync_demo_{run_id}"
    given = options.destination
    if given is None:
        destination, prefix = Place("duckdb", here / "warehouse.duckdb", "shop"), ""
    elif given.kind == "duckdb":
        destination, prefix = Place("duckdb", given.path, own), ""
    elif given.kind == "sqlite":
        destination, prefix = given, f"{own}_"
    else:
        destination, prefix = Place("parquet", given.path / own), ""
    configuration: dict[str, Any] = {"schema": destination.schema} if destination.schema else {}
    if prefix:
        configuration = {"advanced": {"table_prefix": prefix}}
    return Stage(options, folder, run_id, source, destination, prefix, configuration)

"""The place attacks are made on, the proof that nothing there has changed, and what an answer must not hold."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp.shared.exceptions import MCPError

from safety.hostile.attack import PROTOCOL, Attack
from support import Called, Tools, Workshop, build_workshop

LONGEST = 4_000
"""Characters an answer to a hostile input may have."""
_INTERNAL = re.compile(
    r"Traceback|\bFile \"|\.py\b|site-packages|pydantic|function-(?:after|before|wrap|plain)|constrained-|\[type="
    r"|\b_?[a-z_]+\(\)|\b[A-Z][a-z]\w*Input\b|\b[A-Z]\w+(?:Error|Exception)\b|sqlite3|<html|<!doctype"
    r"|\bSELECT\b.*\bFROM\b|\bINSERT INTO\b|object at 0x|\"metadata\"|“None”",
    re.IGNORECASE,
)


def unfit(text: str) -> list[str]:
    """What of a text a model or a person must never be shown."""
    found = [
        repr(one)
        for one in sorted(set(text))
        if one != "\n" and unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Co")
    ]
    return [*found, *(match.group() for match in _INTERNAL.finditer(text))]


@dataclass
class Stage:
    """A workshop with syncs worth losing: one that has run, one armed, one that hides columns, one that has not run."""

    workshop: Workshop
    ids: dict[str, str] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    """The state as it was built."""
    bytes_known: str = ""
    spoiled: bool = False

    async def get(self, path: str, **arguments: Any) -> Any:
        return (await self.workshop.api.inner.get(path, **arguments)).data

    async def unchanged(self) -> bool:
        """Whether no call that could change anything was made, and nothing has changed.

        What has the same bytes holds the same; only other bytes are worth reading everything again.
        """
        if self.workshop.api.mutations:
            self.spoiled = True
        elif (now := self.digest()) != self.bytes_known:
            self.spoiled = self.spoiled or await self.state() != self.known
            self.bytes_known = now
        return not self.spoiled

    def digest(self) -> str:
        """A digest of both databases and of all the service has stored."""
        files = [*self.workshop.workspace.rglob("*"), *self.workshop.application.settings.local_dir.rglob("*")]
        hashed = hashlib.sha256()
        for path in sorted(path for path in files if path.is_file() and not path.name.endswith("-shm")):
            hashed.update(str(path).encode() + path.read_bytes())
        return hashed.hexdigest()

    async def state(self) -> dict[str, Any]:
        """Everything an attack could have changed: what the service knows, and the bytes of both databases."""
        syncs = await self.get("/api/bulk/syncs")
        found: dict[str, Any] = {"connections": await self.get("/api/connections"), "syncs": syncs}
        for sync in syncs:
            for part in ("schemas", "executions"):
                path = f"/api/bulk/syncs/{{id}}/{part}"
                found[f"{part} of {sync['id']}"] = await self.get(path, id=sync["id"])
        for path in sorted(self.workshop.workspace.rglob("*")):
            if path.is_file():
                found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found


async def build_stage(directory: Path, run: bool = True) -> Stage:
    """A stage; without `run` nothing has run there yet, which is quicker."""
    workshop = await build_workshop(directory)
    sync = await workshop.create_sync("Shop", schemas=["customers", "events"])
    execution = await workshop.run_once(sync) if run else {"id": "3f1c9a4e-0001-4000-8000-000000000002"}
    armed = await workshop.create_sync(
        "Ledger",
        schemas=[{"id": "secrets", "enabled": True, "user_output_name": "ledger"}],
        additional_schedules=[{"frequency": "hourly", "resync_mode": "rebuild"}],
    )
    masked = await workshop.create_sync(
        "Masked",
        destination_configuration={"schema": "apart", "advanced": {"table_prefix": "p_"}},
        automatically_add_new_fields="none",
        data_cutoff_timestamp="2026-01-01T00:00:00Z",
        schemas=[
            {
                "id": "customers",
                "enabled": True,
                "fields": [
                    {"id": "id", "enabled": True},
                    {"id": "name", "enabled": False},
                    {"id": "city", "enabled": True, "obfuscate": True},
                ],
                "filters": [{"field_id": "id", "function": "GreaterThan", "value": 1}],
            }
        ],
    )
    other = await workshop.create_sync("Other", schemas=["events"], destination_configuration={"schema": "other"})
    fresh = await workshop.create_sync("Fresh", mode="snapshot", destination_configuration={"schema": "fresh"})
    stage = Stage(workshop)
    whole = await stage.get("/api/bulk/syncs/{id}", id=armed)
    stage.ids = {
        "sync": sync, "other": other, "armed": armed, "masked": masked, "fresh": fresh,
        "execution": str(execution["id"]), "source": workshop.source_id, "destination": workshop.destination_id,
        "schedule": str(whole["additional_schedules"][0]["id"]), "unknown": "3f1c9a4e-0001-4000-8000-000000000001",
    }  # fmt: skip
    workshop.api.calls.clear()
    stage.known, stage.bytes_known = await stage.state(), stage.digest()
    return stage


async def sent(tools: Tools, tool: str, arguments: Mapping[str, Any]) -> Called:
    """What came back; a JSON-RPC error counts as an answer with the code `protocol`."""
    try:
        return await tools.call(tool, dict(arguments))
    except MCPError as error:
        return Called(True, f"{PROTOCOL}: {error.error.message}", {})


def problems(attack: Attack, answer: Called) -> list[str]:
    """Why the answer is not good enough; empty when it is."""
    found = [f"shows {what}" for what in unfit(answer.text)]
    if len(answer.text) > LONGEST:
        found.append(f"is {len(answer.text):,} characters long")
    if answer.code not in attack.codes:
        found.append(f"has the code {answer.code or 'of a success'!r}, not one of {attack.codes}")
    if answer.error and answer.code != PROTOCOL and not re.search(r"^changed: none$", answer.text, re.MULTILINE):
        found.append("does not say that nothing has changed")
    if answer.error and answer.code != PROTOCOL and not re.search(r"^next: \S", answer.text, re.MULTILINE):
        found.append("does not say what to do next")
    name = visible(attack.names)
    if name and answer.code in ("invalid_arguments", "bad_request") and name[:30] not in answer.text:
        found.append(f"does not name {name[:30]!r}")
    if attack.says and answer.code == "confirmation_required" and attack.says not in answer.text:
        found.append(f"is a preview that does not say {attack.says!r}")
    return found


def visible(text: str) -> str:
    """The text without what cannot be seen."""
    return "".join(one for one in text if unicodedata.category(one)[0] != "C").strip()

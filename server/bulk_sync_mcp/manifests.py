"""Tool manifests: one checked-in file a tool, so that what assistants rely on changes only on purpose."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from bulk_sync_mcp.core.operation import AnyOperation, Registry
from bulk_sync_mcp.guard.policy import required
from bulk_sync_mcp.server import tool_of


def manifest(operation: AnyOperation) -> dict[str, Any]:
    """Everything that can be told of a tool without running it."""
    tool = tool_of(operation).model_dump(mode="json", by_alias=True, exclude_none=True)
    rules = sorted(rule for effect in operation.plans for rule in effect.all_rules())
    return {
        **{key: tool[key] for key in ("name", "title", "description", "inputSchema", "outputSchema", "annotations")},
        "toolset": operation.toolset,
        "http": f"{operation.method} {operation.path}",
        "effects": {rule: required(rule).name for rule in rules},
    }


def text_of(operation: AnyOperation) -> str:
    """The manifest as it stands in its file."""
    return json.dumps(manifest(operation), indent=2, ensure_ascii=False) + "\n"


def write(registry: Registry, directory: Path) -> list[Path]:
    """Writes every manifest and removes orphaned ones. Returns the files written."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = {directory / f"{one.name}.json": text_of(one) for one in registry}
    for orphan in set(directory.glob("*.json")) - set(paths):
        orphan.unlink()
    for path, text in paths.items():
        path.write_text(text, encoding="utf-8")
    return sorted(paths)


def differences(registry: Registry, directory: Path) -> list[str]:
    """How the files differ from the code, a line each; empty when they do not."""
    lines: list[str] = []
    for one in registry:
        path = directory / f"{one.name}.json"
        if not path.exists():
            lines.append(f"{path.name}: missing")
        elif path.read_text(encoding="utf-8") != text_of(one):
            broken = breaking(json.loads(path.read_text(encoding="utf-8")), manifest(one))
            lines.append(f"{path.name}: changed; " + ("; ".join(broken) or "callers are not affected"))
    known = {f"{one.name}.json" for one in registry}
    lines += [f"{path.name}: orphaned, no such tool" for path in directory.glob("*.json") if path.name not in known]
    return sorted(lines)


def breaking(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What of a change breaks callers: arguments gone, newly required or narrowed, results gone, less asked for."""
    lines: list[str] = []
    old, new = before["inputSchema"], after["inputSchema"]
    for name, schema in old.get("properties", {}).items():
        changed = new.get("properties", {}).get(name)
        if changed is None:
            lines.append(f"BREAKS callers: argument `{name}` is gone")
            continue
        values = set(_values(schema)) - set(_values(changed))
        if values or (_values(changed) and not _values(schema)):
            lines.append(
                f"BREAKS callers: argument `{name}` takes less: {', '.join(sorted(values)) or 'now a list of values'}"
            )
        if schema.get("type") != changed.get("type"):
            lines.append(f"BREAKS callers: argument `{name}` has another type")
    for name in set(new.get("required", [])) - set(old.get("required", [])):
        lines.append(f"BREAKS callers: argument `{name}` is required now")
    gone = set(before["outputSchema"].get("properties", {})) - set(after["outputSchema"].get("properties", {}))
    lines += [f"BREAKS callers: result `{name}` is gone" for name in sorted(gone)]
    return lines


def _values(schema: Mapping[str, Any]) -> list[str]:
    return [str(one) for one in cast("list[object]", schema.get("enum", []))]

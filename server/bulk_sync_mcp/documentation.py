"""Tables in the documentation that are written from the code, between `<!-- name -->` and `<!-- /name -->`."""

import re
from collections.abc import Callable
from pathlib import Path

from bulk_sync_mcp.core.errors import CATALOGUE
from bulk_sync_mcp.core.operation import Registry
from bulk_sync_mcp.guard.policy import DEFAULTS, required

PAGES = {"README.md": ("tools", "policy"), "server/docs/errors.md": ("errors",)}


def tools_table(registry: Registry) -> str:
    """The tools: what each does, which call it maps to, and the most that it may ask for."""
    lines = ["| tool | toolset | does | asks at most for | REST call |", "|---|---|---|---|---|"]
    for one in registry:
        rules = [required(rule) for effect in one.plans for rule in effect.all_rules()]
        asks = max(rules).name if rules else "none"
        lines.append(f"| `{one.name}` | {one.toolset} | {one.description} | {asks} | `{one.method} {one.path}` |")
    return "\n".join(lines)


def policy_table(_registry: Registry) -> str:
    """Every effect and the evidence it requires by default."""
    lines = ["| effect | evidence |", "|---|---|"]
    return "\n".join([*lines, *(f"| {rule} | {evidence.name} |" for rule, evidence in sorted(DEFAULTS.items()))])


def errors_table(_registry: Registry) -> str:
    """Every error code."""
    lines = ["| code | means | remedy |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{row.code}` | {row.meaning} | {row.remedy} |" for row in CATALOGUE.values())])


TABLES: dict[str, Callable[[Registry], str]] = {"tools": tools_table, "policy": policy_table, "errors": errors_table}


def rendered(text: str, names: tuple[str, ...], registry: Registry) -> str:
    """`text` with its tables written anew. Raises `ValueError` when a page lacks the markers of a table."""
    for name in names:
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if marked.search(text) is None:
            raise ValueError(f"no markers for the table `{name}`")
        table = TABLES[name](registry)
        text = marked.sub(lambda found, table=table: f"{found.group(1)}{table}\n{found.group(2)}", text)
    return text


def write(registry: Registry, root: Path) -> list[Path]:
    """Writes the tables of every page below `root`; returns the pages."""
    for page, names in PAGES.items():
        path = root / page
        path.write_text(rendered(path.read_text(encoding="utf-8"), names, registry), encoding="utf-8")
    return [root / page for page in PAGES]


def differences(registry: Registry, root: Path) -> list[str]:
    """Pages whose tables are not what the code says, a line each."""
    stale: list[str] = []
    for page, names in PAGES.items():
        text = (root / page).read_text(encoding="utf-8")
        if rendered(text, names, registry) != text:
            stale.append(f"{page}: its tables are out of date")
    return stale

"""The plan as it is shown before a call runs: the same in a form, on the approval page and as text for a model."""

from typing import Any

from bulk_sync_mcp.core.plan import Plan
from bulk_sync_mcp.core.text import clean
from bulk_sync_mcp.guard.approval import Shown


def shown(plan: Plan[Any]) -> Shown:
    """What is frozen in the approval when the plan is first shown."""
    named = any(effect.names_required for effect in plan.effects)
    return Shown(plan.digest(), plan.title, plan.shown(), clean(plan.phrase) if named else "", plan.undo)


def data(what: Shown) -> dict[str, Any]:
    """The preview as structured content."""
    return {"title": what.title, "effects": what.effects, **({"undo": what.undo} if what.undo else {})}


def text(what: Shown, limit: int = 20) -> str:
    """The preview in words: title, effects worst first (at most `limit`, with how many more), what can be undone."""
    lines = [what.title, *(f"- {effect['text']}" for effect in what.effects[:limit])]
    if len(what.effects) > limit:
        lines.append(f"- … and {len(what.effects) - limit} more effects.")
    return "\n".join([*lines, what.undo] if what.undo else lines)


def question(what: Shown) -> str:
    """The preview as the message of a form."""
    ask = f"To confirm, type the name: {what.phrase}" if what.phrase else "Tick the box to confirm."
    return f"{text(what)}\n\n{ask}"


def form(what: Shown) -> dict[str, Any]:
    """The flat schema of the form: a name to type, or a box to tick. Nothing is filled in beforehand."""
    if what.phrase:
        name = {"type": "string", "title": "Name", "description": "The name as shown above."}
        return {"type": "object", "properties": {"name": name}, "required": ["name"]}
    box = {"type": "boolean", "title": "Yes, do this"}
    return {"type": "object", "properties": {"confirm": box}, "required": ["confirm"]}

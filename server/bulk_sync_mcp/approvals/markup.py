"""The approval page as HTML. Everything from outside is escaped, and names stand out as the names they are.

Threat: a sync or table whose name contains markup, or reads like a part of the page.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from html import escape

from bulk_sync_mcp.approvals.style import CSS
from bulk_sync_mcp.core.text import clean, spell_duration
from bulk_sync_mcp.guard.approval import Standing
from bulk_sync_mcp.guard.policy import Evidence, required

_QUOTED = re.compile("“[^“”]*”")
_TEXT = 4_000


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a form that was sent: the field it is about (`name`, `secret`), and what to do."""

    field: str
    message: str


def asked_by(principal: str) -> str:
    """Who asks, in words: `an assistant on this machine (user ada)`."""
    kind, _, rest = principal.partition(":")
    user = clean(rest.partition(":")[0])
    if kind == "stdio" and user:
        return f"an assistant on this machine (user {user})"
    if kind == "call" and user:
        return f"the command line (user {user})"
    if kind == "http" and user:
        return f"an assistant connected over HTTP (credential {user})"
    return clean(principal)


def expiry(standing: Standing, now: datetime) -> str:
    """`2026-05-12 04:15:00 UTC, in 9 min 50 s`."""
    return f"{standing.expires:%Y-%m-%d %H:%M:%S} UTC, in {spell_duration(standing.expires - now)}"


def _shown(text: object) -> str:
    """Text escaped, with quoted names set apart; `bdi` keeps a right-to-left name from turning what is around it."""
    safe = escape(clean(text, _TEXT))
    return _QUOTED.sub(lambda found: f'<bdi class="name">{found.group()}</bdi>', safe)


def document(title: str, brand: str, main: str, *, form: bool = False) -> str:
    """A whole page."""
    # Under no-referrer, browsers send `Origin: null` with a form, which we refuse; only this origin sees a referrer.
    referrer = '<meta name="referrer" content="same-origin">' if form else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{referrer}\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n"
        f"<header>{escape(brand)}</header>\n<main>\n{main}\n</main>\n</body>\n</html>\n"
    )


def message(brand: str, heading: str, *paragraphs: str, tone: str = "") -> str:
    """A page that only says something."""
    body = "".join(f"<p>{_shown(text)}</p>" for text in paragraphs)
    kind = f' class="{tone}"' if tone else ""
    return document(f"{heading} · {brand}", brand, f"<h1{kind}>{escape(heading)}</h1>\n{body}")


def question(standing: Standing, brand: str, csrf: str, now: datetime, wrong: Wrong | None = None) -> str:
    """The page that asks: the plan, who wants it, and the form."""
    shown = standing.shown
    secret = standing.channel == "operator"
    who = "An operator has to decide this." if secret else "An assistant wants to do this for you."
    undo = f'<h2 id="undo">Can it be undone?</h2>\n<p>{_shown(shown.undo)}</p>\n' if shown.undo else ""
    main = (
        f"{_error(wrong)}<h1>Should this run?</h1>\n"
        f'<p class="lead">{who} Nothing has run yet.</p>\n'
        f'<h2 id="what">What is asked for</h2>\n<p class="what">{_shown(shown.title)}</p>\n'
        f'<h2 id="effects">What it would do</h2>\n<ul aria-labelledby="effects">\n{_effects(standing)}</ul>\n{undo}'
        f'<h2 id="about">About this request</h2>\n<dl>\n'
        f"<dt>Asked by</dt><dd>{escape(asked_by(standing.principal))}</dd>\n"
        f"<dt>Tool</dt><dd>{escape(clean(standing.operation))}</dd>\n"
        f"<dt>Reference</dt><dd>{escape(standing.reference)}</dd>\n"
        f"<dt>Expires</dt><dd>{escape(expiry(standing, now))}</dd>\n</dl>\n"
        f"{_form(standing, csrf, wrong)}"
    )
    title = f"{'Error: ' if wrong else ''}Should this run? · {brand}"
    return document(title, brand, main, form=True)


def _effects(standing: Standing) -> str:
    lines: list[str] = []
    for effect in standing.shown.effects:
        identity = effect.get("identity")
        rule = str(identity.get("rule", "")) if isinstance(identity, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - JSON
        grave = required(rule) >= Evidence.confirm
        start = '<li class="grave"><b>Needs approval</b>' if grave else "<li>"
        lines.append(f"{start}{_shown(effect.get('text', ''))}</li>\n")
    return "".join(lines)


def _error(wrong: Wrong | None) -> str:
    if wrong is None:
        return ""
    return f'<p class="error" role="alert" id="error"><strong>Not approved.</strong> {escape(wrong.message)}</p>\n'


def _form(standing: Standing, csrf: str, wrong: Wrong | None) -> str:
    fields = ""
    if standing.shown.phrase:
        fields += (
            f'<label for="name">Type the name <bdi class="name">{escape(standing.shown.phrase)}</bdi> to approve</label>\n'
            '<input id="name" name="name" type="text" autocomplete="off" autocapitalize="none" spellcheck="false" '
            f'maxlength="200" required{_described("name", wrong)}>\n'
        )
    if standing.channel == "operator":
        fields += (
            '<label for="secret">Operator secret, to approve</label>\n'
            '<input id="secret" name="secret" type="password" autocomplete="off" maxlength="1024" '
            f"required{_described('secret', wrong)}>\n"
        )
    return (
        f'<form method="post" accept-charset="utf-8">\n<input type="hidden" name="csrf" value="{escape(csrf)}">\n{fields}'
        '<div class="buttons">\n'
        '<button class="go" type="submit" name="decision" value="approve">Approve</button>\n'
        '<button type="submit" name="decision" value="deny" formnovalidate>Deny</button>\n'
        "</div>\n</form>"
    )


def _described(field: str, wrong: Wrong | None) -> str:
    return ' aria-invalid="true" aria-describedby="error"' if wrong is not None and wrong.field == field else ""

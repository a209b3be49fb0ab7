"""How the approval page looks, and the policy that lets only this style in."""

import base64
import hashlib

CSS = """
:root {
  color-scheme: light dark;
  --paper: #f4f5f7; --card: #ffffff; --ink: #16181d; --quiet: #4d5562; --line: #c9ced6;
  --grave: #a3141c; --grave-paper: #fdf0f0; --go: #a3141c; --go-ink: #ffffff; --plain: #16181d; --name: #eceef2;
  --focus: #0b57d0; --good: #0f6b3a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #101216; --card: #1a1d23; --ink: #eef0f4; --quiet: #b3bac6; --line: #434a57;
    --grave: #ff9a94; --grave-paper: #2c1a1c; --go: #ff9a94; --go-ink: #26090a; --plain: #eef0f4; --name: #2b303a;
    --focus: #8ab4f8; --good: #7bd6a0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: anywhere;
}
header, main { max-width: 40rem; margin: 0 auto; }
header { color: var(--quiet); font-size: .9375rem; padding: .25rem 0 .75rem; }
main { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.5rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.0625rem; margin: 1.5rem 0 .5rem; }
p { margin: .5rem 0; }
.lead { color: var(--quiet); margin-bottom: 0; }
.what { font-size: 1.1875rem; font-weight: 600; margin: 0; }
ul { list-style: none; margin: 0; padding: 0; }
li { border: 1px solid var(--line); border-left-width: .375rem; border-radius: .375rem; padding: .625rem .75rem; margin: .5rem 0; }
li.grave { border-color: var(--grave); background: var(--grave-paper); }
li b { display: block; color: var(--grave); font-size: .875rem; letter-spacing: .02em; }
.name { background: var(--name); border-radius: .25rem; padding: .0625rem .25rem; }
dl { margin: 0; display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { color: var(--quiet); }
dd { margin: 0; }
form { border-top: 1px solid var(--line); margin-top: 1.5rem; padding-top: .75rem; }
label { display: block; font-weight: 600; margin: .75rem 0 .375rem; }
input {
  width: 100%; min-height: 2.75rem; font: inherit; color: var(--ink); background: var(--card);
  border: 2px solid var(--quiet); border-radius: .375rem; padding: .375rem .625rem;
}
.buttons { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.25rem; }
button {
  flex: 1 1 10rem; min-height: 3rem; font: inherit; font-weight: 600; border-radius: .375rem;
  border: 2px solid var(--plain); background: transparent; color: var(--plain); padding: .5rem 1rem; cursor: pointer;
}
button.go { background: var(--go); border-color: var(--go); color: var(--go-ink); }
input[aria-invalid] { border-color: var(--grave); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
.error { border: 2px solid var(--grave); border-radius: .375rem; padding: .625rem .75rem; margin: 0 0 1rem; }
.done { color: var(--good); }
.stopped { color: var(--grave); }
@media (max-width: 30rem) {
  body { padding: .5rem; }
  main { padding: 1rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
}
"""

_HASH = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
CONTENT_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Robots-Tag": "noindex",
    # Nothing is kept open, so that the port can close with the last approval.
    "Connection": "close",
}
"""What every answer of the page carries."""

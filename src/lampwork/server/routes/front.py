"""The page at `/`, which the one-time link opens: it begins a session, and says what there is."""

from __future__ import annotations

import base64
import hashlib

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from lampwork.server.requests import ExactRoute

# For people, not for clients: not described.
router = APIRouter(route_class=ExactRoute, include_in_schema=False)

_SCRIPT = """
const token = new URLSearchParams(location.hash.slice(1)).get("link");
const said = document.getElementById("said");
if (token) {
  history.replaceState(null, "", "/");
  fetch("/api/session/link", {
    method: "POST",
    headers: {"Content-Type": "application/json"},
    body: JSON.stringify({token}),
  }).then(async (answer) => {
    const told = await answer.json();
    said.textContent = answer.ok
      ? `This browser is signed in, as ${told.role}.`
      : told.detail;
  });
}
"""

_PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Lampwork</title>
<h1>Lampwork</h1>
<p id="said">The server is here.</p>
<p>There is no console yet. What it knows is at addresses such as
<a href="/api/jobs">/api/jobs</a> and <a href="/api/status">/api/status</a>;
<a href="/openapi.json">/openapi.json</a> describes them all. In a terminal,
<code>lampwork jobs --server URL</code> shows the same.</p>
<script>{_SCRIPT}</script>
</html>
"""

_DIGEST = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()

_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; script-src 'sha256-{_DIGEST}'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@router.get("/")
async def get_front() -> HTMLResponse:
    """The page."""
    return HTMLResponse(_PAGE, headers=_HEADERS)

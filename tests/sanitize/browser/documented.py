"""Apps with pages for a browser, served by a real server."""

from __future__ import annotations

import fastapi
from fastapi.responses import HTMLResponse

import mantlet
from mantlet import OutputSanitizer
from mantlet.sanitize import SecurityHeaders


def page() -> HTMLResponse:
    """Answer with a page of three scripts, of which one has the nonce."""
    script = "<script{}>document.body.append('{}')</script>"
    nonce = f' nonce="{mantlet.csp_nonce()}"'
    scripts = [(nonce, "ours"), ("", "bare"), (' nonce="x"', "made-up")]
    return HTMLResponse(
        "<!doctype html><body>" + "".join(script.format(mark, "r" + word) for mark, word in scripts)
    )


app = fastapi.FastAPI()
app.add_api_route("/page", page)
api = mantlet.wrap(app, OutputSanitizer(headers="api"))
web = mantlet.wrap(app, OutputSanitizer(headers="web"))
strict = mantlet.wrap(
    app, OutputSanitizer(headers=SecurityHeaders(content_security_policy="default-src 'none'"))
)

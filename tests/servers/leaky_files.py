"""Apps that send files and streams with secrets in them, behind a sanitizer that knows them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
from starlette.applications import Starlette
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute

import mantlet
from mantlet import OutputSanitizer
from mantlet.sanitize import Leaks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from starlette.requests import Request
    from starlette.websockets import WebSocket

SECRET = "Xk29fjQmZ0-secret"
PAGE = b"<p onclick=alert(1)>hi<script>alert(1)</script></p>"
LOG = (b"a line of a log\n" * 2000) + f"key={SECRET}\n".encode() + (b"more\n" * 5000)
TOKENS = [SECRET[at : at + 3] for at in range(0, len(SECRET), 3)]
POLICY = OutputSanitizer(
    secrets=[SECRET], html={"* /uploads/*": "ugc"}, leaks=Leaks(across=20), headers=None
)
MEDIA = {".html": "text/html", ".log": "text/plain", ".mp4": "video/mp4"}


def _path(name: str) -> Path:
    """Return a file that the test has made."""
    return Path(os.environ["MANTLET_TEST_FILES"]) / Path(name).name


_flask = flask.Flask("files")


@_flask.get("/uploads/<name>")
def _upload(name: str) -> Any:
    path = _path(name)
    return flask.send_file(path, mimetype=MEDIA[path.suffix], etag="v1")


def _wrapped(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    path = _path(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", MEDIA[path.suffix])])
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](path.open("rb"))
    return wrapped


def _wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/reason":
        start_response(f"500 no {SECRET}", [("Content-Type", "text/plain")])
        return [b"hello"]
    if environ["PATH_INFO"].startswith("/uploads/wrapped-") and "wsgi.file_wrapper" in environ:
        return _wrapped(environ, start_response)
    return _flask(environ, start_response)


async def _file(request: Request) -> Response:
    path = _path(request.path_params["name"])
    return FileResponse(path, media_type=MEDIA[path.suffix], headers={"etag": '"v1"'})


async def _chat(_request: Request) -> Response:
    async def events() -> AsyncIterator[str]:
        for token in TOKENS:
            yield f"data: {json.dumps({'delta': {'content': token}})}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def _talk(websocket: WebSocket) -> None:
    await websocket.accept()
    for token in TOKENS:
        await websocket.send_text(token)
    await websocket.send_text("Xk29")
    await websocket.close(4000, f"bad {SECRET}")


_starlette = Starlette(
    routes=[
        Route("/uploads/{name}", _file),
        Route("/chat", _chat),
        WebSocketRoute("/talk", _talk),
    ]
)
wsgi = mantlet.wsgi.wrap(_wsgi, POLICY, baseline=False)
asgi = mantlet.asgi.wrap(_starlette, POLICY, baseline=False)

"""Careless apps, in both protocols' words, behind a sanitizer that knows their secret."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet import ErrorEnvelope, OutputSanitizer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse

    from mantlet._internal.asgi_types import Receive, Scope, Send

SECRET = "Xk29fjQmZ0-secret"
HALVES = SECRET[:9].encode(), SECRET[9:].encode()
Fields = list[tuple[str, str]]

#: By path: the fields of the answer, and its chunks.
ANSWERS: dict[str, tuple[Fields, list[bytes]]] = {
    "/": ([("content-type", "text/plain")], [b"hello"]),
    "/injected": (
        [("content-type", "text/plain"), ("location", "/a\r\nset-cookie: admin=1"), ("x-a", "1")],
        [b"hello"],
    ),
    "/split": ([("content-type", "text/plain")], [b"key=", *HALVES, b".", b""]),
    "/events": (
        [("content-type", "text/event-stream")],
        [b'data: {"a": "<b>"}\n\n', b"data: " + HALVES[0], HALVES[1] + b"\n\n"],
    ),
    "/gzip": (
        [("content-type", "text/plain"), ("content-encoding", "gzip")],
        [
            gzip.compress(SECRET.encode() * 3, mtime=0)[:20],
            gzip.compress(SECRET.encode() * 3, mtime=0)[20:],
        ],
    ),
    "/json": (
        [("content-type", "application/json")],
        [json.dumps({"password": 5, "a": f"</script>{SECRET}"}).encode()],
    ),
}
POLICIES = (
    OutputSanitizer(headers="api", secrets=[SECRET], mask=["password"]),
    ErrorEnvelope(),
)


def _wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    fields, chunks = ANSWERS[environ["PATH_INFO"]]
    start_response("200 OK", list(fields))
    return iter(chunks)


async def _asgi(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    fields, chunks = ANSWERS[scope["path"]]
    raw = [(name.encode(), value.encode()) for name, value in fields]
    await send({"type": "http.response.start", "status": 200, "headers": raw})
    for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


wsgi = mantlet.wsgi.wrap(_wsgi, *POLICIES, baseline=False)
asgi = mantlet.asgi.wrap(_asgi, *POLICIES, baseline=False)

"""Print the files of Mantlet that one request enters, for some typical requests.

A file counts if a function of it is called while the request is served. Imports and everything that
is made once do not count: each request is served once before. Run it from anywhere with the package
installed, or on another checkout::

    python scripts/trace_files.py [--list]
    PYTHONPATH=../other/src python scripts/trace_files.py

With ``--list`` it prints the names of the files, in the order in which they are entered.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import mantlet
from mantlet import OutputSanitizer, RateLimiter, Rule, SchemaGuard, on_status

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = str(Path(mantlet.__file__).parent)

OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "paths": {
        "/items/{item_id}": {
            "put": {
                "parameters": [
                    {
                        "name": "item_id",
                        "in": "path",
                        "required": True,
                        "schema": {"type": "integer", "minimum": 1},
                    },
                    {"name": "notify", "in": "query", "schema": {"type": "boolean"}},
                    {"name": "X-Tenant", "in": "header", "schema": {"type": "string"}},
                    {"name": "theme", "in": "cookie", "schema": {"enum": ["light", "dark"]}},
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "properties": {
                                    "name": {"type": "string", "maxLength": 100},
                                    "price": {"type": "number", "minimum": 0},
                                },
                                "required": ["name"],
                                "additionalProperties": False,
                            }
                        }
                    },
                },
                "responses": {"200": {"description": "The item as it is now."}},
            }
        }
    },
}


#: Without the baseline, in a checkout that adds it.
ALONE: dict[str, Any] = (
    {"baseline": False} if "baseline" in signature(mantlet.wsgi.wrap).parameters else {}
)


class Case(NamedTuple):
    """One request, and the policy that it meets."""

    policy: Any
    method: str = "GET"
    path: str = "/"
    query: str = ""
    body: Any = None
    status: int = 200


def option(function: Any, *names: str) -> str:
    """Return the one of these names that an option has in the checkout that is measured."""
    return next(name for name in names if name in signature(function).parameters)


def cases() -> dict[str, Case]:
    """Return the requests by what is printed about them."""
    counting = {option(Rule, "count_if", "count"): on_status(401, 403)}
    masking = {option(OutputSanitizer, "mask", "fields"): ["password"]}
    valid = {"name": "a lamp", "price": 5}
    put = ("PUT", "/items/1", "notify=true")
    return {
        "limiter, simple": Case(RateLimiter("100/minute")),
        "limiter, a rule with count_if": Case(
            RateLimiter(rules=[Rule("POST /login", "5/minute", **counting)]),
            *("POST", "/login", "", None, 401),
        ),
        "guard, OpenAPI, valid": Case(SchemaGuard(openapi=OPENAPI), *put, valid),
        "guard, OpenAPI, refused": Case(
            SchemaGuard(openapi=OPENAPI), *put, {"name": 5, "colour": "red"}
        ),
        "sanitizer, JSON": Case(OutputSanitizer()),
        "sanitizer, JSON with a mask": Case(OutputSanitizer(**masking)),
    }


@contextmanager
def traced() -> Iterator[list[str]]:
    """Collect the files of the package whose functions are called in the block."""
    files: list[str] = []

    def note(frame: Any, event: str, _argument: Any) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(PACKAGE) and name[len(PACKAGE) + 1 :] not in files:
            files.append(name[len(PACKAGE) + 1 :])

    sys.setprofile(note)
    try:
        yield files
    finally:
        sys.setprofile(None)


ANSWER = json.dumps({"name": "a lamp", "text": "<b>", "password": "secret"}).encode()


def serve_wsgi(case: Case) -> list[str]:
    """Serve a request under WSGI; return the files that it enters."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read()
        start_response(f"{case.status} Status", [("Content-Type", "application/json")])
        return [ANSWER]

    stack = mantlet.wsgi.wrap(app, case.policy, **ALONE)
    for _ in range(2):  # the first one warms up
        body = b"" if case.body is None else json.dumps(case.body).encode()
        environ = {
            "REQUEST_METHOD": case.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": case.path,
            "QUERY_STRING": case.query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost",
            "HTTP_X_TENANT": "acme",
            "HTTP_COOKIE": "theme=dark",
            "REMOTE_ADDR": "192.0.2.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if body:
            environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body))}
        with traced() as files:
            result = stack(environ, lambda *_: lambda _chunk: None)
            try:
                b"".join(result)
            finally:
                if hasattr(result, "close"):
                    result.close()
    return files


async def serve_asgi(case: Case) -> list[str]:
    """Serve a request under ASGI; return the files that it enters."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": case.status, "headers": headers})
        await send({"type": "http.response.body", "body": ANSWER})

    stack = mantlet.asgi.wrap(app, case.policy, **ALONE)
    for _ in range(2):
        body = b"" if case.body is None else json.dumps(case.body).encode()
        headers = [(b"host", b"localhost"), (b"x-tenant", b"acme"), (b"cookie", b"theme=dark")]
        if body:
            headers.append((b"content-type", b"application/json"))
            headers.append((b"content-length", str(len(body)).encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": case.method,
            "scheme": "http",
            "path": case.path,
            "raw_path": case.path.encode(),
            "query_string": case.query.encode(),
            "root_path": "",
            "headers": headers,
            "client": ("192.0.2.1", 50000),
            "server": ("localhost", 80),
        }
        events = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive(events: Any = events) -> Any:
            return events.pop() if events else {"type": "http.disconnect"}

        async def send(_message: Any) -> None:
            pass

        with traced() as files:
            await stack(scope, receive, send)
    return files


def main() -> None:
    """Print the counts, and with ``--list`` the names."""
    listed = "--list" in sys.argv[1:]
    print(f"{'files entered by one request':<34} {'WSGI':>5} {'ASGI':>5}")
    for name, case in cases().items():
        wsgi, asgi = serve_wsgi(case), asyncio.run(serve_asgi(case))
        print(f"{name:<34} {len(wsgi):>5} {len(asgi):>5}")
        if listed:
            for protocol, files in (("WSGI", wsgi), ("ASGI", asgi)):
                print(f"  {protocol}: {', '.join(files)}")


if __name__ == "__main__":
    main()

"""A tiny server for each protocol, in process: one exchange, seen as a client would see it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

import pytest

import mantlet
from tests.conformance.checkers import check_asgi, check_wsgi

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from mantlet import Policy
    from mantlet._internal.asgi_types import AsgiApp, AsgiMessage, Receive, Scope, Send

Fields = Sequence[tuple[str, str]]
#: What an app answers: status, header fields, body.
Said = tuple[int, Fields, bytes]
#: An app in both protocols' words: it takes the environ or the scope, and answers or raises.
Handler = Callable[[MutableMapping[str, Any]], Said]

CLIENT = "192.0.2.1"


@dataclass
class Answer:
    """What became of an exchange.

    Attributes:
        status: None where nothing was sent.
        headers: names in the case they came in.
        chunks: the body, piece by piece.
        error: what reached the server.
    """

    status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)

    @property
    def names(self) -> list[str]:
        """The names of the header fields, in lower case."""
        return [name.lower() for name, _ in self.headers]

    def getall(self, name: str) -> list[str]:
        """Return the values of every field of that name."""
        return [value for field_, value in self.headers if field_.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        """Return the only value of a field, or None."""
        values = self.getall(name)
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None

    def json(self) -> Any:
        """Return the body as JSON (RFC 8259, so no NaN)."""

        def refuse(constant: str) -> None:
            raise ValueError(f"{constant} is no JSON")

        return json.loads(self.body, parse_constant=refuse)

    def text(self) -> str:
        """Return every byte that the client got, as text."""
        head = "\n".join(f"{name}: {value}" for name, value in self.headers)
        return f"{self.status}\n{head}\n\n{self.body.decode('utf-8', 'replace')}"


def make_scope(
    method: str = "GET",
    path: str = "/",
    *,
    headers: Fields = (),
    client: str | None = CLIENT,
    scope: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the scope of a request; ``scope`` replaces entries, and drops those that are `...`."""
    made: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": None if client is None else (client, 50000),
        "server": ("127.0.0.1", 80),
        "extensions": {},
        **(scope or {}),
    }
    return {key: value for key, value in made.items() if value is not ...}


async def ask_asgi(
    app: AsgiApp, scope: Scope, events: Iterable[AsgiMessage], answer: Answer
) -> None:
    """Run one exchange; after ``events`` the client stays until it has its whole answer."""
    coming = iter(events)
    done = asyncio.Event()
    head: AsgiMessage = {}

    async def receive() -> AsgiMessage:
        for event in coming:
            return event
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: AsgiMessage) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            assert not head, "the head was sent twice"
            head.update(message)
        elif kind == "http.response.body":
            assert head, "a body came before its head"
            assert not done.is_set(), "a body came after its end"
            if answer.status is None:
                answer.status = head["status"]
                answer.headers = [
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in head.get("headers", ())
                ]
            answer.chunks.append(bytes(message.get("body", b"")))
            if not message.get("more_body", False):
                done.set()

    await app(scope, receive, send)


def drive_asgi(
    app: Any,  # Any: the frameworks' own classes of apps
    method: str = "GET",
    path: str = "/",
    *,
    headers: Fields = (),
    body: bytes | Sequence[bytes] = b"",
    client: str | None = CLIENT,
    scope: Mapping[str, Any] | None = None,
    events: Iterable[AsgiMessage] | None = None,
) -> Answer:
    """Send one request to an ASGI app.

    Args:
        app: the app.
        method: of the request.
        path: of the request.
        headers: its header fields.
        body: its body, in one event or in several.
        client: the peer's address.
        scope: entries of the scope to set; those that are `...` are left out.
        events: what the app receives, in place of the body.
    """
    answer = Answer()
    made = make_scope(method, path, headers=headers, client=client, scope=scope)
    if events is None:
        chunks = [body] if isinstance(body, bytes) else list(body) or [b""]
        last = len(chunks) - 1
        events = [
            {"type": "http.request", "body": chunk, "more_body": index < last}
            for index, chunk in enumerate(chunks)
        ]
    try:
        asyncio.run(ask_asgi(check_asgi(app), made, events, answer))
    except BaseException as error:  # for the test to look at
        answer.error = error
    return answer


def make_environ(
    method: str = "GET",
    path: str = "/",
    *,
    headers: Fields = (),
    body: bytes = b"",
    client: str | None = CLIENT,
    environ: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the environ of a request; ``environ`` replaces entries, and drops those of `...`."""
    made: dict[str, Any] = {}
    setup_testing_defaults(made)
    made |= {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode("utf-8", "replace").decode("latin-1"),
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
    }
    if client is not None:
        made["REMOTE_ADDR"] = client
    if body:
        made["CONTENT_LENGTH"] = str(len(body))
    if any(name.lower() == "host" for name, _ in headers):
        del made["HTTP_HOST"]
    for name, value in headers:
        key = name.upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        made[key] = f"{made[key]}, {value}" if key in made else value
    made |= environ or {}
    return {key: value for key, value in made.items() if value is not ...}


def ask_wsgi(app: WSGIApplication, environ: dict[str, Any], answer: Answer) -> None:
    """Run one exchange, as a server that sends the head with the first bytes of the body."""
    head: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        assert exc_info or not head, "the head was given twice"
        if exc_info and answer.status is not None:
            raise exc_info[1].with_traceback(exc_info[2])
        assert type(headers) is list
        assert status[3:4] == " "
        head[:] = [int(status[:3]), headers]
        return write

    def commit() -> None:
        if answer.status is None:
            assert head, "a body came before its head"
            answer.status, answer.headers = head[0], list(head[1])

    def write(chunk: bytes) -> None:
        assert type(chunk) is bytes
        if chunk:
            commit()
        answer.chunks.append(chunk)

    result = app(environ, start_response)
    try:
        for chunk in result:
            write(chunk)
        commit()
    finally:
        if hasattr(result, "close"):
            result.close()


def drive_wsgi(
    app: Any,  # Any: the frameworks' own classes of apps
    method: str = "GET",
    path: str = "/",
    *,
    headers: Fields = (),
    body: bytes = b"",
    client: str | None = CLIENT,
    environ: Mapping[str, Any] | None = None,
) -> Answer:
    """Send one request to a WSGI app.

    Args:
        app: the app.
        method: of the request.
        path: of the request.
        headers: its header fields.
        body: its body.
        client: the peer's address.
        environ: entries of the environ to set; those that are `...` are left out.
    """
    answer = Answer()
    made = make_environ(method, path, headers=headers, body=body, client=client, environ=environ)
    try:
        ask_wsgi(check_wsgi(app), made, answer)
    except BaseException as error:  # for the test to look at
        answer.error = error
    return answer


class AsgiAdapter:
    """The ASGI side of a test that runs on both."""

    name = "asgi"
    module = mantlet.asgi

    def app(self, handler: Handler) -> AsgiApp:
        """Return an app of what ``handler`` answers or raises."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            status, fields, body = handler(scope)
            raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
            await send({"type": "http.response.start", "status": status, "headers": raw})
            await send({"type": "http.response.body", "body": body})

        return app

    def stream(self, chunks: Sequence[bytes], *policies: Policy) -> AsgiApp:
        """Return a stack around an app that streams."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        return mantlet.asgi.wrap(check_asgi(app), *policies, baseline=not policies)

    def wrap(self, handler: Handler, *policies: Policy) -> AsgiApp:
        """Return a stack around an app of ``handler``."""
        return mantlet.asgi.wrap(check_asgi(self.app(handler)), *policies, baseline=not policies)

    def drive(self, app: Any, method: str = "GET", path: str = "/", **kwargs: Any) -> Answer:
        """Send one request."""
        return drive_asgi(app, method, path, **kwargs)

    def drive_twice(self, app: Any) -> tuple[Answer, Answer]:
        """Send one request, whose scope an app outside hands in a second time."""
        first = Answer()

        async def again(scope: Scope, receive: Receive, send: Send) -> None:
            await ask_asgi(app, scope, [], first)
            await app(scope, receive, send)

        return first, drive_asgi(again)


class WsgiAdapter:
    """The WSGI side of a test that runs on both."""

    name = "wsgi"
    module = mantlet.wsgi

    def app(self, handler: Handler) -> WSGIApplication:
        """Return an app of what ``handler`` answers or raises."""

        def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            status, fields, body = handler(environ)
            start_response(f"{status} Status", list(fields))
            return [body]

        return app

    def stream(self, chunks: Sequence[bytes], *policies: Policy) -> WSGIApplication:
        """Return a stack around an app that streams."""

        def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", [])
            return iter(chunks)

        return mantlet.wsgi.wrap(check_wsgi(app), *policies, baseline=not policies)

    def wrap(self, handler: Handler, *policies: Policy) -> WSGIApplication:
        """Return a stack around an app of ``handler``."""
        return mantlet.wsgi.wrap(check_wsgi(self.app(handler)), *policies, baseline=not policies)

    def drive(self, app: Any, method: str = "GET", path: str = "/", **kwargs: Any) -> Answer:
        """Send one request."""
        return drive_wsgi(app, method, path, **kwargs)

    def drive_twice(self, app: Any) -> tuple[Answer, Answer]:
        """Send one request, whose environ an app outside hands in a second time."""
        first = Answer()

        def again(environ: dict[str, Any], start_response: Any) -> Any:
            ask_wsgi(app, environ, first)
            return app(environ, start_response)

        return first, drive_wsgi(again)


Adapter = AsgiAdapter | WsgiAdapter
ADAPTERS: tuple[Adapter, ...] = (AsgiAdapter(), WsgiAdapter())

both_adapters = pytest.mark.parametrize(
    "adapter", ADAPTERS, ids=[adapter.name for adapter in ADAPTERS]
)


def hello(carrier: MutableMapping[str, Any]) -> Said:
    """Answer every request with 200."""
    return 200, [("content-type", "text/plain")], b"hello"

"""Serve a hostile input in process, under either protocol."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from io import BytesIO
from typing import Any, Final

import mantlet
from benchmarks.hostile.kinds import Fields, Hostile
from mantlet.http.headers import environ_key

__all__ = ["PROTOCOLS", "prepare"]

Serve = Callable[[int], None]


def _chunks(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)] or [b""]


# -- ASGI -----------------------------------------------------------------------------------------


def _asgi_app(one: Hostile) -> Any:
    status, fields, body = one.response
    raw = _native(fields)
    chunks = _chunks(body, one.chunk)
    last = len(chunks) - 1

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(raw)})
        for index, chunk in enumerate(chunks):
            await send({"type": "http.response.body", "body": chunk, "more_body": index < last})

    return app


def _native(fields: Fields) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in fields]


def _asgi(one: Hostile) -> Serve:
    app = mantlet.asgi.wrap(_asgi_app(one), *one.stack(), baseline=False)
    headers = _native((("host", "localhost"), *one.headers))
    chunks = _chunks(one.body, one.chunk)
    last = len(chunks) - 1

    def scope() -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": one.method,
            "scheme": "http",
            "path": one.path,
            "raw_path": one.path.encode(),
            "query_string": one.query,
            "root_path": "",
            "headers": list(headers),
            "client": ("192.0.2.1", 50000),
            "server": ("127.0.0.1", 80),
        }

    async def send(_message: Any) -> None:
        pass

    def receive() -> Callable[[], Awaitable[dict[str, Any]]]:
        left = iter(enumerate(chunks))

        async def next_message() -> dict[str, Any]:
            for index, chunk in left:
                return {"type": "http.request", "body": chunk, "more_body": index < last}
            return {"type": "http.disconnect"}

        return next_message

    async def serve(count: int) -> None:
        for _ in range(count):
            await app(scope(), receive(), send)

    return lambda count: asyncio.run(serve(count))


def _websocket(one: Hostile) -> Serve:
    async def echo(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            pass

    app = mantlet.asgi.wrap(echo, *one.stack(), baseline=False)

    async def serve(count: int) -> None:
        for _ in range(count):
            received = [{"type": "websocket.connect"}]
            received += [{"type": "websocket.receive", "text": text} for text in one.messages]
            left: Iterator[dict[str, Any]] = iter(received)

            async def receive() -> dict[str, Any]:
                return next(left, {"type": "websocket.disconnect", "code": 1000})  # noqa: B023  # called in this round alone

            async def send(_message: Any) -> None:
                pass

            scope = {"type": "websocket", "asgi": {"version": "3.0"}, "path": one.path,
                     "query_string": b"", "headers": [], "client": ("192.0.2.1",
                         50000)}  # fmt: skip
            await app(scope, receive, send)

    return lambda count: asyncio.run(serve(count))


# -- WSGI -----------------------------------------------------------------------------------------


def _wsgi_app(one: Hostile) -> Any:
    status, fields, body = one.response
    chunks = _chunks(body, one.chunk)

    def app(_environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(f"{status} Status", list(fields))
        return iter(chunks)

    return app


def _wsgi(one: Hostile) -> Serve:
    app = mantlet.wsgi.wrap(_wsgi_app(one), *one.stack(), baseline=False)
    lines: dict[str, list[str]] = {}
    for name, value in (("host", "localhost"), *one.headers):
        lines.setdefault(environ_key(name), []).append(value)
    headers = {key: ("; " if key == "HTTP_COOKIE" else ",").join(lines[key]) for key in lines}

    def environ() -> dict[str, Any]:
        return {
            "REQUEST_METHOD": one.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": one.path.encode().decode("latin-1"),
            "QUERY_STRING": one.query.decode("latin-1"),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(one.body),
            "wsgi.errors": None,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **headers,
        }

    def serve(count: int) -> None:
        for _ in range(count):
            result = app(environ(), lambda _status, _headers, _exc_info=None: len)
            for _chunk in result:
                pass
            getattr(result, "close", lambda: None)()

    return serve


PROTOCOLS: Final[dict[str, Callable[[Hostile], Serve]]] = {"ASGI": _asgi, "WSGI": _wsgi}


def prepare(one: Hostile) -> dict[str, Serve]:
    """Return functions that serve an input so many times, by the names of the protocols."""
    if one.messages:
        return {"WebSocket": _websocket(one)}
    return {name: make(one) for name, make in PROTOCOLS.items()}

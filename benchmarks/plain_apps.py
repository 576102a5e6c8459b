"""Plain callables that do next to nothing: they show undisturbed what a wrapper adds."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from benchmarks.traffic import KIB, Traffic


def asgi_app(traffic: Traffic, response: bytes = b"") -> Callable[..., Awaitable[None]]:
    """Return an app that answers a body with one of its size, or each chunk with that chunk.

    Args:
        traffic: the requests that it gets.
        response: the body of all responses, if not the request's.
    """
    streams, body = len(traffic.chunks) > 1, response or traffic.body
    head = [(b"content-type", b"application/json")]
    sized = [*head, (b"content-length", str(len(body)).encode())]

    async def answer(_scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": sized.copy()})
        await send({"type": "http.response.body", "body": body})

    async def stream(_scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": head.copy()})
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"], "more_body": more})

    return stream if streams else answer


def wsgi_app(traffic: Traffic, response: bytes = b"") -> Callable[..., Iterable[bytes]]:
    """Return an app that answers a body with one of its size, or each chunk with that chunk.

    Args:
        traffic: the requests that it gets.
        response: the body of all responses, if not the request's.
    """
    streams, body = len(traffic.chunks) > 1, response or traffic.body
    head = [("Content-Type", "application/json")]
    sized = [*head, ("Content-Length", str(len(body)))]

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        start_response("200 OK", sized.copy())
        return [body]

    def stream(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", head.copy())
        read = environ["wsgi.input"].read
        while chunk := read(KIB):
            yield chunk

    return stream if streams else answer


async def failing_asgi_app(_scope: Any, _receive: Any, _send: Any) -> None:
    """Raise an exception."""
    raise RuntimeError("db-7.internal did not answer")


def failing_wsgi_app(_environ: Any, _start_response: Any) -> Iterable[bytes]:
    """Raise an exception."""
    raise RuntimeError("db-7.internal did not answer")

"""Apps and servers that go on in an unusual way after what looked like the usual response."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

import pytest

from mantlet import Policy, Reply, Request, Response
from mantlet.wsgi import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Headers = list[tuple[str, str]]

FIVE: Headers = [("Content-Type", "text/plain"), ("Content-Length", "5")]


class Notes(Policy):
    """Notes its hooks."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.calls: list[str] = []

    def on_request(self, request: Request) -> Reply | None:
        return Reply(403) if self.refuses else None

    def on_response(self, request: Request, response: Response) -> None:
        self.calls.append(f"response {response.status}")

    def on_error(self, request: Request, error: BaseException) -> None:
        self.calls.append("error")

    def on_finish(self, request: Request) -> None:
        self.calls.append("finish")


class Body:
    """An iterable that notes whether it is closed."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.chunks)

    def close(self) -> None:
        self.closed += 1


class Server:
    """Notes what it gets."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.heads: list[tuple[str, Headers]] = []
        self.body: list[bytes] = []

    def start_response(self, status: str, headers: Headers, exc_info: Any = None) -> Any:
        self.heads.append((status, headers))
        if self.error is not None:
            raise self.error
        return self.body.append

    def serve(self, app: Any) -> None:
        """Serve one request."""
        environ: dict[str, Any] = {}
        setup_testing_defaults(environ)
        answer = app(environ, self.start_response)
        try:
            for chunk in answer:
                self.body.append(chunk)
        finally:
            if hasattr(answer, "close"):
                answer.close()


def app_of(make: Callable[[Any, Any], Any], headers: Any = None) -> Any:
    """Return an app that responds with what ``make(start_response, write)`` returns."""

    def app(_: Any, start_response: Any) -> Any:
        write = start_response("200 OK", FIVE if headers is None else headers())
        return make(start_response, write)

    return app


class Teapot(Policy):
    """Gives a response of its own."""

    def on_response(self, request: Request, response: Response) -> Reply:
        return Reply(418)


@pytest.mark.parametrize("refuses", [False, True])
@pytest.mark.parametrize("inner", [(), (Teapot(),)], ids=["the app's", "a policy's"])
@pytest.mark.parametrize("style", ["list", "iterable"])
def test_the_exchange_ends_if_the_server_refuses_the_head(
    style: str, inner: tuple[Policy, ...], refuses: bool
) -> None:
    """As servers do for a header with a line break: a place among the requests gets free again."""
    body = Body(b"hello")
    notes = Notes(refuses=refuses)
    answer = [b"hello"] if style == "list" else body
    app = Stack(app_of(lambda *_: answer), [notes, *inner])
    with pytest.raises(ValueError, match="line break"):
        Server(ValueError("line break")).serve(app)
    assert notes.calls.count("finish") == 1
    assert body.closed == (style == "iterable" and not refuses)


def test_a_replaced_head_counts_whatever_its_length() -> None:
    notes, server = Notes(), Server()

    def failing(start_response: Any, _: Any) -> Iterator[bytes]:
        try:
            raise ValueError("failed")
        except ValueError:
            start_response("500 Internal Server Error", FIVE, sys.exc_info())
        yield b"error"

    server.serve(Stack(app_of(failing), [notes]))
    assert server.heads == [("500 Internal Server Error", FIVE)]
    assert notes.calls == ["response 500", "finish"]


def test_a_head_cannot_be_replaced_after_the_whole_body() -> None:
    notes, server = Notes(), Server()

    def failing(start_response: Any, _: Any) -> Iterator[bytes]:
        yield b"hello"
        try:
            raise ValueError("failed")
        except ValueError:
            start_response("500 Internal Server Error", FIVE, sys.exc_info())

    with pytest.raises(ValueError, match="failed"):
        server.serve(Stack(app_of(failing), [notes]))
    assert (server.heads, server.body) == ([("200 OK", FIVE)], [b"hello"])
    assert notes.calls == ["response 200", "finish"]


def test_nothing_can_be_written_after_the_whole_body() -> None:
    notes, server = Notes(), Server()

    def writing(_: Any, write: Any) -> Iterator[bytes]:
        yield b"hello"
        write(b"more")

    with pytest.raises(RuntimeError, match="after its end"):
        server.serve(Stack(app_of(writing), [notes]))
    assert (server.heads, server.body) == ([("200 OK", FIVE)], [b"hello"])
    assert notes.calls == ["response 200", "finish"]


def test_an_app_is_stopped_that_sends_more_than_its_content_length() -> None:
    """PEP 3333, "Handling the Content-Length Header": policies have seen the whole body."""
    body, notes, server = Body(b"hello", b"", b"more", b"even more"), Notes(), Server()
    server.serve(Stack(app_of(lambda *_: body), [notes]))
    assert (server.body, body.closed) == ([b"hello", b""], 1)
    assert notes.calls == ["response 200", "finish"]


def test_a_body_may_be_written_before_a_chunk_of_its_length() -> None:
    notes, server = Notes(), Server()

    def writing(_: Any, write: Any) -> Iterator[bytes]:
        write(b"hello")
        yield b"world"

    server.serve(Stack(app_of(writing), [notes]))
    assert (server.heads, server.body) == ([("200 OK", FIVE)], [b"hello", b"world"])
    assert notes.calls == ["response 200", "finish"]


@pytest.mark.parametrize("headers", [lambda: iter(FIVE), lambda: tuple(FIVE)])
def test_headers_may_be_any_iterable(headers: Callable[[], Any]) -> None:
    server = Server()
    app = app_of(lambda *_: Body(b"hello"), headers)
    server.serve(Stack(app, [Notes()]))
    assert (server.heads, server.body) == ([("200 OK", FIVE)], [b"hello"])


def test_malformed_headers_are_the_servers_matter() -> None:
    server, body, notes = Server(), Body(b"hello"), Notes()
    malformed: Any = [("Content-Length",)]
    app = app_of(lambda *_: body, lambda: malformed)
    server.serve(Stack(app, [notes]))
    assert (server.heads, server.body, body.closed) == ([("200 OK", malformed)], [b"hello"], 1)
    assert notes.calls == ["response 200", "finish"]


def test_an_empty_chunk_does_not_send_the_head() -> None:
    """Nor where the body is to be empty (PEP 3333, "The start_response() Callable")."""
    server = Server()

    def failing(start_response: Any, _: Any) -> Iterator[bytes]:
        yield b""
        try:
            raise ValueError("failed")
        except ValueError:
            start_response("500 Internal Server Error", FIVE, sys.exc_info())
        yield b"error"

    app = app_of(failing, lambda: [("Content-Length", "0")])
    server.serve(Stack(app, [Notes()]))
    assert (server.heads, b"".join(server.body)) == (
        [("500 Internal Server Error", FIVE)],
        b"error",
    )


def test_a_first_chunk_that_is_none_is_the_apps_error() -> None:
    """It is not the end of the body."""
    server, notes, none = Server(), Notes(), Body(None)  # type: ignore[arg-type]  # the error
    with pytest.raises(TypeError):
        server.serve(Stack(app_of(lambda *_: none), [notes]))
    assert (server.heads, none.closed, notes.calls) == ([], 1, ["finish"])


class Watches(Policy):
    """Has no hook for the end of an exchange."""

    def on_error(self, request: Request, error: BaseException) -> None:
        """Leave it to the outer policies."""


def test_a_list_leaves_no_cycle_whether_closed_or_not() -> None:
    """A server has no need to close a list, and granian closes none."""

    def missing(_: Any, start_response: Any) -> list[bytes]:
        start_response("404 Not Found", FIVE)
        return [b"hello"]

    for policy in (Watches(), Notes()):
        app = Stack(missing, [policy])
        for _ in range(2):  # the first request has more to set up
            environ: dict[str, Any] = {}
            setup_testing_defaults(environ)
            gc.collect()
            gc.disable()
            try:
                assert list(app(environ, Server().start_response)) == [b"hello"]
                environ.clear()
                found = gc.collect()
            finally:
                gc.enable()
        assert found == 0

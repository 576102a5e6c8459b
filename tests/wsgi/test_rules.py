"""The WSGI adapter between two checkers of PEP 3333: a server to the app, an app to the server."""

from __future__ import annotations

import gc
import io
import weakref
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest
from werkzeug.middleware.lint import LintMiddleware
from werkzeug.test import EnvironBuilder, run_wsgi_app

import mantlet
from mantlet import (
    ErrorEnvelope,
    Policy,
    RateLimiter,
    Reply,
    Request,
    Response,
)
from tests.conformance.exchanges import Script, wsgi_app
from tests.drive import drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


class Reads(Policy):
    """Reads both bodies."""

    async def on_request(self, request: Request) -> None:
        await request.body(1000)

    async def on_response(self, request: Request, response: Response) -> None:
        await response.body(100_000)


class Shouts(Policy):
    def on_response(self, request: Request, response: Response) -> None:
        response.transform(lambda chunk, _: chunk.upper())


class Ends(Policy):
    """Counts how exchanges end."""

    def __init__(self) -> None:
        self.ends = 0
        self.errors: list[BaseException] = []

    def on_error(self, request: Request, error: BaseException) -> None:
        self.errors.append(error)

    def on_finish(self, request: Request) -> None:
        self.ends += 1


class Refuses(Policy):
    def on_request(self, request: Request) -> Reply:
        return Reply(403, body="no")


STACKS: dict[str, Callable[[], list[Policy]]] = {
    "none": list,
    "envelope and limiter": lambda: [ErrorEnvelope(), RateLimiter("100/minute")],
    "reads bodies": lambda: [Reads()],
    "transforms": lambda: [Shouts(), Ends()],
    "refuses": lambda: [Ends(), Refuses()],
}
SCRIPTS = {
    "one chunk": Script(declares_length=True),
    "generator": Script(chunks=(b"a", b"b")),
    "list": Script(chunks=(b"a",), wsgi_style="list"),
    "two in a list": Script(chunks=(b"a", b"b"), wsgi_style="list"),
    "late start": Script(chunks=(b"a", b"b"), wsgi_style="late"),
    "write": Script(chunks=(b"a", b"b"), wsgi_style="write"),
    "empty": Script(chunks=()),
    "empty first": Script(chunks=(b"", b"a")),
    "not found": Script(status=404),
}


@pytest.mark.parametrize("policies", STACKS.values(), ids=STACKS.keys())
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
@pytest.mark.parametrize("checker", [LintMiddleware, validator], ids=["werkzeug", "wsgiref"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_rule_is_broken_on_either_side(
    policies: Callable[[], list[Policy]],
    script: Script,
    checker: Callable[[Any], Any],
    method: str,
) -> None:
    """A checker around the stack and one around the app inside it both have nothing to say."""
    app = checker(mantlet.wsgi.Stack(checker(wsgi_app(script)), policies()))
    environ = EnvironBuilder("/items", method=method, data=b"x" if method == "POST" else None)
    body, _, _ = run_wsgi_app(app, environ.get_environ())
    list(body)
    if hasattr(body, "close"):
        body.close()


def _nowhere(chunk: bytes) -> None: ...


def call(app: Any, **extra: Any) -> tuple[list[Any], Iterable[bytes]]:
    """Call a WSGI app; return what it gave to ``start_response`` and its iterable."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= extra
    heads: list[Any] = []

    def start_response(*head: Any) -> Callable[[bytes], None]:
        heads.append(head)
        return _nowhere

    return heads, app(environ, start_response)


def test_a_file_goes_to_the_servers_own_wrapper_untouched() -> None:
    """The server gets what its wrapper made, so that it can send the file in its own way."""
    file = io.BytesIO(b"content")
    ends = Ends()

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return environ["wsgi.file_wrapper"](file)

    stack = mantlet.wsgi.Stack(app, [ends, ErrorEnvelope()])
    heads, body = call(stack, **{"wsgi.file_wrapper": FileWrapper})
    assert type(body) is FileWrapper
    assert heads[0][0] == "200 OK"
    assert body.filelike.read() == b"content"
    assert ends.ends == 0
    body.close()
    assert ends.ends == 1
    assert file.closed


def test_a_file_that_was_sent_is_free_at_once() -> None:
    """It does not wait for the garbage collector."""
    files: list[Any] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        file = io.BytesIO(b"content")
        files.append(weakref.ref(file))
        return environ["wsgi.file_wrapper"](file)

    gc.disable()
    try:
        _, body = call(mantlet.wsgi.Stack(app, [Ends()]), **{"wsgi.file_wrapper": FileWrapper})
        body.close()  # type: ignore[attr-defined]  # as servers look for it
        del body
        assert files[0]() is None
    finally:
        gc.enable()


def test_the_servers_wrapper_is_back_in_the_environ_when_the_server_looks() -> None:
    """Gunicorn asks whether the iterable is an instance of it."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ["wsgi.file_wrapper"] = FileWrapper
    mantlet.wsgi.Stack(wsgi_app(Script()), [Ends()])(environ, lambda *_: _nowhere)
    assert environ["wsgi.file_wrapper"] is FileWrapper


def test_a_file_that_is_filtered_is_sent_as_bytes() -> None:
    """A policy that filters the body sees the file's bytes."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "7")])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"content"))

    ends = Ends()
    stack = mantlet.wsgi.Stack(app, [ends, Shouts()])
    _, body = call(stack, **{"wsgi.file_wrapper": FileWrapper})
    assert b"".join(body) == b"CONTENT"
    assert ends.ends == 0
    body.close()  # type: ignore[attr-defined]
    assert ends.ends == 1


def test_the_apps_iterable_is_closed_once() -> None:
    """Whatever becomes of the answer."""
    closed: list[str] = []

    class Chunks:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"a", b"b"])

        def close(self) -> None:
            closed.append("app")

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return Chunks()

    class Replaces(Policy):
        def on_response(self, request: Request, response: Response) -> Reply:
            return Reply(500)

    for policies in ([Ends()], [Replaces()], [Shouts()]):
        closed.clear()
        _, body = call(mantlet.wsgi.Stack(app, policies))
        list(body)
        body.close()  # type: ignore[attr-defined]
        assert closed == ["app"]


def test_a_client_that_goes_while_the_body_streams_ends_the_exchange_once() -> None:
    """The head had gone, so it is no error."""
    ends = Ends()
    _, body = call(mantlet.wsgi.Stack(wsgi_app(Script(chunks=(b"a", b"b"))), [ends]))
    assert next(iter(body)) == b"a"
    body.close()  # type: ignore[attr-defined]
    assert (ends.ends, ends.errors) == (1, [])


def test_a_head_can_be_taken_back_until_its_first_byte() -> None:
    """PEP 3333: start_response may be called again with exc_info."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("X-First", "1")])
        try:
            raise ValueError("late")
        except ValueError as error:
            info = (type(error), error, error.__traceback__)
            start_response("500 Broken", [("X-Second", "2")], info)
        yield b"sorry"

    heads, body = call(mantlet.wsgi.Stack(app, [Ends()]))
    assert list(body) == [b"sorry"]
    assert [head[:2] for head in heads] == [("500 Broken", [("X-Second", "2")])]


def test_a_head_that_has_gone_can_not_be_taken_back() -> None:
    """PEP 3333: then start_response raises what it is given."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"begun"
        try:
            raise ValueError("late")
        except ValueError as error:
            start_response("500 Broken", [], (type(error), error, error.__traceback__))

    _, body = call(mantlet.wsgi.Stack(app, [Ends()]))
    chunks = iter(body)
    assert next(chunks) == b"begun"
    with pytest.raises(ValueError, match="late"):
        next(chunks)
    with pytest.raises(StopIteration):
        next(chunks)


def test_a_second_head_without_a_reason_is_an_error_of_the_apps() -> None:
    """PEP 3333: it is an error to call start_response twice without exc_info."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        start_response("200 OK", [])
        return [b""]

    with pytest.raises(RuntimeError, match="second time"):
        call(mantlet.wsgi.Stack(app, [Ends()]))


def test_the_apps_own_reason_phrase_stays() -> None:
    """A status that no policy changed goes out as the app wrote it."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 Fine by me", [])
        return [b"x"]

    heads, body = call(mantlet.wsgi.Stack(app, [Ends()]))
    list(body)
    assert heads[0][0] == "200 Fine by me"


def test_a_client_that_goes_before_the_end_is_no_error_of_the_apps() -> None:
    """The server closes the iterable between two chunks; the app's own is closed, once."""
    closed: list[str] = []

    class Chunks:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"a", b"b", b"c"])

        def close(self) -> None:
            closed.append("app")

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Chunks()

    ends = Ends()
    _, body = call(mantlet.wsgi.Stack(app, [ErrorEnvelope(), ends]))
    chunks: Any = iter(body)
    assert [next(chunks), next(chunks)] == [b"a", b"b"]
    body.close()  # type: ignore[attr-defined]  # as servers look for it
    chunks.close()
    assert (closed, ends.ends, ends.errors) == (["app"], 1, [])


@pytest.mark.parametrize("policy", [Shouts(), Ends()], ids=["filters", "ends"])
def test_the_number_of_chunks_is_not_told_of_a_stream(policy: Policy) -> None:
    """Servers such as waitress call `len()` on what has `__len__()`, and fail if it raises."""
    app = wsgi_app(Script(chunks=(b"a",)))
    _, body = call(mantlet.wsgi.Stack(app, [Ends(), policy]))
    assert not hasattr(body, "__len__")


@pytest.mark.parametrize(
    ("policy", "whole"),
    [(Shouts(), b"A"), (Refuses(), b"no"), (Ends(), b"a")],
    ids=["filters", "refuses", "ends"],
)
def test_a_whole_body_has_a_number_of_chunks(policy: Policy, whole: bytes) -> None:
    """A server takes the length of a single chunk for the Content-Length that the app left out.

    But no list is returned, which granian would not close.
    """
    ends = Ends()
    app = wsgi_app(Script(chunks=(b"a",), wsgi_style="list"))
    _, body = call(mantlet.wsgi.Stack(app, [ends, policy]))
    assert list(body) == [whole]
    assert len(body) == 1  # type: ignore[arg-type]  # a whole body
    assert not isinstance(body, list)
    assert ends.ends == 0
    body.close()  # type: ignore[attr-defined]  # as servers do
    assert ends.ends == 1


@pytest.mark.parametrize("said", [[], [b""], [b"x"]], ids=repr)
def test_an_app_without_an_answer_is_an_error(said: list[bytes]) -> None:
    """An iterable without a head is no answer."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return said

    stack = mantlet.wsgi.Stack(app, [ErrorEnvelope()])
    heads, body = call(stack)
    assert b"".join(body).startswith(b'{"type": "about:blank"')
    body.close()  # type: ignore[attr-defined]
    assert heads[0][0] == "500 Internal Server Error"


def test_startup_runs_once_before_the_first_request() -> None:
    """Under WSGI there is no lifespan to run it in."""
    notes: list[str] = []

    class Started(Policy):
        async def startup(self) -> None:
            notes.append("up")

        def on_request(self, request: Request) -> None:
            notes.append("request")

    stack = mantlet.wsgi.Stack(wsgi_app(Script()), [Started()])
    for _ in range(2):
        list(call(stack)[1])
    assert notes == ["up", "request", "request"]


def test_a_request_body_is_replayed_to_the_app(tmp_path: Path) -> None:
    """The app reads the same bytes, by whichever method."""
    seen: list[bytes] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        stream = environ["wsgi.input"]
        seen.extend([stream.readline(), stream.read(3), *stream])
        start_response("200 OK", [])
        return [b"x"]

    data = b"first\nsecond\nthird\nfourth"
    extra = {"wsgi.input": io.BytesIO(data + b"next request"), "CONTENT_LENGTH": str(len(data))}
    list(call(mantlet.wsgi.Stack(app, [Reads()]), **extra)[1])
    assert seen == [b"first\n", b"sec", b"ond\n", b"third\n", b"fourth"]


def test_an_answer_to_an_app_that_raises_is_no_call_of_write() -> None:
    """Uvicorn's server has none that works, for all that PEP 3333 says."""
    heads: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        heads.append(status)

    def failing(environ: Any, start_response: Any) -> Any:
        raise ValueError

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    stack: Any = mantlet.wsgi.Stack(failing, [ErrorEnvelope()])
    result = stack(environ, start_response)
    assert heads == ["500 Internal Server Error"]
    assert b'"status": 500' in b"".join(result)
    result.close()


@pytest.mark.breaks_rules("the app returns nothing, or a status line without a status")
@pytest.mark.parametrize("status", ["200 OK", "OK"])
def test_an_app_without_an_iterable_or_a_status_is_answered(status: str) -> None:
    def app(_environ: Any, start_response: Any) -> Any:
        start_response(status, [("Content-Type", "text/plain")])

    answer = drive_wsgi(mantlet.wsgi.wrap(app))
    assert (answer.status, answer.error) == (500, None)
    assert answer.get("content-type") == "application/problem+json"

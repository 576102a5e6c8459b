"""An error answered: how long an exception takes to become an answer.

The bare apps raise, and the exceptions are caught outside, as by a server, which would log them.
All contenders are called through the same plain function that catches it.

Of one kind of error Mantlet logs a few records in a minute and counts the rest. So it is timed
without a record, with those of a storm, and with one each, as if a minute lay between two errors.
A record goes through a handler that formats it, traceback and all, and writes it nowhere.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOBase
from itertools import count
from typing import Any

import starlette_problem.handler
from starlette.requests import Request

import mantlet
from benchmarks import names
from benchmarks.apps import starlette_app
from benchmarks.method import Contender
from benchmarks.plain_apps import failing_asgi_app, failing_wsgi_app
from benchmarks.traffic import SMALL, AsgiServer, Serve, WsgiServer
from mantlet import ErrorEnvelope
from mantlet.errors.reporting import ErrorReporter

_LOG = logging.getLogger("mantlet.errors")
_SILENT = logging.CRITICAL + 1


class _Nowhere(TextIOBase):
    """A stream that counts the characters written to it."""

    written = 0

    def write(self, text: str) -> int:
        self.written += 1
        return len(text)


# -- the apps and their error handlers ------------------------------------------------------------


async def _endpoint(_request: Request) -> None:
    raise RuntimeError("db-7.internal did not answer")


def _caught_asgi(app: Any) -> Any:
    async def outside(scope: Any, receive: Any, send: Any) -> None:
        try:  # noqa: SIM105  # suppress() would add to the measured time
            await app(scope, receive, send)
        except RuntimeError:
            pass

    return outside


def _caught_wsgi(app: Any) -> Any:
    def outside(environ: Any, start_response: Any) -> Any:
        try:
            return app(environ, start_response)
        except RuntimeError:
            return []

    return outside


# -- with and without a record --------------------------------------------------------------------


@contextmanager
def _logging(level: int, stream: _Nowhere) -> Iterator[None]:
    """Let records of Mantlet's errors be written to a stream, from a level on."""
    manager, handler = logging.root.manager, logging.StreamHandler(stream)
    was = manager.disable, _LOG.level, _LOG.propagate
    handler.terminator = ""  # one write a record
    _LOG.addHandler(handler)
    logging.disable(logging.NOTSET)
    _LOG.setLevel(level)
    _LOG.propagate = False
    try:
        yield
    finally:
        disabled, own, _LOG.propagate = was
        logging.disable(disabled)
        _LOG.setLevel(own)
        _LOG.removeHandler(handler)


def _logged(serve: Serve, level: int) -> Serve:
    """Return a function that serves while records are written."""

    async def logged(count: int) -> None:
        with _logging(level, _Nowhere()):
            await serve(count)

    return logged


def _rarely() -> ErrorEnvelope:
    """Return an envelope for which two minutes lie between two errors."""
    envelope = ErrorEnvelope()
    envelope.reporter = ErrorReporter(count(step=120.0).__next__)
    return envelope


async def _records(server: AsgiServer | WsgiServer, level: int, errors: int) -> int:
    """Return how many records so many errors leave, each having been seen to be a 500 problem."""
    stream = _Nowhere()
    with _logging(level, stream):
        for _ in range(errors):
            await _check(server)
    return stream.written


async def _check(server: AsgiServer | WsgiServer) -> None:
    status, body = await server.answer()
    problem = json.loads(body)
    assert (status, problem["status"]) == (500, 500), problem
    assert {"type", "title"} <= problem.keys(), problem


async def _mantlet(server: type[AsgiServer] | type[WsgiServer], app: Any) -> list[Contender]:
    """Return Mantlet's contenders around an app, each checked to respond and to log as named."""
    caught = _caught_asgi if server is AsgiServer else _caught_wsgi
    timed = []
    for name, envelope, level, records in (
        (names.SILENT, ErrorEnvelope(), _SILENT, 0),
        (names.STORM, ErrorEnvelope(), logging.NOTSET, 10),
        (names.RECORD, _rarely(), logging.NOTSET, 20),
    ):
        answering = server(caught(mantlet.wrap(app, envelope, baseline=False)), SMALL)
        written = await _records(answering, level, 20)
        assert written == records, f"{name} writes {written} records"
        timed.append(Contender(name, _logged(answering.serve, level)))
    return timed


# -- the groups -----------------------------------------------------------------------------------


async def contenders(title: str) -> list[Contender]:
    """Return a group's contenders, the bare app first; all others answer a problem.

    Args:
        title: the group's: `names.FAILING`, `names.FAILING_ASGI` or `names.FAILING_WSGI`.
    """
    if title == names.FAILING:
        return await _around_starlette()
    if title == names.FAILING_ASGI:
        asgi = AsgiServer(_caught_asgi(failing_asgi_app), SMALL)
        return [Contender(names.BARE, asgi.serve), *await _mantlet(AsgiServer, failing_asgi_app)]
    wsgi = WsgiServer(_caught_wsgi(failing_wsgi_app), SMALL)
    return [Contender(names.BARE, wsgi.serve), *await _mantlet(WsgiServer, failing_wsgi_app)]


async def _around_starlette() -> list[Contender]:
    bare = AsgiServer(_caught_asgi(starlette_app(_endpoint)), SMALL)
    assert (await bare.answer())[0] == 500
    app = starlette_app(_endpoint)
    starlette_problem.handler.add_exception_handler(app)
    peer = AsgiServer(_caught_asgi(app), SMALL)
    await _check(peer)
    return [
        Contender(names.BARE, bare.serve),
        Contender(names.STARLETTE_PROBLEM, peer.serve),
        *await _mantlet(AsgiServer, starlette_app(_endpoint)),
    ]

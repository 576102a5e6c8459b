"""Answers made safe: the search for many byte strings, the whole policy, its head beside peers.

The policy searches for everything that it does by default, and for secrets in all their encodings;
the search alone for a number of patterns.
"""

import re
from collections.abc import Callable, Sequence
from random import Random
from time import process_time_ns
from typing import Any

import flask_talisman
import secure
from secure.middleware import SecureASGIMiddleware

import mantlet
from benchmarks import names
from benchmarks.apps import flask_app, starlette_app
from benchmarks.machine import most_memory
from benchmarks.method import Contender
from benchmarks.traffic import KIB, SMALL, AsgiServer, Traffic, WsgiServer, document
from mantlet import OutputSanitizer
from mantlet.redact.scanner import Scanner
from mantlet.redact.variants import SecretVariant

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_STREAMED_MIB = 100
_CHUNK = 64 * KIB


def _texts(count: int) -> list[str]:
    """Return made-up keys of 24 characters."""
    chance = Random(7)  # noqa: S311  # for patterns, not for secrets
    return ["".join(chance.choices(_LETTERS, k=24)) for _ in range(count)]


# -- the search alone -----------------------------------------------------------------------------


def _searching(search: Callable[[bytes], object], body: bytes) -> Callable[[int], Any]:
    async def serve(count: int) -> None:
        for _ in range(count):
            search(body)

    return serve


def _nothing(_body: bytes) -> None:
    """Search for nothing: the baseline is the call."""


def _scanner(patterns: Sequence[bytes]) -> Callable[[bytes], bool]:
    return Scanner((pattern, SecretVariant(pattern)) for pattern in patterns).is_clean


def _loops(patterns: Sequence[bytes]) -> Callable[[bytes], bool]:
    def search(body: bytes) -> bool:
        return any(pattern in body for pattern in patterns)

    return search


def searches() -> list[Contender]:
    """Return searches through 64 KiB of JSON, shown to find, and to find nothing."""
    body = document(64 * KIB)
    patterns = [text.encode() for text in _texts(6000)]
    alternation = re.compile(b"|".join(map(re.escape, patterns[:60])))
    timed: list[tuple[str, Callable[[bytes], object], bool]] = [
        (names.searched(count), _scanner(patterns[:count]), True) for count in (60, 240, 600, 6000)
    ]
    timed.append((names.ALTERNATION, alternation.search, False))
    timed.append((names.LOOPS, _loops(patterns[:60]), False))
    with_one = body + patterns[59]
    for name, search, clean in timed:
        assert bool(search(body)) is clean, name
        assert bool(search(with_one)) is not clean, name
    return [
        Contender(names.BARE, _searching(_nothing, body)),
        *(Contender(name, _searching(search, body)) for name, search, _ in timed),
    ]


# -- the whole policy -----------------------------------------------------------------------------


def sanitizer(secrets: int) -> OutputSanitizer:
    """Return a policy with its default search, and all else on if it has secrets."""
    mask = ["password", "ssn", "*_token"] if secrets else []
    return OutputSanitizer(headers="api", secrets=_texts(secrets), mask=mask)


def _answering(protocol: str, body: bytes) -> Any:
    head = [("content-type", "application/json"), ("content-length", str(len(body)))]
    raw = [(name.encode(), value.encode()) for name, value in head]

    async def asgi(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": raw.copy()})
        await send({"type": "http.response.body", "body": body})

    def wsgi(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", head.copy())
        return [body]

    return asgi if protocol == "ASGI" else wsgi


async def answers(protocol: str, size: int) -> list[Contender]:
    """Return the policy around an app that answers so many bytes, shown to leave them alone."""
    body = document(size)
    app, server = _answering(protocol, body), AsgiServer if protocol == "ASGI" else WsgiServer
    traffic = Traffic("small", SMALL.chunks)
    timed = [Contender(names.BARE, server(app, traffic).serve)]
    for secrets in names.SECRETS:
        answering = server(mantlet.wrap(app, sanitizer(secrets), baseline=False), traffic)
        assert await answering.answer() == (200, body)
        timed.append(Contender(names.sanitized(secrets), answering.serve))
    return timed


# -- the head beside peers ------------------------------------------------------------------------


def _head_alone() -> OutputSanitizer:
    return OutputSanitizer(headers="api", leaks=None, cookies=None, escape_json=False)


class _Headers:
    """A server's side that keeps the names of the fields that it is given."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.names: set[str] = set()

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        async def keeping(message: Any) -> None:
            for name, _ in message.get("headers", ()):
                self.names.add(name.decode().lower())
            await send(message)

        await self.app(scope, receive, keeping)

    def wsgi(self, environ: Any, start_response: Any) -> Any:
        def keeping(status: str, fields: Any, *exc_info: Any) -> Any:
            self.names |= {name.lower() for name, _ in fields}
            return start_response(status, fields, *exc_info)

        return self.app(environ, keeping)


async def heads(title: str) -> list[Contender]:
    """Return checked contenders that set security headers around a framework's app."""
    if title == names.HEADS_STARLETTE:
        app = starlette_app()
        peer = starlette_app()
        peer.add_middleware(
            SecureASGIMiddleware, secure=secure.Secure.from_preset(secure.Preset.BASIC)
        )
        apps = {
            names.BARE: app,
            names.SECURE: peer,
            names.HEAD: mantlet.wrap(app, _head_alone(), baseline=False),
        }
        server, face = AsgiServer, "asgi"
    else:
        flask, peer = flask_app(), flask_app()
        flask_talisman.Talisman(peer, force_https=False)
        apps = {
            names.BARE: flask,
            names.TALISMAN: peer,
            names.HEAD: mantlet.wrap(flask.wsgi_app, _head_alone(), baseline=False),
        }
        server, face = WsgiServer, "wsgi"
    for name, app in apps.items():
        kept = _Headers(app)
        status, _ = await server(getattr(kept, face), SMALL).answer()
        assert status == 200, name
        assert ("content-security-policy" in kept.names) is (name != names.BARE), name
    return [Contender(name, server(app, SMALL).serve) for name, app in apps.items()]


# -- a stream -------------------------------------------------------------------------------------


async def streams(rounds: int) -> list[dict[str, Any]]:
    """Measure the speed and the memory of streams of 100 MiB of JSON through the policy.

    Returns:
        For each number of secrets the bytes a second of each round, and by how many bytes the
        process grew from the first stream to the last.
    """
    found = []
    for secrets in names.SECRETS:
        app = mantlet.asgi.wrap(_streaming, sanitizer(secrets), baseline=False)
        server = AsgiServer(app, SMALL)
        await server.serve(1)
        before, rates = most_memory(), []
        for _ in range(rounds):
            start = process_time_ns()
            await server.serve(1)
            rates.append(_STREAMED_MIB * KIB * KIB * 1e9 / (process_time_ns() - start))
        found.append({"secrets": secrets, "rates": rates, "grown": most_memory() - before})
    return found


async def _streaming(_scope: Any, _receive: Any, send: Any) -> None:
    raw = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": raw})
    await send({"type": "http.response.body", "body": b"[", "more_body": True})
    for _ in range(_STREAMED_MIB * KIB * KIB // _CHUNK):
        await send({"type": "http.response.body", "body": _PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b"{}]"})


_PIECE = document(_CHUNK - 1) + b","

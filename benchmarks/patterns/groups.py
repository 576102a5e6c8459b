"""The groups: apps with these policies inside the baseline, each shown to do its work first."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import StaticPool

import mantlet
from benchmarks import names
from benchmarks.method import Contender
from benchmarks.plain_apps import asgi_app, wsgi_app
from benchmarks.traffic import SMALL, AsgiServer, WsgiServer
from mantlet.versions import header, media_type, path, query

# Any: an app of either protocol.
App = Any
Make = Callable[[], App]
Server = AsgiServer | WsgiServer

_VERSIONED = "/v2/orders"
_KEY = {"idempotency-key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"'}


async def contenders(title: str) -> list[Contender]:
    """Return the contenders of a group, the one that the others are compared with first."""
    for protocol in ("ASGI", "WSGI"):
        if title == names.PATTERNS[protocol]:
            return await _beside_the_baseline(protocol)
        if title == names.SESSIONS[protocol]:
            return await _with_a_session(protocol)
    raise ValueError(f"no group has the title {title!r}")


async def _beside_the_baseline(protocol: str) -> list[Contender]:
    versions, idempotency = _versions(), mantlet.Idempotency(store="memory://")
    cases: dict[str, tuple[list[mantlet.Policy], str, dict[str, str]]] = {
        names.BARE: ([], "/orders", {}),
        names.VERSIONS: ([versions], "/orders", {"api-version": "2"}),
        names.VERSIONS_PATH: ([_versions(forward=header("API-Version"))], _VERSIONED, {}),
        names.IDEMPOTENCY_UNUSED: ([idempotency], "/orders", {}),
        names.IDEMPOTENCY_REPLAY: ([idempotency], "/orders", _KEY),
        names.WORK_UNUSED: ([mantlet.UnitOfWork(_sessions())], "/orders", {}),
    }
    servers = {
        name: _server(protocol, _wrapped(protocol, _plain(protocol), *policies), place, fields)
        for name, (policies, place, fields) in cases.items()
    }
    expected = await servers[names.BARE].answer()
    for name, server in servers.items():
        for _ in range(2):
            status, fields, body = await server.exchange()
            assert (status, body) == expected, f"{name} answers {status}: {body[:200]!r}"
        assert ("api-version" in fields) is (name in (names.VERSIONS, names.VERSIONS_PATH))
        assert ("idempotency-replayed" in fields) is (name == names.IDEMPOTENCY_REPLAY)
    return [Contender(name, server.serve) for name, server in servers.items()]


def _versions(**options: Any) -> mantlet.Versions:
    return mantlet.Versions(
        {
            "1": mantlet.Version(deprecated="2026-01-01", sunset="2099-01-01"),
            "2": mantlet.Version(),
        },
        read=[path("/v{version}"), header("API-Version"), media_type("version"), query("version")],
        default="2",
        **options,
    )


async def _with_a_session(protocol: str) -> list[Contender]:
    sessions = _sessions()

    def alone(_raw: Any) -> None:
        with sessions() as session, session.begin():
            session.connection()

    def in_a_unit(raw: Any) -> None:
        with mantlet.uow(raw) as work:
            work.session.connection()

    apps = {
        names.SESSION: _wrapped(protocol, _calling(protocol, alone)),
        names.WORK: _wrapped(protocol, _calling(protocol, in_a_unit), mantlet.UnitOfWork(sessions)),
    }
    if protocol == "ASGI":
        apps = _with_an_async_session() | apps
    else:
        apps = {names.BARE: apps.pop(names.SESSION), **apps}
    timed = []
    for name, app in apps.items():
        server = _server(protocol, app, "/orders", {})
        status, body = await server.answer()
        assert (status, json.loads(body)) == (200, {"ok": True}), f"{name} answers {status}"
        timed.append(Contender(name, server.serve))
    return timed


def _with_an_async_session() -> dict[str, App]:
    sessions = async_sessionmaker(create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool))

    async def alone(_raw: Any) -> None:
        async with sessions() as session, session.begin():
            await session.connection()

    async def in_a_unit(raw: Any) -> None:
        async with mantlet.uow(raw) as work:
            await work.session.connection()

    return {
        names.BARE: _wrapped("ASGI", _calling("ASGI", alone)),
        names.WORK_ASYNC: _wrapped(
            "ASGI", _calling("ASGI", in_a_unit), mantlet.UnitOfWork(sessions)
        ),
    }


def _sessions() -> sessionmaker[Session]:
    """Return sessions of one connection to an empty database in memory."""
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    return sessionmaker(engine)


def _plain(protocol: str) -> App:
    return asgi_app(SMALL) if protocol == "ASGI" else wsgi_app(SMALL)


def _wrapped(protocol: str, app: App, *policies: mantlet.Policy) -> App:
    return (mantlet.asgi if protocol == "ASGI" else mantlet.wsgi).wrap(app, *policies)


def _server(protocol: str, app: App, place: str, fields: dict[str, str]) -> Server:
    server = (AsgiServer if protocol == "ASGI" else WsgiServer)(app, SMALL)
    server.resend(place, list((dict(SMALL.headers) | fields).items()))
    return server


def _calling(protocol: str, work: Callable[[Any], Awaitable[None] | None]) -> App:
    """Return a plain app that does some work with each request."""
    body = b'{"ok": true}'
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    native = [(name.lower().encode(), value.encode()) for name, value in headers]

    async def asgi(scope: Any, _receive: Any, send: Any) -> None:
        waiting = work(scope)
        if waiting is not None:
            await waiting
        await send({"type": "http.response.start", "status": 200, "headers": native})
        await send({"type": "http.response.body", "body": body})

    def wsgi(environ: Any, start_response: Any) -> Any:
        work(environ)
        start_response("200 OK", headers)
        return [body]

    return asgi if protocol == "ASGI" else wsgi

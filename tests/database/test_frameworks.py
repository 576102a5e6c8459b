"""A unit of work ends with the response of every framework, also with its error pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import StreamingResponse
from starlette.routing import Route

import mantlet
from mantlet import ErrorEnvelope, Policy, UnitOfWork, uow
from tests.database.frameworks import ASYNC_VIEWS, NAMES, WSGI, app_of
from tests.database.ways import Item, Way

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request

    from tests.drive import Answer

pytestmark = pytest.mark.breaks_rules("Django sends fields in any case under ASGI")

KINDS = {
    "commit": 201,
    "status": 422,
    "refuse": 404,
    "refuse-in-block": 404,
    "raise": 500,
    "raise-in-block": 500,
    "conflict": 409,
}


def way_of(name: str, tmp_path: Path, options: str = "") -> Way:
    """Return the way of a framework."""
    way = "wsgi" if name in WSGI else "asgi-async" if name in ASYNC_VIEWS else "asgi"
    return Way(way, f"/{tmp_path}/database{options}", ("sqlite", "sqlite+aiosqlite"))


def ask(way: Way, app: Any, *policies: Policy, path: str, method: str = "POST") -> Answer:
    """Send a request to an app of a framework."""
    wrapped = mantlet.wrap(app, *policies, UnitOfWork(way.factory), baseline=False)
    answer = way.drive(way.disposing(wrapped) if way.is_async else wrapped, method, path)
    assert way.engine.pool.checkedout() == 0
    return answer


@pytest.mark.parametrize("envelope", [True, False], ids=["envelope", "bare"])
@pytest.mark.parametrize("name", NAMES)
def test_every_end(name: str, envelope: bool, tmp_path: Path) -> None:
    """What the client is told, and what is stored."""
    way = way_of(name, tmp_path)
    policies = (ErrorEnvelope(),) if envelope else ()
    with app_of(name) as app:
        for kind, status in KINDS.items():
            if kind == "conflict" and not envelope:
                continue  # nobody answers the exception
            answer = ask(way, app, *policies, path=f"/{kind}")
            assert (answer.status, kind) == (None if _is_raised(answer) else status, kind)
            expected = ["before", "within"] if kind == "commit" else []
            assert (kind, way.names()) == (kind, expected)
            with way.plain.begin() as connection:
                connection.execute(Item.__table__.delete())  # type: ignore[attr-defined]
    way.dispose()


def _is_raised(answer: Answer) -> bool:
    """Return whether a framework has left the exception to its server."""
    return answer.status is None and isinstance(answer.error, ValueError)


# -- Starlette -------------------------------------------------------------------------------------


def test_streams_and_background_tasks_of_starlette(tmp_path: Path) -> None:
    """They come after the commit; they use a work of their own."""
    way = way_of("starlette", tmp_path)
    policy = UnitOfWork(way.factory)
    seen: list[object] = []

    async def in_background(request: Request) -> None:
        with pytest.raises(RuntimeError, match="the response has begun"):
            uow(request).session
        async with policy.begin() as work:
            work.session.add(Item(name="background"))

    async def stream(request: Request) -> AsyncIterator[bytes]:
        seen.append(way.names())
        yield b"a"
        seen.append(way.names())
        yield b"b"

    async def view(request: Request) -> StreamingResponse:
        async with uow(request) as work:
            work.session.add(Item(name="view"))
        task = BackgroundTask(in_background, request)
        kind = "text/event-stream" if request.url.path == "/events" else "text/csv"
        return StreamingResponse(stream(request), media_type=kind, background=task)

    routes = [Route("/events", view), Route("/csv", view)]
    for path, expected in (("/events", [["view"], ["view"]]), ("/csv", [[], ["view"]])):
        seen.clear()
        app = mantlet.wrap(Starlette(routes=routes), policy)
        answer = way.drive(way.disposing(app), "GET", path)
        assert (answer.status, answer.body) == (200, b"ab")
        assert seen == expected  # a document's head waits for its first chunk
        assert way.names() == ["view", "background"]
        with way.plain.begin() as connection:
            connection.execute(Item.__table__.delete())  # type: ignore[attr-defined]
    way.dispose()


def test_a_middleware_of_starlette_that_has_tasks_of_its_own(tmp_path: Path) -> None:
    """The work is committed in the task that sends."""
    way = way_of("starlette", tmp_path)

    async def dispatch(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    with app_of("starlette") as app:
        app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
        for kind, status in KINDS.items():
            answer = ask(way, app, ErrorEnvelope(), path=f"/{kind}")
            assert (kind, answer.status) == (kind, status)
            assert len(way.names()) == (2 if kind == "commit" else 0)
            with way.plain.begin() as connection:
                connection.execute(Item.__table__.delete())  # type: ignore[attr-defined]
    way.dispose()

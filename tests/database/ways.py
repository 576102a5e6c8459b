"""An app with a database in the three ways that there are: one view, run in each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, MutableMapping
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

import mantlet
from mantlet import ErrorEnvelope, UnitOfWork
from mantlet._internal.coroutines import run_sync
from tests.drive import Answer, drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mantlet import Policy
    from mantlet._internal.asgi_types import AsgiApp, Receive, Scope, Send
    from mantlet.database import Work

__all__ = ["WAYS", "Base", "Item", "View", "Way", "asgi_app", "block", "done"]

Raw = MutableMapping[str, Any]
#: A view: it takes the environ or the scope, and returns a status, or raises.
View = Callable[[Raw], Coroutine[Any, Any, int]]


class Base(DeclarativeBase):
    """The base of the tests' tables."""


class Item(Base):
    """A row with a unique name."""

    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class Way:
    """A protocol and a kind of session, with a database of its own.

    Args:
        name: ``"wsgi"``, ``"asgi"``, or ``"asgi-async"`` for an AsyncSession.
        url: the address of the database after its scheme.
        scheme: of SQLAlchemy, for a session that is not awaited and for one that is.
        plain: of the test's own connections; that of sessions which are not awaited if None.
    """

    def __init__(
        self, name: str, url: str, scheme: tuple[str, str], plain: str | None = None
    ) -> None:
        self.name = name
        self.is_async = name == "asgi-async"
        self.plain = create_engine(f"{plain or scheme[0]}://{url}")
        Base.metadata.create_all(self.plain)
        self.factory: Any
        if self.is_async:
            self.engine: Any = create_async_engine(
                f"{scheme[1]}://{url}", poolclass=AsyncAdaptedQueuePool
            )
            self.factory = async_sessionmaker(self.engine)
        else:
            self.engine = create_engine(f"{scheme[0]}://{url}", poolclass=QueuePool)
            self.factory = sessionmaker(self.engine)

    def wrap(self, view: View, *policies: Policy, chunks: tuple[bytes, ...] = (b"ok",)) -> Any:
        """Return the app of a view, wrapped."""
        if self.name == "wsgi":

            def app(environ: Raw, start_response: Any) -> list[bytes]:
                status = run_sync(view(environ))
                start_response(f"{status} Status", [("Content-Type", "text/plain")])
                return list(chunks)

            return mantlet.wsgi.wrap(app, *policies, baseline=False)
        stack = mantlet.asgi.wrap(asgi_app(view, chunks), *policies, baseline=False)
        return self.disposing(stack) if self.is_async else stack

    def disposing(self, app: AsgiApp) -> AsgiApp:
        """Return an app that closes the pooled connections, which belong to its event loop."""

        async def disposing(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await app(scope, receive, send)
            finally:
                assert self.engine.pool.checkedout() == 0
                await self.engine.dispose()

        return disposing

    def drive(self, app: Any, *args: Any, **kwargs: Any) -> Answer:
        """Send one request."""
        return (drive_wsgi if self.name == "wsgi" else drive_asgi)(app, *args, **kwargs)

    def ask(
        self, view: View, policy: Policy | None = None, *outer: Policy, **options: Any
    ) -> Answer:
        """Send one request to a view within a unit of work and the envelope."""
        policy = policy or UnitOfWork(self.factory, **options)
        app = self.wrap(view, *(outer or (ErrorEnvelope(),)), policy)
        answer = self.drive(app)
        assert self.engine.pool.checkedout() == 0
        return answer

    def dispose(self) -> None:
        """Close the pooled connections; those of an AsyncSession are closed after each request."""
        self.plain.dispose()
        if not self.is_async:
            self.engine.dispose()

    def names(self) -> list[str]:
        """Return the names that are stored."""
        with self.plain.connect() as connection:
            return list(connection.execute(select(Item.name).order_by(Item.id)).scalars())

    def count(self) -> int:
        """Return the number of items."""
        with self.plain.connect() as connection:
            return connection.execute(select(func.count(Item.id))).scalar_one()


def asgi_app(view: View, chunks: tuple[bytes, ...] = (b"ok",)) -> AsgiApp:
    """Return the ASGI app of a view."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        status = await view(scope)
        head = {"type": "http.response.start", "status": status}
        await send({**head, "headers": [(b"content-type", b"text/plain")]})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})

    return app


WAYS: Final = ("wsgi", "asgi", "asgi-async")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Way]:
    """Each way, with a database of SQLite."""
    made = Way(request.param, f"/{tmp_path}/database", ("sqlite", "sqlite+aiosqlite"))
    yield made
    made.dispose()


@asynccontextmanager
async def block(work: Work) -> AsyncIterator[Any]:
    """Enter a block of a work in the form that its session needs."""
    if isinstance(work._open() if work._session is None else work._session, AsyncSession):
        async with work:
            yield work
    else:
        with work:
            yield work


async def done(result: Any) -> Any:
    """Return a result, awaited if it has to be."""
    return await result if isawaitable(result) else result

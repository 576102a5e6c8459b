"""Repositories and events in the unit of work of a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import flask
import pytest
from fastapi import FastAPI, Request
from sqlalchemy import NullPool, create_engine, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

import mantlet
from mantlet import Problem, UnitOfWork, uow
from mantlet.database import InMemoryWork, Outbox, relay_outbox
from mantlet.events.event import Event
from tests.database.orders import (
    AsyncSqlOrders,
    Base,
    InMemoryOrders,
    Order,
    SqlOrders,
    order,
)
from tests.drive import drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.drive import Answer


class Shop:
    """An app that places and changes orders, under one protocol, in a database of its own."""

    def __init__(self, path: Path, *, is_async: bool) -> None:
        engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        self.sessions = sessionmaker(engine)
        self.outbox = Outbox()
        Base.metadata.create_all(engine)
        self.outbox.table.create(engine)
        if is_async:
            address = f"sqlite+aiosqlite:///{path}"
            sessions = async_sessionmaker(create_async_engine(address, poolclass=NullPool))
            unit = UnitOfWork(sessions, repositories={"orders": AsyncSqlOrders}, outbox=self.outbox)
            app = mantlet.wrap(self.fastapi(), unit)
            self.post: Callable[[str], Answer] = lambda path: drive_asgi(app, "POST", path)
        else:
            unit = UnitOfWork(self.sessions, repositories={"orders": SqlOrders}, outbox=self.outbox)
            wsgi = mantlet.wrap(self.flask(), unit)
            self.post = lambda path: drive_wsgi(wsgi, "POST", path)

    def fastapi(self) -> FastAPI:
        """Return the app with async sessions."""
        app = FastAPI()

        @app.post("/orders/{number}")
        async def place(request: Request, number: int) -> dict[str, int]:
            async with uow(request) as work:
                placed = order(number)
                work.orders.add(placed)
                work.publish(Event("order.placed", number))
            return {"id": placed.id}

        @app.post("/orders/{number}/close")
        async def close(request: Request, number: int) -> dict[str, int]:
            async with uow(request) as work:
                found = await work.orders.get(number)
                self.change_meanwhile(number)
                found.is_open = False
                work.publish(Event("order.closed", number))
                return {"open": len(await work.orders.open_for("nobody"))}

        @app.post("/orders/{number}/fail")
        async def fail(request: Request, number: int) -> None:
            async with uow(request) as work:
                work.orders.add(order(number))
                work.publish(Event("order.placed", number))
                raise Problem(422)

        return app

    def flask(self) -> flask.Flask:
        """Return the app with sync sessions."""
        app = flask.Flask(__name__)

        @app.post("/orders/<int:number>")
        def place(number: int) -> dict[str, int]:
            with uow(flask.request) as work:
                placed = order(number)
                work.orders.add(placed)
                work.publish(Event("order.placed", number))
            return {"id": placed.id}

        @app.post("/orders/<int:number>/close")
        def close(number: int) -> dict[str, int]:
            with uow(flask.request) as work:
                found = work.orders.get(number)
                self.change_meanwhile(number)
                found.is_open = False
                work.publish(Event("order.closed", number))
                return {"open": len(work.orders.open_for("nobody"))}

        @app.post("/orders/<int:number>/fail")
        def fail(number: int) -> str:
            with uow(flask.request) as work:
                work.orders.add(order(number))
                work.publish(Event("order.placed", number))
                raise Problem(422)

        return app

    def change_meanwhile(self, number: int) -> None:
        """Change an order as another request does, if it is the second one."""
        if number == 2:
            with self.sessions.begin() as session:
                SqlOrders(session).get(number).user = "grace"  # type: ignore[union-attr]

    def stored(self) -> tuple[list[str | None], list[Any]]:
        """Return the numbers of the orders, and the data of the events."""
        with self.sessions() as session:
            numbers = session.scalars(select(Order.number).order_by(Order.id)).all()
            data = session.scalars(select(self.outbox.table.c.data)).all()
            return list(numbers), [json.loads(one) for one in data]


@pytest.fixture(params=[False, True], ids=["flask", "fastapi-async"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    """An app, under each protocol."""
    return Shop(tmp_path / "db", is_async=request.param)


def test_an_entity_and_its_event_are_committed_together(shop: Shop) -> None:
    """The key that the database has made is there at the end of the block."""
    answer = shop.post("/orders/1")
    assert (answer.status, answer.json()) == (200, {"id": 1})
    assert shop.stored() == (["n-1"], [1])
    published: list[Event] = []
    assert relay_outbox(shop.sessions, published.append, outbox=shop.outbox) == 1
    assert [(one.type, one.data) for one in published] == [("order.placed", 1)]


def test_neither_is_there_after_a_failure(shop: Shop) -> None:
    """A problem that the view raises, and a value that must be unique."""
    assert shop.post("/orders/1/fail").status == 422
    assert shop.stored() == ([], [])
    assert shop.post("/orders/1").status == 200
    answer = shop.post("/orders/1")
    assert answer.status == 409
    assert "n-1" not in answer.body.decode()
    assert shop.stored() == (["n-1"], [1])


def test_a_lost_update_is_a_conflict(shop: Shop) -> None:
    """By the column of the version: the second client is told, and nothing of it is stored."""
    for number in (1, 2):
        assert shop.post(f"/orders/{number}").status == 200
    assert shop.post("/orders/1/close").status == 200
    assert shop.post("/orders/2/close").status == 409
    assert shop.stored() == (["n-1", "n-2"], [1, 2, 1])
    with shop.sessions() as session:
        found = SqlOrders(session).get(2)
        assert found is not None
        assert (found.user, found.is_open) == ("grace", True)


def test_a_conflict_in_memory_is_answered_as_one_in_a_database(shop: Shop) -> None:
    """So a test of a whole app may run in memory as well."""
    stored = order(1)

    def place() -> str:
        work = InMemoryWork(orders=InMemoryOrders([stored]))
        with work:
            work.orders.add(order(1))
        work.commit()
        return "placed"

    app = flask.Flask(__name__)
    app.add_url_rule("/orders/1", view_func=place, methods=["POST"])
    in_memory = drive_wsgi(mantlet.wrap(app), "POST", "/orders/1")
    for _ in range(2):
        in_database = shop.post("/orders/1")
    assert in_memory.status == in_database.status == 409
    one, other = in_memory.json(), in_database.json()
    for document in (one, other):
        document.pop("instance", None)
        document.pop("request_id", None)
    assert one == other


def test_an_entity_of_another_class_is_not_removed(shop: Shop) -> None:
    """Though it is in the session: it would be another repository's."""
    with shop.sessions() as session:
        placed = order(1)
        SqlOrders(session).add(placed)
        session.flush()
        with pytest.raises(ValueError, match="Line is not in the repository's unit of work"):
            SqlOrders(session).remove(placed.lines[0])  # type: ignore[arg-type]
        assert placed.lines[0] not in session.deleted

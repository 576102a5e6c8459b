"""What goes wrong in the apps of the matrix, the same under every framework."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import sqlalchemy
from jinja2 import DictLoader, Environment
from sqlalchemy import Column, MetaData, String, Table

from mantlet import Problem
from tests.servers.matrix.seed import CORE, seeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from mantlet._internal.asgi_types import AsgiApp

P = ParamSpec("P")
T = TypeVar("T")

HELLO = "hello"
TEMPLATE = "order.html"
#: Jinja2's, with a template that calls the ``fail`` of its context.
TEMPLATES = Environment(loader=DictLoader({TEMPLATE: "<p>{{ fail() }}</p>"}), autoescape=True)
_ORDERS = Table("orders", MetaData(), Column("name", String, unique=True))


class UnspeakableError(Exception):
    """An exception that fails whoever asks what it says."""

    def __str__(self) -> NoReturn:
        raise ValueError(seeded("in str"))

    def __repr__(self) -> NoReturn:
        raise ValueError(seeded("in repr"))


def fail(fault: str) -> NoReturn:
    """Raise as a bug does, with the seeded text."""
    raise ValueError(seeded(fault))


def _view() -> NoReturn:
    fail("view")


def _group() -> NoReturn:
    members = [ValueError(f"one {CORE}"), KeyError(f"another {CORE}")]
    raise ExceptionGroup(seeded("group"), members)


def _chained() -> NoReturn:
    try:
        fail("link")
    except ValueError as error:
        raise RuntimeError(seeded("chained")) from error


def _cause() -> NoReturn:
    raise RuntimeError("the order could not be made") from ValueError(seeded("cause"))


def _unspeakable() -> NoReturn:
    raise UnspeakableError(seeded("unspeakable"))


def _args() -> NoReturn:
    raise LookupError(seeded("args"), 4711)


def _sql() -> None:
    statement = sqlalchemy.text(f"SELECT name FROM lost WHERE name = :name -- {seeded('sql')}")
    with sqlalchemy.create_engine("sqlite://").begin() as connection:
        connection.execute(statement, {"name": f"a parameter {CORE}"})


def _path() -> None:
    Path(f"/nowhere/{seeded('path')}").read_bytes()


def _unique() -> None:
    with sqlalchemy.create_engine("sqlite://").begin() as connection:
        _ORDERS.create(connection)
        connection.execute(_ORDERS.insert(), {"name": seeded("unique")})
        connection.execute(_ORDERS.insert(), {"name": seeded("unique")})


def _declared() -> NoReturn:
    raise Problem(409, detail="declared", extensions={"order": "A-17"})


#: What a view that is asked for a fault by its name calls.
RAISED: Mapping[str, Callable[[], None]] = MappingProxyType(
    {
        "view": _view,
        "group": _group,
        "chained": _chained,
        "cause": _cause,
        "unspeakable": _unspeakable,
        "args": _args,
        "sql": _sql,
        "path": _path,
        "unique": _unique,
        "declared": _declared,
    }
)


def fail_in_middleware(path: str) -> None:
    """Raise if a middleware sees the path that it should fail for."""
    if path == "/middleware":
        fail("middleware")


class AsgiMiddleware:
    """Fail for one of the paths, as a middleware that knows no framework."""

    def __init__(self, app: AsgiApp) -> None:
        self.app = app

    # Any: each framework has types of its own for these, as for `AsgiApp`.
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        fail_in_middleware(scope.get("path", ""))
        await self.app(scope, receive, send)


def needs_a_user(view: Callable[P, T]) -> Callable[P, T]:
    """Fail before a view is called."""

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        _find_user()
        return view(*args, **kwargs)

    return checked


def needs_a_user_async(view: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Fail before a view is awaited."""

    @wraps(view)
    async def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        _find_user()
        return await view(*args, **kwargs)

    return checked


def _find_user() -> None:
    fail("dependency")


def fail_in_template() -> NoReturn:
    """Raise; for a template to call."""
    fail("template")


def fail_in_background() -> NoReturn:
    """Raise; for what is called after the answer."""
    fail("background")


async def fail_in_background_async() -> NoReturn:
    """Raise; for what is awaited after the answer."""
    fail("background")


class ClosedLoudly:
    """A WSGI body that fails once it has been sent, which is when the server closes it."""

    def __iter__(self) -> Iterator[bytes]:
        yield HELLO.encode()

    def close(self) -> NoReturn:
        """Raise."""
        fail_in_background()


def render() -> str:
    """Render the template that fails."""
    return TEMPLATES.get_template(TEMPLATE).render(fail=fail_in_template)


def stream(place: str) -> Iterator[bytes]:
    """Stream a body that fails early, before its first chunk, or late, after it."""
    if place == "late":
        yield b"first chunk\n"
    fail(place)


async def stream_async(place: str) -> AsyncIterator[bytes]:
    """Stream as `stream` does."""
    for chunk in stream(place):
        yield chunk

"""Exceptions of any shape: they never raise, hang or leak."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy.exc
import starlette.exceptions
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet import ErrorEnvelope, Problem
from tests.drive import ADAPTERS, Adapter
from tests.errors.test_mapping import raising

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "s3cr3t-pa55w0rd-7f3a9c"


class UnprintableError(Exception):
    """One that has no text."""

    def __str__(self) -> str:
        raise RuntimeError(SECRET)

    __repr__ = __str__


class EndlessError(Exception):
    """One that wraps another of its kind whenever it is asked."""

    @property
    def orig(self) -> Exception:
        return EndlessError(SECRET)


class HostileError(Exception):
    """One whose every attribute raises."""

    def __getattr__(self, name: str) -> Any:
        raise MemoryError(SECRET)


class LyingError(starlette.exceptions.HTTPException):
    """One that declares what it must not."""

    def __init__(self) -> None:
        super().__init__(404, SECRET, {"X-Bad\r\nX-Evil": SECRET, "Content-Type": "x/\0"})
        self.status_code = "4" * 5000  # type: ignore[assignment]  # what is tested


MAKERS: list[Callable[[], Exception]] = [
    lambda: ValueError(SECRET),
    lambda: KeyError(SECRET, b"\xff", "\ud800"),
    lambda: OSError(2, SECRET, f"/srv/{SECRET}"),
    UnprintableError,
    EndlessError,
    lambda: HostileError(SECRET),
    LyingError,
    lambda: starlette.exceptions.HTTPException(409, SECRET),
    lambda: psycopg.errors.UniqueViolation(SECRET),
    lambda: psycopg.errors.SerializationFailure(SECRET),
    lambda: sqlalchemy.exc.IntegrityError(SECRET, {"a": SECRET}, ValueError(SECRET)),
    lambda: UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET),
    lambda: RecursionError(SECRET),
]


@st.composite
def graphs(draw: st.DrawFn) -> Exception:
    """Exceptions that are each other's causes, contexts, members and notes, also in circles."""
    nodes = [
        MAKERS[draw(st.integers(0, len(MAKERS) - 1))]() for _ in range(draw(st.integers(1, 8)))
    ]
    for _ in range(draw(st.integers(0, 3))):
        members = draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=4))
        nodes.append(ExceptionGroup(SECRET, members))
    for _ in range(draw(st.integers(0, 12))):
        one, other = draw(st.sampled_from(nodes)), draw(st.sampled_from(nodes))
        match draw(st.sampled_from(["cause", "context", "orig", "note", "suppress"])):
            case "cause":
                one.__cause__ = other
            case "context":
                one.__context__ = other
            case "orig" if not isinstance(one, EndlessError):
                one.orig = other  # type: ignore[attr-defined]  # as SQLAlchemy has it
            case "note" if not isinstance(one, HostileError):
                one.add_note(SECRET)
            case "suppress":
                one.__suppress_context__ = not one.__suppress_context__
    return nodes[-1]


ENVELOPES = [
    ErrorEnvelope(convert="always"),
    ErrorEnvelope(
        exceptions={LookupError: 404, "sqlalchemy.exc.DBAPIError": lambda error: error.code}
    ),
    ErrorEnvelope(exceptions={Exception: lambda _: Problem(503)}, on_exception=[lambda *_: 1 / 0]),
]


@settings(max_examples=150)
@given(graphs(), st.sampled_from(ENVELOPES), st.sampled_from(ADAPTERS))
def test_any_exception_is_answered_and_nothing_of_it_gets_out(
    error: Exception, envelope: ErrorEnvelope, adapter: Adapter
) -> None:
    """And the log takes it as well."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    log = logging.getLogger("mantlet.errors")
    log.addHandler(handler)
    try:
        answer = adapter.drive(adapter.wrap(raising(error), envelope))
    finally:
        log.removeHandler(handler)
    assert answer.error is None
    assert answer.status is not None
    assert 400 <= answer.status <= 599
    assert answer.json()["status"] == answer.status
    told = answer.text()
    for needle in (SECRET, "Error", "Violation", "srv", "Traceback"):
        assert needle not in told.replace("Internal Server Error", "")
    assert "x-evil" not in answer.names

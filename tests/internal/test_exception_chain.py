"""Exceptions walked: what they came of, what a group holds, and clients that went away."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import django.core.exceptions
import django.http.request
import falcon
import litestar.exceptions
import pytest
import starlette.requests
import starlette.websockets
import uvicorn.protocols.utils
import werkzeug.exceptions
from hypothesis import given
from hypothesis import strategies as st

from mantlet import ClientDisconnected
from mantlet._internal.disconnects import is_disconnect
from mantlet._internal.exception_chain import LIMIT, flatten_group, walk_chain

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_a_chain_is_walked_nearest_first() -> None:
    """The exception, what it wraps, its cause, its context."""
    error, orig, cause, context = (ValueError(name) for name in ("error", "orig", "c", "x"))
    error.__cause__ = cause
    error.__suppress_context__ = False
    error.__context__ = context
    error.orig = orig  # type: ignore[attr-defined]  # as SQLAlchemy has it
    assert list(walk_chain(error)) == [error, orig, cause, context]
    error.__suppress_context__ = True
    assert list(walk_chain(error)) == [error, orig, cause]


def test_a_circle_is_walked_once() -> None:
    """Causes may lead back."""
    first, second = ValueError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert list(walk_chain(first)) == [first, second]


def test_a_long_chain_is_walked_within_bounds() -> None:
    """What lies behind them is as if it were not there."""
    error = last = ValueError()
    for _ in range(100_000):
        last.__cause__ = ValueError()
        last = last.__cause__
    assert len(list(walk_chain(error))) == LIMIT
    while error is not last:  # freed one by one, or the interpreter's own stack may not do
        error.__cause__, error = None, error.__cause__  # type: ignore[assignment]  # it has one


def test_attributes_that_raise_say_nothing() -> None:
    """An exception's class may do as it likes."""

    class BrokenError(Exception):
        @property
        def orig(self) -> None:
            raise ZeroDivisionError

        @property
        def __cause__(self) -> None:  # type: ignore[override]  # what is tested
            raise ZeroDivisionError

    error = BrokenError()
    assert list(walk_chain(error)) == [error]


def test_a_group_is_taken_apart() -> None:
    """However it is nested."""
    one, two, three = ValueError(), KeyError(), OSError()
    group = ExceptionGroup("", [one, ExceptionGroup("", [two, ExceptionGroup("", [three])])])
    assert flatten_group(group) == [one, two, three]
    assert flatten_group(one) == [one]


def nested(depth: int) -> Exception:
    error: Exception = ValueError()
    for _ in range(depth):
        error = ExceptionGroup("", [error])
    return error


def test_groups_that_are_nested_deeper_than_one_looks_stay() -> None:
    """They are among what is found, as something that nobody knows."""
    (left,) = flatten_group(nested(sys.getrecursionlimit() // 4))
    assert isinstance(left, ExceptionGroup)
    wide = ExceptionGroup("", [ExceptionGroup("", [ValueError()] * 3)] * 1000)
    assert any(isinstance(one, ExceptionGroup) for one in flatten_group(wide))


exceptions = st.recursive(
    st.builds(ValueError, st.text()) | st.builds(OSError),
    lambda inner: st.builds(
        lambda members: ExceptionGroup("", members), st.lists(inner, min_size=1, max_size=4)
    ),
    max_leaves=30,
)


@given(exceptions)
def test_no_member_of_a_group_is_lost(error: Exception) -> None:
    """Each is found, or lies in a group that is."""

    def members(one: BaseException) -> Iterator[BaseException]:
        if isinstance(one, BaseExceptionGroup):
            for inner in one.exceptions:
                yield from members(inner)
        else:
            yield one

    found = {id(one) for leaf in flatten_group(error) for one in members(leaf)}
    assert found == {id(one) for one in members(error)}


GONE = [
    ClientDisconnected(),
    starlette.requests.ClientDisconnect(),
    starlette.websockets.WebSocketDisconnect(),
    litestar.exceptions.WebSocketDisconnect(detail="gone"),
    falcon.WebSocketDisconnected(),
    django.core.exceptions.RequestAborted(),
    django.http.request.UnreadablePostError(),
    werkzeug.exceptions.ClientDisconnected(),
    uvicorn.protocols.utils.ClientDisconnected(),
]


@pytest.mark.parametrize("error", GONE, ids=lambda error: type(error).__module__)
def test_what_frameworks_call_a_client_that_went_away(error: Exception) -> None:
    """Also in a group of nothing else."""
    assert is_disconnect(error)
    assert is_disconnect(ExceptionGroup("", [error, GONE[0]]))
    assert not is_disconnect(ExceptionGroup("", [error, ValueError()]))


@pytest.mark.parametrize("error", [ValueError(), ConnectionResetError(), TimeoutError()], ids=repr)
def test_other_connections_that_break_are_errors(error: Exception) -> None:
    """A database's, for one."""
    assert not is_disconnect(error)

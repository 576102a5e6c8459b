"""Which answer an exception gets: by the user's map, and by what it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from starlette.exceptions import HTTPException

from mantlet import ErrorEnvelope, Problem
from tests.drive import Adapter, both_adapters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class ShopError(Exception):
    """The root of an app's own errors."""


class MissingError(ShopError):
    """One of them."""


class SoldError(MissingError):
    """One of those."""


def raising(error: BaseException) -> Callable[[Any], Any]:
    def handler(carrier: Any) -> Any:
        raise error

    return handler


def status(adapter: Adapter, error: BaseException, entries: Mapping[Any, Any]) -> int | None:
    """Return what an exception is answered with, under a map."""
    answer = adapter.drive(adapter.wrap(raising(error), ErrorEnvelope(exceptions=entries)))
    if answer.status is not None:
        assert answer.json()["status"] == answer.status
    return answer.status


@both_adapters
def test_an_entry_holds_for_its_class_and_those_derived(adapter: Adapter) -> None:
    """The one for the most derived class counts, in whatever order they are written."""
    entries = {ShopError: 400, SoldError: 410, MissingError: 404}
    assert status(adapter, ShopError(), entries) == 400
    assert status(adapter, MissingError(), entries) == 404
    assert status(adapter, SoldError(), entries) == 410
    assert status(adapter, LookupError(), entries) == 500


@both_adapters
def test_a_class_is_named_without_being_imported(adapter: Adapter) -> None:
    """By where it is defined, or by where it is imported from."""
    assert status(adapter, SoldError(), {f"{__name__}.MissingError": 404}) == 404
    assert status(adapter, ZeroDivisionError(), {"ZeroDivisionError": 422}) == 422
    assert status(adapter, OSError(), {"builtins.OSError": 503}) == 503
    import json

    assert status(adapter, json.JSONDecodeError("", "", 0), {"json.JSONDecodeError": 400}) == 400


@both_adapters
def test_an_entry_may_be_a_problem(adapter: Adapter) -> None:
    """The client sees what it states, and nothing of the exception."""
    sold = Problem(
        409,
        type="https://example.com/problems/sold",
        title="Sold",
        detail="Somebody was faster.",
        headers={"Retry-After": "60"},
        extensions={"again": True},
    )
    stack = adapter.wrap(
        raising(SoldError("lamp 4711")), ErrorEnvelope(exceptions={SoldError: sold})
    )
    answer = adapter.drive(stack)
    assert answer.json() == answer.json() | {
        "type": "https://example.com/problems/sold",
        "title": "Sold",
        "status": 409,
        "detail": "Somebody was faster.",
        "again": True,
    }
    assert answer.get("Retry-After") == "60"
    assert "4711" not in answer.text()


@both_adapters
def test_a_problem_that_caches_may_keep_says_what_its_form_depends_on(adapter: Adapter) -> None:
    """Others are not kept (RFC 9110, 12.5.5)."""
    gone = Problem(410, headers={"cache-control": "max-age=60"})
    stack = adapter.wrap(raising(SoldError()), ErrorEnvelope(exceptions={SoldError: gone}))
    answer = adapter.drive(stack)
    assert (answer.get("cache-control"), answer.get("vary")) == ("max-age=60", "Accept")
    answer = adapter.drive(adapter.wrap(raising(SoldError()), ErrorEnvelope()))
    assert (answer.get("cache-control"), answer.get("vary")) == ("no-store", None)


@both_adapters
def test_an_entry_may_be_a_function(adapter: Adapter) -> None:
    """It is given the exception; with None it leaves it to the next entry."""

    def by_text(error: ShopError) -> Problem | int | None:
        known: dict[str, Problem | int] = {"gone": 410, "busy": Problem(503, detail="Busy.")}
        return known.get(str(error))

    entries = {SoldError: by_text, ShopError: 400}
    assert status(adapter, SoldError("gone"), entries) == 410
    assert status(adapter, SoldError("busy"), entries) == 503
    assert status(adapter, SoldError("else"), entries) == 400


@both_adapters
@pytest.mark.parametrize(
    "target",
    [lambda _: 1 / 0, lambda _: 200, lambda _: "text", lambda: 404],
    ids=["raises", "no error", "no answer", "takes nothing"],
)
def test_a_function_that_fails_gives_a_clean_500(
    adapter: Adapter, target: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Both what the app raised and what the function did are in the log."""
    assert status(adapter, SoldError("the cause"), {SoldError: target}) == 500
    failed, unhandled = caplog.records
    assert failed.getMessage().startswith("ErrorEnvelope: exceptions failed with ")
    assert failed.exc_info
    assert unhandled.getMessage().startswith("Unhandled SoldError")


@both_adapters
def test_an_entry_for_exception_holds_where_nothing_else_does(adapter: Adapter) -> None:
    """Not for problems, nor for what frameworks and databases say."""
    from sqlite3 import IntegrityError

    from starlette.exceptions import HTTPException

    entries = {Exception: 418}
    assert status(adapter, LookupError(), entries) == 418
    assert status(adapter, Problem(409), entries) == 409
    assert status(adapter, HTTPException(403), entries) == 403
    assert status(adapter, IntegrityError(), entries) == 409


@both_adapters
def test_an_entry_for_a_problem_or_a_frameworks_exception_takes_its_place(adapter: Adapter) -> None:
    """What is more derived counts, whoever has said it."""
    from starlette.exceptions import HTTPException

    class Teapot(Problem):
        pass

    assert status(adapter, Teapot(409), {Teapot: 418}) == 418
    assert status(adapter, HTTPException(403), {HTTPException: 404}) == 404


@both_adapters
def test_what_an_exception_came_of_counts_where_it_says_nothing_itself(adapter: Adapter) -> None:
    """By cause and context, but not where the context is suppressed."""

    def chained(how: str) -> Exception:
        try:
            try:
                raise SoldError
            except SoldError as error:
                if how == "handling":
                    raise RuntimeError  # noqa: B904  # its context is what is tested
                raise RuntimeError from (error if how == "cause" else None)
        except RuntimeError as outer:
            return outer

    entries = {SoldError: 410}
    assert status(adapter, chained("cause"), entries) == 410
    assert status(adapter, chained("suppressed"), entries) == 500

    assert status(adapter, chained("handling"), entries) == 410


@both_adapters
def test_only_the_outermost_exception_is_a_message_to_the_client(adapter: Adapter) -> None:
    """An app that fails over a problem has failed."""
    error = RuntimeError()
    error.__cause__ = Problem(404)
    assert status(adapter, error, {}) == 500


@both_adapters
def test_a_group_is_as_bad_as_its_worst_member(adapter: Adapter) -> None:
    """One that nobody knows makes it a 500."""
    entries = {SoldError: 410, MissingError: 404, ConnectionError: 503}

    def group(*members: Exception) -> ExceptionGroup[Exception]:
        return ExceptionGroup("", members)

    assert status(adapter, group(SoldError()), entries) == 410
    assert status(adapter, group(MissingError(), SoldError()), entries) == 410
    assert status(adapter, group(MissingError(), group(ConnectionError())), entries) == 503
    assert status(adapter, group(ConnectionError(), LookupError()), entries) == 500
    assert status(adapter, group(Problem(409, detail="one")), entries) == 409
    assert status(adapter, group(SoldError()), {ExceptionGroup: 400}) == 400


@both_adapters
def test_a_group_with_an_exit_passes(adapter: Adapter) -> None:
    """It asks for the process's end, and so is no error of the app's."""
    error = BaseExceptionGroup("", [SystemExit(), ValueError()])
    answer = adapter.drive(adapter.wrap(raising(error), ErrorEnvelope()))
    assert answer.error is error


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"no such.thing": 404}, "'no such.thing'"),
        ({"": 404}, "''"),
        ({"NoSuchError": 404}, "'NoSuchError'"),
        ({"int": 404}, "'int'"),
        ({"no_such_package.Error": 404}, "'no_such_package'"),
        ({"json.NoSuchError": 404}, "json has no such exception"),
        ({"json.dumps": 404}, "json has no such exception"),
        ({int: 404}, "<class 'int'>"),
        ({SystemExit: 404}, "SystemExit"),
        ({"KeyboardInterrupt": 404}, "KeyboardInterrupt"),
        ({42: 404}, "42"),
        ({SoldError: 200}, "SoldError.*200"),
        ({SoldError: 1000}, "SoldError.*1000"),
        ({SoldError: True}, "SoldError.*True"),
        ({SoldError: "404"}, "SoldError.*'404'"),
        ({SoldError: None}, "SoldError.*None"),
        ({SoldError: Problem}, "SoldError.*Problem"),
    ],
    ids=str,
)
def test_an_entry_that_cannot_be_is_an_error_that_names_it(entries: Any, told: str) -> None:
    """At construction, not at the first exception."""
    with pytest.raises(ValueError, match=told):
        ErrorEnvelope(exceptions=entries)


@pytest.mark.parametrize("entries", [[LookupError], LookupError, "LookupError"], ids=str)
def test_exceptions_without_statuses_are_a_type_error_that_shows_the_mapping(entries: Any) -> None:
    """At construction."""
    with pytest.raises(TypeError, match=r"a mapping such as {OrderNotFound: 404}, not "):
        ErrorEnvelope(exceptions=entries)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"convert": "sometimes"}, "convert.*'sometimes'"),
        ({"on_exception": 42}, "on_exception.*42"),
        ({"on_exception": [print, 42]}, "on_exception.*42"),
        ({"on_exception": asyncio.sleep}, "on_exception.*sleep"),
        ({"page": "<h1>"}, "page.*<h1>"),
        ({"page": asyncio.sleep}, "page.*sleep"),
    ],
    ids=[
        "convert",
        "on_exception",
        "one of several",
        "a coroutine function",
        "page",
        "an async page",
    ],
)
def test_an_option_that_cannot_be_is_an_error_that_names_it(
    options: dict[str, Any], told: str
) -> None:
    """At construction."""
    with pytest.raises((ValueError, TypeError), match=told):
        ErrorEnvelope(**options)


@both_adapters
def test_a_map_that_is_changed_later_changes_nothing(adapter: Adapter) -> None:
    """A policy is immutable once made."""
    entries: dict[type[Exception] | str, Any] = {SoldError: 410}
    envelope = ErrorEnvelope(exceptions=entries)
    entries[SoldError] = 404
    assert adapter.drive(adapter.wrap(raising(SoldError()), envelope)).status == 410


def test_a_problem_and_an_entry_below_500_are_refusals() -> None:
    """Neither what is mapped without an entry, nor 500 and above, nor a function that fails."""

    class RefusedError(Exception):
        pass

    class FailedError(Exception):
        pass

    def give(error: Exception) -> int:
        raise LookupError

    envelope = ErrorEnvelope(
        exceptions={RefusedError: 402, FailedError: 503, OSError: give, ValueError: lambda _: 409}
    )
    refused = [Problem(409), RefusedError(), ValueError(), UnicodeError()]
    others = [Problem(503), FailedError(), OSError(), KeyError(), HTTPException(404)]
    assert [envelope.refuses(error) for error in refused] == [True] * 4
    assert [envelope.refuses(error) for error in others] == [False] * 5
    assert envelope.refused_classes() == {Problem, RefusedError, OSError, ValueError}

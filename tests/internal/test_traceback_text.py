"""The text of an exception is bounded, cheap to make, printable, and much like Python's own."""

from __future__ import annotations

import dataclasses
import sys
import traceback
from typing import Any

import attrs
import pydantic
import pytest
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet._internal.printable import byte_size, printable
from mantlet._internal.traceback_text import MAX_TEXT, TracebackText

FORGED = "evil\r\n2026-01-01 CRITICAL root: injected\x1b[31m\x85\u2028\u2029\u202e\u2066\x00\ud800"


def plain(text: str) -> str:
    return text


def text_of(error: BaseException) -> str:
    return TracebackText(error, plain).text


class ShopError(Exception):
    """An error of an app's own."""


def fail(depth: int, error: BaseException) -> None:
    if depth:
        fail(depth - 1, error)
    raise error


def raised(error: BaseException, depth: int = 0) -> BaseException:
    try:
        fail(depth, error)
    except BaseException as own:
        return own
    raise AssertionError("it did not raise")


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = raised(cause)
    raised(error)
    return error


def in_context(error: BaseException, context: BaseException) -> BaseException:
    error.__context__ = raised(context)
    return raised(error)


@pytest.mark.parametrize(
    "error",
    [
        raised(ShopError("no lamp left")),
        raised(ShopError()),
        raised(KeyError("x")),
        raised(ShopError(1, "two")),
        raised(ShopError("no lamp left"), 8),
        caused(ShopError("top"), KeyError("root")),
        in_context(ShopError("top"), caused(LookupError("middle"), KeyError("root"))),
        ShopError("was never raised"),
        raised(OSError(2, "No such file", "x.txt")),
    ],
    ids=lambda error: repr(error)[:40],
)
def test_a_usual_exception_is_formatted_as_python_does(error: BaseException) -> None:
    """To the letter, with the markers under the source."""
    made = TracebackText(error, plain)
    assert made.text + "\n" == "".join(traceback.format_exception(error))
    assert made.is_whole


def test_notes_follow_the_message() -> None:
    """As in Python's own."""
    error = ShopError("a")
    error.add_note("for order 17")
    assert text_of(error).endswith("ShopError: a\nfor order 17")


def test_a_context_that_is_suppressed_is_not_shown() -> None:
    """``raise ... from None``."""
    error = in_context(ShopError("top"), KeyError("root"))
    error.__suppress_context__ = True
    assert "root" not in text_of(error)


def test_a_group_shows_its_members_with_their_causes() -> None:
    """Indented."""
    group = ExceptionGroup("two", [caused(ShopError("a"), KeyError("b")), ValueError("c")])
    text = text_of(raised(group))
    assert "ExceptionGroup: two (2 sub-exceptions)" in text
    for line in ("  | KeyError: 'b'", "ShopError: a", "  | ValueError: c"):
        assert line in text
    assert text.startswith("Traceback (most recent call last):")


# -- forged lines ---------------------------------------------------------------------------------


def _noted(error: BaseException) -> BaseException:
    error.add_note(FORGED)
    return error


class Words(Exception):
    """An exception whose text is of its own making."""

    def __str__(self) -> str:
        return FORGED


@pytest.mark.parametrize(
    "error",
    [
        raised(ShopError(FORGED)),
        raised(Words()),
        raised(KeyError(FORGED)),
        caused(ShopError("top"), ShopError(FORGED)),
        _noted(raised(ShopError("a"))),
        raised(ExceptionGroup(FORGED, [ShopError(FORGED)])),
        raised(type(f"Bad{FORGED[:-2]}", (Exception,), {})("a")),
    ],
    ids=["message", "own text", "repr", "cause", "note", "group", "class"],
)
def test_no_text_forges_a_line(error: BaseException) -> None:
    """Control characters, line separators, reversed text and lone surrogates are escaped."""
    text = text_of(error)
    assert "injected" in text
    lines = text.split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("2026") for line in lines)
    text.encode()


def test_a_file_whose_name_has_a_line_break_forges_no_line() -> None:
    """As of a template that is named by a client."""
    code = compile("raise ValueError", "a\nERROR forged", "exec")
    try:
        exec(code)
    except ValueError as error:
        lines = text_of(error).split("\n")
    assert not any(line.startswith("ERROR") for line in lines)


@given(st.text())
def test_printable_text_has_no_character_that_is_not(text: str) -> None:
    """And what was printable is as it was."""
    made = printable(text)
    assert made.isprintable()
    if text.isprintable():
        assert made == text


@given(st.text(), st.integers(0, 30))
def test_printable_text_is_as_short_as_asked(text: str, most: int) -> None:
    """In bytes, with an ellipsis where something is missing."""
    made = printable(text, most)
    assert byte_size(made) <= most + 3
    if byte_size(printable(text)) <= most:
        assert made == printable(text)
    else:
        assert made.endswith("...")


# -- bounds ---------------------------------------------------------------------------------------


class Many(pydantic.BaseModel):
    """A list of numbers."""

    numbers: list[int]


def refused(count: int, item: str = "x") -> Exception:
    try:
        Many.model_validate({"numbers": [item] * count})
    except pydantic.ValidationError as error:
        return error
    raise AssertionError("it was valid")


@dataclasses.dataclass
class Order:
    """A value with a long representation."""

    items: list[int]


@attrs.define(slots=False)
class Basket:
    """Another one."""

    items: list[int]


def chained(count: int) -> BaseException:
    error = ShopError("root")
    for number in range(count):
        outer = ShopError(f"{number} " + "c" * 20_000)
        outer.__cause__ = error
        error = outer
    return error


def nested(depth: int, width: int) -> Exception:
    if not depth:
        return caused(ShopError("m" * 10_000), ShopError("n" * 10_000))
    return ExceptionGroup("g" * 1000, [nested(depth - 1, width) for _ in range(width)])


def noted(count: int) -> BaseException:
    error = ShopError("a")
    error.__notes__ = ["n" * 10_000] * count
    return error


ERRORS = [{"type": "x", "loc": ("body", 1), "msg": "bad", "input": "y" * 100}] * 100_000
LARGE: list[BaseException] = [
    ShopError("x" * 20_000_000),
    ShopError("\U000e0001" * 100_000),
    ShopError("\u4e2d" * 100_000),
    ShopError(["x" * 2000] * 100_000),
    ShopError({str(number): number for number in range(100_000)}),
    ShopError("a", b"x" * 20_000_000),
    ShopError(Order([1] * 1_000_000)),
    ShopError(Basket([1] * 1_000_000)),
    ShopError(Many.model_construct(numbers=[1] * 1_000_000)),
    refused(100_000),
    refused(100, "x" * 100_000),
    RequestValidationError(ERRORS),
    ResponseValidationError(ERRORS),
    noted(100_000),
    chained(10_000),
    nested(3, 15),
    nested(30, 1),
    ExceptionGroup("g", [ShopError("m" * 1000)] * 100_000),
]


@pytest.mark.parametrize("error", LARGE, ids=range(len(LARGE)))
def test_the_text_is_bounded_and_so_is_its_cost(error: BaseException) -> None:
    """In bytes of UTF-8; and it is not formatted in order to be cut off.

    The cost is counted in calls of Python functions. That of the whole text would be the greater
    by orders of magnitude, or in a conversion to text of which none is counted: so the largest
    text that is converted is bounded too, by what an exception holds.
    """
    calls = 0

    def count(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        made = TracebackText(error, plain)
    finally:
        sys.setprofile(None)
    assert len(made.text.encode()) <= MAX_TEXT
    assert calls < 400_000
    assert not made.is_whole or len(made.text) < MAX_TEXT
    name = type(error).__qualname__
    assert f"{name}: " in made.text


def test_an_exception_with_very_much_in_it_is_not_asked_for_its_text() -> None:
    """Its own method would take seconds."""

    class Asked(Exception):
        def __str__(self) -> str:
            raise AssertionError("it was asked")

    made = TracebackText(Asked([0] * 100_000), plain)
    assert made.text.endswith("Asked: ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...],) (abridged)")
    assert not made.is_whole


def test_of_a_long_chain_both_ends_are_shown() -> None:
    """The exception itself, and the root of all."""
    text = text_of(chained(500))
    assert "ShopError: root" in text
    assert "ShopError: 499 c" in text
    assert "[493 exceptions of the chain left out]" in text


def test_of_many_members_those_that_differ_are_shown() -> None:
    """A client that adds members of one kind hides no other in them."""
    members: list[Exception] = [ShopError(str(number)) for number in range(500)]
    group = ExceptionGroup("many", [*members, KeyError("other")])
    text = text_of(group)
    assert "  | KeyError: 'other'" in text
    assert text.count("ShopError: ") == 1
    assert "[499 exceptions of the group left out]" in text


def test_the_outermost_exception_is_shown_whatever_its_cause_holds() -> None:
    """A client that fills the cause does not push it out."""
    text = text_of(caused(ShopError("top"), nested(3, 15)))
    assert text.endswith("ShopError: top")
    assert "in fail" in text


def test_of_a_deep_recursion_both_ends_are_shown() -> None:
    """The frame that began it, and those that raised."""
    made = TracebackText(raised(ShopError("deep"), 500), plain)
    assert "in raised" in made.text
    assert "frames left out]" in made.text
    assert made.is_whole  # their number has a bound of its own


class Hostile(Exception):
    """An exception whose attributes raise."""

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":  # asked by isinstance()
            return Hostile
        raise LookupError(name)

    def __str__(self) -> str:
        raise LookupError


def test_an_exception_whose_methods_raise_is_shown_all_the_same() -> None:
    """By its class."""
    text = text_of(raised(Hostile()))
    assert text.endswith("Hostile: <its text cannot be made>")


def test_a_cycle_of_causes_ends() -> None:
    """Each is shown once."""
    first, second = ShopError("first"), ShopError("second")
    first.__cause__, second.__cause__ = second, first
    text = text_of(first)
    assert text.count("ShopError: first") == text.count("ShopError: second") == 1


def test_secrets_are_masked_before_anything_is_cut_or_escaped() -> None:
    """One that straddles the end of what is shown, and one of several lines."""
    secret = "s3cr3t-pa55w0rd\nof two lines"
    for length in range(8 * 1024 - 40, 8 * 1024 + 2):
        error = ShopError("x" * length + secret)
        text = TracebackText(error, lambda own: own.replace(secret, "***")).text
        assert "s3cr" not in text


@settings(max_examples=50)
@given(
    st.recursive(
        st.builds(ShopError, st.text(max_size=50)),
        lambda inner: (
            st.builds(ExceptionGroup, st.text(), st.lists(inner, min_size=1, max_size=5))
            | st.builds(caused, st.builds(ShopError, st.text()), inner)
        ),
        max_leaves=30,
    )
)
def test_any_tree_of_exceptions_is_bounded_and_printable(error: BaseException) -> None:
    """Whatever is in it."""
    text = text_of(error)
    assert len(text.encode()) <= MAX_TEXT
    assert all(line.isprintable() for line in text.split("\n"))

"""What is written in a style is read to the same value."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.guard.parameters import Coercer, Parameter, ParameterGroup
from tests.guard.parameters.rfc6570 import percent, serialize, text_of
from tests.guard.parameters.support import (
    LIMITS,
    array,
    asgi,
    members,
    of,
    one,
    query,
    refused,
    wsgi,
)

TYPES = ("integer", "number", "boolean", "string")
#: Each style of queries, with what its items can't have and whether it may be exploded.
QUERY = [("form", "", (False, True)), ("spaceDelimited", " ", (False,)),
         ("pipeDelimited", "|", (False,)), ("deepObject", "[]", (True,))]  # fmt: skip
PATH = [("simple", ","), ("label", ",."), ("matrix", ",;")]


def texts(without: str = "") -> st.SearchStrategy[str]:
    """Return texts of any characters that may stand in a value."""
    return st.text(
        st.characters(exclude_categories=("Cc", "Cs"), exclude_characters=without + "\ufffd"),
        max_size=8,
    )


def scalars(without: str = "") -> st.SearchStrategy[tuple[str, Any]]:
    """Return types with values of theirs."""
    numbers: Any = st.floats(allow_nan=False, allow_infinity=False)
    if set(without) & set(".-+"):
        numbers = st.integers(0, 9)
    return st.one_of(
        st.tuples(st.just("integer"), st.integers(0, 2**63)),
        st.tuples(st.just("number"), numbers),
        st.tuples(st.just("boolean"), st.booleans()),
        st.tuples(st.just("string"), texts(without)),
    )


@st.composite
def values(draw: st.DrawFn, kind: str, without: str = "") -> tuple[Coercer, Any]:
    """Return a shape with a value of it."""
    if kind == "scalar":
        name, scalar = draw(scalars(without))
        return of(name), scalar
    if kind == "array":
        found = draw(st.lists(scalars(without), min_size=1, max_size=4))
        prefix = tuple(of(name) for name, _ in found)
        return Coercer(types=frozenset({"array"}), prefix=prefix), [value for _, value in found]
    names = texts(without + "=").filter(bool)
    pairs = draw(st.dictionaries(names, scalars(without), min_size=1, max_size=4))
    shapes = {name: of(found) for name, (found, _) in pairs.items()}
    shape = Coercer(types=frozenset({"object"}), properties=shapes)
    return shape, {name: value for name, (_, value) in pairs.items()}


CELLS = [
    (style, without, explode, kind)
    for style, without, explodes in QUERY
    for explode in explodes
    for kind in ("scalar", "array", "object")
    if style == "form" or (kind == "object" or (kind == "array" and style != "deepObject"))
]


@pytest.mark.unmeasured
@pytest.mark.parametrize(("style", "without", "explode", "kind"), CELLS)
@given(data=st.data())
@settings(max_examples=40)
def test_queries(style: Any, without: str, explode: bool, kind: str, data: st.DataObject) -> None:
    """A value in a query is read back, whatever characters are in it, but its delimiter."""
    if style == "form" and not explode and kind != "scalar":
        without += ","
    shape, value = data.draw(values(kind, without))
    name = data.draw(texts("[]").filter(bool).filter(lambda name: name not in str(value)))
    declared = one(name, shape, style=style, explode=explode)
    text = serialize(name, value, style, explode)
    assert query(declared)(text.encode()) == {name: value}
    # as browsers write it (WHATWG URL, 5.2)
    assert query(declared)(text.replace("%20", "+").encode()) == {name: value}


@pytest.mark.parametrize(("style", "without"), PATH)
@pytest.mark.parametrize("explode", [False, True])
@pytest.mark.parametrize("kind", ["scalar", "array", "object"])
@given(data=st.data())
@settings(max_examples=30)
def test_paths(style: Any, without: str, explode: bool, kind: str, data: st.DataObject) -> None:
    """A value in a path is read back where no delimiter of its style is in it.

    The text comes decoded, so an encoded delimiter could not be told from a raw one.
    """
    shape, value = data.draw(values(kind, without + ("-+" if style == "label" else "")))
    declared = Parameter(
        name="color", place="path", style=style, explode=explode, shape=shape, required=True
    )
    text = unquote(serialize("color", value, style, explode))
    assert ParameterGroup("path", [declared], None, LIMITS).read_path({"color": text}) == {
        "color": value
    }


@pytest.mark.parametrize("explode", [False, True])
@pytest.mark.parametrize("kind", ["scalar", "array", "object"])
@given(data=st.data())
@settings(max_examples=30)
def test_headers(explode: bool, kind: str, data: st.DataObject) -> None:
    """A value in a header field is read back where it is ASCII and has no comma or outer space."""
    shape, value = data.draw(values(kind))
    declared = Parameter(name="Color", place="header", explode=explode, shape=shape)
    # values are passed through unchanged (OpenAPI 3.2.0), so here users have encoded them
    shape, value = _encoded(shape, value)
    text = serialize("Color", value, "simple", explode, text_of)
    declared = Parameter(name="Color", place="header", explode=explode, shape=shape)
    group = ParameterGroup("header", [declared], None, LIMITS)
    for request_of in (asgi, wsgi):
        made = request_of([("color", text)])
        if kind == "array" and len(value) > 1 and "" in value:  # which some readers ignore
            assert refused(group.read_headers, made)[0] == 400
        else:
            assert group.read_headers(made) == {"Color": value}


@pytest.mark.parametrize("explode", [False, True])
@pytest.mark.parametrize("kind", ["scalar", "array", "object"])
@pytest.mark.parametrize("style", ["form", "cookie"])
@given(data=st.data())
@settings(max_examples=30)
def test_cookies(style: Any, explode: bool, kind: str, data: st.DataObject) -> None:
    """A value in cookies is read back, unless it has to be encoded."""
    shape, value = data.draw(values(kind))
    if kind == "object":  # names of cookies are tokens
        pairs = zip("BGRA", value.values(), strict=False)
        value = dict(pairs)
        shape = members(**dict(zip("BGRA", shape.properties.values(), strict=False)))
    declared = Parameter(name="color", place="cookie", style=style, explode=explode, shape=shape)
    text = serialize("color", value, style, explode, percent)
    group = ParameterGroup("cookie", [declared], None, LIMITS)
    for request_of in (asgi, wsgi):
        made = request_of([("cookie", text)])
        if "%" in text:
            status, errors = refused(group.read_cookies, made)
            assert (status, errors[0][1]) == (400, "ambiguous_cookie")
        else:
            assert group.read_cookies(made) == {"color": value}


def _encoded(shape: Coercer, value: Any) -> tuple[Coercer, Any]:
    """Return the value with its strings percent-encoded."""

    def encoded(scalar: Any) -> Any:
        return percent(scalar) if isinstance(scalar, str) else scalar

    if isinstance(value, dict):
        properties = {percent(name): one for name, one in shape.properties.items()}
        shape = Coercer(types=shape.types, properties=properties)
        return shape, {percent(name): encoded(one) for name, one in value.items()}
    return shape, [encoded(one) for one in value] if isinstance(value, list) else encoded(value)


def test_array_helpers_agree() -> None:
    """Shapes of arrays have one shape for all items beyond those with their own."""
    shape = array(of("integer"))
    assert shape.item(0) is shape.item(7)

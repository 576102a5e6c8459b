"""The items of a list are those that an app finds which splits the decoded text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from werkzeug.wrappers import Request as WerkzeugRequest

from mantlet.guard import BodyLimits
from mantlet.guard.errors import ValidationFailed
from mantlet.guard.parameters import ParameterGroup, PartsReader
from tests.drive import Adapter, both_adapters
from tests.guard.asking import FORM, Guarded
from tests.guard.openapi.building import DONE, document
from tests.guard.parameters.support import LIMITS, array, asgi, members, one, query, refused, wsgi

if TYPE_CHECKING:
    from collections.abc import Callable

PIECES = ["a", "b", ",", "%2C", "%2c", "[", "]", "%5B", "%5D", "%5b%5d", "%2F", "|", "%7C", "+",
          "%20", "%25", "%252C", "[]"]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)
DELIMITERS = {"form": ",", "spaceDelimited": " ", "pipeDelimited": "|"}


def _werkzeug(text: str) -> str | None:
    return WerkzeugRequest({"QUERY_STRING": text}).args.get("a")


def _starlette(text: str) -> str | None:
    return QueryParams(text).get("a")


@pytest.mark.parametrize("body", [False, True])
@pytest.mark.parametrize("style", DELIMITERS)
@pytest.mark.parametrize("reader", [_werkzeug, _starlette])
@given(text=TEXTS)
@example("a%2Cb")
@example("a,b%2Cc")
@settings(max_examples=150)
def test_lists_of_queries_and_forms(
    reader: Callable[[str], str | None], style: Any, body: bool, text: str
) -> None:
    """What is accepted has the app's items; what is refused has two kinds of commas."""
    declared = one("a", array(), style=style, explode=False)
    items = (reader(f"a={text}") or "").split(DELIMITERS[style])
    try:
        assert query(declared, body=body)(f"a={text}".encode()) == {"a": items}
    except ValidationFailed:
        assert style == "form"
        assert "," in text
        assert "%2c" in text.lower()


@given(text=TEXTS)
@settings(max_examples=150)
def test_lists_of_paths(text: str) -> None:
    """An app gets them decoded."""
    declared = one("a", array(), place="path", required=True)
    decoded = unquote(text)
    group = ParameterGroup("path", [declared], None, LIMITS)
    assert group.read_path({"a": decoded}) == {"a": decoded.split(",")}


@given(text=st.lists(st.sampled_from([*PIECES, '"', " ", ", "]), min_size=1).map("".join))
@settings(max_examples=150)
def test_lists_of_headers(text: str) -> None:
    """An app gets them as they are; empty items and commas in quotes are some readers' only."""
    declared = one("a", array(), place="header")
    group = ParameterGroup("header", [declared], None, LIMITS)
    items = [part.strip() for part in text.split(",")]
    for request_of in (asgi, wsgi):
        try:
            found = group.read_headers(request_of([("a", text)]))
        except ValidationFailed:
            assert "," in text
            assert '"' in text or "" in items
        else:
            assert found == {"a": items}


@given(text=TEXTS)
@settings(max_examples=100)
def test_lists_of_parts(text: str) -> None:
    """A part of a form has no percent-encoding."""
    for style, delimiter in DELIMITERS.items():
        declared: Any = one("a", array(), style=style, explode=False)
        values, errors = PartsReader([declared], (), None, 20)([("a", text)])
        assert (values, errors) == ({"a": text.split(delimiter)}, [])


def test_the_number_of_items_is_bounded() -> None:
    """A form may have a megabyte of commas."""
    read = query(one("a", array(), explode=False), limits=BodyLimits(query="1 MB"), body=True)
    assert len(read(b"a=" + b"," * 9_999)["a"]) == 10_000
    for comma in (b",", b"%2C"):
        text = b"a=" + comma * 10_000
        assert refused(read, text) == (400, [("/a", "too_many_items")])


def test_objects_are_split_alike() -> None:
    """Their members too."""
    read = query(one("a", members(), explode=False))
    assert read(b"a=x%2C1%2Cy%2C2") == read(b"a=x,1,y,2") == {"a": {"x": "1", "y": "2"}}
    assert refused(read, b"a=x,1%2C2") == (400, [("/a", "malformed_parameter")])


@both_adapters
def test_counts_hold_however_a_list_is_encoded(adapter: Adapter) -> None:
    """``maxItems`` in a path, a query, a header and both kinds of forms."""
    two = {"type": "array", "items": {"type": "string"}, "maxItems": 2}
    parameters = [
        {"name": "p", "in": "path", "required": True, "schema": two},
        {"name": "q", "in": "query", "explode": False, "schema": two},
        {"name": "H", "in": "header", "schema": two},
    ]
    media = {"schema": {"type": "object", "properties": {"f": two}},
             "encoding": {"f": {"style": "form", "explode": False}}}  # fmt: skip
    body = {"content": {"application/x-www-form-urlencoded": media}}
    root = document({"/{p}": {"post": {"parameters": parameters, "requestBody": body, **DONE}}})
    app = Guarded(adapter, openapi=root)

    def ask(path: str = "a", listed: str = "a", header: str = "a", field: str = "a") -> int | None:
        return app.ask(
            "POST", f"/{path}?q={listed}", body=f"f={field}", headers=[*FORM, ("H", header)]
        ).status

    assert ask("a,b", "a%2Cb", "a,b", "a%2Cb") == 200
    assert app.seen[0].query == {"q": ["a", "b"]}
    assert app.seen[0].body == {"f": ["a", "b"]}
    for wrong in ({"path": "a,b,c"}, {"listed": "a%2Cb%2cc"}, {"header": "a,b,c"},
                  {"field": "a%2Cb%2Cc"}):  # fmt: skip
        assert ask(**wrong) == 422, wrong
    for mixed in ({"listed": "a,b%2Cc"}, {"header": 'a,"b,c"'}, {"field": "a,b%2Cc"}):
        assert ask(**mixed) == 400, mixed

"""The table "Style Examples" of the OpenAPI specification, every cell, read and written."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from mantlet.guard.errors import ValidationFailed
from mantlet.guard.parameters import Coercer, Parameter, ParameterGroup
from tests.guard.parameters.rfc6570 import serialize, text_of
from tests.guard.parameters.support import LIMITS, array, asgi, members, of, wsgi

STRING = of("string")
ARRAY = array()
OBJECT = members(R=of("integer"), G=of("integer"), B=of("integer"))
SHAPES = {"undefined": STRING, "string": STRING, "array": ARRAY, "object": OBJECT}
VALUES = {
    "undefined": "",
    "string": "blue",
    "array": ["blue", "black", "brown"],
    "object": {"R": 100, "G": 200, "B": 150},
}
NA = None

# OpenAPI Specification 3.2.0, "Style Examples". 3.0.4 and 3.1.1 have the same but for the question
# mark before queries, which is no part of them; have no style "cookie"; and have deepObject under
# explode "true" alone, where 3.2.0 says that explode has no effect on it. Arrays as deepObject are
# n/a there, and written as clients do it.
TABLE: list[tuple[str, bool, str | None, str | None, str | None, str | None]] = [
    ("matrix", False, ";color", ";color=blue", ";color=blue,black,brown",
     ";color=R,100,G,200,B,150"),
    ("matrix", True, ";color", ";color=blue", ";color=blue;color=black;color=brown",
     ";R=100;G=200;B=150"),
    ("label", False, ".", ".blue", ".blue,black,brown", ".R,100,G,200,B,150"),
    ("label", True, ".", ".blue", ".blue.black.brown", ".R=100.G=200.B=150"),
    ("simple", False, "", "blue", "blue,black,brown", "R,100,G,200,B,150"),
    ("simple", True, "", "blue", "blue,black,brown", "R=100,G=200,B=150"),
    ("form", False, "color=", "color=blue", "color=blue,black,brown",
     "color=R,100,G,200,B,150"),
    ("form", True, "color=", "color=blue", "color=blue&color=black&color=brown",
     "R=100&G=200&B=150"),
    ("spaceDelimited", False, NA, NA, "color=blue%20black%20brown",
     "color=R%20100%20G%20200%20B%20150"),
    ("spaceDelimited", True, NA, NA, NA, NA),
    ("pipeDelimited", False, NA, NA, "color=blue%7Cblack%7Cbrown",
     "color=R%7C100%7CG%7C200%7CB%7C150"),
    ("pipeDelimited", True, NA, NA, NA, NA),
    ("deepObject", False, NA, NA, "color%5B%5D=blue&color%5B%5D=black&color%5B%5D=brown",
     "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
    ("deepObject", True, NA, NA, "color%5B%5D=blue&color%5B%5D=black&color%5B%5D=brown",
     "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
    ("cookie", False, "color=", "color=blue", "color=blue,black,brown",
     "color=R,100,G,200,B,150"),
    ("cookie", True, "color=", "color=blue", "color=blue; color=black; color=brown",
     "R=100; G=200; B=150"),
]  # fmt: skip
PLACES = {
    "matrix": ("path",),
    "label": ("path",),
    "simple": ("path", "header"),
    "form": ("query", "cookie"),
    "spaceDelimited": ("query",),
    "pipeDelimited": ("query",),
    "deepObject": ("query",),
    "cookie": ("cookie",),
}
CELLS = [
    pytest.param(place, style, explode, kind, text, id=f"{place}-{style}-{explode}-{kind}")
    for style, explode, *texts in TABLE
    for kind, text in zip(SHAPES, texts, strict=True)
    for place in PLACES[style]
]


def parameter(place: Any, style: Any, explode: bool, shape: Coercer) -> Parameter:
    """Return the parameter ``color``."""
    required = place == "path"
    return Parameter(
        name="color", place=place, style=style, explode=explode, shape=shape, required=required
    )


def read(declared: Parameter, text: str) -> list[Any]:
    """Return what each protocol's request with that text is read to."""
    place: Any = declared.place
    group = ParameterGroup(place, [declared], None, LIMITS)
    if place == "path":
        return [group.read_path({"color": unquote(text)})]
    if place == "query":
        return [group.read_query(text.encode())]
    field = [("color" if place == "header" else "cookie", text)]
    both = group.read_headers if place == "header" else group.read_cookies
    return [both(asgi(field)), both(wsgi(field))]


@pytest.mark.parametrize(("place", "style", "explode", "kind", "text"), CELLS)
def test_every_cell_is_read(
    place: str, style: str, explode: bool, kind: str, text: str | None
) -> None:
    """Each cell's text is read to the value above it, and what is n/a can't be declared."""
    if text is None:
        with pytest.raises(ValueError, match=r"query parameter 'color': .* must be"):
            parameter(place, style, explode, SHAPES[kind])
        return
    declared = parameter(place, style, explode, SHAPES[kind])
    for value in read(declared, text):
        assert value == {"color": VALUES[kind]}


@pytest.mark.parametrize(
    ("style", "explode", "kind", "text"),
    [cell.values[1:] for cell in CELLS if cell.values[4] is not None],
)
def test_every_cell_is_written(style: str, explode: bool, kind: str, text: str) -> None:
    """The writer that other tests use writes each cell's text."""
    assert serialize("color", VALUES[kind], style, explode) == text


def test_writer_encodes_all_but_unreserved_characters() -> None:
    """The writer does as RFC 6570, 3.2.8 has it in its examples."""
    assert serialize("v", "Hello World!", "form", False) == "v=Hello%20World%21"
    assert serialize("path", "/foo/bar", "form", False) == "path=%2Ffoo%2Fbar"
    assert serialize("x", True, "form", False, text_of) == "x=true"


@pytest.mark.parametrize("style", ["form", "cookie"])
def test_examples_of_cookies(style: str) -> None:
    """3.2.0, "Parameter Object Examples": some frameworks decode it, and most do not."""
    with pytest.raises(ValidationFailed, match="ambiguous_cookie"):
        read(parameter("cookie", style, True, STRING), "color=Hello%2C%20world%21")


def test_example_of_a_header() -> None:
    """An array of integers in a header field is read as the specification shows it."""
    declared = parameter("header", "simple", False, array(of("integer")))
    assert read(declared, "12345678,90099") == [{"color": [12345678, 90099]}] * 2


def test_example_of_a_free_form_query() -> None:
    """An exploded object with additional members takes every name."""
    declared = parameter("query", "form", True, members(additional=of("integer")))
    assert read(declared, "page=4&pageSize=50") == [{"color": {"page": 4, "pageSize": 50}}]


def test_example_of_an_array_in_a_query() -> None:
    """An exploded array is read from one name given twice."""
    declared = parameter("query", "form", True, ARRAY)
    text = "color=one%20thing&color=another%20thing"
    assert read(declared, text) == [{"color": ["one thing", "another thing"]}]

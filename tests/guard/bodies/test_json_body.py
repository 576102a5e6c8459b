"""A body of JSON: what of its type counts, and what its schema makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from mantlet.guard import BodyLimits
from mantlet.guard.bodies.strict_json import JsonBodyReader
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.models.schema import ModelSchema
from mantlet.http.media_types import read_media_type


class Item(BaseModel):
    name: str
    price: float = 0


BODY = JsonBodyReader(ModelSchema(Item, name="item", errors=20), BodyLimits(depth=3))


def read(body: bytes, stated: str = "application/json") -> Any:
    media = read_media_type(stated)
    assert media is not None
    return BODY.read(body, media)


def refused(body: bytes, stated: str = "application/json") -> Any:
    with pytest.raises(ValidationFailed) as caught:
        read(body, stated)
    return caught.value.status, [fault[:3] for fault in caught.value.errors]


def test_a_body_is_what_its_schema_makes_of_it() -> None:
    """And can be written anew."""
    value = read(b' {"price": 1e0, "name": "\\u0061"} ')
    assert value == Item(name="a", price=1.0)
    assert BODY.dump(value) == b'{"name":"a","price":1.0}'


def test_structure_comes_before_meaning() -> None:
    """What is no JSON, or out of bounds, is a 400; what is wrong a 422."""
    assert refused(b'{"name":1,}') == (400, [("body", "", "json_invalid")])
    assert refused(b'{"name":[[[1]]]}') == (400, [("body", "", "json_depth")])
    assert refused(b'{"name":1}') == (422, [("body", "/name", "string_type")])


@pytest.mark.parametrize(
    "stated",
    [
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json; charset="Utf-8"',
        "application/json; charset=utf8",
        "application/problem+json; charset=utf-8",
        'application/vnd.api+json; ext="https://jsonapi.org/ext/atomic"',
        'application/ld+json; profile="https://www.w3.org/ns/json-ld#compacted"; charset=utf-8',
        "application/vnd.example+json; version=2",
        "application/vnd.example+json; V=2",
    ],
)
def test_parameters_that_change_nothing_are_let_through(stated: str) -> None:
    """A charset of UTF-8, and those that types of the suffix +json are registered with."""
    assert read(b'{"name":"a"}', stated) == Item(name="a")


@pytest.mark.parametrize(
    "stated",
    [
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/json; charset=iso-8859-1",
        'application/json; charset=""',
        'application/json; charset=" utf-8"',
        "application/json; charset=utf-8-sig",
        "application/json; version=2",
        "application/json; profile=x",
        "application/json; boundary=x",
        "application/vnd.api+json; charset=utf-16",
        "application/vnd.api+json; q=1",
        "application/json; charset=utf-8; x=1",
    ],
)
def test_parameters_that_may_change_what_is_read_are_refused(stated: str) -> None:
    """Before the body is looked at; the value of none is told."""
    assert refused(b"no json", stated) == (415, [("header", "/Content-Type", "media_parameter")])


def test_words_on_a_parameter_are_our_own() -> None:
    """What the client sent is not repeated."""
    with pytest.raises(ValidationFailed) as caught:
        read(b"{}", "application/json; seeded=seeded")
    words = "Unsupported media type parameter; only charset=utf-8 is allowed"
    assert caught.value.errors == (ErrorItem("header", "/Content-Type", "media_parameter", words),)

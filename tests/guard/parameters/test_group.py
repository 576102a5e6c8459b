"""Parameters with the schema of them together."""

from __future__ import annotations

import pytest

from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.parameters import ParameterGroup
from tests.guard.parameters.support import LIMITS, Stub, asgi, of, one, query, refused, told

DECLARED = [one("a", of("integer"), required=True), one("b")]


def fault(pointer: str, code: str = "wrong") -> ErrorItem:
    """Return what a schema says."""
    return ErrorItem("query", pointer, code, "It is wrong.")


def test_the_schema_has_the_last_word() -> None:
    """What the schema makes of the values is what the app gets."""
    schema = Stub(made="model")
    assert query(*DECLARED, schema=schema)(b"a=1&b=2") == "model"
    assert query(*DECLARED, schema=schema)(b"b=%32&a=1") == "model"
    assert schema.seen == [({"a": 1, "b": "2"}, "query"), ({"b": "2", "a": 1}, "query")]


@pytest.mark.parametrize("text", [b"a=x", b"a=x&&"])
def test_faults_of_the_schema(text: bytes) -> None:
    """What the schema finds is raised as it is."""
    schema = Stub(fault("/a"))
    with pytest.raises(ValidationFailed) as caught:
        query(*DECLARED, schema=schema)(text)
    assert told(caught.value) == (422, [("/a", "wrong")])


def test_all_faults_of_a_readable_query_together() -> None:
    """Missing and undeclared names come with what the schema finds, each thing once."""
    schema = Stub(fault("/b"), fault("/a", "missing"), fault("", "required"))
    read = query(*DECLARED, schema=schema)
    assert refused(read, b"b=1&c=2") == (
        422, [("/c", "undeclared_parameter"), ("/a", "missing_parameter"), ("/b", "wrong")]
    )  # fmt: skip
    assert schema.seen == [({"b": "1"}, "query")]
    # a requirement of other things is told
    assert refused(read, b"a=1&c=2") == (
        422,
        [("/c", "undeclared_parameter"), ("/b", "wrong"), ("/a", "missing"), ("", "required")],
    )


def test_an_unreadable_query_is_not_checked() -> None:
    """The schema is not asked about values of which some are not known."""
    schema = Stub(fault("/b"))
    read = query(*DECLARED, schema=schema)
    assert refused(read, b"a=1&a=2&b=1") == (400, [("/a", "duplicate_parameter")])
    assert schema.seen == []


@pytest.mark.parametrize("place", ["header", "cookie"])
def test_places_are_told_to_the_schema(place: str) -> None:
    """A schema is told where its values stand."""
    schema = Stub()
    declared = one("a", place=place)
    if place == "header":
        ParameterGroup("header", [declared], schema, LIMITS).read_headers(asgi([("a", "1")]))
    else:
        ParameterGroup("cookie", [declared], schema, LIMITS).read_cookies(asgi([("cookie", "a=1")]))
    assert schema.seen == [({"a": "1"}, place)]


def test_nothing_declared() -> None:
    """A query of which nothing is declared must be empty."""
    assert query()(b"") == {}
    assert query()(b"&&") == {}
    assert refused(query(), b"a") == (422, [("/a", "undeclared_parameter")])
    assert query(closed=False)(b"a") == {}

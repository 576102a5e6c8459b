"""Header fields, the same under both protocols as far as these allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.parameters import ParameterGroup
from tests.guard.parameters.support import (
    LIMITS,
    array,
    asgi,
    both,
    members,
    of,
    one,
    refused,
    wsgi,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet.core.request import Request
    from mantlet.guard.parameters import Parameter

INTEGER = of("integer")


def headers(*declared: Parameter, **options: Any) -> Callable[[Request], Any]:
    """Return what reads header fields."""
    return ParameterGroup("header", declared, None, LIMITS, **options).read_headers


def field(name: str = "X-A", **options: Any) -> Parameter:
    """Return a parameter in a header field."""
    return one(name, place="header", **options)


@both
@pytest.mark.parametrize(
    ("options", "text", "value"),
    [
        ({}, "blue", "blue"),
        ({}, "", ""),
        ({}, "a\tb", "a\tb"),
        ({}, "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ({}, "%20+", "%20+"),
        ({}, '"a"', '"a"'),
        ({"shape": INTEGER}, "5", 5),
        ({"shape": INTEGER}, "5,6", "5,6"),
        ({"shape": array(INTEGER)}, "1,2 ,\t3", [1, 2, 3]),
        ({"shape": array(INTEGER)}, "", [""]),
        ({"shape": array(INTEGER), "explode": True}, "1, 2", [1, 2]),
        ({"shape": array()}, '"a", W/"b"', ['"a"', 'W/"b"']),
        ({"shape": members(R=INTEGER)}, "R, 1, G, 2", {"R": 1, "G": "2"}),
        ({"shape": members()}, "R,,G,2", {"R": "", "G": "2"}),
        ({"shape": members(R=INTEGER), "explode": True}, "R=1, G=2", {"R": 1, "G": "2"}),
        ({"decode": len}, "[1, 2]", 6),
    ],
)
def test_texts(request_of: Any, options: Any, text: str, value: Any) -> None:
    """Texts are read in the style simple, and percent-encoding is left as it is."""
    read = headers(field(**options))
    assert read(request_of([("x-a", text), ("X-B", "\xff\x00")])) == {"X-A": value}


@both
@pytest.mark.parametrize(
    ("options", "text", "code"),
    [
        ({}, "\xfc", "non_ascii"),  # obs-text (RFC 9110, 5.5)
        ({}, "\xc3\xbc", "non_ascii"),
        ({}, "a\r\n b", "control_character"),  # obs-fold (RFC 9112, 5.2)
        ({}, "a\x00", "control_character"),
        ({"shape": array()}, "a,\xff", "non_ascii"),
        # some readers ignore empty items (RFC 9110, 5.6.1.2), and know quotes (5.6.4)
        ({"shape": array()}, "a,,b", "malformed_parameter"),
        ({"shape": array()}, ",", "malformed_parameter"),
        ({"shape": array()}, 'a,"b,c"', "malformed_parameter"),
        ({"shape": members()}, 'a,"b,c",d', "malformed_parameter"),
        ({"shape": array()}, "a,\x0bb", "control_character"),
        ({"shape": members()}, "a", "malformed_parameter"),
        ({"shape": members(), "explode": True}, "a=1,b", "malformed_parameter"),
        ({"decode": len}, "\xff", "non_ascii"),
    ],
)
def test_refused(request_of: Any, options: Any, text: str, code: str) -> None:
    """What readers decode in different ways, or is not in its style, is a 400."""
    read = headers(field(**options))
    assert refused(read, request_of([("X-A", text)])) == (400, [("/X-A", code)])


@both
def test_names_match_in_any_case(request_of: Any) -> None:
    """Names of header fields have no case; values go by the names that are declared."""
    read = headers(field("x-ONE"), field("X-Two"))
    assert read(request_of([("X-One", "1"), ("x-two", "2")])) == {"x-ONE": "1", "X-Two": "2"}


@both
def test_missing(request_of: Any) -> None:
    """A field that is required and not there is a 422; an undeclared one is never a fault."""
    read = headers(field(required=True), field("X-B"))
    assert refused(read, request_of([("X-C", "1")])) == (422, [("/X-A", "missing_parameter")])
    assert headers(field())(request_of([])) == {}
    assert headers()(request_of([("X-C", "1")])) == {}


def test_a_scalar_twice() -> None:
    """A scalar that came twice is refused under ASGI; under WSGI the server has joined the two."""
    for options in ({}, {"shape": INTEGER}, {"decode": str}):
        read = headers(field(**options))
        for twice in ([("X-A", "1"), ("x-a", "2")], [("X-A", "1"), ("X-A", "1")]):
            assert refused(read, asgi(twice)) == (400, [("/X-A", "duplicate_parameter")])
        # which is neither number nor boolean, so a schema refuses it there
        assert read(wsgi([("X-A", "1"), ("X-A", "2")])) == {"X-A": "1,2"}
    opened = headers(field(), unique=False)
    assert opened(asgi([("X-A", "1"), ("X-A", "2")])) == {"X-A": "1, 2"}


@both
def test_an_array_in_several_fields(request_of: Any) -> None:
    """An array may come in several fields (RFC 9110, 5.3)."""
    read = headers(field(shape=array(INTEGER)))
    assert read(request_of([("X-A", "1,2"), ("X-A", "3")])) == {"X-A": [1, 2, 3]}


@both
def test_a_field_that_other_fields_look_like(request_of: Any) -> None:
    """A comma in one field is no second one."""
    read = headers(field())
    assert read(request_of([("X-A", "1, 2"), ("X-Ab", "3")])) == {"X-A": "1, 2"}


@both
def test_an_empty_content_type_is_none(request_of: Any) -> None:
    """Servers that set a Content-Type of nothing where there is none have none."""
    read = headers(field("Content-Type", required=True))
    assert refused(read, request_of([("Content-Type", "")])) == (
        422, [("/Content-Type", "missing_parameter")]
    )  # fmt: skip
    assert read(request_of([("Content-Type", "a/b")])) == {"Content-Type": "a/b"}


@both
def test_content(request_of: Any) -> None:
    """What is wrong inside of content is told with the parameter's name."""

    def decode(text: str) -> Any:
        raise ValidationFailed(422, [ErrorItem("body", "/0", "type", "It is wrong.")])

    read = headers(field(decode=decode))
    assert refused(read, request_of([("X-A", "x")])) == (422, [("/X-A/0", "type")])

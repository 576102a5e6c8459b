"""Cookies, the same under both protocols, and what frameworks read in two ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mantlet.guard import BodyLimits
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
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet.core.request import Request
    from mantlet.guard.parameters import Parameter

INTEGER = of("integer")


def cookies(*declared: Parameter, **options: Any) -> Callable[[Request], Any]:
    """Return what reads cookies."""
    limits = options.pop("limits", LIMITS)
    return ParameterGroup("cookie", declared, None, limits, **options).read_cookies


def cookie(name: str = "a", **options: Any) -> Parameter:
    """Return a parameter in a cookie."""
    return one(name, place="cookie", **options)


@both
@pytest.mark.parametrize(
    ("options", "text", "values"),
    [
        ({}, "a=1", {"a": "1"}),
        ({}, "a=", {"a": ""}),
        ({}, "  b=2;a=1 ;\tc", {"a": "1"}),
        ({}, ";;a = 1;", {"a": "1"}),
        ({}, "A=1; aa=2; b", {}),
        ({}, "", {}),
        ({}, "a=b=c", {"a": "b=c"}),
        ({}, "a=%41%20%C3%BC+", {"a": "A \u00fc+"}),
        ({"style": "cookie"}, "a=%41%zz+", {"a": "%41%zz+"}),
        ({"shape": INTEGER}, "a=5", {"a": 5}),
        ({"shape": INTEGER}, "a=05", {"a": "05"}),
        ({}, "a=x,b=1\\", {"a": "x,b=1\\"}),
        ({"shape": array(INTEGER), "explode": False}, "a=1,%32", {"a": [1, 2]}),
        ({"shape": array(INTEGER)}, "a=1&a=2; b", {"a": [1, 2]}),
        ({"shape": array(INTEGER), "style": "cookie"}, "a=1; b; a=2", {"a": [1, 2]}),
        ({"shape": members(R=INTEGER), "explode": False}, "a=R,1", {"a": {"R": 1}}),
        ({"shape": members(R=INTEGER, G=INTEGER)}, "b=1; G=2&R=1; c", {"a": {"R": 1, "G": 2}}),
        ({"shape": members(R=INTEGER), "style": "cookie"}, "G=2; R=1", {"a": {"R": 1}}),
        ({"decode": str}, "a=%7B%7D", {"a": "{}"}),
        # what is someone else's is never looked at
        ({}, "b=\xff; c=%zz; c=\"; d=\x01; d=2; a=1", {"a": "1"}),
        ({}, 'b="x"; a=1', {"a": "1"}),
        ({}, 'b="x"y; a=1; c="z', {"a": "1"}),
        ({}, 'b="x; c="; a=1', {"a": "1"}),
        ({}, 'b={"x":1}; a=1', {"a": "1"}),
        ({}, 'b="x\\""; a=1', {"a": "1"}),
    ],
)  # fmt: skip
def test_texts(request_of: Any, options: Any, text: str, values: Any) -> None:
    """Cookies are read in their style."""
    assert cookies(cookie(**options))(request_of([("Cookie", text)])) == values


@both
@pytest.mark.parametrize(
    ("options", "text", "where", "code"),
    [
        ({}, "a=1; a=2", "/a", "duplicate_parameter"),
        ({}, "a=1; b; a=1", "/a", "duplicate_parameter"),
        ({}, "a=%zz", "/a", "invalid_percent_escape"),
        ({}, "a=%ff", "/a", "invalid_utf8"),
        ({}, "a=%00", "/a", "control_character"),
        # Werkzeug undoes quotes and escapes in one way, Starlette and Django in another
        ({}, 'a="1"', "/a", "ambiguous_cookie"),
        ({}, 'a="\\061"', "/a", "ambiguous_cookie"),
        ({"style": "cookie"}, 'a="1"', "/a", "ambiguous_cookie"),
        ({}, 'a=1"', "/a", "ambiguous_cookie"),
        # Werkzeug drops it; the specification's own example "Hello%2C world!" is such a one
        ({"style": "cookie"}, "a=Hello%2C world!", "/a", "ambiguous_cookie"),
        ({}, "a=1\t2", "/a", "ambiguous_cookie"),
        ({}, "a=\xfc", "/a", "ambiguous_cookie"),
        ({}, "a=1\x00", "/a", "ambiguous_cookie"),
        # Starlette and Django take the first for a value without a name
        ({}, "a", "/a", "ambiguous_cookie"),
        # Starlette and Django strip more than spaces
        ({}, "\xa0a=1", "/a", "ambiguous_cookie"),
        ({}, "a\x0b=1", "/a", "ambiguous_cookie"),
        # Werkzeug reads these as one cookie
        ({}, 'b="x; a=1; c="', "/a", "ambiguous_cookie"),
        ({}, 'b="x\\"; a=1; c="', "/a", "ambiguous_cookie"),
        ({}, 'b = "; a=1"', "/a", "ambiguous_cookie"),
        ({"shape": array()}, "a=1&b=2", "/a", "malformed_parameter"),
        ({"shape": array()}, "a=1&a", "/a", None),
        ({"shape": array()}, "a=1; a=2", "/a", "duplicate_parameter"),
        ({"shape": members(R=INTEGER)}, "R=1&R=2", "/a/R", "duplicate_parameter"),
        ({"shape": members(R=INTEGER)}, "R=1&G", "/a", "malformed_parameter"),
        ({"shape": members(R=INTEGER, G=INTEGER)}, "R=1; G=2", "/a", "duplicate_parameter"),
        ({"shape": members(R=INTEGER), "style": "cookie"}, "R=1; R=2", "/a/R",
         "duplicate_parameter"),
    ],
)  # fmt: skip
def test_refused(request_of: Any, options: Any, text: str, where: str, code: str | None) -> None:
    """What frameworks read in two ways, or is not in its style, is a 400."""
    read, made = cookies(cookie(**options)), request_of([("Cookie", text)])
    if code is None:
        assert read(made) == {"a": ["1", ""]}
    else:
        assert refused(read, made) == (400, [(where, code)])


@both
def test_missing(request_of: Any) -> None:
    """A cookie that is required and not there is a 422."""
    read = cookies(cookie(required=True))
    for fields in ([], [("Cookie", "b=1")]):
        assert refused(read, request_of(fields)) == (422, [("/a", "missing_parameter")])


@both
def test_too_many(request_of: Any) -> None:
    """More cookies than the limits say are a 400."""
    read = cookies(cookie(), limits=BodyLimits(parameters=2))
    assert read(request_of([("Cookie", "b; a=1")])) == {"a": "1"}
    many = request_of([("Cookie", "b; c; a=1")])
    assert refused(read, many) == (400, [("", "too_many_parameters")])


@both
def test_duplicates_may_be_let_through(request_of: Any) -> None:
    """Where duplicates are let through the last one counts."""
    read = cookies(cookie(), unique=False)
    assert read(request_of([("Cookie", "a=1; a=2")])) == {"a": "2"}


def test_several_fields() -> None:
    """Cookies of several fields, as HTTP/2 has them (RFC 9113, 8.2.3), are all read."""
    read = cookies(cookie(), cookie("b"))
    assert read(asgi([("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")])) == {"a": "1", "b": "2"}
    assert refused(read, asgi([("cookie", "a=1"), ("cookie", "a=2")])) == (
        400, [("/a", "duplicate_parameter")]
    )  # fmt: skip

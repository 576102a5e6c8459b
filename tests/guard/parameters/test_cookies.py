"""Cookies, the same under both protocols, and what frameworks read in two ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from mantlet.guard import BodyLimits, Contract, RouteOptions
from mantlet.guard.parameters import ParameterGroup
from tests.drive import ADAPTERS
from tests.guard.asking import Guarded
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
        ({}, "a=100%+%zz%", {"a": "100%+%zz%"}),
        ({"style": "cookie"}, "a=%zz+", {"a": "%zz+"}),
        ({"shape": INTEGER}, "a=5", {"a": 5}),
        ({"shape": INTEGER}, "a=05", {"a": "05"}),
        ({}, "a=x,b=1\\", {"a": "x,b=1\\"}),
        ({"shape": array(INTEGER), "explode": False}, "a=1,2", {"a": [1, 2]}),
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
        ({"decode": str}, "a=%zz", "/a", "invalid_percent_escape"),
        ({"decode": str}, "a=%ff", "/a", "invalid_utf8"),
        ({"decode": str}, "a=%00", "/a", "control_character"),
        # apps that decode what Litestar has decoded would decode it twice
        ({"decode": str}, "a=%2561", "/a", "ambiguous_cookie"),
        ({"decode": str}, 'a="1"', "/a", "ambiguous_cookie"),
        # Litestar decodes it
        ({}, "a=%41", "/a", "ambiguous_cookie"),
        ({"style": "cookie"}, "a=x%3d", "/a", "ambiguous_cookie"),
        ({"shape": array(), "explode": False}, "a=1,%32", "/a", "ambiguous_cookie"),
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


def test_several_fields_are_one_for_the_app() -> None:
    """Litestar reads the first, Falcon the last, and Django joins them by a comma."""
    adapter = ADAPTERS[0]

    class Cookies(BaseModel):
        a: str

    headers = [("Cookie", "a=1; x=,"), ("Cookie", "b=2")]
    cases: list[tuple[dict[str, Any], int]] = [
        ({}, 1),
        ({"mode": "report"}, 2),
        ({"routes": {"GET /": RouteOptions(mode="report")}}, 2),
    ]
    for options, lines in cases:
        app = Guarded(adapter, {"GET /": Contract(cookies=Cookies)}, **options)
        assert app.ask(headers=headers).status == 200
        found = [value for name, value in app.carriers[0]["headers"] if name == b"cookie"]
        assert len(found) == lines
        assert b"; ".join(found) == b"a=1; x=,; b=2"
    app = Guarded(adapter, {"GET /": Contract()})
    assert app.ask(headers=headers).status == 200
    assert len(app.carriers[0]["headers"]) == 2

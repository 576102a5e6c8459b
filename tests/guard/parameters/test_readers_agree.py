"""What is read is what Werkzeug, Starlette and Django read; else it is refused."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any
from unittest import mock
from wsgiref.util import setup_testing_defaults

import falcon
import falcon.asgi
import pytest
from django import setup as set_up_django
from django.conf import settings as django_settings
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import QueryDict
from hypothesis import example, given, settings
from hypothesis import strategies as st
from litestar import Request as LitestarRequest
from quart.wrappers import Request as QuartRequest
from starlette.datastructures import QueryParams
from starlette.requests import Request as StarletteRequest
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request as WerkzeugRequest

from mantlet.guard import BodyLimits
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.parameters import TEXT, ParameterGroup
from tests.guard.parameters.support import array, asgi, members, of, one, query, wsgi

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet.core.request import Request

#: Every name is taken, so that what is refused is refused for how it is written.
REST = members(additional=TEXT)
LIMITS = BodyLimits(query=500, parameters=20)

PIECES = st.sampled_from(
    ["a", "b", "&", "=", "+", "%61", "%20", "%26", "%3D", "%2B", "%00", "%C3%BC", "%c0%af", "%zz",
     "%0D", "%0a", "%09",
     "%", ";", "[", "]", "#", "\x00", "\xfc", " ", "\t", '"', "\\", ",", "|", "1", "true", "\r\n"]
)  # fmt: skip
NAMES = st.sampled_from(["a", "b", "%61", "c+d", "%C3%BC", "e%26f", "", "g[h]", "%5B"])
VALUES = st.lists(
    st.sampled_from(
        [
            "1",
            "x",
            "=",
            "+",
            "%20",
            "%26",
            "%3D",
            "%2B",
            "%f0%9f%98%80",
            ",",
            "%2541",
            "%0D%0A",
            "%09",
        ]
    ),
    max_size=4,
).map("".join)
PAIRS = st.tuples(NAMES, st.sampled_from(["=", "=", "=", ""]), VALUES).map("".join)
QUERIES = st.one_of(
    st.lists(PAIRS, max_size=4).map(lambda pairs: "&".join(pairs).encode()),
    st.lists(PAIRS, max_size=4, unique=True).map(lambda pairs: "&&".join(pairs).encode()),
    st.lists(PIECES, max_size=12).map(lambda parts: "".join(parts).encode("latin-1")),
    st.binary(max_size=30),
)


def _django(text: bytes) -> list[tuple[str, str]]:
    if not django_settings.configured:
        django_settings.configure(SECRET_KEY="of a test", USE_TZ=True)
        # For tests that have whole sites, which leave it out where settings are there already.
        set_up_django()
    found = QueryDict(text, encoding="utf-8")
    return [(name, value) for name, values in found.lists() for value in values]


def _starlette(text: bytes) -> list[tuple[str, str]]:
    return QueryParams(text).multi_items()


def _werkzeug(text: bytes) -> list[tuple[str, str]]:
    found = WerkzeugRequest({"QUERY_STRING": text.decode("latin-1")}).args
    return list(found.items(multi=True))


READERS: list[Callable[[bytes], list[tuple[str, str]]]] = [_django, _starlette, _werkzeug]


@given(QUERIES)
@example(b"%61=1")
@example(b"a=+%2B%20")
@example(b"=&a&b=c=d")
@example(b"a=1;b=2")
@settings(max_examples=300)
def test_queries(text: bytes) -> None:
    """Names and values of a query are what all three frameworks read."""
    read = query(one("rest", REST), limits=LIMITS)
    try:
        found = read(text).get("rest", {})
    except ValidationFailed:
        return
    for reader in READERS:
        assert sorted(reader(text)) == sorted(found.items())


@given(QUERIES)
@settings(max_examples=200)
def test_scalars_of_queries(text: bytes) -> None:
    """A scalar that is read is the only one of its name that the frameworks find."""
    read = query(*map(one, ("a", "b", "c d", "\u00fc", "e&f", "g[h]", "[")), limits=LIMITS)
    with suppress(ValidationFailed):
        found = read(text)
        for reader in READERS:
            assert sorted(reader(text)) == sorted(found.items())


COOKIE_PAIRS = st.tuples(
    st.sampled_from(["a", "b", " a", "A", "a "]),
    st.sampled_from(["=", "= ", ""]),
    st.sampled_from(
        ["", "1", "%41", "%", "%4", "%2541", ",", "=", '"x"', '"', "x y", "\\", "\\101", '"\\101"']
    ),
).map("".join)
COOKIES = st.lists(COOKIE_PAIRS, max_size=4).map("; ".join) | st.lists(
    st.sampled_from(
        ["a", "b", "=", ";", "; ", '"', "\\", "\\073", "1", " ", "\t", ",", "%41", "\xfc", "\xa0",
         "\x0b", "{", "a=1", "; a=2", 'b="', '";']
    ),
    max_size=12,
).map("".join)  # fmt: skip


def _cookies(lines: list[str], asgi_request: Request) -> dict[str, dict[str, Any]]:
    """Return what the frameworks read of the headers of a request."""
    _django(b"")  # which configures Django
    scope: Any = asgi_request.raw
    environ: Any = {"HTTP_COOKIE": ",".join(lines)}  # as WSGI servers join them
    litestar: Any = LitestarRequest(
        scope | {"litestar_app": mock.Mock(), "app": mock.Mock(), "state": {}}
    )
    headers = Headers(
        [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
    )
    quart: Any = QuartRequest(
        "GET", "http", "/", b"", headers, "", "2", scope, send_push_promise=mock.Mock()
    )
    setup_testing_defaults(environ)
    scope |= {"method": "GET", "path": "/", "query_string": b"", "server": ("a", 80)}
    asgi: dict[str, Any] = {
        "starlette": StarletteRequest(scope).cookies,
        "litestar": litestar.cookies,
        "django": ASGIRequest(scope, BytesIO()).COOKIES,
        "falcon": falcon.asgi.Request(scope, mock.Mock()).cookies,
        "quart": quart.cookies,
    }
    return asgi | {
        "werkzeug": WerkzeugRequest(environ).cookies,
        "django-wsgi": WSGIRequest(environ | {"wsgi.input": BytesIO()}).COOKIES,
        "falcon-wsgi": falcon.Request(environ).cookies,
    }


@given(COOKIES)
@example('b="x; a=1; c="')
@example('b="\\"; a=1"')
@example("a")
@example("a=%41")
@example("a=%2541; b=2")
@settings(max_examples=400)
@pytest.mark.parametrize("style", ["form", "cookie"])
def test_cookies(style: Any, text: str) -> None:
    """A cookie that is read is what all frameworks read."""
    group = ParameterGroup("cookie", [one("a", place="cookie", style=style)], None, LIMITS)
    try:
        found = group.read_cookies(wsgi([("Cookie", text)]))
    except ValidationFailed:
        return
    made = asgi([("Cookie", text)])
    assert group.read_cookies(made) == found
    for name, cookies in _cookies([text], made).items():
        assert cookies.get("a") == found.get("a"), name


@given(st.lists(COOKIES, min_size=2, max_size=3))
@example(["a=1", "b=2"])
@example(["b=1; c=2", "a=3", "d=4"])
@settings(max_examples=200)
def test_cookies_of_several_headers(lines: list[str]) -> None:
    """As HTTP/2 has them: the app gets one, since frameworks make different things of several."""
    group = ParameterGroup("cookie", [one("a", place="cookie")], None, LIMITS)
    made = asgi([("Cookie", line) for line in lines])
    try:
        found = group.read_cookies(made, join=True)
    except ValidationFailed:
        return
    read = _cookies(["; ".join(lines)], made)
    for name, cookies in read.items():
        assert cookies.get("a") == found.get("a"), name


def _decode(text: str) -> Any:
    if len(text) % 2:
        raise ValidationFailed(400, [ErrorItem("body", "", "odd", "It is odd.")])
    return text


DECLARED: list[Any] = [
    [one("a"), one("b", of("integer"))],
    [one("a", array(of("integer"), "null")), one("b", array(), explode=False)],
    [one("a", members(a=TEXT, b=of("boolean"))), one("c", REST)],
    [one("a", members(), style="deepObject"), one("b", members("null"), explode=False)],
    [one("a", array(), style="spaceDelimited"), one("b", members(), style="pipeDelimited")],
    [one("a", decode=_decode), one("b", allow_reserved=True, allow_empty=True)],
    [one("a", place="querystring", decode=_decode)],
]


@pytest.mark.parametrize("declared", DECLARED, ids=range(len(DECLARED)))
@given(text=QUERIES, closed=st.booleans(), unique=st.booleans())
@settings(max_examples=60)
def test_only_invalid_leaves_queries(
    declared: Any, text: bytes, closed: bool, unique: bool
) -> None:
    """Any query is read, or raises `ValidationFailed` with a bounded number of errors."""
    read = query(*declared, limits=LIMITS, closed=closed, unique=unique)
    caught: ValidationFailed | None = None
    found: dict[str, Any] = {}
    try:
        found = read(text)
    except ValidationFailed as error:
        caught = error
    assert set(found) <= {parameter.name for parameter in declared}
    if caught is not None:
        assert caught.status in (400, 414, 422)
        assert 0 < len(caught.errors) <= LIMITS.errors
        assert all(fault.place == "query" for fault in caught.errors)


STYLES = [
    (style, explode, shape)
    for style in ("simple", "label", "matrix")
    for explode in (False, True)
    for shape in (TEXT, array(of("integer"), "null"), members("integer", a=of("boolean")))
]


@given(text=st.one_of(st.text(max_size=20), COOKIES), cell=st.sampled_from(STYLES))
@settings(max_examples=200)
def test_only_invalid_leaves_paths(text: str, cell: Any) -> None:
    """Whatever a segment of a path is, it is read or it is `ValidationFailed`."""
    style, explode, shape = cell
    declared = one("a", shape, place="path", required=True, style=style, explode=explode)
    with suppress(ValidationFailed):
        ParameterGroup("path", [declared], None, LIMITS).read_path({"a": text})


@given(text=st.one_of(st.text(st.characters(max_codepoint=255), max_size=20), COOKIES))
@settings(max_examples=100)
def test_only_invalid_leaves_header_fields(text: str) -> None:
    """Whatever a field is, both protocols read the same, or it is `ValidationFailed` under both."""
    a, b = array(of("integer"), "null"), members("integer", a=of("boolean"))
    headers = [one("cookie", place="header"), one("X", a, place="header")]
    cookies = [one("a", a, place="cookie"), one("c", members(b=TEXT), place="cookie"),
               one("d", b, place="cookie", style="cookie", explode=False)]  # fmt: skip
    results = []
    for request_of in (asgi, wsgi):
        made = request_of([("cookie", text), ("x", text)])
        for read in (
            ParameterGroup("header", headers, None, LIMITS).read_headers,
            ParameterGroup("cookie", cookies, None, LIMITS).read_cookies,
        ):
            try:
                results.append(read(made))
            except ValidationFailed as error:
                results.append((error.status, error.errors))
    assert results[:2] == results[2:]

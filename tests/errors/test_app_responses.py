"""Words of an exception are found in the app's own response, in whatever form it shows them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

import mantlet
from tests.drive import Answer, drive_asgi

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

SECRET = "no row for customer 4711 in db-7.internal of Müller & Sons"
SORRY = b"<h1>Our shop is closed for a moment</h1>"


class ShopError(Exception):
    """An exception that the app has a handler for."""


class Slotted(ShopError):
    """An exception with an attribute that its message does not tell."""

    __slots__ = ("dsn",)

    def __init__(self, dsn: str) -> None:
        super().__init__("down")
        self.dsn = dsn


class Unreadable(ShopError):
    """An exception whose arguments cannot be read."""

    @property
    def args(self) -> tuple[object, ...]:  # type: ignore[override]  # on purpose
        raise ValueError


Page = tuple[bytes, dict[str, str]]


def answer(
    error: Exception,
    page: Page,
    *policies: mantlet.Policy,
    kind: type[Exception],
    method: str = "GET",
) -> Answer:
    """Return the response of an app whose handler answers an exception with a page."""
    body, headers = page

    async def endpoint(_request: Request) -> Response:
        raise error

    async def handler(_request: Request, _error: Exception) -> Response:
        return Response(body, 503, headers)

    app = Starlette(
        routes=[Route("/", endpoint, methods=[method])], exception_handlers={kind: handler}
    )
    return drive_asgi(mantlet.wrap(app, *policies), method=method)


def html(text: str, **headers: str) -> Page:
    return text.encode(), {"Content-Type": "text/html; charset=utf-8", **headers}


def in_charset(charset: str, *, declared: bool = True) -> Callable[[str], Page]:
    kind = f"text/plain; charset={charset}" if declared else "text/plain"
    return lambda text: (text.encode(charset, "replace"), {"Content-Type": kind})


FORMS: dict[str, Callable[[str], Page]] = {
    "plain": html,
    "upper case": lambda text: html(text.upper()),
    "sentence case": lambda text: html(text.capitalize()),
    "decimal references": lambda text: html("".join(f"&#{ord(char)};" for char in text)),
    "hexadecimal references": lambda text: html("".join(f"&#x{ord(char):x};" for char in text)),
    "markup within": lambda text: html(text.replace("customer", "<b>customer</b>")),
    "marked letters": lambda text: html("".join(f"<i>{char}</i>" for char in text)),
    "lines": lambda text: html(fill(text, 12)),
    "broken lines": lambda text: html(fill(text, 12).replace("\n", "<br>")),
    "spaces of HTML": lambda text: html(text.replace(" ", "&nbsp;")),
    "the end": lambda text: html(text[-40:]),
    "JSON": lambda text: (json.dumps([text]).encode(), {"Content-Type": "application/json"}),
    "Latin-1": in_charset("iso-8859-1"),
    "UTF-16": in_charset("utf-16"),
    "UTF-7": in_charset("utf-7"),
    "EBCDIC": in_charset("cp037"),
    "UTF-16, undeclared": in_charset("utf-16", declared=False),
    "gzip": lambda text: (gzip.compress(text.encode()), {"Content-Encoding": "gzip"}),
    "a header": lambda text: html("Sorry", **{"X-Error": text.replace("ü", "u")[:48]}),
    "a header in capitals": lambda text: html("Sorry", **{"X-Error": text[:40].upper()}),
    "a traceback with markup": lambda _text: html(
        "<b>Traceback</b> (<i>most recent call last</i>)"
    ),
}


@pytest.mark.parametrize("kind", [ShopError, Exception], ids=["handled", "unhandled"])
@pytest.mark.parametrize("form", FORMS)
def test_the_words_are_found_in_any_form(form: str, kind: type[Exception]) -> None:
    page = FORMS[form](SECRET)
    got = answer(ShopError(SECRET), page, kind=kind)
    assert got.get("content-type") == "application/problem+json"
    assert page[0] not in got.body
    assert got.get("x-error") is None


@pytest.mark.parametrize("kind", [ShopError, Exception], ids=["handled", "unhandled"])
@pytest.mark.parametrize("form", ["plain", "UTF-16", "EBCDIC", "gzip", "Latin-1"])
def test_a_page_without_them_stays_in_any_form(form: str, kind: type[Exception]) -> None:
    page = FORMS[form]("Our shop is closed for a moment")
    got = answer(ShopError(SECRET), page, kind=kind)
    assert (got.status, got.body) == (503, page[0])


SHOWN: list[tuple[Exception, str]] = [
    (FileNotFoundError(2, "No such file", "/etc/shop/dsn.toml"), "/etc/shop/dsn.toml"),
    (ShopError("down", Path("/etc/shop/dsn.toml")), "/etc/shop/dsn.toml"),
    (Slotted("db://shop@db-7.internal"), "db://shop@db-7.internal"),
    (ShopError("down", {"hosts": [{"name": "db-7.internal"}]}), "db-7.internal"),
    (ShopError("abcdefgh"), "abcdefgh"),
    (ExceptionGroup("many", [ExceptionGroup("more", [ShopError(SECRET)])]), SECRET),
]


@pytest.mark.parametrize(("error", "shown"), SHOWN, ids=lambda one: str(one)[:20])
def test_all_that_an_exception_holds_is_looked_for(error: Exception, shown: str) -> None:
    got = answer(error, html(f"Sorry: {shown}"), kind=type(error))
    assert got.get("content-type") == "application/problem+json"


@pytest.mark.parametrize(
    "error", [ShopError("abcdefg"), ShopError(10**5000), Unreadable()], ids=type
)
def test_what_cannot_be_read_or_is_short_changes_nothing(error: Exception) -> None:
    """A number with more digits than Python converts would otherwise fail the envelope."""
    for kind in (ShopError, Exception):
        got = answer(error, html(SORRY.decode() + " abcdefg"), kind=kind)
        assert (got.status, got.error) == (503, None if kind is ShopError else got.error)
        assert got.body.startswith(SORRY)


def test_a_header_is_looked_at_in_the_response_to_head() -> None:
    got = answer(
        ShopError(SECRET[:40]),
        html("", **{"X-Error": SECRET[:40], "X-App": "shop"}),
        kind=ShopError,
        method="HEAD",
    )
    assert (got.get("x-error"), got.get("x-app")) == (None, "shop")


def test_an_apps_own_short_detail_stays_and_that_of_the_exception_does_not() -> None:
    kind = {"Content-Type": "application/json"}
    own = answer(ShopError(SECRET), (b'{"detail": "Closed until nine"}', kind), kind=ShopError)
    assert own.json() == {"detail": "Closed until nine"}
    short = answer(ShopError("db-7"), (b'{"detail": "db-7"}', kind), kind=ShopError)
    assert "db-7" not in short.text()


@pytest.mark.parametrize("kind", [ShopError, Exception], ids=["handled", "unhandled"])
def test_the_words_are_found_where_nothing_is_converted(kind: type[Exception]) -> None:
    never = mantlet.ErrorEnvelope(convert="never")
    assert SECRET.encode() not in answer(ShopError(SECRET), html(SECRET), never, kind=kind).body
    got = answer(ShopError(SECRET), html(SORRY.decode()), never, kind=kind)
    assert (got.status, got.body) == (503, SORRY)


def test_debug_output_is_found_where_nothing_is_converted() -> None:
    page = b"Traceback (most recent call last):\n  ..."
    app = Response(page, 404)
    got = drive_asgi(mantlet.wrap(app, mantlet.ErrorEnvelope(convert="never")))
    assert (got.status, got.get("content-type")) == (404, "application/problem+json")


@pytest.mark.parametrize("value", [None, "words"], ids=str)
def test_an_exception_that_holds_too_much_is_not_looked_through(value: str | None) -> None:
    """It counts as revealed, and its message is not made, which would cost as much."""
    made = []

    class Huge(ShopError):
        def __str__(self) -> str:
            made.append(self)
            return "huge"

    got = answer(Huge([value] * 100_000), html(SORRY.decode()), kind=Huge)
    assert (got.status, got.get("content-type")) == (503, "application/problem+json")
    assert not made

"""Checkers of both protocols' rules, to stand on either side of the code under test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from wsgiref import validate

from werkzeug.middleware.lint import LintMiddleware

from tests.conformance.asgi_checker import AsgiChecker

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication

    from mantlet._internal.asgi_types import AsgiApp

__all__ = ["check_asgi", "check_wsgi"]


# The standard library's checker wants a Content-Type on every answer but a 204 and a 304, and none
# on those two. PEP 3333 has no such rule, nor has HTTP (RFC 9110, 8.3).
validate.check_content_type = lambda _status, _headers: None  # type: ignore[attr-defined]  # private


#: Whether checkers are wanted; not by a test that breaks the rules on purpose.
standing = True


def check_wsgi(app: WSGIApplication, *, cut: bool = False) -> WSGIApplication:
    """Return ``app`` behind Werkzeug's and the standard library's checkers of PEP 3333.

    Args:
        app: the app.
        cut: whether its body may end before its Content-Length, since it raises or since nobody
            reads on. Werkzeug's checker takes that for a lie, so the other one stands alone.
    """
    if not standing:
        return app
    standard = validate.validator(app)

    def with_readlines(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        # The stream that Werkzeug's checker makes lacks a method.
        stream = environ["wsgi.input"]
        stream.readlines = lambda *_: list(stream)
        return standard(environ, start_response)

    werkzeugs = LintMiddleware(with_readlines)

    def checked(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        # Werkzeug's wants the body of a GET after the head of an answer to HEAD (RFC 9110, 9.3.2).
        checker = standard if cut or environ["REQUEST_METHOD"] == "HEAD" else werkzeugs
        return checker(environ, start_response)

    return checked


def check_asgi(app: AsgiApp) -> AsgiApp:
    """Return ``app`` behind the checker of the ASGI message rules."""
    return AsgiChecker(app) if standing else app

"""Frameworks' HTTP exceptions that reach the envelope keep their status and their fields."""

from __future__ import annotations

from typing import Any

import aiohttp.web
import django.core.exceptions
import django.http
import falcon
import litestar.exceptions
import pytest
import starlette.exceptions
import werkzeug.exceptions
from werkzeug.datastructures import WWWAuthenticate

from mantlet import ErrorEnvelope, RateLimiter
from tests.drive import Adapter, Answer, both_adapters
from tests.errors.test_mapping import raising


def answered(adapter: Adapter, error: BaseException, **options: Any) -> Answer:
    return adapter.drive(adapter.wrap(raising(error), ErrorEnvelope(**options), RateLimiter("9/s")))


WORDS = "internal words"
THERE = "https://example.com/there"
CASES: list[tuple[BaseException, int]] = [
    (starlette.exceptions.HTTPException(404, WORDS), 404),
    (litestar.exceptions.HTTPException(WORDS, status_code=402), 402),
    (litestar.exceptions.NotFoundException(WORDS), 404),
    (litestar.exceptions.InternalServerException(WORDS), 500),
    (werkzeug.exceptions.NotFound(WORDS), 404),
    (werkzeug.exceptions.BadRequestKeyError(WORDS), 400),
    (werkzeug.exceptions.HTTPException(WORDS), 500),
    (falcon.HTTPNotFound(description=WORDS), 404),
    (falcon.HTTPError("422 Strange", description=WORDS), 422),
    (falcon.HTTPError(503, title=WORDS), 503),
    (django.http.Http404(WORDS), 404),
    (django.core.exceptions.PermissionDenied(WORDS), 403),
    (django.core.exceptions.SuspiciousOperation(WORDS), 400),
    (django.core.exceptions.DisallowedHost(WORDS), 400),
    (django.core.exceptions.BadRequest(WORDS), 400),
    (django.core.exceptions.ObjectDoesNotExist(WORDS), 500),
    (aiohttp.web.HTTPForbidden(text=WORDS), 403),
    (aiohttp.ClientResponseError(None, (), status=404, message=WORDS), 500),  # type: ignore[arg-type]  # another server's answer, not ours
]


@both_adapters
@pytest.mark.parametrize(
    ("error", "status"), CASES, ids=[f"{type(error).__name__} {status}" for error, status in CASES]
)
def test_the_status_is_kept_and_the_words_are_not(
    adapter: Adapter, error: BaseException, status: int
) -> None:
    """By the dotted names of their classes."""
    answer = answered(adapter, error)
    assert answer.status == status
    assert answer.json()["status"] == status
    assert "detail" not in answer.json()
    assert WORDS not in answer.text()


FIELDS: list[tuple[BaseException, dict[str, list[str]]]] = [
    (
        starlette.exceptions.HTTPException(
            401, headers={"WWW-Authenticate": "Bearer", "Set-Cookie": "a=1", "X-Own": "yes"}
        ),
        {"www-authenticate": ["Bearer"], "set-cookie": ["a=1"], "x-own": ["yes"]},
    ),
    (
        litestar.exceptions.TooManyRequestsException(headers={"Retry-After": "7"}),
        {"retry-after": ["7"]},
    ),
    (werkzeug.exceptions.MethodNotAllowed(["GET", "PUT"]), {"allow": ["GET, PUT"]}),
    (
        werkzeug.exceptions.Unauthorized(
            www_authenticate=[WWWAuthenticate("basic"), WWWAuthenticate("bearer")]
        ),
        {"www-authenticate": ["Basic ", "Bearer "]},
    ),
    (werkzeug.exceptions.TooManyRequests(retry_after=7), {"retry-after": ["7"]}),
    (
        werkzeug.exceptions.RequestedRangeNotSatisfiable(100),
        {"content-range": ["bytes */100"]},
    ),
    (falcon.HTTPMethodNotAllowed(["GET", "PUT"]), {"allow": ["GET, PUT"]}),
    (falcon.HTTPServiceUnavailable(retry_after=7), {"retry-after": ["7"]}),
    (aiohttp.web.HTTPMethodNotAllowed("POST", ["GET"]), {"allow": ["GET"]}),
]


@both_adapters
@pytest.mark.parametrize(("error", "fields"), FIELDS, ids=[repr(error) for error, _ in FIELDS])
def test_the_declared_fields_are_kept(
    adapter: Adapter, error: BaseException, fields: dict[str, list[str]]
) -> None:
    """But for those of the body that is not sent."""
    answer = answered(adapter, error)
    for name, values in fields.items():
        assert [value.strip() for value in answer.getall(name)] == [v.strip() for v in values]
    assert answer.getall("content-type") == ["application/problem+json"]
    assert answer.getall("content-length") == [str(len(answer.body))]


@both_adapters
def test_a_response_that_werkzeug_aborts_with_keeps_status_and_fields(adapter: Adapter) -> None:
    """Its body is not looked at."""
    response = werkzeug.Response(WORDS, 410, {"X-Own": "yes", "Content-Language": "en"})
    answer = answered(adapter, werkzeug.exceptions.HTTPException(response=response))
    assert (answer.status, answer.get("X-Own")) == (410, "yes")
    assert answer.get("Content-Language") is None
    assert WORDS not in answer.text()


@both_adapters
def test_fields_that_must_not_stand_in_a_header_are_left_out(adapter: Adapter) -> None:
    """A line break in one would be a second answer."""
    headers = {"X-Bad": "a\r\nX-Evil: 1", "Bad Name": "x", "X-Good": "yes"}
    answer = answered(adapter, starlette.exceptions.HTTPException(403, headers=headers))
    assert (answer.status, answer.get("X-Good")) == (403, "yes")
    assert not {"x-bad", "bad name", "x-evil"} & set(answer.names)


@both_adapters
def test_no_more_than_64_fields_are_kept(adapter: Adapter) -> None:
    """An answer's head is not for an exception to fill."""
    headers = {f"X-{number}": "x" for number in range(1000)}
    answer = answered(adapter, starlette.exceptions.HTTPException(403, headers=headers))
    assert len([name for name in answer.names if name[2:].isdigit()]) == 64


@both_adapters
def test_a_redirection_that_is_raised_redirects(adapter: Adapter) -> None:
    """It is no error."""
    error = starlette.exceptions.HTTPException(307, headers={"Location": THERE})
    answer = answered(adapter, error)
    assert (answer.status, answer.get("Location"), answer.body) == (307, THERE, b"")


@both_adapters
@pytest.mark.parametrize(
    "error",
    [
        starlette.exceptions.HTTPException(404, "No such order"),
        litestar.exceptions.NotFoundException("No such order"),
        werkzeug.exceptions.NotFound("No such order"),
        falcon.HTTPNotFound(description="No such order"),
    ],
    ids=lambda error: type(error).__module__,
)
def test_details_lets_the_words_of_http_exceptions_out(adapter: Adapter, error: Exception) -> None:
    """Where the app is known to write them for clients."""
    assert answered(adapter, error, expose_details=True).json()["detail"] == "No such order"


@both_adapters
@pytest.mark.parametrize(
    "error",
    [
        starlette.exceptions.HTTPException(500, WORDS),
        werkzeug.exceptions.InternalServerError(WORDS, original_exception=ValueError(WORDS)),
        litestar.exceptions.InternalServerException(WORDS),
        RuntimeError(WORDS),
        django.core.exceptions.PermissionDenied(WORDS),
    ],
    ids=lambda error: type(error).__name__,
)
def test_details_lets_nothing_else_out(adapter: Adapter, error: Exception) -> None:
    """Not of server errors, which are made of exceptions, nor of exceptions without HTTP."""
    assert WORDS not in answered(adapter, error, expose_details=True).text()


@both_adapters
def test_an_exception_whose_attributes_raise_is_a_500(adapter: Adapter) -> None:
    """It has nothing to say."""

    def fails(_: object) -> int:
        raise ZeroDivisionError

    class Broken(starlette.exceptions.HTTPException):
        def __init__(self) -> None:
            pass

        def __getattribute__(self, name: str) -> Any:
            return fails(name) if name in ("status_code", "headers") else None

    assert answered(adapter, Broken()).status == 500


@both_adapters
@pytest.mark.parametrize("status", [None, 99, 200, 600, "404", 4.04])
def test_a_status_that_is_none_is_a_500(adapter: Adapter, status: Any) -> None:
    """Whatever an exception's author meant by it."""
    error = starlette.exceptions.HTTPException(404)
    error.status_code = status
    assert answered(adapter, error).status == 500

"""Request headers with more lines or bytes than any client sends: invalid to each policy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

import mantlet
from mantlet import ErrorEnvelope, OutputSanitizer, Policy, RateLimiter
from mantlet.guard import Contract
from mantlet.http.headers import MAX_LINES, MAX_SIZE, OVERSIZED, HeaderNames
from mantlet.ratelimit import keys
from mantlet.ratelimit.keys.key import AMBIGUOUS
from tests.drive import (
    ADAPTERS,
    CLIENT,
    Adapter,
    AsgiAdapter,
    both_adapters,
    drive_asgi,
    hello,
)
from tests.guard.asking import Guarded, faults
from tests.guard.test_credentials import Checking, secured
from tests.ratelimit.keys.asking import ask, key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet import Request
    from mantlet.ratelimit.keys import KeyFunction
    from tests.drive import Fields, Said

ASGI, WSGI = ADAPTERS
NAMES = HeaderNames("X-One", "X-Two")


class Looks(Policy):
    """Keeps what a function finds in a request."""

    def __init__(self, look: Callable[[Request], Any]) -> None:
        self.look = look
        self.seen: list[Any] = []

    def on_request(self, request: Request) -> None:
        self.seen.append(self.look(request))


def seen(adapter: Adapter, headers: Fields, look: Callable[[Request], Any]) -> Any:
    """Return what a policy finds in a request."""
    policy = Looks(look)
    assert adapter.drive(adapter.wrap(hello, policy), headers=headers).status == 200
    return policy.seen[0]


def oversized(adapter: Adapter, name: str, value: str = "1") -> Fields:
    """Return a header of too many lines; under WSGI, where servers join them, of too many bytes."""
    if adapter is ASGI:
        return [(name, value)] * (MAX_LINES + 1)
    return [(name, value + " " * MAX_SIZE)]


# -- a policy's view ------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("size", [MAX_SIZE, MAX_SIZE + 1])
def test_a_header_of_more_bytes_is_invalid(adapter: Adapter, size: int) -> None:
    """It is present, and not cut: a part of it could be valid."""
    value = "x" * size
    read = value if size == MAX_SIZE else OVERSIZED
    headers = [("X-One", value), ("X-Two", "2")]
    assert seen(adapter, headers, lambda request: dict(request.get_headers(NAMES))) == {
        "X-One": read,
        "X-Two": "2",
    }
    assert seen(adapter, headers, lambda request: request.headers.get("x-one")) == read
    assert seen(adapter, headers, lambda request: request.headers.getall("x-one")) == [read]
    assert seen(adapter, headers, lambda request: "x-one" in request.headers)
    assert seen(adapter, headers, lambda request: request.headers.getall("x-none")) == []


@pytest.mark.parametrize("lines", [2, 3, MAX_LINES, MAX_LINES + 1])
def test_a_header_of_more_lines_is_invalid(lines: int) -> None:
    """Up to the bound they are joined in order."""
    values = [str(number) for number in range(lines)]
    headers = [("x-two", "2"), *(("x-one", value) for value in values)]
    fits = lines <= MAX_LINES
    joined = ", ".join(values) if fits else OVERSIZED
    assert seen(ASGI, headers, lambda request: dict(request.get_headers(NAMES))) == {
        "X-One": joined,
        "X-Two": "2",
    }
    assert seen(ASGI, headers, lambda request: request.headers["X-One"]) == joined
    assert seen(ASGI, headers, lambda request: request.headers.getall("x-one")) == (
        values if fits else [OVERSIZED]
    )
    assert seen(ASGI, headers, lambda request: list(request.headers)) == headers


def test_the_bytes_of_all_lines_count() -> None:
    """The bound is on the header, not on each line."""
    half = "x" * (MAX_SIZE // 2)
    for last, fits in (("", True), ("x", False)):
        headers = [("x-one", half), ("x-one", half), ("x-one", last)]
        read = seen(ASGI, headers, lambda request: request.get_headers(NAMES)["X-One"])
        assert (read == f"{half}, {half}, ") is fits
        assert (read == OVERSIZED) is not fits


# -- every policy is strict about it --------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("name", ["X-Request-ID", "traceparent"])
def test_the_request_gets_an_id_of_its_own(adapter: Adapter, name: str) -> None:
    """Nothing of such a header gets into the logs."""
    answer = adapter.drive(adapter.wrap(hello, ErrorEnvelope()), headers=oversized(adapter, name))
    assert re.fullmatch("[0-9a-f]{32}", answer.get("x-request-id") or "")


@both_adapters
def test_the_response_is_in_the_default_form(adapter: Adapter) -> None:
    """As for a client that names no type."""

    def missing(carrier: Any) -> Any:
        raise mantlet.Problem(404)

    app = adapter.wrap(missing, ErrorEnvelope())
    answer = adapter.drive(app, headers=oversized(adapter, "Accept", "text/html"))
    assert answer.get("content-type") == "application/problem+json"


@both_adapters
@pytest.mark.parametrize(
    ("key", "name", "value"),
    [
        (keys.header("X-API-Key"), "X-API-Key", "k"),
        (keys.cookie("session"), "Cookie", "session=k"),
        (keys.bearer_subject(), "Authorization", "Bearer k"),
    ],
    ids=["header", "cookie", "bearer"],
)
def test_a_key_is_that_of_all_ambiguous_requests(
    adapter: Adapter, key: KeyFunction, name: str, value: str
) -> None:
    """And not missing, for then no rule would count the request."""
    assert key_of(adapter, key, oversized(adapter, name, value)) == AMBIGUOUS
    assert key_of(adapter, key, [(name, value)]) != AMBIGUOUS


@both_adapters
@pytest.mark.parametrize("name", ["Content-Type", "Content-Encoding"])
def test_a_body_that_cannot_be_read_has_the_key_of_all_such(adapter: Adapter, name: str) -> None:
    """The type, or the coding, could be any."""
    form = "application/x-www-form-urlencoded"
    headers = [*oversized(adapter, name, form), *([("Content-Type", form)] * (name[8] == "E"))]
    assert ask(adapter, keys.form("name"), headers=headers, body=b"name=ada") == AMBIGUOUS


@both_adapters
@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
@pytest.mark.parametrize("trust", [{"hops": 1}, {"trusted_proxies": [CLIENT]}], ids=str)
def test_a_forwarding_header_is_not_read(
    adapter: Adapter, name: str, trust: dict[str, Any]
) -> None:
    """The request counts for its peer, the proxy."""
    value = "for=198.51.100.7" if name == "Forwarded" else "198.51.100.7"
    key = keys.client_address(header=name, **trust)
    assert key_of(adapter, key, [(name, value)]) == "198.51.100.7"
    assert key_of(adapter, key, oversized(adapter, name, value)) == CLIENT


@both_adapters
def test_a_limiter_counts_all_such_requests_together(adapter: Adapter) -> None:
    """No number of lines gives a client another bucket."""
    limiter = RateLimiter("1/hour", key=keys.header("X-API-Key"))
    app = adapter.wrap(hello, limiter)
    answers = [
        adapter.drive(app, headers=oversized(adapter, "X-API-Key", key)).status for key in "ab"
    ]
    assert answers == [200, 429]


class Declared(BaseModel):
    x_list: list[str] = []
    content_type: str = ""


class Cookies(BaseModel):
    session: str = ""


@both_adapters
def test_a_guard_rejects_declared_headers_and_cookies(adapter: Adapter) -> None:
    """The app would get all of the header."""
    contract = {"GET /": Contract(headers=Declared, cookies=Cookies)}
    app = Guarded(adapter, contract)
    answer = app.ask(headers=oversized(adapter, "X-List"))
    assert answer.status == 400
    assert faults(answer) == [("header", "/x-list", "header_too_large")]
    answer = app.ask(headers=oversized(adapter, "Cookie", "session=a"))
    assert answer.status == 400
    assert faults(answer) == [("cookie", "", "too_many_parameters")]
    assert app.ask(headers=oversized(adapter, "X-Other")).status == 200


@both_adapters
@pytest.mark.parametrize(
    ("scheme", "name", "value"),
    [
        ("header", "x-key", "k"),
        ("cookie", "Cookie", "sid=k"),
        ("bearer", "Authorization", "Bearer k"),
        ("basic", "Authorization", "Basic YTpi"),
    ],
)
def test_a_credential_is_not_read(adapter: Adapter, scheme: str, name: str, value: str) -> None:
    """Nobody knows which of the lines the app takes."""
    checking = Checking()
    app = Guarded(adapter, openapi=secured({scheme: []}), security={scheme: checking})
    assert app.ask("GET", "/a", headers=[(name, value)]).status == 200
    assert app.ask("GET", "/a", headers=oversized(adapter, name, value)).status == 401
    assert len(checking.seen) == 1


@both_adapters
@pytest.mark.parametrize("name", ["Content-Type", "Content-Encoding"])
def test_a_body_that_such_a_header_describes_is_rejected(adapter: Adapter, name: str) -> None:
    """Its readers could differ."""
    app = Guarded(adapter, {"POST /": Contract(body=Declared)})
    headers = [] if name == "Content-Type" else [("Content-Type", "application/json")]
    lines = oversized(adapter, name, "application/json")
    assert app.ask("POST", headers=[*headers, *lines], body="{}").status == 415


def test_a_body_with_too_many_lengths_is_rejected() -> None:
    """As one with two; WSGI servers reject it themselves."""
    app = Guarded(ASGI, {"POST /": Contract(body=Declared)})
    headers = [("Content-Type", "application/json"), *oversized(ASGI, "Content-Length", "2")]
    assert app.ask("POST", headers=headers, body="{}", length=False).status == 400


@both_adapters
def test_a_response_to_a_credential_is_not_stored(adapter: Adapter) -> None:
    """Whatever the credential is."""
    headers = mantlet.sanitize.SecurityHeaders(no_store="credentials")
    app = adapter.wrap(hello, OutputSanitizer(headers=headers))
    assert adapter.drive(app).get("cache-control") is None
    for name in ("Authorization", "Cookie"):
        answer = adapter.drive(app, headers=oversized(adapter, name))
        assert answer.get("cache-control") == "no-store"


@both_adapters
@pytest.mark.parametrize("name", ["X-Forwarded-For", "Host", "Via"])
def test_a_traceback_is_not_shown(adapter: Adapter, name: str) -> None:
    """Who sends such a header is no developer's browser."""

    def fails(carrier: Any) -> Any:
        raise RuntimeError("secret words")

    with pytest.warns(UserWarning, match="debug"):
        app = adapter.wrap(fails, ErrorEnvelope(debug=True))
    headers = [("Accept", "text/html"), *([("Host", "localhost")] * (name != "Host"))]
    lines = oversized(adapter, name, "localhost" if name == "Host" else "10.0.0.1")
    answer = adapter.drive(app, headers=[*headers, *lines], client="127.0.0.1")
    assert answer.status == 500
    assert "secret words" not in answer.text()


# -- and the work is in proportion ----------------------------------------------------------------


class Counted(bytes):
    """A header's value that counts the bytes that are copied out of it."""

    copied = 0

    def decode(self, *args: Any) -> str:
        Counted.copied += len(self)
        return super().decode(*args)

    def __radd__(self, other: bytes) -> Counted:
        Counted.copied += len(other) + len(self)
        return Counted(bytes(other) + bytes(self))


@pytest.mark.breaks_rules("values that are not exactly bytes")
def test_many_lines_are_read_once() -> None:
    """Joining each line to all before it copied 200,000 lines 200,000 times."""
    raw = [(b"x-one", Counted(b"1234567")) for _ in range(20_000)]
    looks = Looks(lambda request: [request.get_headers(NAMES)["X-One"], request.headers["x-one"]])
    Counted.copied = 0
    app = mantlet.asgi.wrap(AsgiAdapter().app(hello), looks, baseline=False)
    assert drive_asgi(app, scope={"headers": raw}).error is None
    assert looks.seen == [[OVERSIZED, OVERSIZED]]
    assert Counted.copied <= 8 * 20_000


@pytest.mark.unmeasured
@both_adapters
def test_a_set_header_takes_the_place_of_any_number(adapter: Adapter) -> None:
    """The response's list is built anew once, not for each that goes."""

    def app(carrier: Any) -> Said:
        lines = [("x-one", str(number)) for number in range(50_000)]
        return 200, [*lines, ("x-two", "2")], b""

    class Sets(Policy):
        def on_response(self, request: Request, response: mantlet.Response) -> None:
            response.headers.set("X-One", "new")

    answer = adapter.drive(adapter.wrap(app, Sets()))
    assert [(name.lower(), value) for name, value in answer.headers] == [
        ("x-one", "new"),
        ("x-two", "2"),
    ]

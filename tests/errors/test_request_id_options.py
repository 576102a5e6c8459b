"""One id for an exchange, whoever makes it: Mantlet, a middleware of the app's, or a tracer."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import mantlet
from mantlet import ErrorEnvelope, OutputSanitizer, Policy
from mantlet.errors import RequestId, current_request_id
from tests.drive import (
    Adapter,
    Answer,
    AsgiAdapter,
    Said,
    both_adapters,
    drive_asgi,
    hello,
    make_scope,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet import Request

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def request_header(carrier: Any, name: str = "X-Request-ID") -> list[str]:
    """Return the values of a request header, as the app sees it."""
    if "headers" in carrier:
        key = name.lower().encode()
        return [value.decode() for own, value in carrier["headers"] if own == key]
    value = carrier.get(f"HTTP_{name.upper().replace('-', '_')}")
    return [] if value is None else [value]


class Seen:
    """An app that keeps the id which it was asked under."""

    def __init__(
        self, *, sets: str | None = None, status: int = 200, name: str = "x-request-id"
    ) -> None:
        self.ids: list[list[str]] = []
        self._fields = [] if sets is None else [(name, sets)]
        self._status = status

    def __call__(self, carrier: Any) -> Said:
        self.ids.append(request_header(carrier))
        return self._status, [*self._fields, ("content-type", "text/plain")], b""


# -- inwards --------------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-Request-ID", "not valid")],
        [("X-Request-ID", "")],
        [("X-Request-ID", "one"), ("X-Request-ID", "two")],
        [("traceparent", PARENT)],
    ],
    ids=["none", "invalid", "empty", "two", "trace"],
)
def test_the_app_gets_the_id_that_the_client_gets(
    adapter: Adapter, headers: list[tuple[str, str]]
) -> None:
    """As the request header, once, in place of an invalid one."""
    app = Seen()
    answer = adapter.drive(adapter.wrap(app, ErrorEnvelope()), headers=headers)
    assert app.ids == [[answer.get("X-Request-ID")]]


@both_adapters
def test_a_valid_id_of_the_client_is_left_as_it_came(adapter: Adapter) -> None:
    """The list of headers is the server's own."""
    found: list[Any] = []

    def handler(carrier: Any) -> Said:
        found.append(carrier.get("headers"))
        return hello(carrier)

    pairs = [(b"x-request-id", b"mine")]
    stack = adapter.wrap(handler, ErrorEnvelope())
    if adapter.name == "asgi":
        assert drive_asgi(stack, scope={"headers": pairs}).get("X-Request-ID") == "mine"
        assert found[0] is pairs
    else:
        app = Seen()
        adapter.drive(adapter.wrap(app, ErrorEnvelope()), headers=[("X-Request-ID", "mine")])
        assert app.ids == [["mine"]]


@pytest.mark.parametrize("kind", [list, tuple])
def test_the_servers_own_list_of_headers_is_not_changed(kind: Callable[[Any], Any]) -> None:
    """The app gets a copy, with the others in their order."""
    headers = kind([(b"host", b"x"), (b"x-request-id", b"a b"), (b"a", b"1"), (b"a", b"2")])
    before = list(headers)
    found: list[Any] = []

    def handler(carrier: Any) -> Said:
        found.append(carrier["headers"])
        return hello(carrier)

    drive_asgi(AsgiAdapter().wrap(handler, ErrorEnvelope()), scope={"headers": headers})
    assert list(headers) == before
    assert found[0][:-1] == [before[0], *before[2:]]
    assert found[0][-1][0] == b"x-request-id"


@both_adapters
def test_inner_policies_see_it_too_and_outer_ones_do_not(adapter: Adapter) -> None:
    """Also one that has read the headers before."""

    class Look(Policy):
        def __init__(self) -> None:
            self.seen: list[str | None] = []

        def on_request(self, request: Request) -> None:
            self.seen.append(request.headers.get("X-Request-ID"))

        def on_finish(self, request: Request) -> None:
            self.seen.append(request.headers.get("X-Request-ID"))

    outer, inner = Look(), Look()
    answer = adapter.drive(adapter.wrap(hello, outer, ErrorEnvelope(), inner))
    own = answer.get("X-Request-ID")
    assert outer.seen == [None, own]
    assert inner.seen == [own, own]


@both_adapters
def test_report_mode_gives_the_app_the_request_as_it_came(adapter: Adapter) -> None:
    """It changes nothing."""
    app = Seen()
    answer = adapter.drive(adapter.wrap(app, ErrorEnvelope(mode="report")))
    assert app.ids == [[]]
    assert answer.get("X-Request-ID") is None


@both_adapters
def test_of_two_envelopes_the_outer_one_makes_the_id(adapter: Adapter) -> None:
    """In one stack, and in two."""
    app = Seen()
    stack: Any = adapter.wrap(app, ErrorEnvelope(), ErrorEnvelope())
    answer = adapter.drive(adapter.module.wrap(stack, ErrorEnvelope(), baseline=False))
    assert app.ids == [[answer.get("X-Request-ID")]]


def test_a_websocket_handshake_has_it() -> None:
    """As any request."""
    found: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.extend(request_header(scope))
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    with TestClient(mantlet.wrap(app, ErrorEnvelope(), baseline=False)).websocket_connect("/"):
        pass
    assert len(found) == 1


def test_a_policy_may_replace_any_header_of_a_request() -> None:
    """Within the rules of HTTP, and only on the way in."""
    for name, value in (("a b", "x"), ("a", "x\r\ny"), ("a", "\u20ac")):
        for adapter in (AsgiAdapter(),):

            class Bad(Policy):
                def on_request(self, request: Request) -> None:
                    request.replace_header(name, value)  # noqa: B023  # called at once

            assert isinstance(adapter.drive(adapter.wrap(hello, Bad())).error, ValueError)


@both_adapters
def test_a_header_can_not_be_replaced_once_the_app_has_the_request(adapter: Adapter) -> None:
    """It would be too late."""
    found: list[BaseException] = []

    class Late(Policy):
        def on_response(self, request: Request, response: Any) -> None:
            with pytest.raises(RuntimeError) as caught:
                request.replace_header("X-A", "1")
            found.append(caught.value)

    assert adapter.drive(adapter.wrap(hello, Late())).status == 200
    assert len(found) == 1


# -- middlewares of the app's ---------------------------------------------------------------------


def correlated(**options: Any) -> tuple[Starlette, list[str | None]]:
    """Return an app with asgi-correlation-id, and the ids that its views see."""
    seen: list[str | None] = []

    async def view(request: Any) -> PlainTextResponse:
        seen.append(correlation_id.get())
        if request.url.path == "/crash":
            raise LookupError
        return PlainTextResponse("", 404 if request.url.path == "/missing" else 200)

    routes = [Route(path, view) for path in ("/", "/crash", "/missing")]
    return Starlette(
        routes=routes, middleware=[Middleware(CorrelationIdMiddleware, **options)]
    ), seen


@pytest.mark.parametrize("path", ["/", "/crash", "/missing"])
@pytest.mark.parametrize(
    "headers", [[], [("X-Request-ID", "a b")], [("X-Request-ID", "ab" * 16)]], ids=str
)
def test_asgi_correlation_id_has_the_clients_id(path: str, headers: list[tuple[str, str]]) -> None:
    """Whether it came or was made, and whatever becomes of the request."""
    app, seen = correlated()
    stack = mantlet.wrap(app, ErrorEnvelope(), baseline=False)
    answer = drive_asgi(stack, path=path, headers=headers)
    assert answer.getall("X-Request-ID") == seen
    if path == "/crash":
        assert answer.json()["request_id"] == seen[0]


@pytest.mark.parametrize("path", ["/", "/missing"])
def test_an_id_that_asgi_correlation_id_makes_all_the_same_is_the_clients(path: str) -> None:
    """It takes UUIDs alone by default."""
    app, seen = correlated()
    stack = mantlet.wrap(app, ErrorEnvelope(convert="always"), baseline=False)
    answer = drive_asgi(stack, path=path, headers=[("X-Request-ID", "mine")])
    assert answer.getall("X-Request-ID") == seen
    assert seen != ["mine"]
    if path == "/missing":
        assert answer.json()["request_id"] == seen[0]


def test_other_header_names_agree_too() -> None:
    """``X-Correlation-ID``, as some name it."""
    app, seen = correlated(header_name="X-Correlation-ID")
    envelope = ErrorEnvelope(request_id=RequestId(header="X-Correlation-ID"))
    answer = drive_asgi(mantlet.wrap(app, envelope, baseline=False))
    assert answer.getall("X-Correlation-ID") == seen
    assert answer.get("X-Request-ID") is None


_bound: ContextVar[str] = ContextVar("bound")


def django_like(handler: Callable[[Any], Said]) -> Callable[[Any], Said]:
    """Return an app in a middleware such as django-log-request-id or django-guid."""

    def middleware(carrier: Any) -> Said:
        own = next(iter(request_header(carrier)), None) or "made by Django"
        carrier["id"] = own
        status, fields, body = handler(carrier)
        return status, [*fields, ("X-Request-ID", own)], body

    return middleware


def structlog_like(handler: Callable[[Any], Said]) -> Callable[[Any], Said]:
    """Return an app in a middleware such as django-structlog, or that of structlog's manual."""

    def middleware(carrier: Any) -> Said:
        structlog.contextvars.clear_contextvars()
        own = next(iter(request_header(carrier)), None) or "made for structlog"
        with structlog.contextvars.bound_contextvars(request_id=own):
            return handler(carrier)

    return middleware


@both_adapters
@pytest.mark.parametrize("headers", [[], [("X-Request-ID", "mine")]], ids=["made", "given"])
@pytest.mark.parametrize("middleware", [django_like, structlog_like])
def test_other_middlewares_have_the_clients_id(
    adapter: Adapter, middleware: Any, headers: list[tuple[str, str]]
) -> None:
    """They read the request header before they make one."""
    seen: list[Any] = []

    def handler(carrier: Any) -> Said:
        own = carrier.get("id") or structlog.contextvars.get_contextvars()["request_id"]
        seen.append(own)
        return hello(carrier)

    answer = adapter.drive(adapter.wrap(middleware(handler), ErrorEnvelope()), headers=headers)
    assert [answer.get("X-Request-ID")] == seen
    assert (seen == ["mine"]) == bool(headers)


# -- outwards -------------------------------------------------------------------------------------


class Told(logging.Handler):
    """Keeps the ids that exceptions are logged under."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.ids.append(record.__dict__["request_id"])


@both_adapters
@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize(
    ("option", "expected"), [("adopt", "theirs"), ("keep", "theirs"), ("replace", "mine")]
)
def test_an_id_of_the_apps_response_is_there_once(
    adapter: Adapter, option: Any, expected: str, status: int
) -> None:
    """Its own, or ours by option."""
    name = "x-request-id" if adapter.name == "asgi" else "X-Request-Id"
    envelope = ErrorEnvelope(request_id=RequestId(from_response=option))
    stack = adapter.wrap(Seen(sets="theirs", status=status, name=name), envelope)
    answer = adapter.drive(stack, headers=[("X-Request-ID", "mine")])
    assert answer.getall("X-Request-ID") == [expected]


@both_adapters
@pytest.mark.parametrize(
    ("option", "expected"), [("adopt", "theirs"), ("keep", "mine"), ("replace", "mine")]
)
def test_a_problem_in_place_of_the_apps_response_has_the_adopted_id(
    adapter: Adapter, option: Any, expected: str
) -> None:
    """In its document, and in the context of whatever is logged."""
    seen: list[str | None] = []

    class Look(Policy):
        def on_finish(self, request: Request) -> None:
            seen.append(current_request_id())

    envelope = ErrorEnvelope(convert="always", request_id=RequestId(from_response=option))
    app = Seen(sets="theirs", status=404)
    stack = adapter.wrap(app, envelope, Look())
    answer = adapter.drive(stack, headers=[("X-Request-ID", "mine")])
    assert answer.json()["request_id"] == expected
    assert seen == [expected]
    if option != "keep":
        assert answer.get("X-Request-ID") == expected


@pytest.mark.parametrize(("option", "logged"), [("adopt", "theirs"), ("keep", "mine")])
def test_the_apps_own_answer_to_an_exception_has_the_id_that_is_logged(
    option: Any, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Starlette sends it, and raises the exception after it."""

    def explain(_request: Any, _error: Exception) -> PlainTextResponse:
        return PlainTextResponse("sorry", 500, {"x-request-id": "theirs"})

    def fail(_request: Any) -> None:
        raise LookupError("lamp")

    app = Starlette(routes=[Route("/", fail)], exception_handlers={Exception: explain})
    envelope = ErrorEnvelope(request_id=RequestId(generate=lambda: "mine", from_response=option))
    answer = drive_asgi(mantlet.wrap(app, envelope, baseline=False))
    assert answer.body == b"sorry"
    assert answer.getall("X-Request-ID") == ["theirs"]
    (record,) = [one for one in caplog.records if one.name == "mantlet.errors"]
    assert vars(record)["request_id"] == logged


@both_adapters
@pytest.mark.parametrize("theirs", ["not valid", "x" * 129, "a,b"])
def test_an_invalid_id_of_the_apps_response_is_not_adopted(adapter: Adapter, theirs: str) -> None:
    """A problem, a log line and a page have none but valid ids."""
    stack = adapter.wrap(Seen(sets=theirs, status=404), ErrorEnvelope(convert="always"))
    answer = adapter.drive(stack, headers=[("X-Request-ID", "mine")])
    assert answer.json()["request_id"] == answer.get("X-Request-ID") == "mine"


@both_adapters
def test_of_two_stacks_the_apps_id_is_the_clients(adapter: Adapter) -> None:
    """The outermost stack sets the headers of all."""
    inner: Any = adapter.wrap(Seen(sets="theirs"), ErrorEnvelope())
    for outer in (OutputSanitizer(), ErrorEnvelope()):
        answer = adapter.drive(adapter.module.wrap(inner, outer, baseline=False))
        assert answer.getall("X-Request-ID") == ["theirs"]


# -- options --------------------------------------------------------------------------------------


@both_adapters
def test_an_untrusted_id_is_replaced(adapter: Adapter) -> None:
    """And so is the trace that a client made up."""
    app = Seen()
    stack = adapter.wrap(app, ErrorEnvelope(request_id=RequestId(trust_incoming=False)))
    headers = [("X-Request-ID", "mine"), ("traceparent", PARENT)]
    answer = adapter.drive(stack, headers=headers)
    own = answer.get("X-Request-ID")
    assert own not in {None, "mine", TRACE}
    assert app.ids == [[own]]


@both_adapters
def test_ids_are_made_and_checked_as_one_wishes(adapter: Adapter) -> None:
    """By plain functions."""
    own = RequestId(
        header="X-Correlation-ID",
        generate=lambda: "req_1",
        valid=lambda given: given.startswith("req_"),
    )
    app = Seen(name="x-other")
    stack = adapter.wrap(app, ErrorEnvelope(request_id=own))
    for given, expected in ((None, "req_1"), ("req_7", "req_7"), ("other", "req_1")):
        headers = [] if given is None else [("X-Correlation-ID", given)]
        answer = adapter.drive(stack, headers=headers)
        assert answer.get("X-Correlation-ID") == expected
        assert answer.get("X-Request-ID") is None
    answer = adapter.drive(stack, headers=[("X-Correlation-ID", "req_ \x1b")])
    assert answer.get("X-Correlation-ID") == "req_1"


@both_adapters
def test_functions_that_fail_are_logged_and_the_request_has_an_id(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """Throttled, as everything that a client can cause."""
    made = iter(["first"])

    def refuse(given: str) -> bool:
        raise LookupError(given)

    envelope = ErrorEnvelope(request_id=RequestId(generate=lambda: next(made), valid=refuse))
    stack = adapter.wrap(Seen(), envelope)
    for _ in range(50):
        answer = adapter.drive(stack, headers=[("X-Request-ID", "mine")])
        assert answer.status == 200
        assert len(answer.get("X-Request-ID") or "") == 32
    messages = {record.getMessage().partition(" (and")[0] for record in caplog.records}
    assert messages == {
        "RequestId: valid failed with LookupError",
        "RequestId: generate failed with StopIteration",
    }
    assert len(caplog.records) == 20


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"header": "X Request"}, ValueError, "X Request"),
        ({"from_response": "both"}, ValueError, 'must be "adopt", "keep" or "replace", not'),
        ({"trust_incoming": "no"}, TypeError, "trust_incoming must be True or False, not 'no'"),
        ({"generate": 7}, ValueError, "generate must be a plain function, not 7"),
        ({"valid": "x"}, ValueError, "valid must be a plain function, not 'x'"),
        ({"generate": lambda: "a b"}, ValueError, "generate must return 1 to 128 of"),
        ({"headers": "X-A"}, TypeError, "did you mean 'header'"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_option_that_cannot_be_is_an_error_that_names_it(
    options: dict[str, Any], error: type[Exception], told: str
) -> None:
    """At construction."""
    with pytest.raises(error, match=told):
        RequestId(**options)


def test_an_envelope_takes_no_other_object() -> None:
    """Such as the name of a header."""
    wrong: Any = "X-Request-ID"
    with pytest.raises(TypeError, match="request_id must be a RequestId, not 'X-Request-ID'"):
        ErrorEnvelope(request_id=wrong)


# -- OpenTelemetry --------------------------------------------------------------------------------


@both_adapters
def test_within_a_span_the_id_is_its_trace(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a tracer around the stack; the record of an error has it as well."""

    def handler(carrier: Any) -> Said:
        raise LookupError

    tracer = TracerProvider().get_tracer("test")
    app = Seen()
    with tracer.start_as_current_span("request") as span:
        own = f"{span.get_span_context().trace_id:032x}"
        answer = adapter.drive(
            adapter.wrap(app, ErrorEnvelope()), headers=[("traceparent", PARENT)]
        )
        failed = adapter.drive(adapter.wrap(handler, ErrorEnvelope()))
    assert answer.get("X-Request-ID") == failed.get("X-Request-ID") == own
    assert app.ids == [[own]]
    (record,) = caplog.records
    assert record.__dict__["trace_id"] == own


@both_adapters
def test_a_valid_id_of_the_client_goes_before_the_span(adapter: Adapter) -> None:
    """As before any trace."""
    with TracerProvider().get_tracer("test").start_as_current_span("request"):
        answer = adapter.drive(
            adapter.wrap(hello, ErrorEnvelope()), headers=[("X-Request-ID", "mine")]
        )
    assert answer.get("X-Request-ID") == "mine"


@both_adapters
def test_outside_of_a_span_there_is_no_trace(adapter: Adapter) -> None:
    """The span that stands for none has an invalid id."""
    assert not trace.get_current_span().get_span_context().is_valid
    own = adapter.drive(adapter.wrap(hello, ErrorEnvelope())).get("X-Request-ID")
    assert own is not None
    assert own.strip("0")


def test_opentelemetrys_own_middleware_gives_the_trace() -> None:
    """Around the stack, as an app is instrumented that is wrapped first."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    found: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append(f"{trace.get_current_span().get_span_context().trace_id:032x}")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    stack = mantlet.wrap(app, ErrorEnvelope(), baseline=False)
    traced: Any = OpenTelemetryMiddleware(stack, tracer_provider=TracerProvider())
    answer: Answer = drive_asgi(traced, scope=make_scope())
    assert [answer.get("X-Request-ID")] == found

"""Clients that cause errors on purpose fill no log, and hide no other error in it."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

import pydantic
import pytest

import mantlet
from mantlet import ErrorEnvelope, OutputSanitizer, Policy, Problem
from mantlet._internal.error_kind import kind_of
from mantlet._internal.traceback_text import MAX_TEXT
from mantlet.core.modes import VARIABLE
from tests.drive import Adapter, Answer, Said, WsgiAdapter, both_adapters, hello

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mantlet import Request

#: The budget of one log for a minute, with the short records and the throttle's own.
MAX_RECORDS = 200 + 256 + 2
MAX_BYTES = 1024 * 1024 + MAX_TEXT + MAX_RECORDS * 1024

LOGS = (
    "mantlet.errors",
    "mantlet.sanitize",
    "mantlet.report",
    "mantlet.guard",
    "mantlet.ratelimit",
)


class Written(logging.StreamHandler[io.StringIO]):
    """Writes records out as a plain handler does, and counts them."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        self.records = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.records += 1
        super().emit(record)

    @property
    def text(self) -> str:
        """All that was written."""
        return self.stream.getvalue()


@pytest.fixture
def written() -> Iterator[Written]:
    """All of Mantlet's logs, as they are written to a file."""
    handler, root = Written(), logging.getLogger("mantlet")
    level, propagate = root.level, root.propagate
    root.setLevel(logging.DEBUG)
    root.propagate = False  # pytest would write each record out as well
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    root.propagate = propagate
    root.setLevel(level)


def flood(adapter: Adapter, stack: Any, paths: list[str], times: int = 1) -> list[Answer]:
    """Send a request to each path, some times over."""
    return [adapter.drive(stack, path=path) for _ in range(times) for path in paths]


def number(carrier: Any) -> int:
    path: str = carrier.get("path") or carrier["PATH_INFO"]
    return int(path.rpartition("/")[2] or 0)


class ShopError(Exception):
    """An error of an app's own."""


class WrapperError(Exception):
    """What an app raises for any error within it."""


def one(count: int) -> None:
    if count:
        return other(count // 2) if count % 2 else one(count // 2)
    raise ShopError("x" * 6000)


def other(count: int) -> None:
    if count:
        return other(count // 2) if count % 2 else one(count // 2)
    raise ShopError("x" * 6000)


def recursing(carrier: Any) -> Said:
    """Recurse as the client chooses: how deep, and in which order."""
    one(number(carrier))
    return hello(carrier)


def causing(carrier: Any) -> Said:
    """Raise an exception of as many causes as the client chooses."""
    error: Exception = ShopError("root")
    for _ in range(number(carrier)):
        try:
            raise WrapperError("w" * 200) from error
        except WrapperError as outer:
            error = outer
    raise error


PLACES: dict[str, Any] = {}
exec(
    "\n".join(
        f"class E{index}(Exception): pass\ndef f{index}(): raise E{index}('m' * 100)"
        for index in range(16)
    ),
    PLACES,
)


def grouping(carrier: Any) -> Said:
    """Raise a group of the members that the client chooses."""
    chosen, members = number(carrier) + 1, []
    for index in range(16):
        if chosen >> index & 1:
            try:
                PLACES[f"f{index}"]()
            except Exception as error:
                members.append(error)
    raise ExceptionGroup("many", members)


def failing_listener(error: BaseException, request: Request) -> None:
    recursing(request.raw)


def failing_page(problem: Problem, request: Request) -> str:
    recursing(request.raw)
    return ""


def failing_entry(error: Exception) -> int:
    raise LookupError("z" * 6000)


def refusing(carrier: Any) -> Said:
    raise ShopError(str(number(carrier)))


def framework_page(message: str) -> bytes:
    """Return the page of Flask and Quart for ``abort(502, message)``."""
    return (
        "<!doctype html>\n<html lang=en>\n<title>502 Bad Gateway</title>\n<h1>Bad Gateway</h1>\n"
        f"<p>{message}</p>\n"
    ).encode()


def telling(carrier: Any) -> Said:
    """Put a message of the app into a framework's page."""
    return 502, [("content-type", "text/html")], framework_page("y" * 6000 + str(number(carrier)))


class FailingPolicy(Policy):
    """A policy whose hooks fail, in report mode."""

    mode = "report"

    def on_request(self, request: Request) -> None:
        recursing(request.raw)

    def on_finish(self, request: Request) -> None:
        recursing(request.raw)


def leaking(carrier: Any) -> Said:
    """Answer with as many different keys as there are requests."""
    token = "ghp_" + f"{number(carrier):04d}".translate(str.maketrans("0123456789", "aBcDeFgHiJ"))
    return 200, [("content-type", "text/plain")], (token + "kZ3vQ9" * 5 + "Wq").encode()


FLOODS: dict[str, tuple[Callable[[Any], Said], Callable[[], list[Policy]]]] = {
    "recursion": (recursing, lambda: [ErrorEnvelope()]),
    "causes": (causing, lambda: [ErrorEnvelope()]),
    "groups": (grouping, lambda: [ErrorEnvelope()]),
    "listeners": (refusing, lambda: [ErrorEnvelope(on_exception=[failing_listener] * 3)]),
    "pages": (refusing, lambda: [ErrorEnvelope(page=failing_page)]),
    "map": (refusing, lambda: [ErrorEnvelope(exceptions={ShopError: failing_entry})]),
    "messages": (telling, lambda: [ErrorEnvelope()]),
    "report mode": (hello, lambda: [FailingPolicy()]),
    "findings": (leaking, lambda: [OutputSanitizer()]),
    "finding listeners": (
        leaking,
        lambda: [
            OutputSanitizer(on_finding=lambda _, request: failing_listener(ShopError(), request))
        ],
    ),
}


@pytest.mark.few_cases(2)
@both_adapters
@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_is_within_the_budget(adapter: Adapter, kind: str, written: Written) -> None:
    """Of records and of bytes, whatever the client varies; the numbers of a minute."""
    handler, policies = FLOODS[kind]
    stack = adapter.wrap(handler, *policies())
    for index in range(500):
        adapter.drive(stack, path=f"/{index}", headers=[("Accept", "text/html")])
    assert 0 < written.records <= MAX_RECORDS
    assert len(written.text) <= MAX_BYTES


@pytest.mark.unmeasured
@pytest.mark.few_cases(1)
@both_adapters
@pytest.mark.parametrize("kind", ["recursion", "causes"])
def test_what_is_repeated_makes_few_kinds(adapter: Adapter, kind: str, written: Written) -> None:
    """A depth that the client chooses is no kind of its own."""
    handler, policies = FLOODS[kind]
    stack = adapter.wrap(handler, *policies())
    flood(adapter, stack, [f"/{index}" for index in range(500)])
    prints = {kind_of(_raised(handler, index)).fingerprint for index in range(500)}
    assert len(prints) < 20
    assert written.records < 200


def _raised(handler: Callable[[Any], Said], index: int) -> Exception:
    try:
        handler({"path": f"/{index}"})
    except Exception as error:
        return error
    raise AssertionError("it did not raise")


def wrapping(carrier: Any) -> Said:
    """Wrap any error in another one, as in a task group or an adapter of a database."""
    try:
        PLACES[f"f{number(carrier)}"]()
    except Exception as error:
        raise WrapperError from error
    return hello(carrier)


@both_adapters
def test_noise_hides_no_other_error_in_the_same_wrapper(adapter: Adapter, written: Written) -> None:
    """Causes count: the wrapper alone is the same for all."""
    stack = adapter.wrap(wrapping, ErrorEnvelope())
    flood(adapter, stack, ["/1"], 50)
    assert "E2" not in written.text
    flood(adapter, stack, ["/2"])
    assert "E2: mmm" in written.text


@both_adapters
def test_noise_hides_no_other_error_in_the_same_group(adapter: Adapter, written: Written) -> None:
    """Members count, in any order and number."""

    def handler(carrier: Any) -> Said:
        members: list[Exception] = []
        for name in ["f1"] * 500 + (["f2"] if number(carrier) else []):
            try:
                PLACES[name]()
            except Exception as error:
                members.append(error)
        raise ExceptionGroup("many", members)

    stack = adapter.wrap(handler, ErrorEnvelope())
    flood(adapter, stack, ["/0"], 30)
    before = written.records
    flood(adapter, stack, ["/1"], 3)
    assert written.records == before + 3
    assert written.text.count("E2: mmm") == 3


@pytest.mark.unmeasured
@pytest.mark.few_cases(1)
@both_adapters
def test_a_spent_budget_hides_no_new_error(adapter: Adapter, written: Written) -> None:
    """It is one line, with the place that raised, also after more kinds than are counted."""

    def handler(carrier: Any) -> Said:
        if number(carrier) == 99_999:
            PLACES["f3"]()
        return grouping_without_three(carrier)

    def grouping_without_three(carrier: Any) -> Said:
        carrier = {"path": f"/{number(carrier) & ~8 & ~16 & ~32 | 4}"}
        return grouping(carrier)

    stack = adapter.wrap(handler, ErrorEnvelope())
    flood(adapter, stack, [f"/{index}" for index in range(0, 8192, 8)])
    before = len(written.text)
    flood(adapter, stack, ["/99999"], 3)
    (line, *rest) = written.text[before:].splitlines()
    assert "Unhandled E3 in request" in line
    assert "no traceback" in line
    assert "f3:0" in line
    assert rest == []


@pytest.mark.unmeasured
@pytest.mark.few_cases(1)
@both_adapters
def test_what_was_suppressed_is_told(adapter: Adapter, written: Written) -> None:
    """When the budget is spent, and how much of which kinds it was, in the next minute."""
    now = 1000.0
    envelope = ErrorEnvelope()
    envelope.reporter = type(envelope.reporter)(lambda: now)
    stack = adapter.wrap(grouping, envelope)
    flood(adapter, stack, [f"/{index}" for index in range(500)])
    assert written.text.count("The budget of this log is spent") == 1
    suppressed = 500 - (written.records - 1)
    assert suppressed > 200
    now += 60
    flood(adapter, stack, ["/0"])
    (summary,) = [line for line in written.text.splitlines() if "records were suppressed" in line]
    assert summary.startswith(f"WARNING {suppressed} records were suppressed: ExceptionGroup ")


@pytest.mark.unmeasured
@both_adapters
def test_errors_without_an_envelope_are_throttled_too(adapter: Adapter, written: Written) -> None:
    """Those that come after the response has begun."""
    app: Any
    if adapter.name == "asgi":

        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
            recursing(scope)

        app = asgi
    else:

        def wsgi(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [])
            yield b"a"
            recursing(environ)

        app = wsgi

    class Watch(Policy):
        def on_response(self, request: Request, response: Any) -> None:
            response.transform(lambda chunk, _more: chunk)

    stack = adapter.module.Stack(app, [Watch()])
    for index in range(500):
        adapter.drive(stack, path=f"/{index}")
    assert 0 < written.records <= MAX_RECORDS
    assert len(written.text) <= MAX_BYTES


@pytest.mark.unmeasured
@both_adapters
def test_report_mode_of_every_policy_is_throttled(
    adapter: Adapter, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request would be refused."""
    monkeypatch.setenv(VARIABLE, "report")
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {
            "/{id}": {
                "get": {
                    "responses": {"204": {"description": "none"}},
                    "parameters": [
                        {
                            "name": "id",
                            "in": "path",
                            "required": True,
                            "schema": {"type": "boolean"},
                        }
                    ],
                }
            }
        },
    }
    policies = ErrorEnvelope(), mantlet.RateLimiter("1/hour"), mantlet.SchemaGuard(openapi=document)
    stack = adapter.wrap(hello, *policies)
    flood(adapter, stack, [f"/{index}" for index in range(300)])
    assert 0 < written.records < 100


# -- one record -----------------------------------------------------------------------------------


class Many(pydantic.BaseModel):
    """A list of numbers."""

    numbers: list[int]


@both_adapters
def test_one_record_is_bounded(adapter: Adapter, written: Written) -> None:
    """100,000 errors of validation, of the server's own data, were 21.7 MB."""

    def handler(carrier: Any) -> Said:
        Many.model_validate({"numbers": ["x"] * 100_000})
        return hello(carrier)

    adapter.drive(adapter.wrap(handler, ErrorEnvelope(exceptions={Exception: 500})))
    assert "100000 validation errors for Many" in written.text
    assert len(written.text) <= MAX_TEXT + 1024


class Rendering(logging.Formatter):
    """A formatter that formats exceptions itself, as those for JSON do."""

    def format(self, record: logging.LogRecord) -> str:
        own = self.formatException(record.exc_info) if record.exc_info else record.exc_text
        return f"{record.getMessage()} {own}"


@both_adapters
def test_a_formatter_that_formats_exceptions_itself_is_bounded_too(
    adapter: Adapter, written: Written
) -> None:
    """The record has the exception only where its text is short."""
    written.setFormatter(Rendering())

    def handler(carrier: Any) -> Said:
        raise ShopError("x" * 10_000_000)

    adapter.drive(adapter.wrap(handler, ErrorEnvelope()))
    assert "ShopError: xxx" in written.text
    assert len(written.text) <= MAX_TEXT + 1024


@both_adapters
def test_an_exceptions_text_forges_no_line(adapter: Adapter, written: Written) -> None:
    """Nor a terminal's colours, nor its own route's or class's."""
    forged = "\r\nERROR forged\x1b[2J\x85\u2028\u202e\ud800"

    def handler(carrier: Any) -> Said:
        mantlet.state(carrier)._route = forged
        error = type(f"ShopError{forged[:-1]}", (Exception,), {})(forged)
        error.add_note(forged)
        raise error from ShopError(forged)

    written.setFormatter(logging.Formatter("%(levelname)s %(route)s %(message)s"))
    adapter.drive(adapter.wrap(handler, ErrorEnvelope()))
    lines = written.text.split("\n")
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("ERROR forged") for line in lines)


def test_a_message_that_is_not_sent_forges_no_line(written: Written) -> None:
    """That of a framework's HTTP exception."""
    body = framework_page("<br>ERROR forged\x1b[2J\u2028 db-7")
    adapter = WsgiAdapter()
    stack = adapter.wrap(lambda _: (502, [("content-type", "text/html")], body), ErrorEnvelope())
    adapter.drive(stack)
    (line,) = written.text.splitlines()
    assert line.isprintable()
    assert "db-7" in line

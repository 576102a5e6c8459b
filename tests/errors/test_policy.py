"""What an error envelope answers, what it logs, and what it never lets out."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import (
    BodyTooLarge,
    ErrorEnvelope,
    MalformedRequest,
    MantletError,
    Policy,
    Problem,
    RateLimiter,
    Reply,
)
from mantlet.errors import RequestId
from tests.drive import Adapter, AsgiAdapter, Said, both_adapters, drive_asgi, drive_wsgi, hello

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mantlet import Request
    from tests.drive import Answer

SECRET = "s3cr3t-pa55w0rd-7f3a9c"


class CanaryError(Exception):
    """An exception whose every trait could get out."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.add_note(f"note {SECRET}")


class Unprintable(Exception):
    """An exception that can't even say what it is."""

    def __str__(self) -> str:
        raise RuntimeError(f"no str {SECRET}")

    def __repr__(self) -> str:
        raise RuntimeError(f"no repr {SECRET}")


def plain() -> None:
    raise CanaryError(SECRET)


def fail_with(message: str) -> bytes:
    raise CanaryError(message)


def caused() -> None:
    try:
        raise KeyError(f"inner {SECRET}")
    except KeyError as inner:
        raise CanaryError(f"outer {SECRET}") from inner


def grouped() -> None:
    raise ExceptionGroup(SECRET, [CanaryError(SECRET), ExceptionGroup("x", [ValueError(SECRET)])])


def huge() -> None:
    raise CanaryError(SECRET * 100_000)


def unprintable() -> None:
    raise Unprintable(SECRET)


def surrogate() -> None:
    raise CanaryError(f"{SECRET} \ud800 \x00")


def many_lines() -> None:
    raise CanaryError(f"one\r\nSet-Cookie: a={SECRET}\r\n\r\n<html>{SECRET}")


def recursion() -> None:
    recursion()


def of_a_problem() -> None:
    try:
        raise CanaryError(SECRET)
    except CanaryError as inner:
        raise Problem(503) from inner


def a_mantlet_error() -> None:
    raise MantletError(SECRET)


def path_of_a_file() -> None:
    raise FileNotFoundError(2, SECRET, __file__)


def undecodable() -> None:
    SECRET.encode().decode("utf-16") and b"\xff".decode()


RAISERS: list[Callable[[], None]] = [
    plain,
    caused,
    grouped,
    huge,
    unprintable,
    surrogate,
    many_lines,
    recursion,
    of_a_problem,
    a_mantlet_error,
    path_of_a_file,
    undecodable,
]


def failing(raiser: Callable[[], None]) -> Callable[[Any], Said]:
    def handler(carrier: Any) -> Said:
        raiser()
        raise AssertionError("it did not raise")

    return handler


#: What must not be in any byte of an answer.
NEEDLES = [
    SECRET,
    quote(SECRET),
    base64.b64encode(SECRET.encode()).decode().rstrip("="),
    "CanaryError",
    "Unprintable",
    "ExceptionGroup",
    "KeyError",
    "ValueError",
    "RecursionError",
    "MantletError",
    "FileNotFoundError",
    "UnicodeDecodeError",
    "Traceback",
    "raise ",
    "note",
    __name__,
    "test_policy",
    ".py",
    "mantlet",
    "line ",
]


def records(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what was logged, by anyone, at WARNING and above."""
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


def logged_id(record: logging.LogRecord) -> object:
    return record.__dict__["request_id"]


# -- nothing internal leaves ----------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("raiser", RAISERS, ids=lambda raiser: raiser.__name__)
def test_nothing_of_an_exception_is_in_any_byte_of_the_answer(
    adapter: Adapter, raiser: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither class, message, notes, cause, path nor traceback; all of it is in the log, once."""
    answer = adapter.drive(adapter.wrap(failing(raiser), ErrorEnvelope()))
    assert answer.error is None
    assert answer.status == (503 if raiser is of_a_problem else 500)
    told = answer.text()
    assert [needle for needle in NEEDLES if needle in told] == []
    (record,) = records(caplog)
    assert record.name == "mantlet.errors"
    assert record.levelno == logging.ERROR
    if raiser is huge:
        assert record.exc_info is None
    else:
        assert record.exc_info is not None
        assert record.exc_info[1] is not None
        assert record.exc_info[2] is not None
    assert logged_id(record) == answer.get("X-Request-ID")
    assert "Traceback" in logging.Formatter().format(record)


@both_adapters
@pytest.mark.parametrize("raiser", RAISERS[:-1], ids=lambda raiser: raiser.__name__)
def test_the_log_message_itself_is_one_line_without_the_exceptions_text(
    adapter: Adapter, raiser: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """The message has what Mantlet says; what the app said is in the traceback alone."""
    adapter.drive(adapter.wrap(failing(raiser), ErrorEnvelope()))
    (record,) = records(caplog)
    assert SECRET not in record.getMessage()
    assert "\n" not in record.getMessage()


@both_adapters
@settings(deadline=None, max_examples=60)
@given(st.text(min_size=8), st.text(st.characters(categories=["Lu", "Ll"]), min_size=8))
def test_no_message_and_no_class_name_gets_out(adapter: Adapter, message: str, name: str) -> None:
    """Two different exceptions in requests of the same id are answered with the same bytes."""
    kind = type(name, (Exception,), {})

    def one(carrier: Any) -> Said:
        raise kind(message)

    fields = [("X-Request-ID", "same")]
    logging.getLogger("mantlet.errors").disabled = True
    try:
        answers = [
            adapter.drive(adapter.wrap(handler, ErrorEnvelope()), headers=fields)
            for handler in (one, failing(plain))
        ]
    finally:
        logging.getLogger("mantlet.errors").disabled = False
    assert answers[0] == answers[1]


@both_adapters
def test_the_same_answer_comes_from_both_protocols(adapter: Adapter) -> None:
    """An error looks alike whatever the app is written in."""
    answer = adapter.drive(
        adapter.wrap(failing(plain), ErrorEnvelope()), headers=[("X-Request-ID", "abc")]
    )
    body = (
        b'{"type": "about:blank", "title": "Internal Server Error", "status": 500, '
        b'"instance": "urn:uuid:' + str(uuid5(NAMESPACE_URL, "abc")).encode() + b'", '
        b'"request_id": "abc"}'
    )
    assert answer.body == body
    assert sorted((name.lower(), value) for name, value in answer.headers) == [
        ("cache-control", "no-store"),
        ("content-length", str(len(body))),
        ("content-type", "application/problem+json"),
        ("x-request-id", "abc"),
    ]


# -- what is answered -----------------------------------------------------------------------------


@both_adapters
def test_a_500_has_the_members_of_rfc_9457(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """Each member is of its type, and about:blank has the status's phrase as its title."""
    answer = adapter.drive(adapter.wrap(failing(plain), ErrorEnvelope()))
    assert answer.get("Content-Type") == "application/problem+json"
    assert answer.get("Content-Length") == str(len(answer.body))
    assert answer.get("Cache-Control") == "no-store"
    problem = answer.json()
    request_id = answer.get("X-Request-ID")
    assert request_id is not None
    assert problem == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "instance": f"urn:uuid:{UUID(request_id)}",
        "request_id": request_id,
    }
    assert answer.body.isascii()
    assert len(records(caplog)) == 1


@both_adapters
def test_the_instance_of_a_given_uuid_is_that_uuid(adapter: Adapter) -> None:
    """An id that is a UUID already is named as it is."""
    given_id = "3f0d2a9c-7d1c-4d1e-9a52-7a4c1d8f8b1e"
    answer = adapter.drive(
        adapter.wrap(failing(lambda: _raise(Problem(404))), ErrorEnvelope()),
        headers=[("X-Request-ID", given_id)],
    )
    assert answer.json()["instance"] == f"urn:uuid:{given_id}"
    assert answer.json()["request_id"] == given_id


def _raise(error: BaseException) -> None:
    raise error


@both_adapters
@pytest.mark.parametrize(
    "problem",
    [
        Problem(400),
        Problem(404, detail="No such item."),
        Problem(409, type="https://example.org/taken", title="Taken", instance="/items/1"),
        Problem(402, extensions={"balance": 30, "accounts": ["/a", "/b"], "ok": None}),
        Problem(429, headers={"Retry-After": "7"}),
        BodyTooLarge(10),
        MalformedRequest("Not like this."),
        Problem(499),
    ],
    ids=str,
)
def test_a_problem_of_the_client_is_answered_as_stated_and_not_logged(
    adapter: Adapter, problem: Problem, caplog: pytest.LogCaptureFixture
) -> None:
    """What the app says to the client arrives, and the log is not for clients' mistakes."""
    answer = adapter.drive(adapter.wrap(failing(lambda: _raise(problem)), ErrorEnvelope()))
    assert answer.error is None
    assert answer.status == problem.status
    stated = answer.json()
    assert stated["status"] == problem.status
    assert stated["title"] == problem.title
    assert stated["type"] == problem.type
    assert stated.get("detail") == problem.detail
    assert problem.instance in (None, stated["instance"])
    assert stated.items() >= problem.extensions.items()
    assert all(answer.get(name) == value for name, value in problem.headers.items())
    assert records(caplog) == []


@both_adapters
def test_a_problem_of_the_server_is_answered_as_stated_and_logged(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """A 5xx is the server's fault, whoever says so."""
    problem = Problem(503, detail="Back at noon.", headers={"Retry-After": "60"})
    answer = adapter.drive(adapter.wrap(failing(lambda: _raise(problem)), ErrorEnvelope()))
    assert answer.status == 503
    assert answer.json()["detail"] == "Back at noon."
    assert answer.get("Retry-After") == "60"
    (record,) = records(caplog)
    assert record.exc_info is not None
    assert record.exc_info[1] is problem


@both_adapters
@pytest.mark.parametrize(
    "extensions",
    [
        {"when": datetime(2020, 1, 1, tzinfo=UTC)},
        {"object": object()},
        {"set": {1, 2}},
        {"bytes": b"abc"},
        {"nan": float("nan")},
        {"infinite": float("inf")},
    ],
    ids=lambda extensions: next(iter(extensions)),
)
def test_a_problem_that_is_no_json_is_answered_with_a_bare_500(
    adapter: Adapter, extensions: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A mistake in an error answer is an error like any other: enveloped, and logged."""

    def handler(carrier: Any) -> Said:
        raise Problem(400, extensions=extensions)

    answer = adapter.drive(adapter.wrap(handler, ErrorEnvelope()))
    assert answer.error is None
    assert answer.status == 500
    assert answer.json()["status"] == 500
    assert len(records(caplog)) == 1


@both_adapters
@pytest.mark.breaks_rules("names in upper case under ASGI")
def test_answers_that_the_app_makes_itself_are_left_alone(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """A 404 or a 503 of the app's own is its to word; it gets the id and nothing else."""
    for status in (200, 204, 301, 400, 404, 499, 500, 503):
        body = b"" if status == 204 else b"of the app"
        fields = [("Content-Type", "text/html"), ("X-Own", "1"), ("Content-Length", str(len(body)))]

        def handler(carrier: Any, said: Said = (status, fields, body)) -> Said:
            return said

        answer = adapter.drive(
            adapter.wrap(handler, ErrorEnvelope()), headers=[("X-Request-ID", "i")]
        )
        assert (answer.status, answer.body) == (status, body)
        assert [(name.lower(), value) for name, value in answer.headers] == [
            *((name.lower(), value) for name, value in fields),
            ("x-request-id", "i"),
        ]
    assert records(caplog) == []


@both_adapters
def test_the_apps_own_id_field_is_replaced_by_option(adapter: Adapter) -> None:
    """The client is told one id, and it is the one in the log."""

    def handler(carrier: Any) -> Said:
        return 200, [("x-request-id", "of the app"), ("x-request-id", "again")], b""

    envelope = ErrorEnvelope(request_id=RequestId(from_response="replace"))
    answer = adapter.drive(adapter.wrap(handler, envelope), headers=[("X-Request-ID", "mine")])
    assert answer.getall("x-request-id") == ["mine"]


@both_adapters
def test_head_is_answered_with_the_head_of_get(adapter: Adapter) -> None:
    """The length is that of GET's answer, and no byte of it follows."""
    app = adapter.wrap(failing(plain), ErrorEnvelope())
    get, head = adapter.drive(app), adapter.drive(app, "HEAD")
    assert head.error is None
    assert (head.status, head.body) == (500, b"")
    assert head.get("Content-Length") == get.get("Content-Length")
    assert head.get("Content-Type") == "application/problem+json"


@both_adapters
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "BREW"])
@pytest.mark.breaks_rules("a checker knows the usual methods only")
def test_every_method_gets_its_errors_enveloped(adapter: Adapter, method: str) -> None:
    """Also those that HTTP does not know."""
    answer = adapter.drive(adapter.wrap(failing(plain), ErrorEnvelope()), method)
    assert answer.status == 500
    assert answer.error is None


@both_adapters
def test_an_exception_of_a_policy_further_in_is_enveloped(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken policy is no wider hole than a broken app."""

    class Broken(Policy):
        def on_request(self, request: Request) -> None:
            raise CanaryError(SECRET)

    answer = adapter.drive(adapter.wrap(hello, ErrorEnvelope(), Broken()))
    assert answer.status == 500
    assert SECRET not in answer.text()
    assert len(records(caplog)) == 1


@both_adapters
def test_an_exception_that_comes_with_the_body_but_before_the_head_is_enveloped(
    adapter: Adapter,
) -> None:
    """A head of the app's that has not gone yet is taken back."""
    if adapter.name == "asgi":

        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            headers = [(b"content-type", b"text/html"), (b"x-own", b"1")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            raise CanaryError(SECRET)

        answer = drive_asgi(mantlet.asgi.wrap(asgi, ErrorEnvelope(), baseline=False))
    else:

        def wsgi(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [("X-Own", "1")])
            yield from map(fail_with, [SECRET])

        answer = drive_wsgi(mantlet.wsgi.wrap(wsgi, ErrorEnvelope(), baseline=False))
    assert answer.error is None
    assert answer.status == 500
    assert "x-own" not in answer.names


# -- what is not answered -------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    "kind",
    [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit],
    ids=lambda kind: kind.__name__,
)
def test_what_is_no_error_passes_untouched_and_unlogged(
    adapter: Adapter, kind: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """Cancellation and the end of the process are not the envelope's to stop."""
    raised = kind("stop")
    answer = adapter.drive(adapter.wrap(failing(lambda: _raise(raised)), ErrorEnvelope()))
    assert isinstance(answer.error, kind)
    assert answer.status is None
    if adapter.name == "wsgi" or kind is not asyncio.CancelledError:
        assert answer.error is raised
    assert [record for record in records(caplog) if record.name.startswith("mantlet")] == []


def broken_off(adapter: Adapter) -> Answer:
    """Drive an app that raises after its answer has begun."""
    if adapter.name == "asgi":

        async def asgi(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            raise CanaryError(SECRET)

        return drive_asgi(mantlet.asgi.wrap(asgi, ErrorEnvelope(), baseline=False))

    def wsgi(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"begun"
        raise CanaryError(SECRET)

    return drive_wsgi(mantlet.wsgi.wrap(wsgi, ErrorEnvelope(), baseline=False))


@both_adapters
def test_an_exception_after_the_head_is_logged_once_and_raised_on(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """The server learns of it, so that it ends the connection and the client can tell."""
    answer = broken_off(adapter)
    assert isinstance(answer.error, CanaryError)
    assert (answer.status, answer.body) == (200, b"begun")
    (record,) = records(caplog)
    assert record.name == "mantlet.errors"
    assert record.exc_info is not None
    assert record.exc_info[1] is answer.error
    assert logged_id(record) == answer.get("X-Request-ID")


@both_adapters
def test_two_envelopes_log_an_exception_once(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrapping twice does not say things twice, nor answer with two ids."""
    answer = adapter.drive(adapter.wrap(failing(plain), ErrorEnvelope(), ErrorEnvelope()))
    assert answer.status == 500
    (record,) = records(caplog)
    assert logged_id(record) == answer.get("X-Request-ID") == answer.json()["request_id"]


@both_adapters
def test_without_an_envelope_an_exception_reaches_the_server(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """Other policies answer nothing that is not theirs."""
    answer = adapter.drive(
        adapter.wrap(failing(plain), mantlet.RateLimiter("5/hour", clock=lambda: 0))
    )
    assert isinstance(answer.error, CanaryError)
    assert answer.status is None
    assert records(caplog) == []


# -- the id is the same everywhere ----------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("fields", [[], [("X-Request-ID", "mine")]], ids=["new", "given"])
def test_header_body_log_and_state_have_one_id(
    adapter: Adapter, fields: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reads one of them finds the others."""
    seen: list[str] = []

    def handler(carrier: Any) -> Said:
        seen.append(mantlet.state(carrier).request_id)
        raise CanaryError(SECRET)

    answer = adapter.drive(adapter.wrap(handler, ErrorEnvelope()), headers=fields)
    (record,) = records(caplog)
    assert {
        *seen,
        answer.get("X-Request-ID"),
        answer.json()["request_id"],
        logged_id(record),
    } == set(seen)
    assert seen[0] in record.getMessage()


@both_adapters
def test_policies_further_in_see_the_id(adapter: Adapter) -> None:
    """A policy may name the request in its own answer."""

    class Naming(Policy):
        def on_request(self, request: Request) -> Reply:
            return Reply(418, body=request.state.request_id)

    answer = adapter.drive(
        adapter.wrap(hello, ErrorEnvelope(), Naming()), headers=[("X-Request-ID", "mine")]
    )
    assert (answer.status, answer.body) == (418, b"mine")
    assert answer.get("X-Request-ID") == "mine"


def test_every_request_of_one_scope_owner_gets_its_own_id() -> None:
    """Ids are of exchanges, not of connections, apps or policies."""
    app = AsgiAdapter().wrap(hello, ErrorEnvelope())
    ids = {drive_asgi(app).get("X-Request-ID") for _ in range(20)}
    assert len(ids) == 20
    assert all(re.fullmatch("[0-9a-f]{32}", made or "") for made in ids)


@both_adapters
def test_a_request_that_is_served_again_keeps_its_id_and_gets_its_fields(adapter: Adapter) -> None:
    """As a middleware outside does that tries again, with the same environ or scope."""
    app = adapter.wrap(hello, ErrorEnvelope(), RateLimiter("100/minute"))
    first, second = adapter.drive_twice(app)
    assert first.get("X-Request-ID") == second.get("X-Request-ID") is not None
    assert (first.get("RateLimit"), second.get("RateLimit")) == (
        '"default";r=99;t=1',
        '"default";r=98;t=1',
    )


def test_the_envelope_takes_no_other_options() -> None:
    """An option that does not exist is not ignored."""
    with pytest.raises(TypeError):
        ErrorEnvelope(verbose=True)  # type: ignore[call-arg]  # what is tested

"""One exchange has one state, one id and one record through adapters; another has its own."""

from __future__ import annotations

import asyncio
import logging
from contextvars import copy_context
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import flask
import httpx
import pytest
from a2wsgi import WSGIMiddleware
from asgiref.wsgi import WsgiToAsgi

import mantlet
from mantlet import ErrorEnvelope, Problem, RateLimiter
from mantlet.core.context import carried_state
from mantlet.errors import current_request_id
from tests.drive import Answer, drive_asgi, drive_wsgi, make_environ, make_scope
from tests.protocol_adapters import A2Wsgi, asgiref_adapter

if TYPE_CHECKING:
    from collections.abc import Callable

LOCAL = [("Host", "localhost")]


def failing_wsgi(environ: Any, start_response: Any) -> Any:
    raise LookupError("secret")


async def failing_asgi(scope: Any, receive: Any, send: Any) -> None:
    raise LookupError("secret")


def refusing_wsgi(environ: Any, start_response: Any) -> Any:
    raise Problem(409)


async def refusing_asgi(scope: Any, receive: Any, send: Any) -> None:
    raise Problem(409)


#: The adapters, each with an app of its inner protocol that fails, and one that refuses.
ADAPTED: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "a2wsgi": (WSGIMiddleware, failing_wsgi, refusing_wsgi),
    "asgiref": (asgiref_adapter, failing_wsgi, refusing_wsgi),
    "a2wsgi to WSGI": (A2Wsgi, failing_asgi, refusing_asgi),
}
adapted = pytest.mark.parametrize("adapter", ADAPTED)


def ask(adapter: str, app: Any, **options: Any) -> Answer:
    drive: Any = drive_wsgi if adapter == "a2wsgi to WSGI" else drive_asgi
    answer: Answer = drive(app, headers=LOCAL, **options)
    return answer


def wrap(app: Any, *policies: Any) -> Any:
    is_asgi = iscoroutinefunction(app) or isinstance(app, (WSGIMiddleware, WsgiToAsgi))
    module: Any = mantlet.asgi if is_asgi else mantlet.wsgi
    return module.wrap(app, *policies, baseline=False)


@adapted
@pytest.mark.breaks_rules("adapters between")
def test_a_stack_within_an_adapter_joins_the_exchange(
    adapter: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Two envelopes, one id and one record."""
    caplog.set_level(logging.INFO)
    put, failing, refusing = ADAPTED[adapter]
    for app, status in ((failing, 500), (refusing, 409)):
        caplog.clear()
        answer = ask(adapter, wrap(put(wrap(app, ErrorEnvelope())), ErrorEnvelope()))
        assert answer.status == status
        (record,) = [one for one in caplog.records if one.exc_info]
        ids = {answer.get("x-request-id"), answer.json()["request_id"]}
        assert ids == {record.__dict__["request_id"]}


@adapted
@pytest.mark.breaks_rules("adapters between")
def test_a_plain_app_that_raises_within_an_adapter_is_heard(
    adapter: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether the adapter raises as well, or answers by itself."""
    put, failing, _ = ADAPTED[adapter]
    answer = ask(adapter, wrap(put(failing), ErrorEnvelope()))
    assert answer.status == 500
    assert "secret" not in answer.text()
    (record,) = [one for one in caplog.records if one.name == "mantlet.errors"]
    assert record.exc_info is not None
    assert record.exc_info[0] is LookupError
    assert record.__dict__["request_id"] == answer.get("x-request-id")


@pytest.mark.parametrize("adapter", ["a2wsgi", "asgiref"])
@pytest.mark.breaks_rules("adapters between")
def test_the_state_of_the_exchange_is_read_within_an_adapter(adapter: str) -> None:
    """By an app that knows nothing of the outer protocol."""
    app = flask.Flask(__name__)

    @app.get("/")
    def index() -> str:
        state = mantlet.state(flask.request)
        assert current_request_id() == state.request_id
        return f"{state.request_id} {state.rate_limit.remaining}"

    put = ADAPTED[adapter][0]
    answer = ask(adapter, wrap(put(app), ErrorEnvelope(), RateLimiter("9/s")))
    assert answer.body.decode() == f"{answer.get('x-request-id')} 8"


# -- requests to other apps -----------------------------------------------------------------------


def other_wsgi() -> Any:
    """An app without a stack, that answers its own exception."""
    other = flask.Flask("other")

    @other.get("/")
    def index() -> str:
        raise LookupError("of the other app")

    return other


def test_a_request_to_another_app_is_another_exchange(caplog: pytest.LogCaptureFixture) -> None:
    """Its exception is not the calling one's, however alike their requests are."""
    other = other_wsgi()

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        def call() -> int:
            with httpx.Client(
                transport=httpx.WSGITransport(app=other, raise_app_exceptions=False),
                base_url="http://localhost",
            ) as client:
                return client.get("/").status_code

        assert await asyncio.to_thread(call) == 500
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"fine"})

    def wsgi(environ: Any, start_response: Any) -> Any:
        assert other.test_client().get("/").status_code == 500
        start_response("200 OK", [])
        return [b"fine"]

    for app, drive in ((asgi, drive_asgi), (wsgi, drive_wsgi)):
        answer = drive(wrap(app, ErrorEnvelope()), headers=LOCAL)
        assert (answer.status, answer.body) == (200, b"fine")
    assert not [record for record in caplog.records if record.name == "mantlet.errors"]


def test_a_wrapped_app_that_another_one_calls_has_an_id_of_its_own() -> None:
    """Under one protocol and across them."""
    seen: list[str | None] = []

    async def inner_asgi(scope: Any, receive: Any, send: Any) -> None:
        seen.append(current_request_id())
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    inner = wrap(inner_asgi, ErrorEnvelope())

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        seen.append(current_request_id())
        transport = httpx.ASGITransport(app=inner)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            response = await client.get("/")
        seen.append(response.headers["x-request-id"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    answer = drive_asgi(wrap(outer, ErrorEnvelope()), headers=LOCAL)
    own, inners, told = seen
    assert own == answer.get("x-request-id")
    assert inners == told != own


# -- carried_state() ------------------------------------------------------------------------------


def in_exchange(found: Callable[[], Any]) -> tuple[Any, Any]:
    """Return the state of an ASGI exchange, and what is found while it runs."""
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend((mantlet.state(scope), found()))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    headers = [("Host", "localhost"), ("User-Agent", "test"), ("X-Request-ID", "given")]
    drive_asgi(wrap(app, ErrorEnvelope()), path="/a/b", headers=headers)
    state, other = seen
    return state, other


ALIKE: dict[str, Any] = {
    "PATH_INFO": "/a/b",
    "HTTP_HOST": "localhost",
    "HTTP_USER_AGENT": "test",
    "HTTP_X_REQUEST_ID": "given",
}


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({}, True),
        ({"SCRIPT_NAME": "/a", "PATH_INFO": "/b"}, True),
        ({"PATH_INFO": "/b"}, True),
        ({"PATH_INFO": "/c"}, False),
        ({"REQUEST_METHOD": "POST"}, False),
        ({"QUERY_STRING": "x"}, False),
        ({"HTTP_HOST": "other"}, False),
        ({"HTTP_USER_AGENT": "other"}, False),
        ({"HTTP_X_REQUEST_ID": "other"}, False),
    ],
    ids=str,
)
def test_an_environ_is_known_by_its_request(changed: dict[str, Any], same: bool) -> None:
    """As an adapter makes it, also where a mount has shortened the path."""
    environ = make_environ(environ={**ALIKE, **changed})
    state, found = in_exchange(lambda: carried_state(environ))
    assert (found is state) == same


def test_a_like_request_after_one_that_nobody_has_closed_has_an_id_of_its_own() -> None:
    """As Werkzeug's test client leaves them."""
    same = [("Host", "localhost"), ("User-Agent", "test")]

    def asked() -> list[Answer]:
        environ = make_environ(environ={"HTTP_HOST": "localhost", "HTTP_USER_AGENT": "test"})
        list(wrap(other_wsgi(), ErrorEnvelope())(environ, lambda *_: None))  # without close()
        stack = wrap(failing_asgi, ErrorEnvelope())
        return [drive_asgi(stack, headers=same) for _ in range(2)]

    first, second = (answer.get("x-request-id") for answer in copy_context().run(asked))
    assert first != second


def test_a_new_scope_is_another_request() -> None:
    """A middleware copies it; one that is made anew comes from a client within the process."""
    headers = [("Host", "localhost"), ("User-Agent", "test")]
    scope = make_scope(path="/a/b", headers=headers)
    _, found = in_exchange(lambda: carried_state(scope))
    assert found is None


def test_outside_of_an_exchange_nothing_is_carried() -> None:
    """Nor where adapters refer to each other."""
    environ = make_environ()
    environ["asgi.scope"] = {"wsgi_environ": environ, "type": "http"}
    assert carried_state(environ) is None

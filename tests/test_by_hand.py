"""The middlewares written by hand do the work of the policies that they are compared with."""

import asyncio
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from benchmarks import by_hand, hot_path
from benchmarks.plain_apps import asgi_app, wsgi_app
from benchmarks.traffic import SMALL, AsgiServer, Order, WsgiServer

import mantlet

#: Changes a scope or an environ before it is sent; the names are those of ASGI.
Change = Callable[[dict[str, Any]], object]
_REQUEST_ID = "x-request-id"

each_protocol = pytest.mark.parametrize("protocol", hot_path.PROTOCOLS)
each_case = pytest.mark.parametrize("case", hot_path.BY_HAND)


class Outcome(NamedTuple):
    """What the client gets, and what the app got."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    request_id: str | None
    received: bytes
    # Any: the scope or the environ.
    raw: Any


def ask(protocol: str, app: Any, change: Change = len, response: bytes = b"") -> Outcome:
    """Send a request to an app in its middleware, which is given as a function of the app."""
    response = response or hot_path.RESPONSE
    return (_ask_asgi if protocol == "ASGI" else _ask_wsgi)(app, change, response)


def _ask_asgi(wrapped: Any, change: Change, response: bytes) -> Outcome:
    got: dict[str, Any] = {"request_id": None, "received": b"", "raw": None}
    plain = asgi_app(SMALL, response)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found = dict(scope["headers"]).get(_REQUEST_ID.encode())
        message = await receive()
        got.update(
            request_id=None if found is None else found.decode(),
            received=message["body"],
            raw=scope,
        )

        async def again() -> Any:
            return message

        await plain(scope, again, send)

    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    server = AsgiServer(None, SMALL)
    scope = server.scope()
    change(scope)
    asyncio.run(wrapped(app)(scope, server.receive(), send))
    head, *rest = messages
    headers = [(name.decode(), value.decode()) for name, value in head["headers"]]
    return Outcome(head["status"], headers, b"".join(one["body"] for one in rest), **got)


def _ask_wsgi(wrapped: Any, change: Change, response: bytes) -> Outcome:
    got: dict[str, Any] = {"request_id": None, "received": b"", "raw": None}

    class Input:
        def __init__(self, stream: Any) -> None:
            self.stream = stream

        def read(self, size: int) -> bytes:
            got["received"] = data = self.stream.read(size)
            return bytes(data)

    plain = wsgi_app(SMALL, response)

    def app(environ: Any, start_response: Any) -> Any:
        got.update(request_id=environ.get("HTTP_X_REQUEST_ID"), raw=environ)
        environ["wsgi.input"] = Input(environ["wsgi.input"])
        return plain(environ, start_response)

    heads: list[Any] = []
    environ = WsgiServer(None, SMALL).environ()
    change(environ)
    result = wrapped(app)(environ, lambda *head: heads.append(head))
    body = b"".join(result)
    getattr(result, "close", lambda: None)()
    status, headers = heads[-1]
    return Outcome(int(status[:3]), headers, body, **got)


def stacks(protocol: str, case: str) -> list[Callable[[Any], Any]]:
    """Return functions that wrap an app: in the policies, and by hand. Their state is kept."""

    def keeping(name: str) -> Callable[[Any], Any]:
        inner: list[Any] = [None]

        # The app differs between requests, and the buckets stay.
        if protocol == "ASGI":

            async def asgi(scope: Any, receive: Any, send: Any) -> None:
                await inner[0](scope, receive, send)

            wrapped = hot_path.wrap(protocol, name, asgi)
        else:

            def wsgi(environ: Any, start_response: Any) -> Any:
                return inner[0](environ, start_response)

            wrapped = hot_path.wrap(protocol, name, wsgi)

        def wrap(app: Any) -> Any:
            inner[0] = app
            return wrapped

        return wrap

    return [keeping(case), keeping(hot_path.BY_HAND[case])]


def comparable(outcome: Outcome) -> tuple[Any, ...]:
    """Return an outcome without its own request id, and with a full day to wait."""
    headers = [
        (name, "the app's" if value == outcome.request_id else re.sub(r"863\d\d", "86400", value))
        for name, value in outcome.headers
    ]
    return outcome.status, headers, outcome.body, outcome.received


def named(protocol: str, name: str, value: str) -> Change:
    """Return a function that gives a request another header."""

    def change(raw: dict[str, Any]) -> None:
        if protocol == "ASGI":
            raw["headers"].append((name.encode(), value.encode()))
        else:
            raw["HTTP_" + name.upper().replace("-", "_")] = value

    return change


@each_protocol
@each_case
def test_the_response_is_that_of_the_policies(protocol: str, case: str) -> None:
    policies, hand = stacks(protocol, case)

    if case == hot_path.REFUSAL:  # of all requests but the first
        assert ask(protocol, policies).status == ask(protocol, hand).status == 200
    expected, found = ask(protocol, policies), ask(protocol, hand)

    assert comparable(found) == comparable(expected)
    assert found.status == (429 if case == hot_path.REFUSAL else 200)


@each_protocol
@pytest.mark.parametrize("case", ["two", "five"])
def test_the_app_gets_what_the_policies_leave_for_it(protocol: str, case: str) -> None:
    policies, hand = stacks(protocol, case)

    expected = mantlet.state(ask(protocol, policies).raw)
    found = ask(protocol, hand)
    state = found.raw[by_hand.KEY]

    assert state["request_id"] == found.request_id
    assert found.request_id is not None
    assert re.fullmatch("[0-9a-f]{32}", found.request_id)
    assert state["room"] == 999_999 * 1000
    assert expected.rate_limit.remaining == 999_999
    if case == "five":
        assert state["validated"] == expected.validated.body
        assert isinstance(state["validated"], Order)
        assert state["secrets"].token.reveal() == expected.secrets.token.reveal()


@each_protocol
@pytest.mark.parametrize("case", ["two", "five"])
def test_a_valid_id_of_the_client_is_kept(protocol: str, case: str) -> None:
    for stack in stacks(protocol, case):
        found = ask(protocol, stack, named(protocol, _REQUEST_ID, "mine"))

        assert found.request_id == "mine"
        assert "mine" in dict(found.headers).values()


def _changed(protocol: str, **values: Any) -> Change:
    keys = {"path": "PATH_INFO", "query": "QUERY_STRING", "client": "REMOTE_ADDR"}

    def change(raw: dict[str, Any]) -> None:
        for name, value in values.items():
            if protocol == "WSGI":
                raw[keys[name]] = value
            elif name == "client":
                raw[name] = value, 1
            else:
                raw["query_string" if name == "query" else name] = value

    return change


@each_protocol
@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("two", lambda protocol: _changed(protocol, client="2001:db8::1")),
        ("two", lambda protocol: named(protocol, _REQUEST_ID, "not valid")),
        ("two", lambda protocol: named(protocol, "traceparent", "00-1-2-01")),
        ("five", lambda protocol: _changed(protocol, client="2001:db8::1")),
        ("five", lambda protocol: _changed(protocol, path="/others")),
        ("five", lambda protocol: named(protocol, "x-http-method-override", "GET")),
        ("five", lambda protocol: named(protocol, "range", "bytes=0-1")),
    ],
    ids=["ipv6", "id", "trace", "ipv6", "path", "method", "range"],
)
def test_an_unusual_request_is_noticed(
    protocol: str, case: str, change: Callable[[str], Change]
) -> None:
    _, hand = stacks(protocol, case)

    with pytest.raises(by_hand.Unusual):
        ask(protocol, hand, change(protocol))


@each_protocol
@pytest.mark.parametrize(
    "response",
    [b'{"a": "<b>"}', b'{"a": "benchmark-kR7vT2qX9mB4w"}', '{"a": "\u2028"}'.encode()],
    ids=["markup", "secret", "separator"],
)
def test_a_body_that_would_change_is_noticed(protocol: str, response: bytes) -> None:
    _, hand = stacks(protocol, "five")

    with pytest.raises(by_hand.Unusual):
        ask(protocol, hand, response=response)

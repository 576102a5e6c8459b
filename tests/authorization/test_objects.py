"""`mantlet.authorize()`: who may use an object, and views that do not ask."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pytest

import mantlet
from mantlet import Allow, Authorizer, Identity, Problem
from tests.authorization.identities import TestAuthentication, user
from tests.drive import Adapter, both_adapters, drive_asgi, hello

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from tests.drive import Said


@dataclass
class Order:
    """An object of an app's own."""

    id: int
    owner: str


MINE, OTHERS = Order(7, "reader"), Order(8, "writer")


def owns(identity: Identity | None, action: str, resource: Any) -> bool:
    """Allow owners everything."""
    return identity is not None and resource.owner == identity.subject


class OwnerEngine:
    """Allows owners everything, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Identity | None, str, Any, Any]] = []

    def decide(self, identity: Identity | None, action: str, resource: Any, request: Any) -> bool:
        """Decide."""
        self.asked.append((identity, action, resource, request))
        return owns(identity, action, resource)


def asking(order: Order | None, *, answers: Said = (200, [], b"secret")) -> Any:
    """Return an app whose view asks about an order."""

    def handler(raw: MutableMapping[str, Any]) -> Said:
        if order is not None:
            mantlet.authorize(raw, "read", order)
        return answers

    return handler


def stack(adapter: Adapter, handler: Any, *rules: Allow, **options: Any) -> Any:
    """Return an app in a stack with an error envelope, so that problems are answered."""
    authorizer = Authorizer(rules=rules, **options)
    return adapter.wrap(handler, mantlet.ErrorEnvelope(), TestAuthentication(), authorizer)


def stack_around(adapter: Adapter, app: Any, authorizer: Authorizer) -> Any:
    """Return an app of the protocol in a stack."""
    wrap: Any = adapter.module.wrap
    return wrap(app, TestAuthentication(), authorizer, baseline=False)


ORDER = Allow("GET /orders/{id}", scope="orders:read", check=owns)
ENGINE_ORDER = Allow("GET /orders/{id}", scope="orders:read", check="object")


@both_adapters
@pytest.mark.parametrize("rule", [ORDER, ENGINE_ORDER], ids=["callable", "engine"])
def test_the_object_decides(adapter: Adapter, rule: Allow) -> None:
    options = {"engine": OwnerEngine()} if rule is ENGINE_ORDER else {}
    allowed = stack(adapter, asking(MINE), rule, **options)
    refused = stack(adapter, asking(OTHERS), rule, **options)
    assert adapter.drive(allowed, path="/orders/7", headers=user("reader")).body == b"secret"
    answer = adapter.drive(refused, path="/orders/8", headers=user("reader"))
    assert answer.status == 403
    assert answer.json()["status"] == 403
    assert b"secret" not in answer.body


@both_adapters
def test_the_engine_gets_who_what_and_the_request(adapter: Adapter) -> None:
    engine = OwnerEngine()
    app = stack(adapter, asking(MINE), ENGINE_ORDER, engine=engine)
    adapter.drive(app, path="/orders/7", headers=user("reader"))
    ((identity, action, resource, request),) = engine.asked
    assert identity is not None
    assert (identity.subject, action, resource) == ("reader", "read", MINE)
    assert mantlet.state(request).identity is identity


@both_adapters
def test_an_object_of_a_hidden_route_is_not_found(adapter: Adapter) -> None:
    rule = Allow("GET /orders/{id}", check=owns, hide=True)
    app = stack(adapter, asking(OTHERS), rule)
    assert adapter.drive(app, path="/orders/8", headers=user("reader")).status == 404


@both_adapters
def test_a_view_that_never_asks_is_stopped(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    app = stack(adapter, asking(None), ORDER)
    answer = adapter.drive(app, path="/orders/8", headers=user("reader"))
    assert answer.status == 500
    assert b"secret" not in answer.body
    (record,) = [one for one in caplog.records if one.name == "mantlet.authorization"]
    assert record.levelno == logging.ERROR
    assert "API1:2023" in record.getMessage()
    assert "GET /orders/{id}" in record.getMessage()


@both_adapters
def test_the_head_of_a_response_without_a_question_is_not_sent(adapter: Adapter) -> None:
    app = adapter.stream([b"sec", b"ret"], TestAuthentication(), Authorizer(rules=[ORDER]))
    answer = adapter.drive(app, path="/orders/8", headers=user("reader"))
    assert answer.status == 500
    assert b"sec" not in answer.body


@pytest.mark.parametrize("status", [200, 201, 204, 206, 301, 304])
@both_adapters
def test_every_success_needs_a_question(adapter: Adapter, status: int) -> None:
    app = stack(
        adapter, asking(None, answers=(status, [("location", "http://a.example/x")], b"")), ORDER
    )
    assert adapter.drive(app, path="/orders/8", headers=user("reader")).status == 500


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@both_adapters
def test_a_redirect_of_a_view_to_the_same_path_needs_a_question(
    adapter: Adapter, status: int
) -> None:
    signed = [("location", "https://cdn.example/orders/8?signature=secret")]
    app = stack(adapter, asking(None, answers=(status, signed, b"")), ORDER)
    answer = adapter.drive(app, path="/orders/8", headers=user("reader"))
    assert answer.status == 500
    assert "location" not in {name.lower() for name, _ in answer.headers}


@both_adapters
def test_a_found_response_of_a_view_needs_a_question(adapter: Adapter) -> None:
    """Routers that mend slashes answer 301, 307 or 308."""
    found = [("location", "https://cdn.example/orders/8/?signature=secret")]
    app = stack(adapter, asking(None, answers=(302, found, b"")), ORDER)
    assert adapter.drive(app, path="/orders/8", headers=user("reader")).status == 500


@pytest.mark.parametrize("status", [400, 404, 410, 422])
@both_adapters
def test_an_error_of_the_view_needs_none(adapter: Adapter, status: int) -> None:
    app = stack(adapter, asking(None, answers=(status, [], b"")), ORDER)
    assert adapter.drive(app, path="/orders/8", headers=user("reader")).status == status


@pytest.mark.parametrize(
    ("location", "status"),
    [
        ("/orders/8/", 308),
        ("http://api.example/orders/8/?a=b", 308),
        ("/orders/9", 500),
        ("http://[::1", 500),
    ],
)
@pytest.mark.breaks_rules  # a relative Location
@both_adapters
def test_a_redirect_of_the_router_to_another_slash_needs_none(
    adapter: Adapter, location: str, status: int
) -> None:
    app = stack(adapter, asking(None, answers=(308, [("location", location)], b"")), ORDER)
    assert adapter.drive(app, path="/orders/8", headers=user("reader")).status == status


@both_adapters
def test_a_reply_of_an_inner_policy_needs_none(adapter: Adapter) -> None:
    class Replies(mantlet.Policy):
        def on_request(self, request: mantlet.Request) -> mantlet.Reply:
            return mantlet.Reply(200, body="kept")

    app = adapter.wrap(hello, TestAuthentication(), Authorizer(rules=[ORDER]), Replies())
    assert adapter.drive(app, path="/orders/8", headers=user("reader")).body == b"kept"


@pytest.mark.parametrize("mode", ["enforce", "report"])
@both_adapters
def test_a_reply_of_a_policy_of_an_inner_stack_needs_none(
    adapter: Adapter, mode: Literal["enforce", "report"], caplog: pytest.LogCaptureFixture
) -> None:
    class Replies(mantlet.Policy):
        def on_request(self, request: mantlet.Request) -> mantlet.Reply:
            return mantlet.Reply(200, body="kept")

    inner = adapter.wrap(hello, Replies())

    def between(*args: Any) -> Any:  # so that the stacks stay two
        return inner(*args)

    outer = stack_around(adapter, between, Authorizer(rules=[ORDER], mode=mode))
    answer = adapter.drive(outer, path="/orders/8", headers=user("reader"))
    assert (answer.status, answer.body) == (200, b"kept")
    assert "API1:2023" not in caplog.text


@both_adapters
def test_a_policy_of_an_inner_stack_that_replaces_the_response_of_a_view_is_no_way_out(
    adapter: Adapter,
) -> None:
    class Replaces(mantlet.Policy):
        def on_response(
            self, request: mantlet.Request, response: mantlet.Response
        ) -> mantlet.Reply:
            return mantlet.Reply(200, body=response.first_chunk.upper())

    inner = adapter.wrap(asking(None), Replaces())

    def between(*args: Any) -> Any:
        return inner(*args)

    outer = stack_around(adapter, between, Authorizer(rules=[ORDER]))
    answer = adapter.drive(outer, path="/orders/8", headers=user("reader"))
    assert answer.status == 500
    assert b"SECRET" not in answer.body


@both_adapters
def test_an_inner_policy_that_replaces_the_response_of_a_view_is_no_way_out(
    adapter: Adapter,
) -> None:
    class Replaces(mantlet.Policy):
        def on_response(
            self, request: mantlet.Request, response: mantlet.Response
        ) -> mantlet.Reply:
            return mantlet.Reply(200, body=response.first_chunk.upper())

    app = adapter.wrap(asking(None), TestAuthentication(), Authorizer(rules=[ORDER]), Replaces())
    answer = adapter.drive(app, path="/orders/8", headers=user("reader"))
    assert answer.status == 500
    assert b"SECRET" not in answer.body


@both_adapters
def test_a_question_of_an_earlier_pass_does_not_count(adapter: Adapter) -> None:
    passes: list[int] = []

    def handler(raw: MutableMapping[str, Any]) -> Said:
        passes.append(1)
        if len(passes) == 1:
            mantlet.authorize(raw, "read", None)
        return 200, [], b"secret"

    app = adapter.module.wrap(
        adapter.app(handler),
        Authorizer(rules=[Allow("GET /", public=True, check=lambda *_: True)]),
        baseline=False,
    )
    first, second = adapter.drive_twice(app)
    assert (first.status, second.status) == (200, 500)


@both_adapters
def test_a_view_that_asks_and_filters_goes_on(adapter: Adapter) -> None:
    def handler(raw: MutableMapping[str, Any]) -> Said:
        shown = []
        for order in (MINE, OTHERS):
            try:
                mantlet.authorize(raw, "read", order)
            except Problem:
                continue
            shown.append(order.id)
        return 200, [], repr(shown).encode()

    app = stack(adapter, handler, Allow("GET /orders", check=owns))
    assert adapter.drive(app, path="/orders", headers=user("reader")).body == b"[7]"


@both_adapters
def test_outside_of_object_rules_the_engine_decides(adapter: Adapter) -> None:
    engine = OwnerEngine()
    app = stack(adapter, asking(OTHERS), Allow("GET /any", public=True), engine=engine)
    assert adapter.drive(app, path="/any", headers=user("reader")).status == 403
    assert adapter.drive(app, path="/any", headers=user("writer")).status == 200
    assert adapter.drive(app, path="/any").status == 403


class Broken:
    """An engine that answers, or raises, the wrong thing."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def decide(self, identity: Any, action: str, resource: Any, request: Any) -> Any:
        """Decide nothing."""
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


async def answer_later() -> bool:
    """Return nothing that is there now."""
    return True


@both_adapters
@pytest.mark.parametrize("result", [ValueError("out of order"), None, 1, "yes", "coroutine"])
def test_a_broken_engine_refuses_and_is_logged(
    adapter: Adapter, result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Broken(answer_later() if result == "coroutine" else result)
    app = stack(adapter, asking(MINE), ENGINE_ORDER, engine=engine)
    answer = adapter.drive(app, path="/orders/7", headers=user("reader"))
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert "ValueError" in caplog.text or "must return True or False" in caplog.text


@both_adapters
def test_a_view_that_swallows_a_failure_of_the_engine_has_not_asked(adapter: Adapter) -> None:
    def handler(raw: MutableMapping[str, Any]) -> Said:
        with pytest.raises(ValueError, match="out of order"):
            mantlet.authorize(raw, "read", MINE)
        return 200, [], b"secret"

    app = stack(adapter, handler, ENGINE_ORDER, engine=Broken(ValueError("out of order")))
    answer = adapter.drive(app, path="/orders/7", headers=user("reader"))
    assert answer.status == 500
    assert b"secret" not in answer.body


@both_adapters
def test_a_question_without_anyone_to_decide_fails(adapter: Adapter) -> None:
    app = stack(adapter, asking(MINE), Allow("GET /any", public=True))
    assert adapter.drive(app, path="/any").status == 500
    bare = adapter.wrap(asking(MINE), mantlet.ErrorEnvelope())
    assert adapter.drive(bare, path="/any").status == 500


@pytest.mark.parametrize("action", ["", None, 3])
def test_an_action_is_text(action: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="action must be"):
        mantlet.authorize({}, action, MINE)


@both_adapters
def test_two_authorizers_must_both_allow(adapter: Adapter) -> None:
    outer = Authorizer(rules=[Allow("GET /orders/{id}", check=owns)])
    inner = Authorizer(rules=[Allow("GET /orders/{id}", check=lambda *_: True)])
    app = adapter.wrap(asking(OTHERS), mantlet.ErrorEnvelope(), TestAuthentication(), outer, inner)
    assert adapter.drive(app, path="/orders/8", headers=user("reader")).status == 403


@both_adapters
def test_report_mode_raises_nothing_and_stops_nothing(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    for order, expected in ((OTHERS, "would have refused an object"), (None, "API1:2023")):
        app = stack(adapter, asking(order), ORDER, mode="report")
        answer = adapter.drive(app, path="/orders/8", headers=user("reader"))
        assert (answer.status, answer.body) == (200, b"secret")
        assert expected in caplog.text
        assert "Authorizer would have " in caplog.text
        # Also for those who would not have reached the view.
        assert adapter.drive(app, path="/orders/8").status == 200
        caplog.clear()
    asked = stack(adapter, asking(MINE), ORDER, mode={"* /orders/{id}": "report"})
    assert adapter.drive(asked, path="/orders/7", headers=user("reader")).status == 200
    assert "API1:2023" not in caplog.text


def test_it_works_in_threads_and_tasks() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            await loop.run_in_executor(pool, mantlet.authorize, scope, "read", MINE)
        await asyncio.gather(asyncio.to_thread(mantlet.authorize, dict(scope), "read", MINE))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    stacked = mantlet.asgi.wrap(
        app, TestAuthentication(), Authorizer(rules=[ORDER]), baseline=False
    )
    assert drive_asgi(stacked, path="/orders/7", headers=user("reader")).body == b"ok"


# -- WebSockets -----------------------------------------------------------------------------------


def handshake(app: Any, path: str, name: str | None) -> list[dict[str, Any]]:
    """Return the messages that the server gets from an app for a WebSocket."""
    sent: list[dict[str, Any]] = []
    coming: Iterator[dict[str, Any]] = iter([{"type": "websocket.connect"}])

    async def receive() -> dict[str, Any]:
        return next(coming, {"type": "websocket.disconnect", "code": 1000})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(key.lower().encode(), value.encode()) for key, value in user(name)],
        "client": ("192.0.2.1", 5),
        "server": ("127.0.0.1", 80),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    asyncio.run(app(scope, receive, send))
    return sent


def socket_app(order: Order | None) -> Any:
    """Return an app that accepts a WebSocket, and asks before it if there is an order."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if order is not None:
            mantlet.authorize(scope, "read", order)
        await send({"type": "websocket.accept", "headers": []})
        await send({"type": "websocket.send", "text": "secret"})
        await send({"type": "websocket.close", "code": 1000})

    return mantlet.asgi.wrap(
        app,
        TestAuthentication(),
        Authorizer(rules=[ORDER, Allow("GET /feed", role="admin")]),
        baseline=False,
    )


def test_a_handshake_is_refused_as_a_request_would_be() -> None:
    for name, status in ((None, 401), ("reader", 403)):
        sent = handshake(socket_app(None), "/feed", name)
        assert sent[0]["type"] == "websocket.http.response.start"
        assert sent[0]["status"] == status
    assert handshake(socket_app(None), "/feed", "admin")[0]["type"] == "websocket.accept"
    assert handshake(socket_app(None), "/Feed/", "reader")[0]["status"] == 403


def test_a_handshake_is_not_accepted_before_the_app_has_asked() -> None:
    sent = handshake(socket_app(None), "/orders/8", "reader")
    assert sent[0]["status"] == 500
    assert not [one for one in sent if one["type"] == "websocket.send"]
    sent = handshake(socket_app(MINE), "/orders/7", "reader")
    assert [one["type"] for one in sent][:2] == ["websocket.accept", "websocket.send"]

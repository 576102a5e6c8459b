"""Apps behind random policies, and the laws that hold for any of them."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from hypothesis import strategies as st

import mantlet
from tests.conformance.asgi_checker import AsgiChecker
from tests.conformance.recorder import Plan, Recorder
from tests.conformance.test_laws import apart_asgi, apart_wsgi, plans
from tests.drive import AsgiAdapter, WsgiAdapter, make_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mantlet import Policy
    from tests.drive import Said

    Make = Callable[..., Policy]

modes: st.SearchStrategy[Any] = st.sampled_from(
    ["enforce", "enforce", "enforce", "report", "off", {"GET /*": "report", "* /*": "enforce"}]
)


def with_modes(makes: st.SearchStrategy[Make]) -> st.SearchStrategy[Make]:
    """Return the same policies, each in some mode."""
    return st.builds(lambda make, mode: partial(make, mode=mode), makes, modes)


def mixed(makes: st.SearchStrategy[Make]) -> st.SearchStrategy[list[Plan | Make]]:
    """Return stacks of these policies and of recorders."""
    return st.lists(st.one_of(plans, with_modes(makes), with_modes(makes)), min_size=1, max_size=5)


class Sent(NamedTuple):
    """One request, and what the app does with it.

    Attributes:
        method: of the request.
        path: of the request.
        headers: of the request.
        status: of the app's response; 0 if it raises.
        asks: whether the app does more than to respond.
        body: of the request.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    status: int
    asks: bool
    body: bytes = b""


class Site:
    """An app behind random policies, under one protocol."""

    adapters: ClassVar[Sequence[Any]] = (AsgiAdapter(), WsgiAdapter())

    def __init__(
        self, adapter: Any, chosen: Sequence[Plan | Make], *, nested: bool = False
    ) -> None:
        self.adapter = adapter
        self.calls = 0
        self.sent: Sent
        self.recorder = Recorder()
        left = iter(self.recorder.policies([one for one in chosen if isinstance(one, Plan)]))
        policies = [next(left) if isinstance(one, Plan) else one() for one in chosen]
        apart: Any = apart_asgi if adapter.name == "asgi" else apart_wsgi
        self.app = adapter.app(self._call)
        for some in [[one] for one in reversed(policies)] if nested else [policies]:
            self.app = apart(adapter.module.Stack(self.app, some))

    def _call(self, carrier: Any) -> Said:
        self.calls += 1
        return self.answer(carrier, self.sent)

    @abstractmethod
    def answer(self, carrier: Any, sent: Sent) -> Said:
        """Answer a request in the app."""

    def ask(self, sent: Sent) -> tuple[object, ...]:
        """Send a request; return everything that a client can tell of its response."""
        self.sent = sent
        answer = self.adapter.drive(
            self.app, sent.method, sent.path, headers=sent.headers, body=sent.body
        )
        fields = [(name.lower(), value) for name, value in answer.headers]
        return answer.status, fields, answer.body, repr(answer.error), self.calls


def check_alike(kind: type[Site], chosen: Sequence[Plan | Make], sent: Sequence[Sent]) -> None:
    """Check laws 2 and 3: the same responses, and the same seen by other policies."""
    first, *others = [
        kind(adapter, chosen, nested=nested)
        for adapter in kind.adapters
        for nested in (False, True)
    ]
    for one in sent:
        expected = first.ask(one)
        assert [site.ask(one) for site in others] == [expected] * len(others)
    assert [site.recorder.seen for site in others] == [first.recorder.seen] * len(others)


def check_pairing(kind: type[Site], chosen: Sequence[Plan | Make], sent: Sequence[Sent]) -> None:
    """Check law 1: a policy sees one outcome and one end of each request."""
    recorded = [plan for plan in chosen if isinstance(plan, Plan)]
    for adapter in kind.adapters:
        site = kind(adapter, chosen)
        for one in sent:
            for seen in site.recorder.seen.values():
                seen.clear()
            site.ask(one)
            for place, plan in enumerate(recorded):
                seen = site.recorder.seen[place]
                outcomes = [event for event in seen if event.startswith(("on_resp", "on_error"))]
                began = "on_request" in seen
                assert seen.count("on_finish") == (plan.on_finish and began) or not plan.on_request
                assert len(outcomes) <= 1
                passed = began and plan.on_request in ("pass", "body")
                if passed and plan.on_response and plan.on_error:
                    assert len(outcomes) == 1


def check_reports(kind: type[Site], chosen: Sequence[Make], sent: Sequence[Sent]) -> None:
    """Check that report mode changes not a byte, and nothing that the app sees."""
    reporting = [partial(make, mode="report") for make in chosen]
    for adapter in kind.adapters:
        bare, reports = kind(adapter, []), kind(adapter, reporting)
        for one in sent:
            alike = one._replace(asks=False)
            assert reports.ask(alike) == bare.ask(alike)


def open_websocket(
    chosen: Sequence[Make], sent: Sent, tell: Callable[[Any], str], *, nested: bool
) -> list[Any]:
    """Open a WebSocket behind policies; return what the server gets, and whether the app ran."""
    got: list[Any] = []
    policies = [one() for one in chosen]
    events: Any = iter(
        [
            {"type": "websocket.connect"},
            {"type": "websocket.receive", "text": "who"},
            {"type": "websocket.disconnect", "code": 1000},
        ]
    )

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        got.append("called")
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await send({"type": "websocket.send", "text": tell(scope)})

    async def receive() -> Any:
        return next(events)

    async def send(message: Any) -> None:
        got.append(message)

    app: Any = AsgiChecker(answer)
    for some in [[one] for one in reversed(policies)] if nested else [policies]:
        app = apart_asgi(mantlet.asgi.Stack(app, some))
    extra = {"type": "websocket", "extensions": {"websocket.http.response": {}}, "method": ...}
    scope = make_scope(path=sent.path, headers=sent.headers, scope={**extra, "scheme": "ws"})
    asyncio.run(app(scope, receive, send))
    return got

"""Requests over a quota that wait for their tokens, under ASGI."""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import Ban, Concurrency, RateLimiter, Rule, keys
from tests.conformance.checkers import check_asgi
from tests.drive import CLIENT, AsgiAdapter, WsgiAdapter, hello, make_scope
from tests.ratelimit.virtual_time import nanoseconds, now, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mantlet._internal.asgi_types import AsgiMessage, Receive, Scope, Send


@dataclass
class Outcome:
    """One request: its status, and the seconds until the response or the end."""

    status: int | None
    seconds: float
    headers: dict[str, str]
    body: bytes = b""


class Site:
    """An app behind a limiter on virtual time."""

    def __init__(self, quota: Any = "1/second", **options: Any) -> None:
        self.limiter = RateLimiter(quota, clock=nanoseconds, **{"delay": 2.0, **options})
        self.app = mantlet.asgi.wrap(check_asgi(self._app), self.limiter, baseline=False)
        self.order: list[str] = []
        self.bodies: list[bytes] = []

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.order.append(dict(scope["headers"]).get(b"name", b"").decode())
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    async def ask(
        self,
        name: str = "",
        *,
        method: str = "GET",
        body: Sequence[bytes] = (b"",),
        leaves_after: float | None = None,
        client: str = CLIENT,
        path: str = "/",
        headers: Sequence[tuple[str, str]] = (),
    ) -> Outcome:
        """Send a request, and stay until it has its response, or leave after some seconds."""
        start = now()
        last = len(body) - 1
        events = iter(
            [
                {"type": "http.request", "body": chunk, "more_body": index < last}
                for index, chunk in enumerate(body)
            ]
        )
        sent: list[AsgiMessage] = []

        async def receive() -> AsgiMessage:
            for event in events:
                return event
            await asyncio.sleep(1e6 if leaves_after is None else start + leaves_after - now())
            return {"type": "http.disconnect"}

        async def send(message: AsgiMessage) -> None:
            sent.append(message)

        scope = make_scope(method, path, headers=[("name", name), *headers], client=client)
        await self.app(scope, receive, send)
        if not sent:
            return Outcome(None, now() - start, {})
        found = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
        return Outcome(sent[0]["status"], now() - start, found, sent[1]["body"])

    async def at(self, seconds: float, *args: Any, **options: Any) -> Outcome:
        """Send a request after some seconds."""
        await asyncio.sleep(seconds)
        return await self.ask(*args, **options)


def outcomes(found: Sequence[Outcome]) -> list[tuple[int | None, float]]:
    return [(one.status, round(one.seconds, 6)) for one in found]


def test_a_request_waits_for_its_token() -> None:
    """Instead of being refused, and the response says what is left then."""

    async def main() -> None:
        site = Site()
        found = await asyncio.gather(*(site.ask() for _ in range(2)))
        assert outcomes(found) == [(200, 0), (200, 1)]
        assert found[1].headers["ratelimit"] == '"default";r=0;t=1'

    run(main())


def test_a_request_that_would_wait_too_long_is_refused_at_once() -> None:
    """Counted behind those that wait already: waiting in vain helps nobody."""

    async def main() -> None:
        site = Site()
        found = await asyncio.gather(*(site.ask() for _ in range(5)))
        assert outcomes(found) == [(200, 0), (200, 1), (200, 2), (429, 0), (429, 0)]
        assert found[3].headers["retry-after"] == "1"

    run(main())


def test_those_that_wait_are_served_in_their_order() -> None:
    """One a second, as the quota says."""

    async def main() -> None:
        site = Site(delay=10)
        await asyncio.gather(*(site.at(number / 10, str(number)) for number in range(6)))
        assert site.order == ["0", "1", "2", "3", "4", "5"]

    run(main())


def test_a_request_that_waits_does_not_count_towards_a_ban() -> None:
    """Only those that are refused in the end do, once each."""

    async def main() -> None:
        ban = Ban(after=2, within=600, seconds=3600)
        site = Site(None, rules=[Rule("GET /", "1/second", ban=ban)])
        for _ in range(3):
            found = await asyncio.gather(*(site.ask() for _ in range(3)))
            assert outcomes(found) == [(200, 0), (200, 1), (200, 2)]
            await asyncio.sleep(1)
        found = await asyncio.gather(*(site.ask() for _ in range(4)))
        assert [one.status for one in found] == [200, 200, 200, 429]
        assert found[3].headers["retry-after"] == "1"
        await asyncio.sleep(1)
        found = await asyncio.gather(*(site.ask() for _ in range(4)))
        assert [one.status for one in found] == [200, 429, 429, 429]  # banned while two wait
        assert found[3].headers["retry-after"] == "3600"

    run(main())


def test_a_request_waits_for_a_token_that_its_body_names() -> None:
    """It has the others already, and takes none of them twice."""

    async def main() -> None:
        site = Site("3/hour", rules=[Rule("POST /", "1/second", key=keys.field("name"))])
        form = [("content-type", "application/x-www-form-urlencoded")]
        asked = (site.ask(method="POST", body=(b"na", b"me=a"), headers=form) for _ in range(3))
        assert outcomes(await asyncio.gather(*asked)) == [(200, 0), (200, 1), (200, 2)]
        assert site.bodies == [b"name=a"] * 3
        assert site.limiter.peek(CLIENT).remaining == 0

    run(main())


def test_clients_do_not_wait_for_each_other() -> None:
    """Each bucket has a line of its own."""

    async def main() -> None:
        site = Site()
        clients = [CLIENT, "192.0.2.2"] * 2
        found = await asyncio.gather(*(site.ask(client=client) for client in clients))
        assert outcomes(found) == [(200, 0), (200, 0), (200, 1), (200, 1)]

    run(main())


def test_the_number_of_waiting_requests_is_bounded() -> None:
    """Each holds memory, whoever sends it."""

    async def main() -> None:
        site = Site(max_delayed=2)
        clients = [f"192.0.2.{number}" for number in range(3)] * 2
        found = await asyncio.gather(*(site.ask(client=client) for client in clients))
        assert sorted(one.status or 0 for one in found) == [200] * 5 + [429]
        # Their places are free again.
        later = await asyncio.gather(*(site.ask(client=client) for client in clients[:2]))
        assert outcomes(later) == [(200, 1), (200, 1)]

    run(main())


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "POST"])
def test_a_client_that_leaves_gives_its_place_back(method: str) -> None:
    """At once, and takes no token; the app never sees it."""

    async def main() -> None:
        site = Site(max_delayed=1, delay=5)
        empty = [("content-length", "0")] if method == "POST" else []
        found = await asyncio.gather(
            site.ask("first"),
            site.ask("gone", method=method, leaves_after=0.25, headers=empty),
            site.at(0.2, "too many"),
            site.at(0.3, "next"),
        )
        assert outcomes(found) == [(200, 0), (400, 0.25), (429, 0), (200, 0.7)]
        assert site.order == ["first", "next"]

    run(main())


def test_a_cancelled_request_gives_its_place_back() -> None:
    """As some servers do when the client leaves."""

    async def main() -> None:
        site = Site(max_delayed=1, delay=5)
        await site.ask("first")
        waiting = asyncio.create_task(site.ask("gone", method="POST", body=[b"x"]))
        await asyncio.sleep(0.25)
        assert (await site.ask("too many")).status == 429
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert outcomes([await site.ask("next")]) == [(200, 0.75)]
        assert site.order == ["first", "next"]

    run(main())


@pytest.mark.parametrize("body", [[b"a body"], [b"in ", b"several", b"", b" chunks"]], ids=len)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_the_body_of_a_request_that_waited_is_whole(method: str, body: Sequence[bytes]) -> None:
    """Whether or not its beginning was read meanwhile."""

    async def main() -> None:
        site = Site()
        await site.ask()
        found = await site.ask(method=method, body=body)
        assert outcomes([found]) == [(200, 1)]
        assert site.bodies[1] == b"".join(body)

    run(main())


def test_a_bound_on_what_is_in_flight_makes_nobody_wait() -> None:
    """Nobody knows when a slot becomes free."""

    async def main() -> None:
        inside: list[tuple[int | None, float]] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/outer":
                inside.extend(outcomes([await site.ask()]))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"hello"})

        site = Site(None, concurrency=Concurrency(1))
        site.app = mantlet.asgi.wrap(app, site.limiter, baseline=False)
        assert (await site.ask(path="/outer")).status == 200
        assert inside == [(429, 0)]

    run(main())


def test_rules_and_costs_wait_as_well() -> None:
    """For as long as their tokens take."""

    async def main() -> None:
        rule = Rule("GET /a", "10/second", cost=5)
        site = Site("100/second", rules=[rule], delay=1.2)
        found = await asyncio.gather(*(site.ask(path="/a") for _ in range(5)))
        assert outcomes(found) == [(200, 0), (200, 0), (200, 0.5), (200, 1), (429, 0)]

    run(main())


def test_a_request_that_can_never_be_admitted_is_refused_at_once() -> None:
    """It costs more than a full bucket."""

    async def main() -> None:
        with warnings.catch_warnings(action="ignore"):
            site = Site("1/second", cost=2)
        assert outcomes([await site.ask()]) == [(429, 0)]

    run(main())


def test_a_ban_makes_nobody_wait() -> None:
    """Unless it is over soon."""

    async def main() -> None:
        site = Site("9/second")
        site.limiter.ban(CLIENT, 60)
        assert outcomes([await site.ask()]) == [(429, 0)]

    run(main())


@pytest.mark.parametrize("mode", ["report", {"GET /*": "report"}], ids=str)
def test_report_mode_delays_nothing(mode: Any) -> None:
    """It changes nothing."""

    async def main() -> None:
        site = Site(mode=mode)
        found = await asyncio.gather(*(site.ask() for _ in range(3)))
        assert outcomes(found) == [(200, 0)] * 3

    run(main())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), max_size=30),
    st.integers(1, 5),
    st.integers(1, 30),
    st.integers(0, 9),
)
def test_no_more_is_admitted_than_the_quota_allows(
    requests: list[tuple[int, int]], burst: int, delay: int, places: int
) -> None:
    """Whoever comes when; nobody waits longer than the delay, and all places are free again."""

    async def main() -> None:
        site = Site("1/second", burst=burst, delay=delay / 10, max_delayed=places + 1)
        start = now()
        admitted: dict[int, list[float]] = {}

        async def one(when: int, client: int) -> None:
            found = await site.at(when / 10, client=f"192.0.2.{client}")
            assert found.seconds <= delay / 10 + 1e-6
            if found.status == 200:
                admitted.setdefault(client, []).append(now() - start)

        await asyncio.gather(*(one(when, client) for when, client in requests))
        for times in admitted.values():
            for index, first in enumerate(times):
                for count, last in enumerate(times[index:], 1):
                    assert count <= burst + (last - first) + 1e-6
        queue = site.limiter._requests._queue
        assert queue is not None
        assert queue._free == places + 1
        assert not queue._lines

    run(main())


# -- WSGI, and options ----------------------------------------------------------------------------


def test_under_wsgi_there_is_a_warning_and_no_wait() -> None:
    """A request that waits would occupy a worker thread."""
    limiter = RateLimiter("1/hour", delay=60, clock=lambda: 0)
    with pytest.warns(UserWarning, match="RateLimiter is under WSGI, where delay has no effect"):
        app = WsgiAdapter().wrap(hello, limiter)
    assert [WsgiAdapter().drive(app).status for _ in range(2)] == [200, 429]


def test_the_warning_comes_only_where_it_is_true() -> None:
    """Not under ASGI, and not for a limiter that is off."""
    with warnings.catch_warnings(action="error"):
        AsgiAdapter().wrap(hello, RateLimiter("1/hour", delay=60))
        WsgiAdapter().wrap(hello, RateLimiter("1/hour", delay=60, mode="off"))
        WsgiAdapter().wrap(hello, RateLimiter("1/hour"))


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"delay": 0}, ValueError, "delay must be more than 0"),
        ({"delay": -1}, ValueError, "delay must be more than 0"),
        ({"delay": 61}, ValueError, "at most 60"),
        ({"delay": float("nan")}, ValueError, "nan"),
        ({"delay": "1"}, TypeError, "'1'"),
        ({"delay": True}, TypeError, "True"),
        ({"delay": 1, "max_delayed": 0}, ValueError, "max_delayed must be at least 1"),
        ({"max_delayed": 0}, ValueError, "max_delayed must be at least 1"),
        ({"delay": 1, "max_delayed": 1.5}, TypeError, "max_delayed must be a whole number"),
    ],
    ids=repr,
)
def test_a_wrong_option_is_an_error(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    """When the limiter is made."""
    with pytest.raises(error, match=said):
        RateLimiter("1/hour", **options)

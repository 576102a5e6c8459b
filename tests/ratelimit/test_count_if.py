"""Requests that count by their answers: reserved on the way in, given back on the way out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import (
    ClientDisconnected,
    ErrorEnvelope,
    Policy,
    Problem,
    RateLimiter,
    Reply,
    Rule,
    on_status,
)
from tests.drive import (
    CLIENT,
    Adapter,
    Answer,
    AsgiAdapter,
    Said,
    WsgiAdapter,
    ask_asgi,
    both_adapters,
    drive_wsgi,
    hello,
    make_scope,
)
from tests.ratelimit.crowd import crowd, statuses
from tests.ratelimit.meter import MINUTE, Clock
from tests.ratelimit.structured import limits_of

if TYPE_CHECKING:
    from mantlet import Request, Response
    from mantlet._internal.asgi_types import Receive, Scope, Send


def wrong(carrier: Any) -> Said:
    return 401, [("content-type", "text/plain")], b"no"


def by_path(carrier: Any) -> Said:
    """Answer with the status that the path says."""
    path = carrier.get("path") or carrier["PATH_INFO"]
    return int(path.rpartition("/")[2]), [("content-type", "text/plain")], b"so"


def failures(quota: str = "3/hour", *statuses: Any) -> RateLimiter:
    """Return a limiter of failures."""
    return RateLimiter(quota, count_if=on_status(*statuses or (401, 403)), clock=lambda: 0)


def left(limiter: RateLimiter) -> int:
    """Return how many requests may follow."""
    decision = limiter.peek(CLIENT)
    return decision.remaining + decision.is_within_limit


@both_adapters
def test_only_what_counts_is_spent(adapter: Adapter) -> None:
    """Any number of right passwords, and three wrong ones."""
    app = adapter.wrap(by_path, failures())
    paths = ["/200"] * 5 + ["/401", "/200", "/403", "/401", "/401", "/200"]
    found = [adapter.drive(app, path=path).status for path in paths]
    assert found == [200] * 5 + [401, 200, 403, 401, 429, 429]


@both_adapters
def test_a_rule_counts_by_answers_and_the_limiters_own_quota_does_not(adapter: Adapter) -> None:
    """What is given back is what the rule has taken."""
    rule = Rule("* /200", "2/hour", count_if=on_status(401))
    limiter = RateLimiter("9/hour", rules=[rule], clock=lambda: 0)
    app = adapter.wrap(by_path, limiter)
    adapter.drive(app, path="/200")
    _, limits = limits_of(adapter.drive(app, path="/200"))
    assert [item.parameters["r"] for item in limits] == [7, 2]


@both_adapters
def test_a_range_of_statuses_counts(adapter: Adapter) -> None:
    """`on_status(range(400, 500))` is every fault of the client's."""
    app = adapter.wrap(by_path, failures("3/hour", range(400, 500), 503))
    paths = ["/399", "/500", "/400", "/499", "/503", "/200"]
    assert [adapter.drive(app, path=path).status for path in paths][-1] == 429


@both_adapters
def test_the_fields_say_what_is_left_after_all(adapter: Adapter) -> None:
    """Once, and after what does not count has been given back."""
    app = adapter.wrap(by_path, failures())
    said = [limits_of(adapter.drive(app, path=path))[1] for path in ("/200", "/401", "/200")]
    assert [item.parameters["r"] for (item,) in said] == [3, 2, 2]


@both_adapters
def test_a_predicate_sees_the_head_of_the_answer(adapter: Adapter) -> None:
    """Its status and its fields."""

    def missed(response: Response) -> bool:
        return response.headers.get("x-cache") == "miss" and response.status == 200

    def cached(carrier: Any) -> Said:
        path = carrier.get("path") or carrier["PATH_INFO"]
        return 200, [("x-cache", path[1:])], b""

    limiter = RateLimiter("1/hour", count_if=missed, clock=lambda: 0)
    app = adapter.wrap(cached, limiter)
    found = [adapter.drive(app, path=path).status for path in ("/hit", "/hit", "/miss", "/hit")]
    assert found == [200, 200, 200, 429]


def test_an_async_predicate_is_an_error_at_construction() -> None:
    """Its coroutine is true whatever it would have said."""

    async def later(response: Response) -> bool:
        return False

    class Later:
        async def __call__(self, response: Response) -> bool:
            return False

    for count in (later, Later()):
        with pytest.raises(TypeError, match="count"):
            RateLimiter("1/hour", count_if=count)  # type: ignore[arg-type]  # what is tested


def test_on_status_without_its_call_is_an_error_at_construction() -> None:
    """For the limiter and for a rule."""
    uncalled: Any = on_status
    for make in (RateLimiter, lambda *args, **options: Rule("* /", *args, **options)):
        with pytest.raises(TypeError, match=r"is not one: write on_status\(401, 403\)$"):
            make("1/hour", count_if=uncalled)


@both_adapters
def test_a_predicate_that_raises_fails_closed(adapter: Adapter) -> None:
    """The answer it could not judge does not go out, and its token stays spent."""

    def broken(response: Response) -> bool:
        raise LookupError("seeded-secret")

    limiter = RateLimiter("3/hour", count_if=broken, clock=lambda: 0)
    answer = adapter.drive(adapter.wrap(hello, ErrorEnvelope(), limiter))
    assert answer.status == 500
    assert "seeded-secret" not in answer.text()
    assert left(limiter) == 2


@both_adapters
@pytest.mark.parametrize(
    ("handler", "spent"), [(wrong, 3), (hello, 0)], ids=["all count", "none counts"]
)
def test_requests_at_the_same_time_cannot_slip_through(
    adapter: Adapter, handler: Any, spent: int
) -> None:
    """Of ten guesses at once three reach the app, whatever comes of them afterwards."""
    limiter = failures()
    answers = crowd(adapter, limiter, [{}] * 10, handler)
    assert [answer.error for answer in answers] == [None] * 10
    assert statuses(answers) == {handler({})[0]: 3, 429: 7}
    assert left(limiter) == 3 - spent


@both_adapters
def test_giving_back_never_fills_a_bucket_above_its_burst(adapter: Adapter) -> None:
    """However much is given back."""
    limiter = failures("2/hour")
    app = adapter.wrap(hello, limiter)
    for _ in range(5):
        adapter.drive(app)
    assert left(limiter) == 2


@both_adapters
def test_what_was_given_back_is_not_given_back_again(adapter: Adapter) -> None:
    """An app outside hands one request in twice, the second time where nothing limits it."""
    found = iter([CLIENT, None])
    limiter = RateLimiter(
        "9/hour", key=lambda _request: next(found), count_if=on_status(401), clock=lambda: 0
    )
    limiter.check(CLIENT, cost=3)
    answers = adapter.drive_twice(adapter.wrap(hello, limiter))
    assert [answer.status for answer in answers] == [200, 200]
    assert left(limiter) == 6


# -- slow requests ---------------------------------------------------------------------------------

#: How many requests an attacker keeps open, until their tokens have been refilled.
SLOW = 60


def test_slow_requests_save_up_no_free_guesses_under_wsgi() -> None:
    """Each is opened within the one before, a token's time later; then all end, and guesses go on.

    Sixty free requests would be sixty more guesses at once, where five are allowed.
    """
    clock = Clock()
    limiter = RateLimiter("5/minute", count_if=on_status(401), clock=clock)
    opened: list[int] = []
    reached: list[int] = []

    def guess() -> None:
        while drive_wsgi(app, path="/401").status != 429:
            pass

    def slow(carrier: Any) -> Said:
        if carrier["PATH_INFO"] == "/401":
            reached.append(1)
            return wrong(carrier)
        opened.append(1)
        clock.now += MINUTE // 5
        if len(opened) < SLOW:
            assert drive_wsgi(app, path="/200").status == 200
        guess()
        return hello(carrier)

    app = mantlet.wsgi.wrap(WsgiAdapter().app(slow), limiter, baseline=False)
    assert drive_wsgi(app, path="/200").status == 200
    guess()
    assert len(opened) == SLOW
    assert len(reached) == 5


def test_slow_requests_save_up_no_free_guesses_under_asgi() -> None:
    """The same with tasks."""
    clock = Clock()
    limiter = RateLimiter("5/minute", count_if=on_status(401), clock=clock)
    reached: list[int] = []

    async def run() -> None:
        ends = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/200":
                await ends.wait()
            else:
                reached.append(1)
            await AsgiAdapter().app(by_path)(scope, receive, send)

        stack = mantlet.asgi.wrap(app, limiter, baseline=False)

        async def ask(path: str) -> int | None:
            answer = Answer()
            await ask_asgi(stack, make_scope(path=path), [], answer)
            return answer.status

        slow = []
        for _ in range(SLOW):
            slow.append(asyncio.create_task(ask("/200")))
            await asyncio.sleep(0)
            clock.now += MINUTE // 5
        while await ask("/401") != 429:
            pass
        ends.set()
        assert await asyncio.gather(*slow) == [200] * SLOW
        while await ask("/401") != 429:
            pass

    asyncio.run(run())
    assert len(reached) == 5


@both_adapters
def test_a_ban_outlasts_the_refunds_of_requests_that_were_in_flight(adapter: Adapter) -> None:
    """However many of them there are."""
    limiter = RateLimiter("9/hour", count_if=on_status(401), clock=lambda: 0)

    def banned_meanwhile(carrier: Any) -> Said:
        limiter.ban(CLIENT, 5 * 3600)
        return hello(carrier)

    answers = crowd(adapter, limiter, [{}] * 9, banned_meanwhile)
    assert statuses(answers) == {200: 9}
    limiter.refund(CLIENT, cost=9)
    assert limiter.peek(CLIENT).retry_after == 5 * 3600


# -- errors ---------------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("enveloped", [True, False], ids=["envelope", "bare"])
@pytest.mark.parametrize(
    ("error", "counts"),
    [(Problem(401), True), (Problem(404), False), (RuntimeError("x"), False)],
    ids=["401", "404", "500"],
)
def test_an_error_counts_by_the_status_that_it_states(
    adapter: Adapter, enveloped: bool, error: Exception, counts: bool
) -> None:
    """A raised problem is the answer that it becomes, or would become."""

    def failing(carrier: Any) -> Said:
        raise error

    limiter = failures()
    app = adapter.wrap(failing, *[ErrorEnvelope()] * enveloped, limiter)
    for _ in range(2):
        adapter.drive(app)
    assert left(limiter) == (1 if counts else 3)


@both_adapters
def test_any_other_error_counts_as_500(adapter: Adapter) -> None:
    """And its answer says what is left."""

    def failing(carrier: Any) -> Said:
        raise RuntimeError("x")

    app = adapter.wrap(failing, ErrorEnvelope(), failures("3/hour", 500))
    answers = [adapter.drive(app) for _ in range(4)]
    assert [answer.status for answer in answers] == [500, 500, 500, 429]
    said = [limits_of(answer)[1][0].parameters["r"] for answer in answers]
    assert said == [2, 1, 0, 0]


@both_adapters
def test_the_refusal_of_a_policy_further_in_counts_like_the_apps(adapter: Adapter) -> None:
    """To the limiter it is an answer like any other."""

    class Refuse(Policy):
        def on_request(self, request: Request) -> Reply:
            return Reply(403)

    limiter = failures()
    app = adapter.wrap(hello, limiter, Refuse())
    assert [adapter.drive(app).status for _ in range(4)] == [403, 403, 403, 429]


@both_adapters
def test_a_refused_request_gets_nothing_back(adapter: Adapter) -> None:
    """It has taken nothing, and its 429 is not an answer of the app's."""
    limiter = failures("1/hour")
    app = adapter.wrap(wrong, limiter)
    assert [adapter.drive(app).status for _ in range(4)] == [401, 429, 429, 429]
    assert not limiter.peek(CLIENT).allowed


# -- clients that go away -------------------------------------------------------------------------


@both_adapters
def test_a_client_that_goes_away_gets_nothing_back(adapter: Adapter) -> None:
    """Else whoever hangs up before the answer guesses for ever."""

    def gone(carrier: Any) -> Said:
        raise ClientDisconnected("gone")

    limiter = failures()
    adapter.drive(adapter.wrap(gone, limiter))
    assert left(limiter) == 2


def test_an_app_that_hears_its_client_go_keeps_the_token_spent() -> None:
    """It returns without an answer, as there is nobody to answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def run() -> None:
        stack = mantlet.asgi.wrap(app, limiter, baseline=False)
        events: list[dict[str, Any]] = [
            {"type": "http.request", "body": b""},
            {"type": "http.disconnect"},
        ]
        await ask_asgi(stack, make_scope(), events, Answer())

    limiter = failures()
    asyncio.run(run())
    assert left(limiter) == 2


def test_a_cancelled_request_gets_nothing_back() -> None:
    """Some servers cancel the app when its client has gone."""
    limiter = failures()

    async def run() -> None:
        reached = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            reached.set()
            await asyncio.Event().wait()

        stack = mantlet.asgi.wrap(app, limiter, baseline=False)
        task = asyncio.create_task(ask_asgi(stack, make_scope(), [], Answer()))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert left(limiter) == 2

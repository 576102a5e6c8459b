"""A client that stalls its body holds its tokens and slots; a later refusal gives them back."""

from __future__ import annotations

import asyncio
import io
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import Concurrency, Problem, Quota, RateLimiter, Rule, keys, on_status
from mantlet.exceptions import StoreOutage
from mantlet.ratelimit.decision import Decision
from mantlet.ratelimit.stores.base import LocalStore, SlotRequest
from mantlet.ratelimit.stores.memory import MemoryStore
from tests.drive import (
    CLIENT,
    Adapter,
    Answer,
    AsgiAdapter,
    ask_asgi,
    both_adapters,
    hello,
    make_scope,
)
from tests.ratelimit.outages import Broken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from mantlet import Request
    from mantlet._internal.asgi_types import AsgiMessage
    from mantlet.ratelimit.stores.base import Remaining, StoreRequest, TokenRequest

FORM = [("Content-Type", "application/x-www-form-urlencoded")]
BODY = b"username=alice"
LOGIN = Rule("POST /login", "2/hour", key=keys.field("username", missing="share"))


class Stalling(io.BytesIO):
    """A body of WSGI that does something before its first byte is there."""

    def __init__(self, body: bytes, stall: Callable[[], None]) -> None:
        super().__init__(body)
        self._stall: Callable[[], None] | None = stall

    def read(self, size: int | None = -1, /) -> bytes:
        stall, self._stall = self._stall, None
        if stall is not None:
            stall()
        return super().read(size)


def log_in(
    adapter: Adapter,
    app: Any,
    body: bytes = BODY,
    *,
    stall: Callable[[], None] = lambda: None,
    path: str = "/login",
    client: str = CLIENT,
) -> Answer:
    """Send a login whose body stalls while ``stall`` is called."""
    headers = [*FORM, ("Content-Length", str(len(body)))]
    if isinstance(adapter, AsgiAdapter):

        def events() -> Iterator[AsgiMessage]:
            thread = Thread(target=stall)  # it may have a loop of its own
            thread.start()
            thread.join()
            yield {"type": "http.request", "body": body, "more_body": False}

        return adapter.drive(app, "POST", path, headers=headers, events=events(), client=client)
    environ = {"wsgi.input": Stalling(body, stall)}
    return adapter.drive(app, "POST", path, headers=headers, environ=environ, client=client)


def limiter(*rules: Rule, **options: Any) -> RateLimiter:
    """Return a limiter whose clock stands still."""
    return RateLimiter(rules=[*rules] or [LOGIN], **{"clock": lambda: 0, **options})


@pytest.fixture(params=["memory", "lmdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URI of a store on this host."""
    return "memory://" if request.param == "memory" else f"lmdb://{tmp_path}/limits"


@both_adapters
def test_a_stalled_body_holds_its_slot(adapter: Adapter, store: str) -> None:
    """Whatever else the client asks for meanwhile is refused, and afterwards it is not."""
    app = adapter.wrap(hello, limiter(concurrency=Concurrency(1), store=store))
    meanwhile: list[int | None] = []

    def stall() -> None:
        meanwhile.append(adapter.drive(app).status)
        meanwhile.append(log_in(adapter, app).status)
        meanwhile.append(adapter.drive(app, client="192.0.2.99").status)

    assert log_in(adapter, app, stall=stall).status == 200
    assert meanwhile == [429, 429, 200]
    assert adapter.drive(app).status == 200
    assert log_in(adapter, app).status == 200


@both_adapters
def test_a_stalled_body_holds_its_tokens(adapter: Adapter, store: str) -> None:
    """So a client can't send more of them than its own quota allows."""
    app = adapter.wrap(hello, limiter(quota="3/hour", store=store))
    depth: list[int | None] = []

    def stall() -> None:
        depth.append(log_in(adapter, app, b"username=%d" % len(depth), stall=stall).status)

    assert log_in(adapter, app, stall=stall).status == 200
    assert depth == [429, 200, 200]


@both_adapters
def test_a_refusal_before_the_body_does_not_read_it(adapter: Adapter) -> None:
    """And the late limits take nothing."""
    limits = limiter(quota="1/hour", concurrency=Concurrency(5))
    app = adapter.wrap(hello, limits)
    assert adapter.drive(app).status == 200

    def never() -> None:
        raise AssertionError("the body was read")

    answer = log_in(adapter, app, stall=never)
    assert answer.status == 429
    assert (
        answer.get("RateLimit-Policy") == '"default";q=1;w=3600, "concurrency";q=5;'
        'qu="concurrent-requests"'
    )
    assert limits.peek("alice", rule="POST /login").remaining == 2 - 1  # as if it took one


@both_adapters
def test_a_late_refusal_gives_back_what_was_taken(adapter: Adapter, store: str) -> None:
    """A request takes all or nothing, as its headers say."""
    limits = limiter(quota="10/hour", concurrency=Concurrency(2), store=store)
    app = adapter.wrap(hello, limits)
    assert [log_in(adapter, app).status for _ in range(2)] == [200, 200]
    for _ in range(20):
        refused = log_in(adapter, app)
        assert refused.status == 429
        assert refused.json()["violated-policies"] == ["POST /login"]
        assert '"default";r=8' in str(refused.get("RateLimit"))
        assert '"POST /login";r=0' in str(refused.get("RateLimit"))
    assert limits.peek(CLIENT).remaining == 7
    other = log_in(adapter, app, b"username=bob")
    assert other.status == 200
    assert '"default";r=7' in str(other.get("RateLimit"))


@both_adapters
def test_all_limits_are_shown_in_one_decision(adapter: Adapter) -> None:
    """Also to the app."""
    seen: list[tuple[str, int]] = []

    def app(carrier: Any) -> Any:
        decision = mantlet.state(carrier).rate_limit
        assert isinstance(decision, Decision)
        seen.extend((one.name, one.remaining) for one in decision.parts)
        return hello(carrier)

    answer = log_in(adapter, adapter.wrap(app, limiter(quota="10/hour", headers="draft")))
    assert seen == [("default", 9), ("POST /login", 1)]
    assert answer.getall("RateLimit") == ['"default";r=9;t=360, "POST /login";r=1;t=1800']
    # Where no late limit applies, the early ones are all.
    rule = Rule("POST /login", "2/hour", key=keys.field("user"))
    answer = log_in(adapter, adapter.wrap(hello, limiter(rule, quota="10/hour")))
    assert answer.getall("RateLimit") == ['"default";r=9;t=360']


@both_adapters
@pytest.mark.parametrize("counted", [True, False])
def test_an_unreadable_body_counts_like_any_other_response(adapter: Adapter, counted: bool) -> None:
    """A body that is too large is a 413; count_if decides, and the slot is free."""
    rule = Rule("POST /login", "2/hour", key=keys.field("username", 5))
    count_if = on_status(413 if counted else 401)
    limits = limiter(rule, quota="10/hour", count_if=count_if, concurrency=Concurrency(1))
    app = adapter.wrap(hello, limits)
    for number in range(3):
        answer = log_in(adapter, app)
        assert answer.status == 413
        spent = number + 1 if counted else 0
        assert f'"default";r={10 - spent}' in str(answer.get("RateLimit"))
    assert limits.peek(CLIENT).remaining == (6 if counted else 9)


@both_adapters
def test_a_store_elsewhere_is_waited_for(adapter: Adapter) -> None:
    """In each step, and where tokens are given back."""
    store = Broken()
    store.kept = MemoryStore()  # on the clock by which the limiter measures what time has refilled
    store.out.clear()
    rule = Rule("POST /login", "2/hour", key=keys.field("username", 20))
    limits = RateLimiter("9/hour", rules=[rule], store=store, count_if=on_status(200))
    app = adapter.wrap(hello, limits)
    assert log_in(adapter, app, b"x" * 21).status == 413
    assert [log_in(adapter, app).status for _ in range(3)] == [200, 200, 429]
    assert limits.peek(CLIENT).remaining == 6


@both_adapters
def test_a_request_without_keys_is_not_limited(adapter: Adapter) -> None:
    """Nor is it told of limits; one of the two keys is enough for some."""
    rule = Rule("POST /login", "1/hour", key=keys.field("user"))
    app = adapter.wrap(hello, limiter(rule, quota="1/hour", key=keys.header("X-API-Key")))
    answers = [log_in(adapter, app) for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert answers[0].get("RateLimit") is None
    assert [log_in(adapter, app, b"user=a").status for _ in range(2)] == [200, 429]


@both_adapters
def test_an_unreadable_body_is_not_free(adapter: Adapter) -> None:
    """Without count_if each costs a token."""
    rule = Rule("POST /login", "2/hour", key=keys.field("username", 5))
    app = adapter.wrap(hello, limiter(rule, quota="3/hour"))
    assert [log_in(adapter, app).status for _ in range(5)] == [413, 413, 413, 429, 429]


@both_adapters
def test_count_if_gives_back_the_tokens_of_both_steps(adapter: Adapter) -> None:
    """By the response, in one decision."""
    rule = Rule("POST /login", "2/hour", key=keys.field("username"), count_if=on_status(401, 403))
    limits = limiter(rule, quota="10/hour", count_if=on_status(401))
    status = [200]

    def app(_carrier: Any) -> Any:
        return status[0], [], b""

    stack = adapter.wrap(app, limits)
    assert [log_in(adapter, stack).status for _ in range(5)] == [200] * 5
    assert limits.peek(CLIENT).remaining == 9
    status[0] = 403
    answers = [log_in(adapter, stack) for _ in range(3)]
    assert [answer.status for answer in answers] == [403, 403, 429]
    assert '"default";r=10' in str(answers[1].get("RateLimit"))
    assert '"POST /login";r=0' in str(answers[1].get("RateLimit"))
    assert limits.peek(CLIENT).remaining == 9


# -- what waits -----------------------------------------------------------------------------------


async def slow_key(request: Request) -> str:
    return (await request.body(100)).decode()


async def slow_cost(request: Request) -> int:
    return len(await request.body(100)) and 1


async def slow_quota(request: Request) -> str:
    await request.body(100)
    return "2/hour"


async def verify(token: str) -> str:
    return token


class SlowKey:
    async def __call__(self, request: Request) -> str:
        return await slow_key(request)


@both_adapters
@pytest.mark.parametrize(
    "rule",
    [
        Rule("POST /login", "2/hour", key=slow_key),
        Rule("POST /login", "2/hour", key=SlowKey()),
        Rule("POST /login", "2/hour", key=keys.client_address() & slow_key),
        Rule("POST /login", "2/hour", key=keys.form("username") & keys.client_address()),
        Rule("POST /login", "2/hour", key=keys.json("username", missing="share")),
        Rule("POST /login", "2/hour", cost=slow_cost),
        Rule("POST /login", slow_quota),
        Rule("POST /login", concurrency=Concurrency(2, key=slow_key)),
    ],
    ids=["async", "object", "pair", "form", "json", "cost", "quota", "slots"],
)
def test_everything_that_waits_comes_after_what_does_not(adapter: Adapter, rule: Rule) -> None:
    """Whether a key, a cost or a quota waits is known from its function."""
    app = adapter.wrap(hello, limiter(rule, quota="1/hour"))
    meanwhile: list[int | None] = []
    first = log_in(adapter, app, stall=lambda: meanwhile.append(adapter.drive(app).status))
    assert (first.status, meanwhile) == (200, [429])


def test_a_subject_that_is_looked_up_is_waited_for() -> None:
    """And what is known at once is not."""
    assert keys.bearer_subject(verify).waits
    assert (keys.bearer_subject(verify) & keys.client_address()).waits
    assert not keys.bearer_subject().waits
    assert not keys.bearer_subject(str).waits
    assert not (keys.client_address() & keys.header("X-API-Key")).waits


@both_adapters
def test_limits_that_all_wait_or_none_are_taken_in_one_call(adapter: Adapter) -> None:
    """A call for each step is for those that differ."""

    class Counts(MemoryStore):
        calls: list[int]

        def take(self, requests: Sequence[StoreRequest]) -> Remaining:
            self.calls.append(len(requests))
            return super().take(requests)

    for rules, quota, calls in (
        ([Rule("POST /login", "2/hour"), Rule("POST /login", "9/hour")], "10/hour", [3]),
        ([LOGIN, Rule("POST /login", "9/hour", key=slow_key)], None, [2]),
        ([LOGIN, Rule("POST /login", "9/hour")], "10/hour", [2, 1]),
    ):
        counts = Counts(clock=lambda: 0)
        counts.calls = []
        app = adapter.wrap(hello, RateLimiter(quota, rules=rules, store=counts))
        assert log_in(adapter, app).status == 200
        assert counts.calls == calls


@both_adapters
def test_windows_are_counted_last(adapter: Adapter) -> None:
    """They can't be given back, so a refused request must not have counted in one."""
    quota = Quota("10/hour", window="moving", name="window")
    limits = RateLimiter([quota, "20/hour"], rules=[LOGIN], concurrency=Concurrency(2))
    app = adapter.wrap(hello, limits)
    statuses = [log_in(adapter, app).status for _ in range(8)]
    assert statuses == [200, 200, 429, 429, 429, 429, 429, 429]
    (bucket, window) = limits.peek(CLIENT).parts
    assert (window.remaining, bucket.remaining) == (7, 17)


@both_adapters
def test_a_limiter_in_report_mode_refuses_nothing(adapter: Adapter) -> None:
    """In neither step."""
    options: dict[str, Any] = {"quota": "1/hour", "concurrency": Concurrency(1)}
    app = adapter.wrap(hello, limiter(mode="report", **options))
    assert [log_in(adapter, app).status for _ in range(5)] == [200] * 5
    rule = Rule("POST /login", "1/hour", key=keys.field("username"), mode="report")
    app = adapter.wrap(hello, limiter(rule, quota="4/hour"))
    assert [log_in(adapter, app).status for _ in range(5)] == [200] * 4 + [429]


# -- ends -----------------------------------------------------------------------------------------


@both_adapters
def test_a_client_that_is_gone_frees_its_slot(adapter: Adapter) -> None:
    """Its token is spent."""
    limits = limiter(quota="5/hour", count_if=on_status(401), concurrency=Concurrency(1))
    app = adapter.wrap(hello, limits)
    for _ in range(3):
        if isinstance(adapter, AsgiAdapter):
            gone = adapter.drive(app, "POST", "/login", events=[{"type": "http.disconnect"}])
        else:
            headers = [*FORM, ("Content-Length", "100")]
            environ = {"wsgi.input": io.BytesIO(BODY)}
            gone = adapter.drive(app, "POST", "/login", headers=headers, environ=environ)
        assert (gone.status, gone.body) == (400, b"")  # which nobody reads
    assert adapter.drive(app).status == 200
    assert limits.peek(CLIENT).remaining == 1


def test_a_cancelled_upload_frees_its_slot() -> None:
    """The server gives up on the connection while the body stalls."""
    app = AsgiAdapter().wrap(hello, limiter(concurrency=Concurrency(1)))

    async def cancelled() -> None:
        scope = make_scope("POST", "/login", headers=FORM)
        waiting = asyncio.Event()

        async def receive() -> AsgiMessage:
            waiting.set()
            await asyncio.Event().wait()
            raise AssertionError("nothing comes")

        async def send(_message: AsgiMessage) -> None:
            raise AssertionError("nothing is sent")

        upload = asyncio.ensure_future(app(scope, receive, send))
        await waiting.wait()
        refused = Answer()
        await ask_asgi(app, make_scope(), [], refused)
        assert refused.status == 429
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload

    asyncio.run(cancelled())
    assert AsgiAdapter().drive(app).status == 200


@pytest.mark.parametrize(
    "options", [{"concurrency": Concurrency(10)}, {"quota": "10/hour"}], ids=["slots", "tokens"]
)
def test_a_thousand_stalled_uploads_do_not_get_past_the_limit(options: dict[str, Any]) -> None:
    """All but ten are refused before any of their bodies is there."""
    app = AsgiAdapter().wrap(hello, limiter(**options))

    async def flood() -> None:
        go_on = asyncio.Event()
        answers = [Answer() for _ in range(1000)]
        stalled = 0

        async def upload(answer: Answer) -> None:
            nonlocal stalled
            scope = make_scope("POST", "/login", headers=FORM)

            async def receive() -> AsgiMessage:
                nonlocal stalled
                stalled += 1
                body = b"username=%d" % stalled
                await go_on.wait()
                return {"type": "http.request", "body": body}

            async def send(message: AsgiMessage) -> None:
                answer.status = message.get("status", answer.status)

            await app(scope, receive, send)

        tasks = [asyncio.ensure_future(upload(answer)) for answer in answers]
        for _ in range(3):
            await asyncio.sleep(0)
        assert stalled == 10
        assert [answer.status for answer in answers].count(429) == 990
        go_on.set()
        await asyncio.gather(*tasks)
        assert [answer.status for answer in answers].count(200) == 10

    asyncio.run(flood())


# -- outages --------------------------------------------------------------------------------------


class FailsLate(LocalStore):
    """A store that fails for the keys in a body."""

    def __init__(self) -> None:
        self.kept = MemoryStore()
        self.given: list[StoreRequest] = []

    def take(self, requests: Sequence[StoreRequest]) -> Remaining:
        if any(one.key.endswith(":alice") for one in requests):
            raise StoreOutage("no connection")
        return self.kept.take(requests)

    def peek(self, requests: Sequence[StoreRequest]) -> Remaining:
        return self.kept.peek(requests)

    def give_back(self, requests: Sequence[StoreRequest]) -> None:
        self.given += requests
        self.kept.give_back(requests)

    def block(self, requests: Sequence[TokenRequest], nanoseconds: int) -> None:
        self.kept.block(requests, nanoseconds)

    def reset(self, keys: Sequence[str]) -> None:
        self.kept.reset(keys)


@both_adapters
@pytest.mark.parametrize("mode", ["enforce", "report"])
@pytest.mark.parametrize("on_outage", ["allow", "refuse"])
def test_an_outage_in_the_second_step(adapter: Adapter, mode: Any, on_outage: Any) -> None:
    """Admits the request, or refuses it and gives everything back; slots are freed once."""
    fails = FailsLate()
    rule = Rule("POST /login", "2/hour", key=keys.field("username"), mode=mode)
    limits = RateLimiter(
        "5/hour", rules=[rule], store=fails, concurrency=Concurrency(1), on_outage=on_outage
    )
    app = adapter.wrap(hello, limits)
    admitted = mode == "report" or on_outage == "allow"
    for number in range(3):
        fails.given.clear()
        answer = log_in(adapter, app)
        assert answer.status == (200 if admitted else 503)
        assert len([one for one in fails.given if isinstance(one, SlotRequest)]) == 1
        if admitted:
            assert f'"default";r={4 - number}' in str(answer.get("RateLimit"))
    assert limits.peek(CLIENT).remaining == (1 if admitted else 4)


@both_adapters
def test_an_error_of_a_key_is_the_requests_own(adapter: Adapter) -> None:
    """It goes outwards, and nothing stays held but the token."""

    async def failing(_request: Request) -> str:
        raise Problem(422)

    limits = limiter(
        Rule("POST /login", "2/hour", key=failing), quota="9/hour", concurrency=Concurrency(1)
    )
    app = adapter.wrap(hello, limits)
    assert [log_in(adapter, app).status for _ in range(3)] == [422] * 3
    assert limits.peek(CLIENT).remaining == 5

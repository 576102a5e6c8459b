"""What holds while the store can't be used: a share in memory, everything, or nothing."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import (
    Concurrency,
    ErrorEnvelope,
    RateLimiter,
    Rule,
    StoreError,
    on_status,
)
from tests.drive import Adapter, Answer, Said, both_adapters, hello, make_scope
from tests.ratelimit.crowd import crowd, statuses
from tests.ratelimit.outages import Broken, Full
from tests.ratelimit.structured import limits_of

if TYPE_CHECKING:
    from mantlet.ratelimit.stores.base import Store

REDUCED = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"

both_stores = pytest.mark.parametrize("store", [Broken, Full], ids=["elsewhere", "on this host"])
# One plain quota goes a shorter way than others.
both_ways = pytest.mark.parametrize("cost", [1, lambda _request: 1], ids=["plain", "told"])
every_outage = pytest.mark.parametrize("on_outage", ["local", "allow", "refuse"])


def ask(adapter: Adapter, limiter: RateLimiter, count: int) -> list[Answer]:
    """Send requests; return the answers, none of which may be the fault of the server."""
    app = adapter.wrap(hello, ErrorEnvelope(), limiter)
    answers = [adapter.drive(app) for _ in range(count)]
    for answer in answers:
        assert answer.error is None
        assert answer.status in (200, 429, 503)
        assert "seeded-secret" not in answer.text()
    return answers


# -- each process counts its share ----------------------------------------------------------------


@both_adapters
@both_stores
@both_ways
@pytest.mark.parametrize(
    ("workers", "admitted"), [(1, 8), (2, 4), (3, 2), (8, 1), (100, 1)], ids=str
)
def test_a_process_counts_its_share(
    adapter: Adapter, store: type[Store], cost: Any, workers: int, admitted: int
) -> None:
    """Together they admit what the quota says; and each of them one at least."""
    limiter = RateLimiter("8/hour", store=store(), workers=workers, cost=cost)
    answers = ask(adapter, limiter, 10)
    assert [answer.status for answer in answers] == [200] * admitted + [429] * (10 - admitted)
    (policy,), (limit,) = limits_of(answers[0])
    assert policy.parameters == {"q": 8, "w": 3600}
    assert limit.parameters["r"] == admitted - 1
    assert int(answers[-1].get("Retry-After") or 0) >= 1


@both_adapters
@pytest.mark.parametrize(
    ("said", "admitted"),
    [("4", 2), ("1", 8), ("", 8), ("0", 8), ("-2", 8), ("many", 8), ("\u0664", 8), ("9" * 30, 8)],
)
def test_the_environment_says_how_many_workers_there_are(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch, said: str, admitted: int
) -> None:
    """As gunicorn and hosting platforms are told; anything else counts as 1, with a warning."""
    monkeypatch.setattr(sys, "argv", ["main.py"])
    monkeypatch.setenv("WEB_CONCURRENCY", said)
    if said in ("1", "4"):
        limiter = RateLimiter("8/hour", store=Broken())
    else:
        with pytest.warns(UserWarning, match=r"is unknown.* workers=8") as caught:
            limiter = RateLimiter("8/hour", store=Broken())
        assert caught[0].filename == __file__
    answers = ask(adapter, limiter, 9)
    assert [answer.status for answer in answers].count(200) == admitted


@both_adapters
def test_a_share_is_each_clients_own(adapter: Adapter) -> None:
    """In memory buckets are told apart as they are in the store."""
    app = adapter.wrap(hello, RateLimiter("2/hour", store=Broken(), workers=2))
    clients = ["192.0.2.1", "192.0.2.2", "192.0.2.1"]
    assert [adapter.drive(app, client=client).status for client in clients] == [200, 200, 429]


@both_adapters
def test_a_process_has_its_share_of_places(adapter: Adapter) -> None:
    """Of four, two for each of two; they come free again."""
    limiter = RateLimiter(concurrency=Concurrency(4), store=Broken(), workers=2)
    for _ in range(2):
        assert statuses(crowd(adapter, limiter, [{}] * 6)) == {200: 2, 429: 4}


@both_adapters
def test_what_does_not_count_is_given_back_where_it_was_taken(adapter: Adapter) -> None:
    """In memory, while the store is gone."""
    limiter = RateLimiter("2/hour", store=Broken(), count_if=on_status(401), workers=2)
    assert [answer.status for answer in ask(adapter, limiter, 5)] == [200] * 5


@both_adapters
def test_a_store_that_comes_back_is_asked_again(adapter: Adapter) -> None:
    """And has what was left in it; in the meantime, what it had left is admitted."""
    store = Broken()
    limiter = RateLimiter("2/hour", store=store)
    store.out.clear()
    assert [answer.status for answer in ask(adapter, limiter, 1)] == [200]
    store.out.add("take")
    assert [answer.status for answer in ask(adapter, limiter, 3)] == [200, 429, 429]
    store.out.clear()
    assert [answer.status for answer in ask(adapter, limiter, 2)] == [200, 429]


# -- everything, or nothing -----------------------------------------------------------------------


@both_adapters
@both_stores
@both_ways
def test_everything_passes_where_that_is_configured(
    adapter: Adapter, store: type[Store], cost: Any
) -> None:
    """Nobody is told what is left, since nobody knows."""
    limiter = RateLimiter("2/hour", store=store(), on_outage="allow", cost=cost)
    for answer in ask(adapter, limiter, 5):
        assert answer.status == 200
        assert "ratelimit" not in answer.names


@both_adapters
@both_stores
@both_ways
@pytest.mark.parametrize("enveloped", [True, False], ids=["envelope", "bare"])
def test_everything_is_refused_where_that_is_configured(
    adapter: Adapter, store: type[Store], cost: Any, enveloped: bool
) -> None:
    """With the problem that the draft has for it, and the app does not see it."""
    called: list[Any] = []

    def answering(carrier: Any) -> Said:
        called.append(carrier)
        return hello(carrier)

    limiter = RateLimiter("2/hour", store=store(), on_outage="refuse", cost=cost)
    answer = adapter.drive(adapter.wrap(answering, *[ErrorEnvelope()] * enveloped, limiter))
    assert answer.error is None
    assert answer.status == 503
    assert answer.get("content-type") == "application/problem+json"
    assert answer.get("Retry-After") == "1"
    assert answer.json()["type"] == REDUCED
    assert "seeded-secret" not in answer.text()
    assert called == []


@both_adapters
@every_outage
def test_the_app_finds_no_decision_where_none_was_made(adapter: Adapter, on_outage: Any) -> None:
    """A share in memory is one."""
    seen: list[Any] = []

    def looking(carrier: Any) -> Said:
        seen.append(hasattr(mantlet.state(carrier), "rate_limit"))
        return hello(carrier)

    limiter = RateLimiter("2/hour", store=Broken(), on_outage=on_outage)
    adapter.drive(adapter.wrap(looking, limiter))
    assert seen == {"local": [True], "allow": [False], "refuse": []}[on_outage]


# -- at other moments -----------------------------------------------------------------------------


@both_adapters
@every_outage
def test_an_outage_before_the_end_of_a_request_harms_no_answer(
    adapter: Adapter, on_outage: Any
) -> None:
    """What was taken stays taken, and places come free when their lease is over."""
    store = Broken()
    store.out = {"give_back"}
    limiter = RateLimiter(
        "3/hour",
        store=store,
        on_outage=on_outage,
        count_if=on_status(401),
        concurrency=Concurrency(2),
    )
    assert [answer.status for answer in ask(adapter, limiter, 3)] == [200, 200, 429]
    assert store.called.count("give_back") == 4  # tokens and a place of each that passed


@both_adapters
@pytest.mark.parametrize("on_outage", ["allow", "refuse"])
def test_nothing_is_given_back_that_was_not_taken(adapter: Adapter, on_outage: Any) -> None:
    """A store that is out is not asked again at the end of the request."""
    store = Broken()
    ask(adapter, RateLimiter(concurrency=Concurrency(1), store=store, on_outage=on_outage), 1)
    assert store.called == ["open", "take"]


@both_adapters
@every_outage
def test_a_fault_that_is_no_outage_fails_closed(adapter: Adapter, on_outage: Any) -> None:
    """Waiting would not mend it, so nothing takes the store's place."""

    class Wrong(Broken):
        def take(self, wanted: Any) -> Any:
            raise StoreError("seeded-secret")

        def bind(self, is_async: bool) -> Store:
            return self

    limiter = RateLimiter("3/hour", store=Wrong(), on_outage=on_outage)
    answer = adapter.drive(adapter.wrap(hello, ErrorEnvelope(), limiter))
    assert answer.status == 500
    assert "seeded-secret" not in answer.text()


@both_adapters
def test_a_limiter_in_report_mode_refuses_nobody_in_an_outage_either(adapter: Adapter) -> None:
    """Nor would a rule that is only tried out."""
    limiter = RateLimiter("3/hour", store=Broken(), on_outage="refuse", mode="report")
    assert [answer.status for answer in ask(adapter, limiter, 2)] == [200, 200]


@pytest.mark.parametrize(
    ("on_outage", "mode", "heard", "code"),
    [
        ("local", "enforce", ["a"], 1008),
        ("allow", "enforce", ["a", "b", "c"], None),
        ("refuse", "enforce", [], 1013),
        ("refuse", "report", ["a", "b", "c"], None),
    ],
)
def test_messages_in_an_outage(
    on_outage: Any, mode: Any, heard: list[str], code: int | None
) -> None:
    """They are counted in memory, pass, or close with "try again later" (1013)."""
    rule = Rule("* /ws", "2/hour", per="message", mode=mode)
    limiter = RateLimiter(rules=[rule], store=Broken(), on_outage=on_outage, workers=2)
    sent: list[Any] = []
    got: list[str] = []

    async def run() -> None:
        texts = iter("abc")

        async def receive() -> Any:
            text = next(texts, None)
            if text is None:
                return {"type": "websocket.disconnect", "code": 1001}
            return {"type": "websocket.receive", "text": text}

        async def send(message: Any) -> None:
            sent.append(message)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "websocket.accept"})
            while (event := await receive())["type"] == "websocket.receive":
                got.append(event["text"])

        scope = make_scope(path="/ws", scope={"type": "websocket", "method": ...})
        await mantlet.asgi.wrap(app, limiter, baseline=False)(scope, receive, send)

    asyncio.run(run())
    assert got == heard
    assert [message.get("code") for message in sent[1:]] == [code] * (code is not None)

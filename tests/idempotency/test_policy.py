"""A request runs once, and its repeats get its response."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import ErrorEnvelope, Idempotency, Policy, Reply
from mantlet.stores.memory import MemoryRecords
from tests.drive import Adapter, both_adapters
from tests.idempotency.driving import KEY, Shop, both_protocols, is_replay

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet import Request, Response
    from mantlet.testing import AppRequest, Protocol

WHOLE = pytest.mark.parametrize("is_whole", [False, True], ids=["stream", "whole"])
ASYNC = pytest.mark.parametrize("is_async", [False, True], ids=["local", "network"])


@both_protocols
@ASYNC
@WHOLE
def test_a_repeat_gets_the_response_of_the_first(
    protocol: Protocol, is_async: bool, is_whole: bool
) -> None:
    """Its status, its headers and its body; and the app gets one request."""
    shop = Shop(protocol, is_async=is_async, is_whole=is_whole)
    first, *repeats = (shop.pay() for _ in range(3))
    assert (first.status, first.body, is_replay(first)) == (201, b"payment 1", False)
    for repeat in repeats:
        assert (repeat.status, repeat.body, is_replay(repeat)) == (201, b"payment 1", True)
        assert repeat.headers["Location"] == "/payments/1"
        assert repeat.headers["Content-Type"] == first.headers["Content-Type"]
    assert shop.count == 1


@both_protocols
def test_another_key_is_another_request(protocol: Protocol) -> None:
    """And so is one without a key."""
    shop = Shop(protocol)
    bodies = [shop.pay(key).body for key in ('"a"', '"b"', None, None)]
    assert bodies == [b"payment 1", b"payment 2", b"payment 3", b"payment 4"]


@both_protocols
def test_the_app_gets_every_byte(protocol: Protocol) -> None:
    """Though the policy has read the body."""
    shop = Shop(protocol, max_body=5_000_000)
    for body in (b"", b"x" * 10, b"y" * 3_000_000):
        shop.pay(f'"{len(body)}"', body)
        assert shop.client.requests[-1].body == body


@both_protocols
def test_a_body_that_is_too_large_is_refused(protocol: Protocol) -> None:
    """If the request has a key; nothing runs, and nothing is stored."""
    shop = Shop(protocol, max_body=100)
    assert shop.pay(body=b"x" * 101).status == 413
    assert shop.count == 0
    assert not shop.store.calls
    assert shop.pay(None, b"x" * 101).status == 201
    assert shop.pay(body=b"x" * 100).status == 201


# -- which requests --------------------------------------------------------------------------------


@both_protocols
@pytest.mark.parametrize(
    ("methods", "once"),
    [
        (None, {"POST", "PATCH"}),
        ({"PUT"}, {"PUT"}),
        (["DELETE", "POST"], {"DELETE", "POST"}),
    ],
    ids=["default", "put", "list"],
)
def test_keys_count_for_the_methods_of_the_option(
    protocol: Protocol, methods: Any, once: set[str]
) -> None:
    """And for no others."""
    options = {} if methods is None else {"methods": methods}
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        shop = Shop(protocol, **options)
        shop.pay(method=method)
        assert is_replay(shop.pay(method=method)) == (method in once), method


@both_protocols
@pytest.mark.parametrize(
    "spelling",
    ["/payments", "/payments/", "//payments", "/payments//", "/payments\n"],
    ids=["plain", "slash", "slashes", "two", "newline"],
)
@pytest.mark.parametrize("method", ["POST", "post", "PATCH"])
def test_a_required_key_is_required_in_every_spelling(
    protocol: Protocol, spelling: str, method: str
) -> None:
    """Of the path, and of the method, as far as an app may read it so."""
    shop = Shop(protocol, required=["POST,PATCH /payments", "POST /orders/{id}/refunds"])
    for _ in range(2):
        refused = shop.pay(None, method=method, path=spelling)
        assert refused.status == 400
        assert refused.json()["title"] == "Idempotency-Key is missing"
    assert shop.count == 0
    assert shop.pay(None, path="/orders/7/refunds").status == 400
    assert shop.pay(None, path="/orders/7").status == 201
    assert shop.pay(None, method="PUT").status == 201
    assert shop.pay(method="POST", path=spelling).status == 201


@both_protocols
@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_a_header_that_replaces_the_method_counts(protocol: Protocol, header: str) -> None:
    """As a middleware of the app may believe it."""
    shop = Shop(protocol, methods={"PATCH"}, required=["PATCH /payments"])
    replaced = {header.replace("-", "_"): "patch"}
    assert shop.pay(None, **replaced).status == 400
    assert shop.pay('"a"', **replaced).status == 201
    assert is_replay(shop.pay('"a"', **replaced))
    assert shop.pay('"a"', **{header.replace("-", "_"): "PATCH"}).status == 422
    assert shop.pay(None).status == 201
    for method in ("GET", "PUT", "get"):  # as some of them believe it whatever it replaces
        assert shop.pay(None, method=method, **replaced).status == 400
        key = f'"{method}"'
        assert [is_replay(shop.pay(key, method=method, **replaced)) for _ in "ab"] == [False, True]
        assert not is_replay(shop.pay(key, method=method))


@both_protocols
def test_many_paths_take_no_memory(protocol: Protocol) -> None:
    """What is known about paths is bounded, and so are these."""
    shop = Shop(protocol, required=["POST /payments"])
    for number in range(2000):
        shop.pay(None, path=f"/x{number}")
    shop.pay(None, path="/" + "x" * 5000)
    assert len(shop.policy._known) <= 1024
    assert max(len(path) for _, path in shop.policy._known) <= 256


# -- keys ------------------------------------------------------------------------------------------


@both_protocols
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"abc"', "abc"),
        ('"a:b.c~d/e+f=g"', "a:b.c~d/e+f=g"),
        ('"' + "x" * 255 + '"', "x" * 255),
    ],
    ids=["plain", "signs", "long"],
)
def test_quotes_make_no_other_key(protocol: Protocol, one: str, other: str) -> None:
    """Many clients leave them out."""
    shop = Shop(protocol)
    shop.pay(one)
    assert is_replay(shop.pay(other))


@both_protocols
@pytest.mark.parametrize(
    ("one", "other"),
    [('"a b"', '"ab"'), ('"A"', '"a"'), (r'"a\\b"', '"ab"'), (r'"\""', r'"\\"'), ('"a"', '"a "')],
    ids=["blank", "case", "backslash", "escapes", "end"],
)
def test_different_keys_stay_different(protocol: Protocol, one: str, other: str) -> None:
    """However alike they are."""
    shop = Shop(protocol)
    shop.pay(one)
    assert not is_replay(shop.pay(other))
    assert shop.count == 2


@both_protocols
@pytest.mark.parametrize(
    "key",
    [
        "",
        '""',
        '"a',
        'a"',
        "a b",
        "a,b",
        '"a", "b"',
        '"a";x=1',
        "a;x=1",
        r'"a\b"',
        r"a\b",
        '"a\tb"',
        '"\xe4"',
        "\xe4",
        "x" * 256,
        '"' + "x" * 256 + '"',
        '"' + "x" * 60_000 + '"',
        "x" * 70_000,
        ":YWJj:",
        "?1",
    ],
    ids=lambda key: f"{len(key)}-{key[:8].encode('unicode_escape').decode()}",
)
def test_a_malformed_key_is_refused(protocol: Protocol, key: str) -> None:
    """Nothing runs."""
    shop = Shop(protocol)
    if key in (":YWJj:", "?1"):  # other types of structured fields, which look like tokens
        assert shop.pay(key).status == 201
        return
    refused = shop.pay(key)
    assert refused.status == 400
    assert "Idempotency-Key header must be one string" in refused.text
    assert shop.count == 0


@both_protocols
@pytest.mark.parametrize("others", [("a", "b"), ("a", "a"), ('"a"', '"a"')])
def test_a_repeated_header_is_refused(protocol: Protocol, others: tuple[str, str]) -> None:
    """Also with the same key twice."""
    shop = Shop(protocol)
    headers = [("Idempotency-Key", one) for one in others]
    assert shop.client.request("POST", "/payments", headers=headers).status == 400


# -- what a key is for -----------------------------------------------------------------------------


@both_protocols
@pytest.mark.parametrize(
    "change",
    [
        {"body": b'{"amount": 6}'},
        {"body": b""},
        {"method": "PATCH"},
        {"path": "/payments?currency=EUR"},
        {"path": "/refunds"},
        {"path": "/payments/"},
        {"Content_Type": "text/plain"},
        {"Content_Encoding": "gzip"},
        {"Content_Range": "bytes 0-4/9"},
        {"Upload_Offset": "7"},
        {"If_Match": '"1"'},
        {"If_None_Match": "*"},
        {"X_Forwarded_Host": "other.example"},
        {"X_Forwarded_Prefix": "/other"},
        {"X_Original_URL": "/other"},
        {"Host": "other.example"},
    ],
    ids=lambda change: "-".join(f"{k}" for k in change) + str(len(str(change))),
)
def test_a_key_is_for_one_request(protocol: Protocol, change: dict[str, Any]) -> None:
    """Another request with it is refused, and the first one can still be repeated."""
    shop = Shop(protocol)
    shop.pay()
    refused = shop.pay(**change)
    assert refused.status == 422
    assert refused.json()["title"] == "Idempotency-Key is already used"
    assert is_replay(shop.pay())
    assert shop.count == 1


@both_protocols
def test_a_key_is_for_one_version(protocol: Protocol) -> None:
    """Of an API with several, which `Versions` reads from any place."""

    class Read(Policy):
        def on_request(self, request: Request) -> None:
            request.state.version = request.headers.get("API-Version", "1") or "1"

    shop = Shop(protocol, outer=(Read(),))
    shop.pay(API_Version="1")
    assert shop.pay(API_Version="2").status == 422
    assert is_replay(shop.pay(API_Version="1"))


# -- what is stored --------------------------------------------------------------------------------


@both_protocols
@pytest.mark.parametrize("status", [200, 202, 204, 302, 304, 400, 403, 404, 410, 412, 422])
@WHOLE
def test_a_response_is_stored(protocol: Protocol, status: int, is_whole: bool) -> None:
    """Also an error that would come again."""

    def respond(_request: AppRequest, number: int) -> Reply:
        return Reply(status, {"X-Number": str(number)})

    shop = Shop(protocol, respond, is_whole=is_whole)
    shop.pay()
    repeat = shop.pay()
    assert (repeat.status, repeat.headers["X-Number"]) == (status, "1")
    assert is_replay(repeat)
    if status in (204, 304):
        assert "Content-Length" not in repeat.headers
        assert "Content-Type" not in repeat.headers


@both_protocols
@ASYNC
@WHOLE
@pytest.mark.parametrize(
    "status", [307, 308, 401, 406, 407, 408, 409, 417, 421, 423, 425, 428, 429, 500, 502, 503]
)
def test_a_request_that_is_to_be_repeated_runs_again(
    protocol: Protocol, status: int, is_async: bool, is_whole: bool
) -> None:
    """At once: its key is free."""

    def respond(_request: AppRequest, _number: int) -> Reply:
        return Reply(status)

    shop = Shop(protocol, respond, is_async=is_async, is_whole=is_whole)
    assert [shop.pay().status for _ in range(3)] == [status] * 3
    assert shop.count == 3
    assert not shop.store.values


@both_protocols
def test_an_own_condition_decides_what_is_stored(protocol: Protocol) -> None:
    """By the status."""
    shop = Shop(protocol, lambda _request, _number: Reply(404), stored=mantlet.below(400))
    assert [is_replay(shop.pay()) for _ in range(2)] == [False, False]
    shop = Shop(protocol, lambda _request, _number: Reply(500), stored=mantlet.below(600))
    assert [is_replay(shop.pay()) for _ in range(2)] == [False, True]


@both_protocols
@ASYNC
@pytest.mark.parametrize("baseline", [False, True])
def test_a_request_that_fails_runs_again(
    protocol: Protocol, is_async: bool, baseline: bool
) -> None:
    """Whatever answers its exception."""

    def respond(_request: AppRequest, number: int) -> Reply:
        if number == 1:
            raise LookupError("no card")
        return Reply(201)

    shop = Shop(protocol, respond, is_async=is_async, baseline=baseline)
    if baseline:
        assert shop.pay().status == 500
    else:
        with pytest.raises(LookupError):
            shop.pay()
    assert not shop.store.values
    assert [is_replay(shop.pay()) for _ in range(2)] == [False, True]


@both_protocols
def test_headers_of_one_message_are_not_stored(protocol: Protocol) -> None:
    """Each replay has its own; all others are the app's, in their order."""
    pairs = [
        ("Content-Type", "text/plain"),
        ("Date", "Mon, 30 Nov 2026 10:00:00 GMT"),
        ("Server", "app"),
        ("Connection", "close, X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=5"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("X-Text", "caf\xe9"),
        ("ETag", '"1"'),
    ]
    if protocol == "wsgi":  # its servers allow no hop-by-hop headers of apps (PEP 3333)
        pairs = [pair for pair in pairs if pair[0] not in ("Connection", "Keep-Alive", "X-Hop")]
    shop = Shop(protocol, lambda _request, _number: Reply(200, pairs, b"x"))
    shop.pay()
    repeat = shop.pay()
    kept = [(name.lower(), value) for name, value in repeat.headers]
    assert kept == [
        ("content-type", "text/plain"),
        ("server", "app"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-text", "caf\xe9"),
        ("etag", '"1"'),
        ("content-length", "1"),
        ("idempotency-replayed", "true"),
    ]


@both_protocols
def test_a_cache_takes_a_replay_for_as_old_as_it_is(protocol: Protocol) -> None:
    """It has a new date, from which a cache would reckon (RFC 9111, 4.2)."""
    shop = Shop(protocol, lambda *_: Reply(200, {"Cache-Control": "max-age=60", "Age": "1"}))
    assert shop.pay().headers["Age"] == "1"
    shop.store.clock.now += 59.5
    assert shop.pay().headers.getall("Age") == ["60"]


@both_adapters
def test_a_stream_is_kept_as_the_app_has_sent_it(adapter: Adapter) -> None:
    """Without what outer policies have made of it before its end, which may be for one client."""

    class Outer(Policy):
        seen: list[tuple[int, list[tuple[str, str]]]] = []  # noqa: RUF012  # of this test

        def on_response(self, request: Request, response: Response) -> None:
            self.seen.append((response.status, [*response.headers]))
            response.status = 202
            response.headers.set("X-Nonce", str(len(self.seen)))

    outer = Outer()
    app = adapter.stream([b"a", b"b"], outer, Idempotency(store="memory://"))
    answers = [adapter.drive(app, "POST", headers=[("Idempotency-Key", "1")]) for _ in range(2)]
    assert [(one.status, one.body, one.get("X-Nonce")) for one in answers] == [
        (202, b"ab", "1"),
        (202, b"ab", "2"),
    ]
    assert answers[1].get("Idempotency-Replayed") == "true"
    assert [status for status, _ in outer.seen] == [200, 200]
    assert "X-Nonce" not in dict(outer.seen[1][1])


@both_protocols
def test_outer_policies_see_replays(protocol: Protocol) -> None:
    """They get what the app has said, and add their own each time."""

    class Number(Policy):
        seen: list[tuple[int, bytes | None]] = []  # noqa: RUF012  # of this test

        def on_response(self, request: Request, response: Response) -> None:
            self.seen.append((response.status, response.full_body))
            response.headers.set("X-Seen", str(len(self.seen)))

    number = Number()
    shop = Shop(protocol, outer=(number,))
    assert [shop.pay().headers["X-Seen"] for _ in range(3)] == ["1", "2", "3"]
    assert {status for status, _ in number.seen} == {201}


@both_protocols
@ASYNC
def test_a_stream_is_stored_while_it_passes(protocol: Protocol, is_async: bool) -> None:
    """It is not held back, and a repeat gets all of it at once."""
    shop = Shop(
        protocol, lambda _request, n: iter([b"a", b"b", str(n).encode()]), is_async=is_async
    )
    assert shop.pay().chunks == (b"a", b"b", b"1")
    repeat = shop.pay()
    assert (repeat.body, is_replay(repeat), shop.count) == (b"ab1", True, 1)


@both_protocols
@WHOLE
def test_a_response_that_is_too_large_is_not_stored(protocol: Protocol, is_whole: bool) -> None:
    """It goes out whole; a repeat is told that the request has run."""

    def respond(_request: AppRequest, _number: int) -> Any:
        if is_whole:
            return Reply(200, {}, b"x" * 2000)
        return iter([b"x" * 900] * 3)

    shop = Shop(protocol, respond, max_response=1500, is_whole=is_whole)
    assert len(shop.pay().body) >= 2000
    for _ in range(2):
        repeat = shop.pay()
        assert repeat.status == 409
        assert "has been processed, and its response was not kept" in repeat.text
        assert "Retry-After" not in repeat.headers
    assert shop.count == 1
    assert max(map(len, shop.store.values)) < 100


@both_protocols
@ASYNC
def test_a_stream_that_breaks_off_has_run(protocol: Protocol, is_async: bool) -> None:
    """Nobody knows how much of it: it does not run again, also after the lease."""

    def respond(_request: AppRequest, _number: int) -> Any:
        def chunks() -> Any:
            yield b"a"
            raise ConnectionError("the disk is gone")

        return chunks()

    shop = Shop(protocol, respond, is_async=is_async)
    with pytest.raises(ConnectionError):
        shop.pay()
    for _ in range(2):
        repeat = shop.pay()
        assert repeat.status == 409
        assert "its response was not kept" in repeat.text
        shop.store.clock.now += 61
    assert shop.count == 1


# -- in flight, and worse --------------------------------------------------------------------------


@both_protocols
@ASYNC
def test_a_repeat_while_the_first_is_in_flight_is_refused(
    protocol: Protocol, is_async: bool
) -> None:
    """With the time after which to try again."""
    shop: Shop

    def respond(_request: AppRequest, _number: int) -> Reply:
        repeat = within.pay()
        assert repeat.status == 409
        assert repeat.headers["Retry-After"] == "1"
        assert repeat.json()["title"] == "A request is outstanding for this Idempotency-Key"
        return Reply(201)

    shop = Shop(protocol, respond)
    within = Shop("wsgi", store=shop.store)
    shop.pay()
    assert (shop.count, within.count) == (1, 0)
    assert is_replay(within.pay())


def kill(shop: Shop) -> None:
    """Have a worker begin a request and die."""

    class Killed(BaseException):
        pass

    def respond(_request: AppRequest, _number: int) -> Reply:
        raise Killed

    shop.app._respond, before = respond, shop.app._respond
    with pytest.raises(Killed):
        shop.pay()
    shop.app._respond = before
    shop.app.count = 0


@both_protocols
@ASYNC
def test_a_key_is_free_again_after_the_lease(
    protocol: Protocol, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The log, the client and the app are told that the request may have run before."""
    states: list[Any] = []

    def respond(request: AppRequest, _number: int) -> Reply:
        states.append(request.state.idempotency)
        return Reply(201)

    shop = Shop(protocol, respond, is_async=is_async, lease="30s")
    kill(shop)
    shop.store.clock.now += 29.9
    assert shop.pay().status == 409
    shop.store.clock.now += 0.1
    with caplog.at_level(logging.WARNING, "mantlet.idempotency"):
        ran = shop.pay()
    assert ran.status == 201
    assert ran.headers["Idempotency-Previous-Outcome"] == "unknown"
    assert [state.previous_outcome_unknown for state in states] == [True]
    assert "whether it was carried out is unknown" in caplog.text
    assert "8e03978e" not in caplog.text
    repeat = shop.pay()
    assert is_replay(repeat)
    assert "Idempotency-Previous-Outcome" not in repeat.headers
    assert shop.count == 1


@both_protocols
@ASYNC
@pytest.mark.parametrize("raises", [False, True])
def test_a_repeat_that_fails_leaves_the_outcome_unknown(
    protocol: Protocol, is_async: bool, raises: bool
) -> None:
    """The key is free at once, for the same request alone, and the app is told once more."""
    states: list[Any] = []

    def respond(request: AppRequest, number: int) -> Reply:
        states.append(request.state.idempotency)
        if number < 3 and raises:
            raise LookupError("no bank")
        return Reply(503 if number < 3 else 201)

    shop = Shop(protocol, respond, is_async=is_async, outer=(ErrorEnvelope(),))
    kill(shop)
    shop.store.clock.now += 60
    assert [shop.pay().status for _ in range(2)] == [500 if raises else 503] * 2
    assert shop.pay(body=b"other").status == 422
    ran = shop.pay()
    assert ran.headers["Idempotency-Previous-Outcome"] == "unknown"
    assert [state.previous_outcome_unknown for state in states] == [True] * 3
    assert is_replay(shop.pay())


@both_protocols
def test_an_unknown_outcome_can_be_refused(protocol: Protocol) -> None:
    """For as long as the record is kept."""
    shop = Shop(protocol, unknown_outcome="refuse", keep="1h")
    kill(shop)
    assert shop.pay().headers["Retry-After"] == "1"
    for wait in (60, 3000):
        shop.store.clock.now += wait
        repeat = shop.pay()
        assert repeat.status == 409
        assert "is unknown" in repeat.text
        assert "Retry-After" not in repeat.headers
    shop.store.clock.now += 600
    assert shop.pay().status == 201


@both_protocols
@ASYNC
def test_a_slow_worker_loses_its_key(
    protocol: Protocol, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Its response goes to its own client; the record is that of the worker that took over."""
    shop: Shop

    def respond(_request: AppRequest, _number: int) -> Reply:
        shop.store.clock.now += 61
        assert within.pay().body == b"payment 1"
        return Reply(201, {}, b"slow")

    shop = Shop(protocol, respond, is_async=is_async)
    within = Shop("wsgi", store=shop.store)
    shop.store.is_async = False  # within the app
    with caplog.at_level(logging.WARNING, "mantlet.idempotency"):
        assert shop.pay().body == b"slow"
    assert "has run for longer than its lease" in caplog.text
    assert within.pay().body == b"payment 1"


@both_protocols
def test_a_record_is_kept_for_its_time(protocol: Protocol) -> None:
    """Then the key is new."""
    shop = Shop(protocol, keep="2h")
    shop.pay()
    shop.store.clock.now += 7199
    assert is_replay(shop.pay())
    shop.store.clock.now += 1
    assert not is_replay(shop.pay())


# -- outages ---------------------------------------------------------------------------------------


@both_protocols
@ASYNC
def test_without_its_store_a_request_with_a_key_is_refused(
    protocol: Protocol, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """And one without a key is not."""
    shop = Shop(protocol, is_async=is_async)
    shop.store.fails = {"create", "replace", "delete"}
    with caplog.at_level(logging.WARNING, "mantlet.idempotency"):
        refused = shop.pay()
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    assert "refused with 503" in caplog.text
    assert shop.pay(None).status == 201
    assert shop.count == 1


@both_protocols
@ASYNC
@pytest.mark.parametrize("when", ["fails", "fails_after"])
def test_a_response_goes_out_though_it_can_not_be_stored(
    protocol: Protocol, is_async: bool, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its key stays in flight until the lease ends, unless the store has stored it after all."""
    shop = Shop(protocol, is_async=is_async, is_whole=True)
    setattr(shop.store, when, {"replace"})
    with caplog.at_level(logging.WARNING, "mantlet.idempotency"):
        assert shop.pay().status == 201
    assert "has run, but its record could not be changed" in caplog.text
    setattr(shop.store, when, set())
    assert shop.pay().status == (409 if when == "fails" else 201)
    assert shop.count == 1


@both_protocols
def test_a_stream_goes_out_though_it_can_not_be_stored(protocol: Protocol) -> None:
    """If the store is back at its end, it is stored after all."""
    shop: Shop

    class SwitchOff(Policy):
        def on_request(self, request: Request) -> None:
            shop.store.fails = {"replace"}

    def respond(_request: AppRequest, _number: int) -> Any:
        def chunks() -> Any:
            yield b"a"
            shop.store.fails = set()
            yield b"b"

        return chunks()

    shop = Shop(protocol, respond, inner=(SwitchOff(),))
    assert shop.pay().body == b"ab"
    assert is_replay(shop.pay())


@both_protocols
def test_a_full_store_refuses(protocol: Protocol) -> None:
    """It drops no record."""
    store = MemoryRecords(max_bytes=64 * 1024)
    shop = Shop(protocol, store=store)
    statuses = [shop.pay(f'"{number}"').status for number in range(200)]
    assert {*statuses} == {201, 503}
    assert is_replay(shop.pay('"0"'))


@both_protocols
@WHOLE
def test_a_response_without_room_has_run(protocol: Protocol, is_whole: bool) -> None:
    """The request does not run again, also after its lease."""

    def respond(_request: AppRequest, _number: int) -> Reply:
        return Reply(201, {}, b"x" * 70_000)

    store = MemoryRecords(max_bytes=64 * 1024)
    shop = Shop(protocol, respond, store=store, is_whole=is_whole, lease=1, keep="1h")
    assert shop.pay().status == 201
    store._clock = lambda: time.monotonic() + 2
    repeat = shop.pay()
    assert repeat.status == 409
    assert "its response was not kept" in repeat.text
    assert shop.count == 1


@both_protocols
@pytest.mark.parametrize(
    "damage",
    [
        lambda value: value[:0],
        lambda value: value[:20],
        lambda value: value[:1],
        lambda value: b"\x07" + value[1:],
        lambda value: value[:1] + b"X" + value[2:],
        lambda value: value[:50] + b"\xff\xff\xff\xff" + value[54:],
        lambda value: value[:50] + b"\x00\x00\x00\x02[]",
        lambda value: value[:50] + b"\x00\x00\x00\x08[99, []]",
        lambda value: value[:50] + b'\x00\x00\x00\x12[200, [["a", "\\n"]]]'[:22],
        lambda value: value[:50] + b"\x00\x00\x00\x0c[200, [[1,2]]]"[:18],
        lambda value: value[:50] + b"\x00\x01\x86\xa0" + b"[" * 100_000,
    ],
    ids=range(11),
)
def test_a_damaged_record_is_refused(
    protocol: Protocol,
    damage: Callable[[bytes], bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The request does not run again, and nothing raises."""
    shop = Shop(protocol)
    shop.pay()
    entries = shop.store.records._entries
    ((key, (value, *times)),) = entries.items()
    entries[key] = (damage(value), *times)  # type: ignore[assignment]
    with caplog.at_level(logging.WARNING, "mantlet.idempotency"):
        assert shop.pay().status == 503
    assert "its record is unavailable" in caplog.text
    assert shop.count == 1


# -- lifecycle, modes and options ------------------------------------------------------------------


@both_protocols
def test_report_mode_changes_nothing(protocol: Protocol, caplog: pytest.LogCaptureFixture) -> None:
    """It logs what it would have answered."""
    shop = Shop(protocol, mode="report", required=["POST /payments"])
    with caplog.at_level(logging.INFO, "mantlet.report"):
        responses = [shop.pay(), shop.pay(), shop.pay(body=b"other"), shop.pay(None)]
    assert [response.body for response in responses] == [
        f"payment {number}".encode() for number in (1, 2, 3, 4)
    ]
    assert not any(is_replay(response) for response in responses)
    for status in ("201", "422", "400"):
        assert f"answered with {status}" in caplog.text


@both_protocols
def test_the_app_sees_its_key(protocol: Protocol) -> None:
    """And nothing where there is none."""
    shop = Shop(protocol)
    shop.pay(r'"a\"b"')
    shop.pay(None)
    first, second = (request.state.idempotency for request in shop.client.requests)
    assert first is not None
    assert (first.key, first.previous_outcome_unknown) == ('a"b', False)
    assert second is None


@both_protocols
def test_replays_can_be_read_by_other_origins(protocol: Protocol) -> None:
    """If the response may be, scripts see that it is a replay."""
    shop = Shop(protocol, outer=(mantlet.Cors(origins=["https://a.example"]),))
    for _ in range(2):
        response = shop.pay(Origin="https://a.example")
    assert "Idempotency-Replayed" in response.headers["Access-Control-Expose-Headers"]


def test_health() -> None:
    """Whether the store responds."""
    shop = Shop("asgi", is_async=True)
    assert asyncio.run(shop.policy.health()) == {"store": "ok"}
    shop.store.fails = {"delete"}
    assert asyncio.run(shop.policy.health()) == {"store": "down"}


@both_protocols
def test_a_store_is_opened_and_closed(protocol: Protocol) -> None:
    """With the app."""
    shop = Shop(protocol)
    opened: list[str] = []

    class Opened(type(shop.store)):  # type: ignore[misc]
        def open(self) -> None:
            opened.append("open")

        def close(self) -> None:
            opened.append("close")

    with Shop(protocol, store=Opened()).client:
        pass
    assert opened == ["open", "close"]


@both_protocols
def test_a_request_without_a_key_needs_no_startup(protocol: Protocol) -> None:
    """It passes while the store can't be opened."""

    class Broken(MemoryRecords):
        def open(self) -> None:
            raise ConnectionError("no server")

    shop = Shop(protocol, store=Broken())
    assert shop.pay(None).status == 201
    assert shop.pay(None, method="GET").status == 201
    assert shop.pay().status == 503


def test_a_unit_of_work_belongs_inside() -> None:
    """Else a response would be stored before it is committed."""

    class UnitOfWork(Policy):
        position = 120

    policies = [UnitOfWork(), Idempotency(store=MemoryRecords())]
    with pytest.warns(UserWarning, match="a response may be stored before UnitOfWork"):
        mantlet.wsgi.wrap(lambda _environ, _start_response: [], *policies)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"store": 7}, TypeError, "store must be a URI or a RecordStore"),
        ({"store": "ftp://x"}, ValueError, "store must be a URI such as"),
        ({"methods": "POST"}, TypeError, "methods must be several"),
        ({"methods": 7}, TypeError, "methods must be several"),
        ({"methods": [7]}, TypeError, "methods must hold texts"),
        ({"methods": []}, ValueError, "methods must not be empty"),
        ({"methods": {"post"}}, ValueError, "methods must be registered"),
        ({"methods": {"POTS"}}, ValueError, "methods must be registered"),
        ({"methods": {"GET"}}, ValueError, "safe to repeat"),
        ({"required": "POST /x"}, TypeError, "required must be a list"),
        ({"required": ["POST x"]}, ValueError, "POST"),
        ({"required": ["PUT /x"]}, ValueError, "methods has no PUT"),
        ({"required": ["GET,POST /x"]}, ValueError, "methods has no GET"),
        ({"keep": "1 day"}, ValueError, "keep must be a duration"),
        ({"keep": True}, TypeError, "keep must be a duration"),
        ({"keep": "60s"}, ValueError, "keep must be longer than lease"),
        ({"keep": "367d"}, ValueError, "keep must be from"),
        ({"keep": float("nan")}, ValueError, "keep must be from"),
        ({"lease": 0}, ValueError, "lease must be from"),
        ({"lease": "2d"}, ValueError, "lease must be from"),
        ({"max_body": 0}, ValueError, "max_body must be at least 1"),
        ({"max_response": 1.5}, TypeError, "max_response must be a whole number"),
        ({"by": "user"}, TypeError, "by must be a function"),
        ({"stored": 200}, TypeError, "stored must be a function"),
        ({"unknown_outcome": "retry"}, ValueError, "unknown_outcome must be"),
        ({"encryption_keys": []}, ValueError, "encryption_keys must not be empty"),
        ({"encryption_keys": b"x" * 32}, TypeError, "encryption_keys must be a list"),
        ({"encryption_keys": [7]}, TypeError, "encryption_keys must hold"),
        ({"encryption_keys": [bytes(range(31))]}, ValueError, "keys of 32 random bytes"),
        ({"encryption_keys": [bytes(32)]}, ValueError, "keys of 32 random bytes"),
        ({"encryption_keys": ["correct horse"]}, ValueError, "keys of 32 random bytes"),
        ({"mode": "on"}, ValueError, "mode must be"),
        ({"require": []}, TypeError, "did you mean 'required'"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_a_wrong_option_is_an_error(
    options: dict[str, Any], error: type[Exception], text: str
) -> None:
    """At construction, in words that say what is right."""
    with pytest.raises(error, match=text):
        Idempotency(**{"store": MemoryRecords(), **options})


def test_by_must_return_text() -> None:
    """An error of the app's own function is one of the app's."""
    shop = Shop("asgi", by=lambda _request: 7)
    with pytest.raises(TypeError, match="by must return text or None"):
        shop.pay()


@both_protocols
def test_problems_are_rendered_by_the_envelope(protocol: Protocol) -> None:
    """As those of every policy."""
    shop = Shop(protocol, outer=(ErrorEnvelope(),), required=["POST /payments"])
    refused = shop.pay(None)
    assert refused.json()["request_id"]


def test_key_header_is_what_the_draft_says() -> None:
    """The name is fixed by the draft."""
    assert list(KEY) == ["Idempotency-Key"]

"""How each rate limiter counts, set up as its documentation says."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import flask
import slowapi
import slowapi.util

import mantlet
from mantlet import Ban, Concurrency, Cors, RateLimiter, Rule, keys
from tests.docs.clients import PROXY, send, talk
from tests.docs.comparison.apps import CLIENTS, ORIGIN
from tests.docs.comparison.limited_apps import (
    asgi,
    flask_limiter_after_cors,
    flask_limiter_login,
    flask_limiter_of_two,
    guarded_socket,
    mantlet_login,
    slowapi_after_cors,
    slowapi_of_two,
    with_flask_limiter,
    with_guard,
    with_slowapi,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Nothing listens there.
DOWN = "redis://127.0.0.1:1"


def statuses(app: Any, *requests: str, client: str | None = None, **options: Any) -> list[int]:
    """Return the statuses of requests of one client."""
    client = client or next(CLIENTS)
    return [send(app, request, client=client, **options).status_code for request in requests]


def together(app: Any) -> bool:
    """Requests for three items of one route."""
    return statuses(app, *(f"GET /items/{one}" for one in "123"))[-1] == 429


def unknown(app: Any) -> bool:
    """Requests for paths that do not exist."""
    return statuses(app, *(f"GET /no/{one}" for one in "123"))[-1] == 429


def remainder(app: Any) -> bool:
    """Whether a response says how much of the quota is left."""
    names = send(app, client=next(CLIENTS)).headers
    return "x-ratelimit-remaining" in names or "ratelimit" in names


def draft(app: Any) -> bool:
    """Whether it does so in the header that the IETF drafts."""
    return "ratelimit" in send(app, client=next(CLIENTS)).headers


def retry(app: Any) -> bool:
    """Whether a refusal says when to come back."""
    client = next(CLIENTS)
    (*_, last) = [send(app, client=client) for _ in range(3)]
    return last.status_code == 429 and last.headers["retry-after"].isdigit()


def readable(app: Any) -> bool:
    """Whether a script of an allowed origin can read a refusal."""
    client = next(CLIENTS)
    (*_, last) = [send(app, client=client, headers={"Origin": ORIGIN}) for _ in range(3)]
    assert last.status_code == 429
    return "access-control-allow-origin" in last.headers


def takes_nothing(apps: Sequence[Any]) -> bool:
    """Whether what one limit refuses counts for no other: four in all, one for each user."""
    found = []
    for app in apps:  # with the limits in either order
        client = next(CLIENTS)
        users = ["one", "one", "one", "one", "two"]
        answers = [send(app, client=client, headers={"X-User": user}).status_code for user in users]
        assert answers[:2] == [200, 429]
        found.append(answers[-1] == 200)
    return all(found)


def failures(app: Any) -> bool:
    """Whether a second guess is refused."""
    return statuses(app, "POST /login", "POST /login") == [401, 429]


def _nested(app_of: Callable[[Callable[[], int]], Any]) -> bool:
    """Whether only one of two guesses that are in flight together fails."""
    guesses: list[int] = []
    client = next(CLIENTS)

    def guess() -> int:
        guesses.append(401)
        if len(guesses) == 1:  # the second one comes while the first is in flight
            send(app, "POST /login", client=client)
        return 401

    app = app_of(guess)
    send(app, "POST /login", client=client)
    return len(guesses) == 1


def _in_flight() -> bool:
    """Whether a second request is refused while the first is in flight."""
    second: list[int] = []
    client = next(CLIENTS)
    app = flask.Flask("flight")

    @app.get("/")
    def home() -> str:
        if not second:
            second.append(0)
            second[0] = send(app, client=client).status_code
        return ""

    mantlet.install(app, RateLimiter(concurrency=Concurrency(1)), baseline=False)
    assert send(app, client=client).status_code == 200
    return second == [429]


def proxied(app: Any) -> bool:
    """Whether a proxy's clients are told apart by the address that the proxy adds on the right."""
    one, two, *forged = [next(CLIENTS) for _ in range(5)]

    def status(forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        return send(app, "GET /items/1", client=PROXY, headers=headers).status_code

    first = [status(f"{forged[index]}, {one}") for index in range(3)]
    return first[-1] == 429 and status(two) == 200


def by_name(app: Any) -> bool:
    """Whether guesses at one account are counted together from all addresses."""
    found = [
        send(app, "POST /login", client=next(CLIENTS), data={"username": "alice"}).status_code
        for _ in range(3)
    ]
    return found == [401, 401, 429]


def bans(app: Any) -> bool:
    """Whether a client that is refused is kept out for longer."""
    client = next(CLIENTS)
    answers = [send(app, client=client) for _ in range(6)]
    return answers[-1].status_code in {403, 429} and (
        answers[-1].status_code == 403 or int(answers[-1].headers["retry-after"]) > 3600
    )


def reports(app: Any) -> bool:
    """Whether a limit can be tried out."""
    return statuses(app, *["GET /"] * 4) == [200] * 4


def survives(app: Any) -> bool:
    """Whether requests are served, and limited, while Redis is down."""
    return statuses(app, *["GET /"] * 3) == [200, 200, 429]


def handshakes(app: Any) -> bool:
    """Whether the third WebSocket of a client is refused."""
    client = next(CLIENTS)
    return [talk(app, "/ws", client=client).accepted for _ in range(3)] == [True, True, False]


def messages(app: Any) -> bool:
    """Whether the third message on a WebSocket is refused."""
    return talk(app, "/ws", "a", "b", "c", client=next(CLIENTS)).texts == ["a", "b"]


MANTLET, SLOWAPI, FLASK, GUARD = PEERS = ("Mantlet", "slowapi", "Flask-Limiter", "fastapi-guard")
_plain: dict[str, Callable[[], Any]] = {
    MANTLET: lambda: asgi(RateLimiter("2/hour")),
    SLOWAPI: lambda: with_slowapi(headers_enabled=True),
    FLASK: lambda: with_flask_limiter(headers_enabled=True),
    GUARD: with_guard,
}

#: By row: a probe, and the apps of the peers that have such a feature at all.
ROWS: dict[str, tuple[Callable[[Any], bool], Mapping[str, Callable[[], Any]]]] = {
    "`/items/1` and `/items/2` share the limit of their route, by default": (together, _plain),
    "requests for unknown paths count": (unknown, _plain),
    "responses say how much of the quota is left": (remainder, _plain),
    "they do so in the header of the IETF draft, `RateLimit`": (draft, _plain),
    "a 429 has `Retry-After` in seconds": (retry, _plain),
    "a 429 has CORS headers, also where the limiter is added last": (
        readable,
        {
            MANTLET: lambda: asgi(Cors(origins=[ORIGIN]), RateLimiter("2/hour")),
            SLOWAPI: slowapi_after_cors,
            FLASK: flask_limiter_after_cors,
            GUARD: lambda: with_guard(enable_cors=True, cors_allow_origins=[ORIGIN]),
        },
    ),
    "what one limit refuses is not taken from another": (
        takes_nothing,
        {
            MANTLET: lambda: [
                asgi(
                    RateLimiter(
                        "4/hour", rules=[Rule("GET /", "1/hour", key=keys.header("X-User"))]
                    )
                )
            ],
            SLOWAPI: lambda: [slowapi_of_two(user_first=one) for one in (True, False)],
            FLASK: lambda: [flask_limiter_of_two(user_first=one) for one in (True, False)],
        },
    ),
    "failures only can be counted": (
        failures,
        {
            MANTLET: lambda: mantlet_login(lambda: 401),
            FLASK: lambda: flask_limiter_login(lambda: 401),
        },
    ),
    "also failures that come at once": (
        _nested,
        {MANTLET: lambda: mantlet_login, FLASK: lambda: flask_limiter_login},
    ),
    "requests in flight can be limited": (lambda _app: _in_flight(), {MANTLET: object}),
    "the limiter itself tells the clients of a named proxy apart": (
        proxied,
        {
            MANTLET: lambda: asgi(
                RateLimiter("2/hour", key=keys.client_address(trusted_proxies=[PROXY]))
            ),
            SLOWAPI: lambda: with_slowapi(key_func=slowapi.util.get_ipaddr),
            GUARD: lambda: with_guard(trusted_proxies=[PROXY]),
        },
    ),
    "a field of a form can be the key": (
        by_name,
        {
            MANTLET: lambda: asgi(
                RateLimiter(rules=[Rule("POST /login", "2/hour", key=keys.field("username"))])
            ),
            FLASK: lambda: with_flask_limiter(key_func=lambda: flask.request.form["username"]),
        },
    ),
    "a client that is refused again and again can be banned": (
        bans,
        {
            MANTLET: lambda: asgi(
                RateLimiter(
                    rules=[Rule("GET /", "2/hour", ban=Ban(after=2, within=600, seconds=86400))]
                )
            ),
            FLASK: lambda: with_flask_limiter(headers_enabled=True, meta_limits=["1/day"]),
            GUARD: lambda: with_guard(enable_rate_limit_auto_ban=True, auto_ban_threshold=2),
        },
    ),
    "a limit can be tried out: counted and logged, never refused": (
        reports,
        {
            MANTLET: lambda: asgi(RateLimiter("2/hour", mode="report")),
            GUARD: lambda: with_guard(passive_mode=True),
        },
    ),
    "requests are served, and limited, while Redis is down, by default": (
        survives,
        {
            MANTLET: lambda: asgi(RateLimiter("2/hour", store=DOWN, workers=1)),
            SLOWAPI: lambda: with_slowapi(storage_uri=DOWN),
            FLASK: lambda: with_flask_limiter(storage_uri=DOWN),
            GUARD: lambda: with_guard(enable_redis=True, redis_url=DOWN),
        },
    ),
    "the same, by an option": (
        survives,
        {
            MANTLET: lambda: asgi(RateLimiter("2/hour", store=DOWN, workers=1)),
            SLOWAPI: lambda: with_slowapi(storage_uri=DOWN, in_memory_fallback_enabled=True),
            FLASK: lambda: with_flask_limiter(storage_uri=DOWN, in_memory_fallback_enabled=True),
            GUARD: lambda: with_guard(enable_redis=True, redis_url=DOWN, redis_fail_open=True),
        },
    ),
    "WebSocket handshakes can be limited": (
        handshakes,
        {MANTLET: _plain[MANTLET], GUARD: guarded_socket},
    ),
    "messages on a WebSocket can be limited": (
        messages,
        {
            MANTLET: lambda: asgi(RateLimiter(rules=[Rule("* /ws", "2/hour", per="message")])),
            GUARD: guarded_socket,
        },
    ),
}


#: A client that another worker has served.
ELSEWHERE = "198.51.100.1"


def workers(folder: str) -> dict[str, Any]:
    """Return the apps by peer, each with the best store that needs no server."""
    return {
        **_plain,
        MANTLET: lambda: asgi(RateLimiter("2/hour", store=f"lmdb://{folder}")),
    }


def across() -> dict[str, str]:
    """Return whether requests count that another process has served."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", __spec__.name, folder], check=True)
        apps = {peer: make() for peer, make in workers(folder).items()}
        return {
            peer: "yes" if statuses(app, "GET /", client=ELSEWHERE) == [429] else "no"
            for peer, app in apps.items()
        }


def measure() -> dict[str, dict[str, str]]:
    """Return the cells by row and peer."""
    found = {
        row: {peer: "yes" if peer in apps and probe(apps[peer]()) else "no" for peer in PEERS}
        for row, (probe, apps) in ROWS.items()
    }
    return found | {"counts are exact across the workers of a host, without a server": across()}


if __name__ == "__main__":  # the other worker
    for make in workers(sys.argv[1]).values():
        assert statuses(make(), "GET /", "GET /", client=ELSEWHERE) == [200, 200]

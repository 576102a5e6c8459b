"""docs/behind-a-proxy.md, and the order of CORS in docs/rate-limiter.md: every example runs."""

from __future__ import annotations

import re
import shlex
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from gunicorn.config import KNOWN_SETTINGS
from pydantic import BaseModel
from starlette.responses import PlainTextResponse
from uvicorn.main import main as uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

import mantlet
from mantlet import Contract, RateLimiter, SchemaGuard
from tests.docs import pages
from tests.docs.pages import blocks
from tests.drive import drive_asgi

if TYPE_CHECKING:
    from mantlet._internal.asgi_types import Receive, Scope, Send

ORIGIN = ("Origin", "https://example.org")


def run(*codes: str) -> dict[str, Any]:
    """Run examples one after the other, and return their names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FastAPI advises against root_path
        return pages.run("behind-a-proxy.md", *codes)


NGINX, CLOUDFLARE, HTTPS, ROOT_PATH = blocks("behind-a-proxy.md")


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the scheme."""
    await PlainTextResponse(scope["scheme"])(scope, receive, send)


def through_nginx(client: str, *, forged: str = "", scheme: str = "https") -> list[tuple[str, str]]:
    """Return the headers that nginx sends on, by the example of the page."""
    (config,) = blocks("behind-a-proxy.md", "nginx")
    variables = {
        "$host": "example.org",
        "$proxy_add_x_forwarded_for": f"{forged}, {client}" if forged else client,
        "$scheme": scheme,
    }
    found = re.findall(r"proxy_set_header (\S+) (\S+);", config)
    assert found
    return [(name, variables[value]) for name, value in found]


# -- who is the client ----------------------------------------------------------------------------


def limited(limiter: RateLimiter, peer: str, headers: list[tuple[str, str]]) -> int | None:
    """Return how many requests the client has left after one."""
    app = mantlet.asgi.wrap(page, limiter, baseline=False)
    answer = drive_asgi(app, headers=headers, client=peer)
    found = re.search(r"r=(\d+)", answer.get("RateLimit") or "")
    return None if found is None else int(found[1])


def test_clients_of_nginx_have_a_bucket_each_whatever_they_write() -> None:
    """The first example."""
    limiter = run(NGINX)["limiter"]
    assert limited(limiter, "127.0.0.1", through_nginx("203.0.113.1")) == 99
    assert limited(limiter, "127.0.0.1", through_nginx("203.0.113.2")) == 99
    assert limited(limiter, "127.0.0.1", through_nginx("203.0.113.1", forged="203.0.113.9")) == 98
    # Around the proxy, the header is the client's own.
    assert limited(limiter, "198.51.100.1", [("X-Forwarded-For", "203.0.113.1")]) == 99


def test_clients_of_cloudflare_have_a_bucket_each() -> None:
    """The second example: Cloudflare, then nginx."""
    limiter = run(NGINX, CLOUDFLARE)["limiter"]
    edge = "104.16.0.9"
    one = through_nginx(edge, forged="203.0.113.9, 203.0.113.1")
    assert limited(limiter, "127.0.0.1", one) == 99
    assert limited(limiter, "127.0.0.1", one) == 98
    assert limited(limiter, "127.0.0.1", through_nginx(edge, forged="203.0.113.2")) == 99


# -- HTTPS ----------------------------------------------------------------------------------------


def test_the_commands_have_options_that_exist() -> None:
    """Of uvicorn and gunicorn."""
    known = {
        "uvicorn": {name for parameter in uvicorn.params for name in parameter.opts},
        "gunicorn": {name for setting in KNOWN_SETTINGS for name in setting.cli or ()},
    }
    commands = [line for block in blocks("behind-a-proxy.md", "sh") for line in block.splitlines()]
    assert commands
    for line in commands:
        server, *arguments = shlex.split(line)
        assert {name for name in arguments if name.startswith("--")} <= known[server]


@pytest.mark.parametrize(("scheme", "sent"), [("https", True), ("http", False)])
def test_hsts_is_sent_where_the_proxy_says_https(scheme: str, *, sent: bool) -> None:
    """With what ``uvicorn --proxy-headers`` puts around the app."""
    sanitizer = mantlet.OutputSanitizer(headers="web")
    inner: Any = mantlet.asgi.wrap(page, sanitizer, baseline=False)
    app = ProxyHeadersMiddleware(inner, trusted_hosts=["127.0.0.1"])
    headers = through_nginx("203.0.113.1", scheme=scheme)
    answer = drive_asgi(app, headers=headers, client="127.0.0.1")
    assert answer.body == scheme.encode()
    assert bool(answer.getall("Strict-Transport-Security")) is sent


@pytest.mark.parametrize(("scheme", "sent"), [("https", True), ("http", False)])
def test_hsts_is_sent_where_a_named_proxy_says_https(scheme: str, *, sent: bool) -> None:
    """The server knows nothing of it; and no other peer is believed."""
    app = mantlet.wrap(page, run(HTTPS)["sanitizer"])
    headers = through_nginx("203.0.113.1", forged="127.0.0.1", scheme=scheme)
    answer = drive_asgi(app, headers=headers, client="127.0.0.1")
    assert ("strict-transport-security" in answer.names) is sent
    answer = drive_asgi(app, headers=headers, client="203.0.113.1")
    assert "strict-transport-security" not in answer.names


# -- root paths -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/login", "/api/login"])
def test_the_rule_holds_with_and_without_the_root_path(path: str) -> None:
    """The third example."""
    app = run(NGINX, ROOT_PATH)["wrapped"]
    statuses = [drive_asgi(app, "POST", path).status for _ in range(6)]
    assert statuses == [200] * 5 + [429]


# -- CORS -----------------------------------------------------------------------------------------


def cors_examples() -> list[str]:
    """Return the two examples of docs/rate-limiter.md."""
    found = [code for code in blocks("rate-limiter.md", "python") if "CORSMiddleware" in code]
    assert len(found) == 2
    return found


@pytest.mark.parametrize("number", [0, 1])
def test_refusals_have_the_cors_headers_in_the_documented_order(number: int) -> None:
    """A page of another origin can read the 429."""
    codes = cors_examples()[: number + 1]
    app = run(*codes)["app"]
    answers = [drive_asgi(app, headers=[ORIGIN]) for _ in range(3)]
    assert [answer.status for answer in answers] == [404, 404, 429]
    assert {answer.get("Access-Control-Allow-Origin") for answer in answers} == {ORIGIN[1]}
    assert answers[-1].get("Retry-After")


def test_a_422_of_the_guard_has_the_cors_headers_in_the_documented_order() -> None:
    """As the 429 has; and in the other order, none of them has any."""

    class Order(BaseModel):
        pieces: int

    def make(*, cors_last: bool) -> FastAPI:
        guard = SchemaGuard({"POST /orders": Contract(body=Order)})
        app = FastAPI()
        if not cors_last:
            app.add_middleware(CORSMiddleware, allow_origins=[ORIGIN[1]])
        app.add_middleware(mantlet.asgi.Stack, policies=[guard])
        if cors_last:
            app.add_middleware(CORSMiddleware, allow_origins=[ORIGIN[1]])
        return app

    headers = [ORIGIN, ("Content-Type", "application/json")]
    for cors_last in (True, False):
        answer = drive_asgi(
            make(cors_last=cors_last), "POST", "/orders", headers=headers, body=b'{"pieces": "x"}'
        )
        assert answer.status == 422
        assert answer.getall("Access-Control-Allow-Origin") == ([ORIGIN[1]] if cors_last else [])


def test_a_preflight_in_the_documented_order_does_not_reach_the_limiter() -> None:
    """The CORS middleware answers it."""
    app = run(cors_examples()[0])["app"]
    preflight = [ORIGIN, ("Access-Control-Request-Method", "GET")]
    assert [drive_asgi(app, "OPTIONS", headers=preflight).status for _ in range(5)] == [200] * 5

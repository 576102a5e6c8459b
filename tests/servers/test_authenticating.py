"""Tokens under real servers and frameworks, whose provider rotates its keys, stalls and goes."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.authentication.provider import Provider
from tests.servers.server import poll, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.server import Server

pytestmark = pytest.mark.slow

#: By their names, the servers of `COMMANDS`, the protocol, and further options.
SERVERS = {
    "gunicorn-sync": ("gunicorn-sync", "wsgi", ()),
    "gunicorn-preload": ("gunicorn-sync", "wsgi", ("--preload",)),
    "gunicorn-gthread": ("gunicorn-gthread", "wsgi", ()),
    "gunicorn-asgi-preload": ("gunicorn-sync", "asgi", ("--preload", "--worker-class", "asgi")),
    "granian-wsgi": ("granian-wsgi", "wsgi", ()),
    "granian-asgi": ("granian-asgi", "asgi", ()),
    "uvicorn": ("uvicorn-httptools", "asgi", ()),
    "hypercorn": ("hypercorn", "asgi", ()),
}
#: Those that serve a request while another one waits for the provider.
CONCURRENT = [name for name in SERVERS if name not in ("gunicorn-sync", "gunicorn-preload")]


@contextmanager
def running(name: str, issuer: str, workers: int = 2) -> Iterator[Server]:
    server, protocol, options = SERVERS[name]
    env = {"MANTLET_TEST_ISSUER": issuer, "MANTLET_TEST_PROTOCOL": protocol}
    root = Path(__file__).parents[2]
    with serve(
        server,
        "tests.servers.authenticating:app",
        directory=root,
        env=env,
        workers=workers,
        options=options,
    ) as running:
        yield running


def sign(provider: Provider, subject: str = "alice") -> str:
    now = int(time())
    claims = {"iss": provider.url, "aud": "https://api.example", "sub": subject, "iat": now}
    return provider.sign({**claims, "exp": now + 600, "jti": "j", "client_id": "c"}, typ="at+jwt")


def ask(server: Server, token: str | None = None, path: str = "/") -> httpx.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{server.url}{path}", headers=headers, timeout=120)


def status(server: Server, token: str) -> int:
    return ask(server, token).status_code


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("name", SERVERS)
def test_rotation_and_outage(name: str) -> None:
    with Provider() as provider:
        provider.tokens["opaque"] = {"active": True, "sub": "bob"}
        provider.tokens["unknown"] = {"active": True, "sub": "carol"}
        with running(name, provider.url, workers=1) as server:
            missing = ask(server)
            assert missing.status_code == 401
            assert missing.headers["www-authenticate"] == 'Bearer realm="api"'
            old = sign(provider)
            assert ask(server, old).text.startswith("jwt alice ")
            assert ask(server, "opaque").text.startswith("introspection bob ")
            assert status(server, "wrong") == 401
            assert ask(server, path="/-/ready").json()["checks"]["Authenticator"]["jwt"] == "ok"

            provider.rotate("second")
            new = sign(provider)
            assert status(server, new) == 401  # its response begins a loading
            poll(lambda: status(server, new) == 200, "the new key")
            assert status(server, old) == 401

            provider.stop()
            assert status(server, new) == status(server, "opaque") == 200
            assert status(server, sign(provider, "dave")) == 200
            away = ask(server, "unknown")
            assert away.status_code == 503
            assert int(away.headers["retry-after"]) >= 1
            provider.rotate("third")
            assert status(server, sign(provider)) == 401
            poll(
                lambda: (
                    ask(server, path="/-/ready").json()["checks"]["Authenticator"]["jwt"] == "stale"
                ),
                "stale keys",
            )
            assert ask(server, path="/-/ready").status_code == 200
            assert status(server, new) == 200
            assert "Traceback" not in server.log
            for hidden in (new, old, "unknown", "secret"):
                assert f"{hidden}\n" not in server.log.replace(" ", "\n")


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("name", SERVERS)
def test_a_provider_that_is_away_at_the_start(name: str) -> None:
    with Provider() as provider:
        port = provider.port
    with running(name, provider.url) as server:
        assert ask(server, path="/open").text == "open"
        away = ask(server, sign(provider))
        assert away.status_code == 503
        assert 1 <= int(away.headers["retry-after"]) <= 10
        ready = ask(server, path="/-/ready")
        assert ready.status_code == 503
        assert ready.json()["checks"]["Authenticator"]["jwt"] == "down"
        with Provider(port=port) as back:
            back.key, back.published = provider.key, provider.published
            token = sign(provider)
            poll(lambda: status(server, token) == 200, "the keys")


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("name", CONCURRENT)
def test_requests_go_on_while_the_provider_is_asked(name: str) -> None:
    with Provider() as provider:
        provider.tokens["opaque"] = {"active": True, "sub": "bob"}
        with running(name, provider.url, workers=1) as server:
            token = sign(provider)
            assert status(server, token) == 200
            provider.gate.clear()
            waiting: list[int] = []
            threads = [
                threading.Thread(target=lambda: waiting.append(status(server, "opaque")))
                for _ in range(2)
            ]
            for thread in threads:
                thread.start()
            poll(lambda: provider.concurrent == 1, "a request to the provider")
            assert status(server, token) == 200
            assert ask(server, path="/open").text == "open"
            provider.gate.set()
            for thread in threads:
                thread.join(120)
            assert waiting == [200, 200]
            assert provider.paths.count("/introspect") == 1  # one for both


def test_workers_of_a_preloaded_app_renew_by_themselves() -> None:
    """The keys are loaded once, before the fork; later each worker asks for itself."""
    with Provider() as provider, running("gunicorn-preload", provider.url, workers=3) as server:
        assert provider.paths.count("/jwks") == 1
        token = sign(provider)
        pids = set()
        for _ in range(500):
            pids.add(ask(server, token).text)
            if len(pids) == 3:
                break
        assert len(pids) >= 2
        assert provider.paths.count("/jwks") == 1
        provider.rotate("second")
        new = sign(provider)
        found = set()

        def has_all() -> bool:
            answer = ask(server, new)
            if answer.status_code == 200:
                found.add(answer.text)
            return found == pids

        poll(has_all, "the new key in all workers")

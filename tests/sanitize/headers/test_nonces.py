"""Nonces: one for each response, known to the app alone, and never stored."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import ErrorEnvelope, OutputSanitizer, csp_nonce, csp_nonce_context
from mantlet.sanitize import Csp, SecurityHeaders
from tests.drive import Adapter, Answer, both_adapters, drive_asgi
from tests.sanitize.test_policy import ask

if TYPE_CHECKING:
    from collections.abc import MutableMapping

pytestmark = pytest.mark.breaks_rules("apps send fields in any case")

WEB = OutputSanitizer(headers="web")
HTML = ("Content-Type", "text/html; charset=utf-8")


def served(
    adapter: Adapter,
    fields: list[tuple[str, str]],
    policy: OutputSanitizer = WEB,
    status: int = 200,
    **options: Any,
) -> Answer:
    """Return the answer of an app with these fields."""

    def app(_carrier: MutableMapping[str, Any]) -> Any:
        return status, fields, b"hello"

    return ask(adapter, app, policy, **options)


# -- caches ---------------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    "own",
    [
        [],
        [("Cache-Control", "public, max-age=600")],
        [("cache-control", "private")],
        [("cache-control", "max-age=1"), ("Cache-Control", "public")],
        [("expires", "Thu, 01 Dec 2099 16:00:00 GMT")],
        [("cache-control", "no-cache"), ("CDN-Cache-Control", "max-age=600")],
        [("cache-control", "no-store"), ("Surrogate-Control", "max-age=600")],
        [("set-cookie", "sessionid=1; HttpOnly")],
    ],
    ids=range(8),
)
@pytest.mark.parametrize("media", [HTML[1], "application/xhtml+xml", None])
def test_no_cache_stores_a_page_with_a_nonce(
    adapter: Adapter, own: list[tuple[str, str]], media: str | None
) -> None:
    """Not even one with headers of its own; whoever asks, and whatever the app says."""
    types = [] if media is None else [("content-type", media)]
    for headers in ([], [("cookie", "sessionid=1")]):
        answer = served(adapter, [*types, *own], headers=headers)
        assert "'nonce-" in (answer.get("content-security-policy") or "")
        assert answer.getall("cache-control") == ["private, no-store"]
        assert {"cdn-cache-control", "surrogate-control"}.isdisjoint(answer.names)
        assert answer.getall("set-cookie") == [
            value + "; SameSite=Lax" for name, value in own if name == "set-cookie"
        ]


@both_adapters
@pytest.mark.parametrize("own", ["no-store", "No-Store, must-revalidate", "private, no-store"])
def test_an_app_that_forbids_storing_keeps_its_words(adapter: Adapter, own: str) -> None:
    """They are enough."""
    answer = served(adapter, [HTML, ("cache-control", own), ("set-cookie", "a=1")])
    assert answer.getall("cache-control") == [own]


@both_adapters
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([("content-type", "text/css")], 200),
        ([("content-type", "application/javascript")], 200),
        ([("content-type", "image/svg+xml")], 200),
        ([("content-type", "application/json")], 200),
        ([HTML], 304),
        ([HTML, ("content-security-policy", "default-src 'self'")], 200),
    ],
    ids=range(6),
)
def test_what_is_no_page_with_a_nonce_is_stored_as_before(
    adapter: Adapter, fields: list[tuple[str, str]], status: int
) -> None:
    """Nothing in it carries the nonce."""
    own = [*fields, ("cache-control", "public, max-age=600")]
    assert served(adapter, own, status=status).getall("cache-control") == ["public, max-age=600"]
    assert served(adapter, fields, status=status).getall("cache-control") == []


@both_adapters
def test_pages_are_stored_by_option(adapter: Adapter) -> None:
    """And those of a policy without a nonce are."""
    csp = Csp(script_src=["'strict-dynamic'"], nonce=True)
    own = [HTML, ("cache-control", "public")]
    for headers in (
        SecurityHeaders(content_security_policy=csp, cache_nonces=True),
        SecurityHeaders(content_security_policy="default-src 'self'"),
    ):
        answer = served(adapter, own, OutputSanitizer(headers=headers))
        assert answer.getall("cache-control") == ["public"]
    reported = SecurityHeaders(content_security_policy_report_only=csp)
    answer = served(adapter, own, OutputSanitizer(headers=reported))
    assert answer.getall("cache-control") == ["private, no-store"]


def test_the_option_is_checked() -> None:
    """At construction."""
    with pytest.raises(TypeError, match="cache_nonces must be True or False"):
        SecurityHeaders(cache_nonces="yes")  # type: ignore[arg-type]  # what is tested


# -- for the app ----------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize("envelope", [False, True])
def test_the_app_reads_it_anywhere(adapter: Adapter, envelope: bool) -> None:
    """With and without its request, and it is that of the header."""
    seen: list[str] = []

    def app(carrier: MutableMapping[str, Any]) -> Any:
        seen.extend(
            [
                csp_nonce(),
                csp_nonce(carrier),
                csp_nonce_context()["csp_nonce"],
                csp_nonce_context(carrier)["csp_nonce"],
                mantlet.state(carrier).csp_nonce,
            ]
        )
        return 200, [HTML], b"hello"

    policies = [WEB, ErrorEnvelope()] if envelope else [WEB]
    wrapped = adapter.wrap(app, *policies)
    answer = adapter.drive(wrapped)
    assert len({*seen}) == 1
    assert f"'nonce-{seen[0]}'" in (answer.get("content-security-policy") or "")
    adapter.drive(wrapped)
    assert len({*seen}) == 2
    assert csp_nonce() == ""


@both_adapters
@pytest.mark.parametrize("headers", ["safe", "api", None])
def test_there_is_none_without_a_policy_that_has_one(adapter: Adapter, headers: Any) -> None:
    """And nothing is raised, for a page is to work all the same."""
    seen: list[str] = []

    def app(carrier: MutableMapping[str, Any]) -> Any:
        seen.extend([csp_nonce(), csp_nonce(carrier), csp_nonce_context(carrier)["csp_nonce"]])
        return 200, [HTML], b"hello"

    ask(adapter, app, OutputSanitizer(headers=headers))
    ask(adapter, app, OutputSanitizer(headers="web", mode="off"))
    assert seen == [""] * 6
    with pytest.raises(TypeError, match="takes a WSGI environ"):
        csp_nonce(5)


def test_a_thread_is_given_the_request() -> None:
    """One without the context of the request has no nonce of its own."""
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        thread = threading.Thread(target=lambda: seen.extend([csp_nonce(), csp_nonce(scope)]))
        thread.start()
        thread.join()
        seen.append(await asyncio.to_thread(csp_nonce))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

    answer = drive_asgi(mantlet.asgi.wrap(app, WEB, baseline=False))
    assert answer.error is None
    assert seen[0] == ""
    assert seen[1] == seen[2] != ""


def test_exchanges_at_the_same_time_have_their_own() -> None:
    """Each task sees that of its request, and an app within an app that of its own."""
    pairs: list[tuple[str, str]] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        pairs.append((csp_nonce(), csp_nonce(scope)))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    called = mantlet.asgi.wrap(inner, WEB, baseline=False)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        before = csp_nonce()
        await asyncio.to_thread(drive_asgi, called)
        pairs.append((before, csp_nonce()))
        pairs.append((csp_nonce(), csp_nonce(scope)))
        await inner(scope, receive, send)

    wrapped = mantlet.asgi.wrap(app, WEB, baseline=False)

    async def both() -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        async def send(_message: Any) -> None:
            await asyncio.sleep(0)

        from tests.drive import make_scope

        await asyncio.gather(*(wrapped(make_scope(), receive, send) for _ in range(5)))
        assert csp_nonce() == ""

    asyncio.run(both())
    assert len(pairs) == 20
    assert all(one == other != "" for one, other in pairs)
    assert len({one for one, _ in pairs}) == 10


@both_adapters
def test_it_is_no_request_id(adapter: Adapter) -> None:
    """The context of a nonce alone has none."""
    from mantlet.core.context import current_request_id

    seen: list[str | None] = []

    def app(_carrier: MutableMapping[str, Any]) -> Any:
        seen.append(current_request_id())
        return 200, [HTML], b"hello"

    ask(adapter, app, WEB)
    assert seen == [None]

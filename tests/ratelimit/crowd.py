"""Requests that are in flight at the same time, in threads under WSGI and in tasks under ASGI."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore
from typing import TYPE_CHECKING, Any

import mantlet
from tests.conformance.checkers import check_asgi
from tests.drive import (
    Adapter,
    Answer,
    AsgiAdapter,
    WsgiAdapter,
    ask_asgi,
    drive_wsgi,
    hello,
    make_scope,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mantlet import Policy
    from mantlet._internal.asgi_types import Receive, Scope, Send
    from tests.drive import Handler

#: In seconds; nothing waits so long unless it is broken.
PATIENCE = 120


def crowd(
    adapter: Adapter,
    policy: Policy,
    requests: Sequence[dict[str, Any]],
    handler: Handler = hello,
    *,
    queued: bool = False,
) -> list[Answer]:
    """Send requests all at once; the app answers the first when it has seen the last.

    Args:
        adapter: the protocol.
        policy: what is around the app.
        requests: the options of each, as ``make_scope()`` and ``make_environ()`` have them.
        handler: what the app answers.
        queued: whether each is sent only when the one before has reached the app, or was refused.

    Returns:
        What became of each, in their order.
    """
    if isinstance(adapter, AsgiAdapter):
        return asyncio.run(_tasks(policy, requests, handler))
    return _threads(policy, requests, handler, queued=queued)


async def _tasks(
    policy: Policy, requests: Sequence[dict[str, Any]], handler: Handler
) -> list[Answer]:
    # The loop begins tasks in their order, and nothing that they do before the app waits.
    arrived, go = asyncio.Semaphore(0), asyncio.Event()
    answer_app = AsgiAdapter().app(handler)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        arrived.release()
        await go.wait()
        await answer_app(scope, receive, send)

    stack = check_asgi(mantlet.asgi.wrap(check_asgi(app), policy, baseline=False))
    answers = [Answer() for _ in requests]

    async def ask(request: dict[str, Any], answer: Answer) -> None:
        body = {"type": "http.request", "body": b"", "more_body": False}
        await ask_asgi(stack, make_scope(**request), [body], answer)
        if not go.is_set():  # it was answered without the app
            arrived.release()

    tasks = [asyncio.create_task(ask(*pair)) for pair in zip(requests, answers, strict=True)]
    async with asyncio.timeout(PATIENCE):
        for _ in requests:
            await arrived.acquire()
        go.set()
        await asyncio.gather(*tasks)
    return answers


def _threads(
    policy: Policy, requests: Sequence[dict[str, Any]], handler: Handler, *, queued: bool
) -> list[Answer]:
    arrived, go = Semaphore(0), Event()

    def waiting(carrier: Any) -> Any:
        arrived.release()
        assert go.wait(PATIENCE)
        return handler(carrier)

    stack = mantlet.wsgi.wrap(WsgiAdapter().app(waiting), policy, baseline=False)

    def ask(request: dict[str, Any]) -> Answer:
        answer = drive_wsgi(stack, **request)
        if not go.is_set():  # it was answered without the app
            arrived.release()
        return answer

    with ThreadPoolExecutor(len(requests)) as pool:
        asked = []
        try:
            for request in requests:
                asked.append(pool.submit(ask, request))
                if queued:
                    assert arrived.acquire(timeout=PATIENCE)
            for _ in () if queued else requests:
                assert arrived.acquire(timeout=PATIENCE)
        finally:
            go.set()
    return [one.result() for one in asked]


def statuses(answers: Sequence[Answer]) -> dict[int | None, int]:
    """Return how many answers there are of each status."""
    found = [answer.status for answer in answers]
    return {status: found.count(status) for status in found}

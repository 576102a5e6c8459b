"""A real browser's EventSource: what it gets, and how it resumes."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Route

import mantlet
from mantlet import ErrorEnvelope, Event, Events, OutputSanitizer, RateLimiter, server_sent_events
from mantlet.events import EVENT_STREAM_HEADERS
from tests.origins.browser.chromium import BROWSER, page, serve_asgi, visit
from tests.servers.server import poll

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no browser here: install chromium"),
]

SECRET = "kJ8dGm2QpX5vLw9RtZ4yBn7c"
SCRIPT = """
const found = [];
const source = new EventSource('/events');
const keep = event => {
  found.push([event.type, event.data, event.lastEventId]);
  if (event.data === '"end"') { source.close(); report(found); }
};
for (const type of ['said', 'html', 'reset']) source.addEventListener(type, keep);
source.onmessage = keep;
"""


class Site:
    """An app with a page that listens.

    Attributes:
        events: its events.
        last_ids: the ids with which the browser has connected, in order.
        found: the events that it has reported.
    """

    def __init__(self, **options: Any) -> None:
        self.events = Events(**options)
        self.last_ids: list[str | None] = []
        self.found: list[list[str]] = []

        async def show(_: Request) -> HTMLResponse:
            return HTMLResponse(page(SCRIPT))

        async def report(request: Request) -> HTMLResponse:
            self.found = await request.json()
            return HTMLResponse("")

        async def listen(request: Request) -> StreamingResponse:
            after = request.headers.get("Last-Event-ID")
            subscription = self.events.subscribe("all", after=after)
            self.last_ids.append(after)
            body = server_sent_events(subscription, heartbeat=1, retry=0.1, encode=encode)
            return StreamingResponse(body, headers=EVENT_STREAM_HEADERS)

        routes = [Route("/", show), Route("/", report, methods=["POST"]), Route("/events", listen)]
        self.app = mantlet.wrap(
            Starlette(routes=routes),
            OutputSanitizer(secrets=[SECRET]),
            ErrorEnvelope(stream_errors=True),
            RateLimiter("1000/minute"),
        )

    def publish(self, kind: str, data: Any, name: str) -> None:
        """Publish an event."""
        self.events.publish(Event(kind, data, name), "all")

    def wait_for_connection(self, number: int) -> None:
        """Wait until the browser has connected so often, and is subscribed."""
        poll(
            lambda: len(self.last_ids) == number and self.events.subscribers == 1,
            "a connection",
            seconds=60,
        )


def encode(event: Event) -> str:
    """Return text as it is, for events of HTML, and JSON for others."""
    return str(event.data) if event.type == "html" else json.dumps(event.data)


def test_a_browser_gets_events_and_resumes(tmp_path: Path) -> None:
    """After a connection that ended, with those that came meanwhile, once and in order."""
    site = Site(history=100)
    site.publish("said", "before", "0")

    def act() -> None:
        site.wait_for_connection(1)
        site.events.close()
        site.publish("said", "meanwhile", "1")  # it has got no event yet
        site.wait_for_connection(2)
        site.publish("html", "<b>\n\r\nx\u2028</b>\rid: 9\n\n", "2")
        site.publish("message", {"key": SECRET}, "3")
        poll(lambda: not any(inbox.queue for inbox in site.events._inboxes), "an empty queue")
        site.events.close()
        site.publish("said", "again", "4")
        site.wait_for_connection(3)
        site.publish("said", "end", "5")

    acting = threading.Thread(target=act)
    with serve_asgi(site.app) as port:
        acting.start()
        visit(f"http://localhost:{port}/", tmp_path, lambda: bool(site.found))
        acting.join(120)
        poll(lambda: site.events.subscribers == 0, "the end of the subscription")
    assert site.last_ids == [None, "0", "3"]
    masked = site.found.pop(2)
    assert site.found == [
        ["said", '"meanwhile"', "1"],
        ["html", "<b>\n\nx\u2028</b>\nid: 9\n\n", "2"],
        ["said", '"again"', "4"],
        ["said", '"end"', "5"],
    ]
    assert masked[::2] == ["message", "3"]
    assert masked[1].startswith('{"key": "**')


def test_a_browser_learns_that_it_has_missed_events(tmp_path: Path) -> None:
    """And resumes from there the next time."""
    site = Site(history=2, gap="reset")

    def act() -> None:
        site.wait_for_connection(1)
        site.publish("said", "first", "1")
        poll(lambda: not any(inbox.queue for inbox in site.events._inboxes), "an empty queue")
        site.events.close()
        for number in range(2, 5):
            site.publish("said", number, str(number))
        site.wait_for_connection(2)
        poll(lambda: not any(inbox.lost for inbox in site.events._inboxes), "the gap")
        site.events.close()
        site.wait_for_connection(3)
        site.publish("said", "end", "5")

    acting = threading.Thread(target=act)
    with serve_asgi(site.app) as port:
        acting.start()
        visit(f"http://localhost:{port}/", tmp_path, lambda: bool(site.found))
        acting.join(120)
    assert site.last_ids == [None, "1", "4"]
    assert site.found == [
        ["said", '"first"', "1"],
        ["reset", "null", "4"],
        ["said", '"end"', "5"],
    ]

"""Event streams through the policies of a whole stack, under both protocols."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import flask
import pytest
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

import mantlet
from mantlet import (
    ApiKeys,
    Authenticator,
    ErrorEnvelope,
    Event,
    Events,
    Identity,
    OutputSanitizer,
    RateLimiter,
    Rule,
    server_sent_events,
)
from mantlet.events import EVENT_STREAM_HEADERS
from tests.drive import Answer, drive_asgi, drive_wsgi
from tests.events.test_event_stream import Client

if TYPE_CHECKING:
    from starlette.requests import Request

    from mantlet.events import EventStream

SECRET = "kJ8dGm2QpX5vLw9RtZ4yBn7c"
KEY = ("X-API-Key", "a-key-of-ann-that-is-long-enough")


def stream(events: Events, state: Any, after: str | None, fails: bool) -> EventStream:
    """Return a stream of the events of a user, which ends after a note."""
    identity = state.identity
    topic = f"user:{identity.subject}"
    subscription = events.subscribe(topic, after=after, until=identity.expires)

    def encode(event: Event) -> str:
        if fails:
            raise LookupError(f"no text for {event.id}")
        if event.id == "1":
            subscription.close()
        return str(event.data)

    events.publish(Event("note", "of another", "2"), "user:bob")
    events.publish(Event("note", f"key {SECRET}", "1"), topic)
    return server_sent_events(subscription, encode=encode)


def flask_app(events: Events) -> Any:
    """Return an app of Flask."""
    app = flask.Flask(__name__)

    @app.get("/events")
    @app.get("/failing")
    def read() -> flask.Response:
        state = mantlet.state(flask.request.environ)
        fails = flask.request.path == "/failing"
        body = stream(events, state, flask.request.headers.get("Last-Event-ID"), fails)
        return flask.Response(body, headers=dict(EVENT_STREAM_HEADERS))

    return app


def starlette_app(events: Events) -> Any:
    """Return an app of Starlette."""

    async def read(request: Request) -> StreamingResponse:
        fails = request.url.path == "/failing"
        state = mantlet.state(request.scope)
        body = stream(events, state, request.headers.get("Last-Event-ID"), fails)
        return StreamingResponse(body, headers=EVENT_STREAM_HEADERS)

    return Starlette(routes=[Route("/events", read), Route("/failing", read)])


def load(_: str) -> Identity:
    """Return the user of a key."""
    return Identity("ann", "api_key", expires=time.time() + 60)


class Site:
    """An app behind a whole stack, with its events."""

    def __init__(self, make: Any, drive: Any, **options: Any) -> None:
        self.events = Events(history=10, **options)
        self._drive = drive
        self._app = mantlet.wrap(
            make(self.events),
            OutputSanitizer(secrets=[SECRET]),
            ErrorEnvelope(stream_errors=True),
            Authenticator(ApiKeys(load)),
            RateLimiter("100/minute", rules=[Rule("GET /events", "2/hour")]),
        )

    def get(self, path: str, *headers: tuple[str, str]) -> Answer:
        """Send a request."""
        answer: Answer = self._drive(self._app, path=path, headers=headers)
        return answer


@pytest.fixture(params=[(flask_app, drive_wsgi), (starlette_app, drive_asgi)], ids=["wsgi", "asgi"])
def protocol(request: pytest.FixtureRequest) -> Any:
    """Each protocol: how its app is made, and how it is sent requests."""
    return request.param


def test_a_stream_passes_the_stack(protocol: Any) -> None:
    """With the policies' headers, and secrets masked."""
    site = Site(*protocol)
    answer = site.get("/events", KEY)
    assert answer.status == 200
    assert answer.get("content-type") == "text/event-stream"
    assert answer.get("cache-control") == "no-store"
    assert answer.get("x-request-id")
    assert answer.get("ratelimit")
    assert answer.get("content-length") is None
    ((kind, data, name),) = Client().feed(answer.body).events
    assert (kind, name) == ("note", "1")
    assert data.startswith("key **")
    assert SECRET not in answer.text()
    assert site.events.subscribers == 0


def test_a_stream_that_is_refused_opens_no_subscription(protocol: Any) -> None:
    site = Site(*protocol)
    assert site.get("/events").status == 401
    for _ in range(2):
        assert site.get("/events", KEY).status == 200
    assert site.get("/events", KEY).status == 429
    assert site.events.subscribers == 0


def test_too_many_subscribers_are_a_problem(protocol: Any) -> None:
    site = Site(*protocol, max_subscribers=1)
    with site.events.subscribe("other"):
        answer = site.get("/events", KEY)
    assert answer.status == 503
    assert answer.get("retry-after") == "5"
    assert answer.json()["detail"] == "There are too many subscribers."


def test_another_users_events_are_not_to_be_had_by_an_id(protocol: Any) -> None:
    """The id of the last event says where to begin, and nothing else."""
    site = Site(*protocol)
    site.events.publish(Event("note", "mine", "a"), "user:ann")
    site.events.publish(Event("note", "theirs", "b"), "user:bob")
    site.events.publish(Event("note", "mine too", "c"), "user:ann")
    client = Client().feed(site.get("/events", KEY, ("Last-Event-ID", "b")).body)
    assert [name for _, _, name in client.events] == ["c", "1"]
    for hostile in ("x" * 5000, "b,c", "*", "\x01", "é"):
        assert site.get("/failing", KEY, ("Last-Event-ID", hostile)).status == 200


def test_an_error_in_the_middle_ends_the_stream(
    protocol: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """With an event that says so, and without its text; the subscription ends."""
    site = Site(*protocol)
    answer = site.get("/failing", KEY)
    assert answer.status == 200
    assert b"event: error" in answer.body
    assert b"LookupError" not in answer.body
    assert "LookupError" in caplog.text
    assert site.events.subscribers == 0

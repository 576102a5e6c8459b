"""docs/events.md: its examples run."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

import mantlet
from mantlet import Event
from tests.docs.pages import blocks, run
from tests.events.test_event_stream import Client
from tests.servers.server import poll
from tests.stores.redis.servers import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = "events.md"


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server."""
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def page(valkey: Valkey) -> dict[str, Any]:
    """What all blocks define, one after the other."""
    valkey.ask("FLUSHALL")
    return run(PAGE, *(block.replace("localhost:6379", valkey.place) for block in blocks(PAGE)))


def test_the_first_example(page: dict[str, Any]) -> None:
    events = page["events"]
    client = TestClient(page["app"])
    events.publish(Event("order.placed", {"id": 7}, "a"), "order:7")
    assert client.post("/orders/7/payment").status_code == 200

    def is_served() -> bool:
        return bool(events._inboxes) and not any(inbox.queue for inbox in events._inboxes)

    def end() -> None:
        poll(is_served, "a client that has everything")
        events.close()

    ending = threading.Thread(target=end)
    ending.start()
    answer = client.get("/orders/7/events", headers={"Last-Event-ID": "a"})
    ending.join()
    assert answer.headers["Content-Type"] == "text/event-stream"
    ((kind, data, _),) = Client().feed(answer.content).events
    assert (kind, data) == ("order.paid", '{"id":7}')


def test_a_stream_of_flask(page: dict[str, Any]) -> None:
    answer = page["site"].test_client().get("/events")
    events = page["events"]
    events.publish(Event("news", "<b>", "1"))
    client = Client().feed(*(next(answer.iter_encoded()) for _ in range(2)))
    assert client.events == [("news", '"<b>"', "1")]
    answer.close()
    assert events.subscribers == 0


def test_a_credential_ends_a_subscription(page: dict[str, Any]) -> None:
    identity = mantlet.Identity("ann", "session", expires=1.0)
    environ: dict[str, Any] = {}
    mantlet.state(environ).identity = identity
    subscription = page["subscribe"](environ)
    assert list(subscription) == []
    assert subscription.reason == "expired"


def test_a_websocket(page: dict[str, Any]) -> None:
    from fastapi import FastAPI

    app = FastAPI()
    app.add_api_websocket_route("/live", page["live"])
    events = page["events"]
    with TestClient(mantlet.wrap(app)).websocket_connect("/live") as socket:
        events.publish(Event("news", 1, "a"))
        assert socket.receive_json() == {"type": "news", "id": "a", "data": 1}
    assert events.subscribers == 0


def test_a_worker_feeds_its_events(page: dict[str, Any]) -> None:
    """While it is in its lifespan."""
    events, streams = page["events"], page["streams"]

    async def main() -> Any:
        with events.subscribe("order:7") as subscription:
            async with page["lifespan"](None):
                await streams.publish(Event("order.paid", {"id": 7}))
                event = await anext(subscription)
        await streams.close()
        return event

    assert asyncio.run(main()).data == {"id": 7}


def test_a_service_reads_the_stream(
    page: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    streams = page["streams"]
    for number in range(2):
        streams.publish(Event("order.paid", {"id": number}))

    def stop(*words: Any) -> None:
        said.append(words)
        if len(said) == 2:
            raise KeyboardInterrupt

    said: list[Any] = []
    page["print"] = stop
    with pytest.raises(KeyboardInterrupt):
        page["send_mails"]("host-1")
    assert said == [("mail about", "order.paid", {"id": number}) for number in range(2)]
    streams.close()

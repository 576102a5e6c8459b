"""`Events`: publish events to other services and to connected clients."""

from mantlet.events.event import Event
from mantlet.events.event_stream import EVENT_STREAM_HEADERS, EventStream, server_sent_events
from mantlet.events.redis_streams import EventReader, RedisStreams
from mantlet.events.subscriptions import Events, Subscription
from mantlet.events.websocket import forward

__all__ = [
    "EVENT_STREAM_HEADERS",
    "Event",
    "EventReader",
    "EventStream",
    "Events",
    "RedisStreams",
    "Subscription",
    "forward",
    "server_sent_events",
]

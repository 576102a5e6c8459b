"""What asks a Redis or a Valkey: from a URI to the reply, with an event loop and without one."""

from mantlet.ratelimit.stores.redis.client.clients import Client, Remote

__all__ = ["Client", "Remote"]

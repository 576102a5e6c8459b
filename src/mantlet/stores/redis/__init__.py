"""A client for Redis and Valkey: from a URI to replies, with an event loop and without one."""

from mantlet.stores.redis.clients import RedisBackend, RedisClient

__all__ = ["RedisBackend", "RedisClient"]

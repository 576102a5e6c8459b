"""A client for Redis and Valkey, for event loops and for threads."""

from mantlet.stores.redis.clients import RedisBackend, RedisClient

__all__ = ["RedisBackend", "RedisClient"]

"""`RedisRecords`: records on a Redis or Valkey server or cluster, consistent across hosts.

Each operation is one call of one Lua script. A key on the server is ``mantlet:<name>:{<digest>}``.
The digest keeps clients that choose a key from choosing its length or its characters. The braces
make it a hash tag: only the digest decides which node of a cluster has the key.

**Calls that are sent twice.** If a connection is lost before the reply, the client sends the call
again, although the server may already have run it. So each call has a random token, which is stored
with the value: a call that finds its own token has already succeeded. For the same reason, the
token of a deleted record is kept for ten seconds.

**Permissions.** An ACL user needs ``+@connection +evalsha +eval +get +set +pttl +pexpire +info
~mantlet:*``; for a cluster also ``+cluster|slots``.

**Guarantees.** No call takes longer than the timeout. If the server does not respond, the call
raises `StoreOutage`. After three such failures in a row, calls fail at once, except that one call
from time to time probes the server. The server may have run a call that failed. If the server is
out of memory (``OOM``), calls that need more memory raise `StoreOutage`; records can still be read,
deleted, and replaced by others of the same size or smaller.

**Time** is the server's: ages and expiry times are those of its keys (``PTTL``), so the clocks of
workers do not matter. Redis uses the system time. If that is set back, a record with a negative age
is treated as new, so it is kept at most twice as long from then on. If it is set forward, records
age by the same amount. So have the server's clock slewed, as ntpd and chrony do.

**Durability.** Records are as durable as the server's data. Without ``appendonly yes`` a restart
loses all of them, and with ``appendfsync everysec``, the default, a power failure loses the last
second. A replica that takes over may lack the last writes of the failed master, since replication
is asynchronous, also with sentinels and in a cluster; ``min-replicas-to-write`` bounds their
number. A server that evicts keys (``maxmemory-policy`` other than ``noeviction``) drops records
before they expire; `RedisRecords.open()` logs a warning about it. A lost record can be created
again, so the effect that it prevented, such as a second run of a request, can happen.
"""

import logging
from base64 import urlsafe_b64encode
from collections.abc import Awaitable
from copy import copy
from math import ceil
from os import urandom
from re import search
from struct import Struct
from typing import Any, Final

from mantlet._internal.coroutines import start_eagerly
from mantlet.exceptions import StoreError
from mantlet.stores.records import Record, RecordStore, check_record_name, key_digest
from mantlet.stores.redis.circuit_breaker import CircuitBreakers
from mantlet.stores.redis.clients import RedisBackend
from mantlet.stores.redis.script import RedisScript
from mantlet.stores.store_log import StoreLog

__all__ = ["RedisRecords"]

log = logging.getLogger("mantlet.stores")

#: A record: a marker, the token of the call that stored it, its lifetime in milliseconds, and its
#: value. A deleted record: another marker, and the token.
_HEAD = Struct(">c16sd")
_RECORD, _DELETED = b"\x01", b"\x00"
_TOKEN_SIZE: Final = 16
#: Milliseconds for which the token of a deleted record is kept. Calls are repeated at once.
_DELETED_FOR: Final = 10_000
#: Milliseconds: about three centuries, small enough for all of the server's calculations.
_LONGEST: Final = 10_000_000_000_000
#: ``ARGV``: the new data, their lifetime in milliseconds, and, unless a record is created, the
#: value that the current record must have. Returns 1 if the data were stored, 0 if the current
#: value is a different one, and -1 if the key does not hold a record. If the record to create
#: exists, it returns that record and its remaining milliseconds. A server whose memory is full
#: refuses only the first command of a script that may need more memory, so data that need no more
#: room than before are still stored.
_SCRIPT = """
local call, sub, byte = redis.call, string.sub, string.byte
local key, new, milliseconds, old = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local stored = call('GET', key)
if stored then
  local is_record, is_deleted = byte(stored) == 1, byte(stored) == 0
  if not (is_record and #stored >= 25 or is_deleted and #stored == 17) then return -1 end
  if sub(stored, 2, 17) == sub(new, 2, 17) then return 1 end
  if is_deleted then stored = false end
end
if old then
  if not stored or sub(stored, 26) ~= old then return 0 end
elseif stored then
  local left, longest = call('PTTL', key), struct.unpack('>d', stored, 18)
  if left < 0 or left > longest then
    call('PEXPIRE', key, string.format('%.0f', longest))
    left = longest
  end
  return {stored, left}
end
if stored and #new <= #stored then call('PEXPIRE', key, milliseconds) end
call('SET', key, new, 'PX', milliseconds)
return 1
"""
_RESTARTED: Final = (
    "has lost its scripts, so it was restarted, flushed or replaced: records that it has lost too "
    "are forgotten, and what they were to prevent can happen again"
)


class RedisRecords(RecordStore):
    """Keep records on a server shared by all workers and hosts.

    Args:
        uri: the server's URI, see `mantlet.stores.redis.uri.parse_redis_uri()`.
        name: the purpose of the records. It separates them from other records on the server.
        timeout: the timeout of each call in seconds, including connecting.

    Attributes:
        safe_uri: the URI without its secrets.

    Raises:
        ImportError: hiredis is not installed; the message names the extra.
        TypeError: an option has the wrong type.
        ValueError: the URI is malformed, or an option is out of range.
    """

    def __init__(self, uri: str, *, name: str = "records", timeout: float = 0.5) -> None:
        check_record_name(name)
        self._backend = RedisBackend(uri, timeout=timeout)
        self.safe_uri = self._backend.safe_uri
        self._name = name
        self._breakers = CircuitBreakers(timeout)
        self._outages = StoreLog(log, name)
        self._script = self._make_script(is_async=False)

    def __repr__(self) -> str:
        return f"RedisRecords({self.safe_uri!r}, name={self._name!r})"

    def bind(self, is_async: bool) -> "RedisRecords":
        """Return the store with a client that blocks, or with one for asyncio."""
        bound = copy(self)
        bound._script = self._make_script(is_async)
        return bound

    def _make_script(self, is_async: bool) -> RedisScript:
        return RedisScript(
            _SCRIPT,
            self._backend.client(is_async),
            self.safe_uri,
            timeout=self._backend.timeout,
            breakers=self._breakers,
            outages=self._outages,
            restarted=_RESTARTED,
            page=__name__,
            level=logging.ERROR,
        )

    def open(self) -> Awaitable[None] | None:
        """Test the script. This ignores an unreachable server: it may come up later.

        Raises:
            StoreError: the server responds with an error, such as a wrong password or a missing
                permission.
        """
        return start_eagerly(self._open())

    def close(self) -> Awaitable[None] | None:
        """Close the connections."""
        return start_eagerly(self._script.client.close())

    def create(
        self, key: bytes, value: bytes, seconds: float
    ) -> Record | Awaitable[Record | None] | None:
        """Store a record, unless there is one; see `RecordStore.create()`."""
        return start_eagerly(self._create(key, value, seconds))

    def replace(
        self, key: bytes, old: bytes, value: bytes, seconds: float
    ) -> bool | Awaitable[bool]:
        """Replace a record's value if it is still the old one; see `RecordStore.replace()`."""
        kept = _milliseconds(seconds)
        new = _HEAD.pack(_RECORD, urandom(_TOKEN_SIZE), kept) + value
        return start_eagerly(self._change(key, new, kept, old))

    def delete(self, key: bytes, old: bytes) -> bool | Awaitable[bool]:
        """Delete a record if its value is still the old one."""
        return start_eagerly(self._change(key, _DELETED + urandom(_TOKEN_SIZE), _DELETED_FOR, old))

    async def _create(self, key: bytes, value: bytes, seconds: float) -> Record | None:
        kept = _milliseconds(seconds)
        new = _HEAD.pack(_RECORD, urandom(_TOKEN_SIZE), kept) + value
        reply = await self._run(key, [new, str(kept)])
        if reply == 1:
            return None
        try:
            stored, left = reply
            longest = _HEAD.unpack_from(stored)[2]
            return Record(stored[_HEAD.size :], max(0.0, (longest - left) / 1000))
        except (TypeError, ValueError) as error:
            raise self._script.outage("it sent an invalid reply") from error

    async def _change(self, key: bytes, new: bytes, kept: int, old: bytes) -> bool:
        return bool(await self._run(key, [new, str(kept), old]) == 1)

    # Any: a number, or a list of a record and a number.
    async def _run(self, key: bytes, args: list[str | bytes]) -> Any:
        reply = await self._script.run([self._server_key(key)], args)
        if reply == -1:
            raise self._script.outage("another program has written to one of its keys")
        return reply

    def _server_key(self, key: bytes) -> bytes:
        digest = urlsafe_b64encode(key_digest(self._name, key))
        return b"mantlet:%b:{%b}" % (self._name.encode(), digest)

    async def _open(self) -> None:
        # The second call finds a record whose key outlives its stated lifetime.
        calls: list[list[str | bytes]] = [
            [_HEAD.pack(_RECORD, urandom(_TOKEN_SIZE), 1), "1000"] for _ in range(2)
        ]
        await self._script.open([self._server_key(urandom(16))], calls)
        try:
            found = await self._script.client.call(
                "INFO", "memory", deadline=self._script.long_deadline()
            )
        except StoreError:
            return  # unreachable, or not permitted
        policy = search(rb"maxmemory_policy:([a-z-]+)", found)
        if policy and policy[1] != b"noeviction" and not search(rb"\bmaxmemory:0\b", found):
            log.warning(
                "The store %s may evict records before their time (maxmemory-policy %s): set it to "
                "noeviction",
                self.safe_uri,
                policy[1].decode(),
                extra={"policy": self._name, "event": "evicting", "store": self.safe_uri},
            )


def _milliseconds(seconds: float) -> int:
    return min(max(1, ceil(seconds * 1000)), _LONGEST)

"""One call of the script: what is wanted in its words, and its answer in ours."""

import logging
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b, sha1
from math import gcd
from struct import Struct
from time import monotonic
from typing import Any, Final, NamedTuple

from mantlet.exceptions import StoreError, StoreOutage
from mantlet.ratelimit.quota import Quota
from mantlet.ratelimit.stores.base import Claim, Place
from mantlet.ratelimit.stores.redis.circuit_breaker import Breakers
from mantlet.ratelimit.stores.redis.client import Client
from mantlet.ratelimit.stores.redis.client.resp import CommandError

__all__ = [
    "SCRIPT",
    "Answer",
    "Asker",
    "Numbers",
    "numbers",
    "server_key",
    "split",
]
_MICROSECONDS: Final = 1_000_000


#: ``KEYS`` are those of the buckets and places. ``ARGV`` begins with what to do: ``take``,
#: ``peek``, ``give``, ``hold``, or with two keys and nothing more, ``forget``. Then come two for
#: each key: what it is, and its numbers, as doubles with the highest byte first.
#:
#: - For a bucket, ``b``, the parts of a microsecond; the cost, the capacity, and what more to take
#:   if there is room, each of three numbers. For ``hold``, the parts and the time from now on at
#:   which the bucket is to be full again.
#: - For places, ``p``, the limit and the lease in microseconds; then the holder.
#:
#: In capitals, they are only tried out. The answer to ``take`` and ``peek`` is one string, which is
#: quicker than a list, with four numbers for each key: what is left in three, of which the first is
#: negative where it is missing, and whether there was more to take. Keys live a millisecond longer
#: than they have to, as they expire by whole ones.
SCRIPT = """
local MILLION, LONGEST = 1000000, 9e15
local call, pack, unpack = redis.call, struct.pack, struct.unpack
local time = call('TIME')
local now_s, now_u = tonumber(time[1]), tonumber(time[2])
local mode = ARGV[1]
local refused, tried = false, true
local values, left = {}, {}

local function keep(key, s, u, f)
  local microseconds = (s - now_s) * MILLION + u - now_u
  if microseconds < 0 or (microseconds == 0 and f == 0) then
    call('DEL', key)
  else
    local milliseconds = math.min(math.ceil(microseconds / 1000) + 1, LONGEST)
    call('SET', key, pack('>ddd', s, u, f), 'PX', milliseconds)
  end
end

if mode == 'forget' then return call('DEL', KEYS[1], KEYS[2]) end

for index = 1, #KEYS do
  local key, kind, numbers = KEYS[index], ARGV[2 * index], ARGV[2 * index + 1]
  local left_s, left_u, left_f, more = 0, 0, 0, 0
  if kind == 'b' or kind == 'B' then
    local parts, cost_s, cost_u, cost_f, size_s, size_u, size_f, more_s, more_u, more_f
    if mode == 'hold' then
      parts, cost_s, cost_u, cost_f = unpack('>dddd', numbers)
    else
      parts, cost_s, cost_u, cost_f, size_s, size_u, size_f, more_s, more_u, more_f
        = unpack('>dddddddddd', numbers)
    end
    local s, u, f = now_s, now_u, 0
    local kept = call('GET', key)
    if kept and #kept == 24 then
      local kept_s, kept_u, kept_f = unpack('>ddd', kept)
      if kept_s > s or (kept_s == s and (kept_u > u or (kept_u == u and kept_f > f))) then
        s, u, f = kept_s, kept_u, kept_f
      end
    end
    if mode == 'give' then
      s, u, f = s - cost_s, u - cost_u, f - cost_f
      if f < 0 then f, u = f + parts, u - 1 end
      if u < 0 then u, s = u + MILLION, s - 1 end
      keep(key, s, u, f)
    elseif mode == 'hold' then
      local held_s, held_u = now_s + cost_s, now_u + cost_u
      if held_u >= MILLION then held_u, held_s = held_u - MILLION, held_s + 1 end
      if held_s > s or (held_s == s and (held_u > u or (held_u == u and cost_f > f))) then
        keep(key, held_s, held_u, cost_f)
      end
    else
      s, u, f = s + cost_s, u + cost_u, f + cost_f
      if f >= parts then f, u = f - parts, u + 1 end
      if u >= MILLION then u, s = u - MILLION, s + 1 end
      left_s, left_u, left_f = now_s + size_s - s, now_u + size_u - u, size_f - f
      if left_f < 0 then left_f, left_u = left_f + parts, left_u - 1 end
      if left_u < 0 then left_u, left_s = left_u + MILLION, left_s - 1 end
      if left_u >= MILLION then left_u, left_s = left_u - MILLION, left_s + 1 end
      if left_s >= 0 and more_s + more_u + more_f > 0 then
        local less_s, less_u, less_f = left_s - more_s, left_u - more_u, left_f - more_f
        if less_f < 0 then less_f, less_u = less_f + parts, less_u - 1 end
        if less_u < 0 then less_u, less_s = less_u + MILLION, less_s - 1 end
        if less_s >= 0 then
          left_s, left_u, left_f, more = less_s, less_u, less_f, 1
          s, u, f = s + more_s, u + more_u, f + more_f
          if f >= parts then f, u = f - parts, u + 1 end
          if u >= MILLION then u, s = u - MILLION, s + 1 end
        end
      end
      values[index] = {s, u, f}
    end
  else
    local limit, lease, at = unpack('>dd', numbers)
    local holder, now = string.sub(numbers, at), now_s * MILLION + now_u
    -- A call is made once more when its connection ends: its holder may be there already.
    local mine = 0
    if mode ~= 'peek' then
      call('ZREM', key, holder)
    elseif tonumber(call('ZSCORE', key, holder) or 0) > now then
      mine = 1
    end
    if mode ~= 'give' then
      left_s = limit - 1 + mine - call('ZCOUNT', key, string.format('(%.0f', now), '+inf')
      values[index] = {holder, now, lease}
    end
  end
  if left_s < 0 then
    if kind == 'b' or kind == 'p' then refused = true else tried = false end
  end
  left[index] = pack('>dddd', left_s, left_u, left_f, more)
end

if mode == 'take' and not refused then
  for index = 1, #KEYS do
    local key, kind, value = KEYS[index], ARGV[2 * index], values[index]
    if kind == 'b' or (kind == 'B' and tried) then
      keep(key, value[1], value[2], value[3])
    elseif kind == 'p' or (kind == 'P' and tried) then
      local holder, now, lease = value[1], value[2], value[3]
      call('ZREMRANGEBYSCORE', key, '-inf', now)
      call('ZADD', key, now + lease, holder)
      local milliseconds = math.ceil(lease / 1000) + 1
      if call('PTTL', key) < milliseconds then call('PEXPIRE', key, milliseconds) end
    end
  end
end
return table.concat(left)
"""


class Numbers(NamedTuple):
    """A quota as the script counts.

    Attributes:
        parts: of a microsecond.
        interval: that one token takes to come back, in these parts.
        capacity: that a whole bucket takes.
        ticks: of the quota that one part is.
    """

    parts: int
    interval: int
    capacity: int
    ticks: int


@lru_cache(maxsize=4096)
def numbers(quota: Quota) -> Numbers:
    """Return a quota as the script counts."""
    microseconds = quota.period * _MICROSECONDS
    common = gcd(quota.amount, microseconds)
    parts, interval = quota.amount // common, microseconds // common
    return Numbers(parts, interval, interval * quota.burst, 1000 * quota.scale // parts)


def split(length: int, parts: int) -> tuple[int, int, int]:
    """Return a length of time in parts of a microsecond as seconds, microseconds and parts."""
    microseconds, fraction = divmod(length, parts)
    seconds, microseconds = divmod(microseconds, _MICROSECONDS)
    return seconds, microseconds, fraction


log = logging.getLogger("mantlet.ratelimit")

_SHA = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
_BUCKET, _HOLD, _PLACES, _LEFT = Struct(">10d"), Struct(">4d"), Struct(">2d"), Struct(">4d")
#: How many keys, and how many buckets of a size, are kept in the server's words.
_KNOWN: Final = 4096
#: What the server's name of places ends with.
_PLACES_END: Final = b":places"
#: Seconds that a first connection may take, if the deadline is shorter.
_PATIENCE: Final = 2.0
#: What `Asker.open()` tries.
_TRIED = (Claim("open:", Quota("1/second", burst=10)), Place("open:", 10, 1_000_000_000, "0" * 16))


class Answer(NamedTuple):
    """What the server says of one bucket or places.

    Attributes:
        room: as in `Rooms`, as if nothing were taken ahead.
        more: whether there was room for the tokens ahead; they are taken if all else is.
    """

    room: int
    more: bool


class Asker:
    """Calls the script, if the server is likely to answer.

    Args:
        client: the connections to the server.
        uri: the server's, without its password.
        deadline: in seconds, for each call.
        breakers: shared by all that ask the server.
        waits: whether it asks on an event loop.
    """

    def __init__(
        self, client: Client, uri: str, deadline: float, breakers: Breakers, *, waits: bool
    ) -> None:
        self.client = client
        self.is_async = waits
        self._uri = uri
        self._deadline = deadline
        self._breakers = breakers

    async def open(self) -> None:
        """See whether the server takes us, by all that we ever do there; it may do so later.

        Raises:
            StoreError: it answers, and refuses.
        """
        keys = [server_key(one) for one in _TRIED]
        words = [word for one in _TRIED for word in _words(one, 0)]
        expires = monotonic() + max(self._deadline, _PATIENCE)
        try:
            await self._call("EVAL", SCRIPT, keys, ["take", *words], expires)
            await self._call("EVALSHA", _SHA, keys, ["peek", *words], expires)
            await self._call("EVALSHA", _SHA, keys, ["give", *words], expires)
        except CommandError as error:
            raise StoreError(f"the store {self._uri} can't be used: {error}") from None
        except StoreOutage as error:
            log.warning("The store %s can't be reached yet: %s", self._uri, error)

    def expires(self) -> float:
        """Return until when a call that is made now may take, by `monotonic()`."""
        return monotonic() + self._deadline

    async def ask(
        self,
        mode: str,
        wanted: Sequence[Claim | Place],
        ahead: Sequence[int] = (),
        expires: float | None = None,
    ) -> list[Answer]:
        """Take, peek at or give back what lies on one node.

        Args:
            mode: ``"take"``, ``"peek"`` or ``"give"``.
            wanted: claims and places.
            ahead: for each, how many tokens to take besides; none at all if left out.
            expires: see `expires()`, for one that has waited already.

        Raises:
            StoreOutage: the server can't be asked.
        """
        ahead = ahead or (0,) * len(wanted)
        keys: list[bytes] = []
        words: list[str | bytes] = [mode]
        for one, more in zip(wanted, ahead, strict=True):
            keys.append(server_key(one))
            words += _words(one, more)
        reply = await self._script(keys, words, expires)
        if mode == "give":
            return []
        try:
            if len(reply) == _LEFT.size * len(wanted):
                return list(map(_answer, wanted, ahead, _LEFT.iter_unpack(reply)))
        except (TypeError, ValueError, OverflowError):
            pass  # something else has written to our keys, and numbers came of it that are none
        raise StoreOutage(f"the store {self._uri} does not answer as it should")

    async def hold(self, claims: Sequence[Claim], nanoseconds: int) -> None:
        """Empty buckets on one node so that the next token of each comes in so many nanoseconds."""
        words: list[str | bytes] = ["hold"]
        for claim in claims:
            parts, interval, capacity, _ = numbers(claim.quota)
            wait = -(-nanoseconds * parts // 1000)
            words += ("b", _HOLD.pack(parts, *split(wait + capacity - interval, parts)))
        await self._script([server_key(claim) for claim in claims], words)

    async def forget(self, key: str) -> None:
        """Make a bucket full, and places free, again."""
        await self._script([_server_key(key), _server_key(key, _PLACES_END)], ["forget"])

    async def _script(
        self, keys: list[bytes], words: list[str | bytes], expires: float | None = None
    ) -> Any:
        """Run the script, unless the server is not to be asked at the moment."""
        breaker = self._breakers.of(self.client.node_of(keys[0]))
        if not breaker.admits():
            raise StoreOutage(f"the store {self._uri} is not asked for the moment")
        expires = expires or self.expires()
        try:
            try:
                reply = await self._call("EVALSHA", _SHA, keys, words, expires)
            except CommandError as error:
                if error.code != "NOSCRIPT":
                    raise
                reply = await self._call("EVAL", SCRIPT, keys, words, expires)
        except (StoreOutage, CommandError) as error:
            # Something else has written to that one key: it says nothing of the server.
            is_wrong = isinstance(error, CommandError) and error.code == "WRONGTYPE"
            if not is_wrong and breaker.failed():
                log.warning("The store %s is not asked for a while: %s", self._uri, error)
            if isinstance(error, StoreOutage):
                raise
            raise StoreOutage(f"the store {self._uri}: {error}") from error
        if breaker.succeeded():
            log.warning("The store %s answers again", self._uri)
        return reply

    async def _call(
        self, command: str, script: str, keys: list[bytes], words: list[str | bytes], expires: float
    ) -> Any:
        return await self.client.call(
            command, script, len(keys), *keys, *words, key=keys[0], expires=expires
        )


def server_key(one: Claim | Place) -> bytes:
    """Return the server's name of a bucket or of places. What the client chose of it is hashed.

    The part in braces decides which node of a cluster it lies on (Redis cluster specification,
    "Hash tags").
    """
    return _server_key(one.key, _PLACES_END if isinstance(one, Place) else b"")


@lru_cache(maxsize=_KNOWN)
def _server_key(key: str, end: bytes = b"") -> bytes:
    limit, _, client = key.partition(":")
    digest = blake2b(client.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return b"mantlet:%b:{%b}%b" % (limit.encode(), urlsafe_b64encode(digest)[:22], end)


def _words(one: Claim | Place, ahead: int) -> tuple[str, bytes]:
    """Return what the script is told of one key: what it is, and its numbers."""
    if isinstance(one, Place):
        lease = -(-one.lease // 1000)
        return "P" if one.shadow else "p", _PLACES.pack(one.limit, lease) + one.holder.encode()
    return "B" if one.shadow else "b", _bucket(one.quota, one.cost, ahead)


@lru_cache(maxsize=_KNOWN)
def _bucket(quota: Quota, cost: int, ahead: int) -> bytes:
    parts, interval, capacity, _ = numbers(quota)
    lengths = (interval * cost, capacity, interval * ahead)
    return _BUCKET.pack(parts, *(part for length in lengths for part in split(length, parts)))


def _answer(one: Claim | Place, ahead: int, left: tuple[float, ...]) -> Answer:
    """Return what the script says of one key."""
    seconds, microseconds, fraction, more = map(int, left)
    if isinstance(one, Place):
        return Answer(seconds, more=False)
    parts, _, _, ticks = numbers(one.quota)
    room = ((seconds * _MICROSECONDS + microseconds) * parts + fraction) * ticks
    return Answer(room + ahead * one.quota.interval if more else room, bool(more))

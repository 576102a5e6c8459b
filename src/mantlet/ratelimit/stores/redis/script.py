"""The script that Redis and Valkey run: all that a request wants, in one round trip.

A point in time, and a length of it, is three whole numbers: seconds, microseconds and a fraction of
a microsecond in the quota's own parts, so that nothing is ever rounded although Lua counts in
floats: each of the three stays below 2^53, in buckets that take up to 285 million years to fill. A
bucket is such a point, the one at which it is full again, and expires with it. Places are a sorted
set of holders by the microsecond at which they are free again.

The time is the server's own, so that clients with wrong clocks agree.
"""

from functools import lru_cache
from math import gcd
from typing import NamedTuple

from mantlet.ratelimit.quota import Quota

__all__ = ["SCRIPT", "Numbers", "numbers", "split"]

_MICROSECONDS = 1_000_000

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

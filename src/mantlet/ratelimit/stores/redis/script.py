"""The Lua script that makes each decision in one round trip.

A point in time, or a duration, is three whole numbers: seconds, microseconds, and a fraction of a
microsecond in units that depend on the quota. Each of the three stays below 2^53 even for buckets
that take up to 285 million years to fill, so nothing is ever rounded although Lua computes with
floats. A bucket is stored as the point in time at which it is full again, and expires then; its
history, if it has one (see `mantlet.ratelimit.stores.history`), follows. Slots are a sorted set of
holders, scored by the microsecond at which their lease ends.

All times are the server's own, so that clients with wrong clocks agree.
"""

__all__ = ["SCRIPT"]

#: ``KEYS`` are the keys of the buckets and slots. ``ARGV`` starts with the mode: ``take``,
#: ``peek``, ``give_back``, ``block``, ``strike``, which takes one key, or ``reset``, which takes
#: two keys and no more arguments. Two arguments for each key follow: its kind, and its numbers as
#: big-endian doubles.
#:
#: - For a bucket, kind ``b``: the units per microsecond; the cost, the capacity, and how much to
#:   prefetch if there is room, each as three numbers. For ``give_back``: the units, the cost, and
#:   its age in microseconds. For ``block``: the units, the time from now at which the bucket is to
#:   be full again, and the duration of the ban in microseconds. For ``strike``: the same, the
#:   number of strikes that ban, and the microseconds within which they do.
#: - For slots, kind ``s``: the limit, and the lease in microseconds; then the holder.
#:
#: Upper-case kinds are report-only. ``take`` and ``peek`` return one string, which is faster than a
#: list, with four numbers for each key: the remaining amount, as three numbers of which the
#: first is negative if the request is denied, and whether there was room to prefetch. Keys live a
#: millisecond longer than necessary, as they expire with a resolution of a millisecond.
SCRIPT = """
local MILLION, LONGEST = 1000000, 9e15
local call, pack, unpack = redis.call, struct.pack, struct.unpack
local time = call('TIME')
local now_s, now_u = tonumber(time[1]), tonumber(time[2])
local now = now_s * MILLION + now_u
local mode = ARGV[1]
local denied, report_granted = false, true
local values, left = {}, {}

local function store(key, s, u, f, history)
  local microseconds, struck = (s - now_s) * MILLION + u - now_u, 0
  if #history > 0 then struck = unpack('>d', history, 25) - now end
  if struck <= 0 and (microseconds < 0 or (microseconds == 0 and f == 0)) then
    call('DEL', key)
  else
    microseconds = math.max(microseconds, struck)
    local milliseconds = math.min(math.ceil(microseconds / 1000) + 1, LONGEST)
    call('SET', key, pack('>ddd', s, u, f) .. history, 'PX', milliseconds)
  end
end

-- A history: the end of the ban, the time whose refill was kept from refunds (its beginning and its
-- end), until when the strikes matter, and the times of the strikes.
local function parse(history)
  if #history == 0 then return 0, 0, 0, 0, '' end
  local banned, from, to, struck = unpack('>dddd', history)
  return banned, from, to, struck, string.sub(history, 33)
end

local function block(key, s, u, f, until_s, until_u, until_f, history)
  until_s, until_u = now_s + until_s, now_u + until_u
  if until_u >= MILLION then until_u, until_s = until_u - MILLION, until_s + 1 end
  if until_s > s or (until_s == s and (until_u > u or (until_u == u and until_f > f))) then
    s, u, f = until_s, until_u, until_f
  end
  store(key, s, u, f, history)
end

if mode == 'reset' then return call('DEL', KEYS[1], KEYS[2]) end

for index = 1, #KEYS do
  local key, kind, numbers = KEYS[index], ARGV[2 * index], ARGV[2 * index + 1]
  local left_s, left_u, left_f, has_extra = 0, 0, 0, 0
  if kind == 'b' or kind == 'B' then
    local units, cost_s, cost_u, cost_f, size_s, size_u, size_f, extra_s, extra_u, extra_f
    local age, duration, after, within
    if mode == 'give_back' then
      units, cost_s, cost_u, cost_f, age = unpack('>ddddd', numbers)
    elseif mode == 'block' then
      units, cost_s, cost_u, cost_f, duration = unpack('>ddddd', numbers)
    elseif mode == 'strike' then
      units, cost_s, cost_u, cost_f, duration, after, within = unpack('>ddddddd', numbers)
    else
      units, cost_s, cost_u, cost_f, size_s, size_u, size_f, extra_s, extra_u, extra_f
        = unpack('>dddddddddd', numbers)
    end
    local s, u, f, history = now_s, now_u, 0, ''
    local stored = call('GET', key)
    if stored and (#stored == 24 or (#stored >= 56 and #stored % 8 == 0)) then
      local stored_s, stored_u, stored_f = unpack('>ddd', stored)
      if stored_s > s or (stored_s == s and (stored_u > u or (stored_u == u and stored_f > f))) then
        s, u, f = stored_s, stored_u, stored_f
      end
      if #stored > 24 then history = string.sub(stored, 25) end
    end
    if mode == 'give_back' then
      local banned, from, to, struck, strikes = parse(history)
      local start, uncovered = now - age, age
      if start - age <= to and to <= now then
        uncovered = now - to + math.max(0, from - start)
        start = math.min(start, from)
      end
      -- What time has refilled is not given back as well.
      local seconds = math.floor(uncovered / MILLION)
      cost_s, cost_u = cost_s - seconds, cost_u - (uncovered - seconds * MILLION)
      if cost_u < 0 then cost_u, cost_s = cost_u + MILLION, cost_s - 1 end
      if banned <= now and cost_s >= 0 and cost_s + cost_u + cost_f > 0 then
        s, u, f = s - cost_s, u - cost_u, f - cost_f
        if f < 0 then f, u = f + units, u - 1 end
        if u < 0 then u, s = u + MILLION, s - 1 end
        if age > 0 then
          if s < now_s or (s == now_s and (u < now_u or (u == now_u and f == 0))) then
            history = pack('>dddd', banned, 0, 0, struck) .. strikes
            if banned + struck == 0 then history = '' end
          else
            history = pack('>dddd', banned, start, now, struck) .. strikes
          end
        end
        store(key, s, u, f, history)
      end
    elseif mode == 'block' then
      local banned, from, to, struck, strikes = parse(history)
      history = pack('>dddd', math.max(banned, now + duration), from, to, struck) .. strikes
      block(key, s, u, f, cost_s, cost_u, cost_f, history)
    elseif mode == 'strike' then
      local banned, from, to, struck, strikes = parse(history)
      if banned > now then return 0 end
      local first = 1
      while first < #strikes and unpack('>d', strikes, first) <= now - within do
        first = first + 8
      end
      strikes = string.sub(strikes, first) .. pack('>d', now)
      if #strikes / 8 < after then
        store(key, s, u, f, pack('>dddd', banned, from, to, now + within) .. strikes)
        return 0
      end
      history = pack('>dddd', now + duration, from, to, 0)
      block(key, s, u, f, cost_s, cost_u, cost_f, history)
      return 1
    else
      s, u, f = s + cost_s, u + cost_u, f + cost_f
      if f >= units then f, u = f - units, u + 1 end
      if u >= MILLION then u, s = u - MILLION, s + 1 end
      left_s, left_u, left_f = now_s + size_s - s, now_u + size_u - u, size_f - f
      if left_f < 0 then left_f, left_u = left_f + units, left_u - 1 end
      if left_u < 0 then left_u, left_s = left_u + MILLION, left_s - 1 end
      if left_u >= MILLION then left_u, left_s = left_u - MILLION, left_s + 1 end
      if left_s >= 0 and extra_s + extra_u + extra_f > 0 then
        local less_s, less_u, less_f = left_s - extra_s, left_u - extra_u, left_f - extra_f
        if less_f < 0 then less_f, less_u = less_f + units, less_u - 1 end
        if less_u < 0 then less_u, less_s = less_u + MILLION, less_s - 1 end
        if less_s >= 0 then
          left_s, left_u, left_f, has_extra = less_s, less_u, less_f, 1
          s, u, f = s + extra_s, u + extra_u, f + extra_f
          if f >= units then f, u = f - units, u + 1 end
          if u >= MILLION then u, s = u - MILLION, s + 1 end
        end
      end
      values[index] = {s, u, f, history}
    end
  else
    local limit, lease, at = unpack('>dd', numbers)
    local holder = string.sub(numbers, at)
    -- A call is repeated when its connection is lost: the holder may already be in the set.
    local mine = 0
    if mode ~= 'peek' then
      call('ZREM', key, holder)
    elseif tonumber(call('ZSCORE', key, holder) or 0) > now then
      mine = 1
    end
    if mode ~= 'give_back' then
      left_s = limit - 1 + mine - call('ZCOUNT', key, string.format('(%.0f', now), '+inf')
      values[index] = {holder, lease}
    end
  end
  if left_s < 0 then
    if kind == 'b' or kind == 's' then denied = true else report_granted = false end
  end
  left[index] = pack('>dddd', left_s, left_u, left_f, has_extra)
end

if mode == 'take' and not denied then
  for index = 1, #KEYS do
    local key, kind, value = KEYS[index], ARGV[2 * index], values[index]
    if kind == 'b' or (kind == 'B' and report_granted) then
      store(key, value[1], value[2], value[3], value[4])
    elseif kind == 's' or (kind == 'S' and report_granted) then
      local holder, lease = value[1], value[2]
      call('ZREMRANGEBYSCORE', key, '-inf', now)
      call('ZADD', key, now + lease, holder)
      local milliseconds = math.ceil(lease / 1000) + 1
      if call('PTTL', key) < milliseconds then call('PEXPIRE', key, milliseconds) end
    end
  end
end
return table.concat(left)
"""

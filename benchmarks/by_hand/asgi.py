"""The middlewares for ASGI; see `benchmarks.by_hand`."""

# ruff: noqa: C901, PLR0912, PLR0915  # each is one closure on purpose

from math import inf
from sys import modules
from threading import Lock
from time import monotonic, monotonic_ns
from typing import Any

from jiter import from_json

from benchmarks.by_hand.work import (
    AND,
    CURRENT,
    GREATER,
    HIGH,
    JSON,
    KEY,
    LESS,
    LIMITS,
    LINES,
    MAX_BUCKETS,
    MODEL_SIZE,
    RARE_BYTES,
    REFUSAL,
    ROUTES,
    SECURITY,
    SEPARATOR,
    SMALL,
    SPARE,
    TAKEN_BYTES,
    VALID,
    Unusual,
    look,
    new_id,
)
from benchmarks.stacks import GENEROUS
from mantlet import OutputSanitizer, Quota, SecretLoader
from mantlet.guard.bodies.json_limits import FOLDING, HUGE

__all__ = ["five", "look_only", "refusal", "two"]


def look_only(app: Any) -> Any:
    """A response hook that only looks; the head waits for the first bytes of the body."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        head = None

        async def hold(message: Any) -> None:
            nonlocal head
            if message["type"] == "http.response.start":
                head = message
                return
            if head is not None:
                look(head["status"], head["headers"], message.get("body", b""))
                await send(head)
                head = None
            await send(message)

        await app(scope, receive, hold)
        if head is not None:
            raise Unusual

    return serve


def two(app: Any) -> Any:
    """`ErrorEnvelope` and `RateLimiter`."""
    quota = Quota(GENEROUS)
    scale, second, interval, capacity = quota.scale, quota.second, quota.interval, quota.capacity
    policy = b"ratelimit-policy", f'"default";q={quota.amount};w={quota.period}'.encode()
    buckets: dict[str, int] = {}
    lock = Lock()

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise Unusual
        given = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                given = value
            elif name == b"traceparent":
                raise Unusual
        spans = modules.get("opentelemetry.trace")
        if spans is not None and spans.get_current_span().get_span_context().is_valid:
            raise Unusual
        if given is None:
            own = SPARE.pop() if SPARE else new_id()
            native = own.encode()
            scope["headers"] = [*scope["headers"], (b"x-request-id", native)]
        else:
            own, native = given.decode("latin-1"), given
            if not VALID(own):
                raise Unusual

        address = scope["client"][0]
        if ":" in address or len(address) > 15 or not address.isascii():
            raise Unusual
        lock.acquire()
        try:
            now = monotonic_ns() * scale
            full_at = buckets.get(address)
            if full_at is None:
                if len(buckets) >= MAX_BUCKETS:
                    raise Unusual
                full_at = now
            elif full_at < now:
                full_at = now
            full_at += interval
            room = capacity + now - full_at
            if room >= 0:
                buckets[address] = full_at
        finally:
            lock.release()
        if room < 0:
            raise Unusual
        scope[KEY] = {"request_id": own, "room": room}
        remaining, rest = divmod(room, interval)
        limit = f'"default";r={remaining};t={-((rest - interval) // second)}'.encode()

        head = None

        async def hold(message: Any) -> None:
            nonlocal head
            if message["type"] == "http.response.start":
                head = message
                return
            if head is not None:
                headers = head["headers"]
                if head["status"] >= 400:
                    raise Unusual
                for name, _ in headers:
                    if name in TAKEN_BYTES:
                        raise Unusual
                first = head.copy()
                first["headers"] = [
                    *headers,
                    (b"x-request-id", native),
                    policy,
                    (b"ratelimit", limit),
                ]
                await send(first)
                head = None
            await send(message)

        token = CURRENT.set(own)
        try:
            await app(scope, receive, hold)
        except Exception as error:
            raise Unusual from error
        finally:
            CURRENT.reset(token)
        if head is not None:
            raise Unusual

    return serve


def refusal(app: Any) -> Any:
    """`RateLimiter`, which refuses all requests of a day but the first, which it leaves alone."""
    quota = Quota("1/day")
    scale, second, interval, capacity = quota.scale, quota.second, quota.interval, quota.capacity
    policy = b"ratelimit-policy", f'"default";q={quota.amount};w={quota.period}'.encode()
    length = b"content-length", b"%d" % len(REFUSAL)
    kind = b"content-type", b"application/problem+json"
    no_store = b"cache-control", b"no-store"
    buckets: dict[str, int] = {}
    lock = Lock()

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] == "HEAD":
            raise Unusual
        address = scope["client"][0]
        if ":" in address or len(address) > 15 or not address.isascii():
            raise Unusual
        lock.acquire()
        try:
            now = monotonic_ns() * scale
            full_at = buckets.get(address)
            if full_at is None:
                if len(buckets) >= MAX_BUCKETS:
                    raise Unusual
                full_at = now
            elif full_at < now:
                full_at = now
            full_at += interval
            room = capacity + now - full_at
            if room >= 0:
                buckets[address] = full_at
        finally:
            lock.release()
        if room >= 0:
            await app(scope, receive, send)
            return
        wait = -(room // second)
        limit = f'"default";r={max(room // interval + 1, 0)};t={wait}'.encode()
        headers = [kind, no_store, (b"retry-after", b"%d" % wait), length]
        headers += [policy, (b"ratelimit", limit)]
        await send({"type": "http.response.start", "status": 429, "headers": headers})
        await send({"type": "http.response.body", "body": REFUSAL, "more_body": False})

    return serve


def five(app: Any, secrets: SecretLoader[Any], sanitizer: OutputSanitizer) -> Any:
    """All five policies.

    Args:
        app: the app.
        secrets: the loader of the secrets.
        sanitizer: the policy whose scanner searches.
    """
    quota = Quota(GENEROUS)
    scale, second, interval, capacity = quota.scale, quota.second, quota.interval, quota.capacity
    policy = b"ratelimit-policy", f'"default";q={quota.amount};w={quota.period}'.encode()
    buckets: dict[str, int] = {}
    lock = Lock()
    redactor: Any = sanitizer._redactor
    registry: Any = sanitizer._registry
    loader: Any = secrets
    security = [(name.lower().encode(), value.encode()) for name, value in SECURITY]
    # By the names of the app's headers: the lines of these names.
    plans = {(b"content-type", b"content-length"): b"\ncontent-type\ncontent-length\n"}
    depth, most = LIMITS.depth, LIMITS.body
    short, certain, run = min(JSON.short, MODEL_SIZE), JSON.certain, JSON.run

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["scheme"] != "http":
            raise Unusual
        if monotonic() >= loader._next_poll_at:
            loader._update(inf)
        headers = scope["headers"]
        fields = dict(headers)
        if len(fields) != len(headers) or not fields.keys().isdisjoint(RARE_BYTES):
            raise Unusual
        spans = modules.get("opentelemetry.trace")
        if spans is not None and spans.get_current_span().get_span_context().is_valid:
            raise Unusual
        given = fields.get(b"x-request-id")
        if given is None:
            own = SPARE.pop() if SPARE else new_id()
            native = own.encode()
            scope["headers"] = [*headers, (b"x-request-id", native)]
        else:
            own, native = given.decode("latin-1"), given
            if not VALID(own):
                raise Unusual

        address = scope["client"][0]
        if ":" in address or len(address) > 15 or not address.isascii():
            raise Unusual
        lock.acquire()
        try:
            now = monotonic_ns() * scale
            full_at = buckets.get(address)
            if full_at is None:
                if len(buckets) >= MAX_BUCKETS:
                    raise Unusual
                full_at = now
            elif full_at < now:
                full_at = now
            full_at += interval
            room = capacity + now - full_at
            if room >= 0:
                buckets[address] = full_at
        finally:
            lock.release()
        if room < 0:
            raise Unusual
        remaining, rest = divmod(room, interval)
        limit = f'"default";r={remaining};t={-((rest - interval) // second)}'.encode()

        path = scope["path"]
        validate = ROUTES.get((scope["method"], path))
        if (
            validate is None
            or scope["raw_path"].decode("latin-1") != path
            or scope["root_path"]
            or scope["query_string"]
            or fields.get(b"content-type") != b"application/json"
        ):
            raise Unusual
        declared = fields[b"content-length"]
        if not declared.isdigit():
            raise Unusual
        size = int(declared)
        if not 0 < size <= most:
            raise Unusual
        message = await receive()
        if message["type"] != "http.request" or message.get("more_body", False):
            raise Unusual
        text = message["body"]
        if len(text) != size:
            raise Unusual
        folded = text.translate(FOLDING, b"+")
        if (
            size > short
            or folded.count(b"[") > depth
            or (size > certain and folded.rpartition(run)[1])
            or folded.rpartition(HUGE)[1]
            or text.rpartition(b"{")[0]
        ):
            raise Unusual
        try:
            value = from_json(text, allow_inf_nan=False)
            if value.__class__ is not dict or len(value) != text.count(b":"):
                raise Unusual
            model = validate(text, extra="forbid")
        except ValueError as error:  # pydantic's are, too
            raise Unusual from error
        scope[KEY] = {
            "request_id": own,
            "room": room,
            "validated": model,
            "secrets": loader._snapshot,
        }

        async def replay() -> Any:
            nonlocal message
            if message is None:
                return await receive()
            first, message = message, None
            return first

        head = None

        async def hold(sent: Any) -> None:
            nonlocal head
            if sent["type"] == "http.response.start":
                head = sent
                return
            if head is not None:
                raw, body = head["headers"], sent["body"]
                status = head["status"]
                if not 200 <= status < 300 or status == 206 or sent.get("more_body", False):
                    raise Unusual
                names, values = zip(*raw, strict=True)
                lines = plans.get(names)
                joined = b",".join(values)
                if (
                    lines is None
                    or not joined.decode("latin-1").isprintable()
                    or values[0] != b"application/json"
                    or len(body) > SMALL
                    or 0 in body
                    or body >= HIGH
                    or registry.has_replaced
                    or not redactor.scanner.is_clean(joined + lines + body)
                    or LESS in body
                    or GREATER in body
                    or AND in body
                    or (SEPARATOR in body and body.find(LINES) >= 0)
                ):
                    raise Unusual
                first = head.copy()
                first["headers"] = [
                    *raw,
                    *security,
                    (b"x-request-id", native),
                    policy,
                    (b"ratelimit", limit),
                ]
                await send(first)
                head = None
            await send(sent)

        token = CURRENT.set(own)
        try:
            await app(scope, replay, hold)
        except Exception as error:
            raise Unusual from error
        finally:
            CURRENT.reset(token)
        if head is not None:
            raise Unusual

    return serve

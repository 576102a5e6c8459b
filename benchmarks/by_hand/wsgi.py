"""The middlewares for WSGI; see `benchmarks.by_hand`."""

# ruff: noqa: C901, PLR0912, PLR0915  # each is one closure on purpose

from collections.abc import Callable
from io import BytesIO
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
    NO_STORE,
    RARE_KEYS,
    REFUSAL,
    ROUTES,
    SECURITY,
    SEPARATOR,
    SMALL,
    SPARE,
    TAKEN,
    VALID,
    Unusual,
    look,
    new_id,
)
from benchmarks.stacks import GENEROUS
from mantlet import OutputSanitizer, Quota, SecretLoader
from mantlet.guard.bodies.json_limits import FOLDING, HUGE

__all__ = ["five", "look_only", "refusal", "two"]


def _write(_data: bytes) -> None:
    """Stand for the ``write`` of PEP 3333, which apps of today don't call."""
    raise Unusual


def look_only(app: Any) -> Any:
    """A response hook that only looks; the head waits for the first bytes of the body."""

    def serve(environ: Any, start_response: Any) -> Any:
        head: Any = None

        def hold(status: str, headers: Any, _exc_info: Any = None) -> Callable[[bytes], None]:
            nonlocal head
            head = status, headers
            return _write

        result = app(environ, hold)
        if type(result) is not list or len(result) != 1 or head is None:
            raise Unusual
        status, headers = head
        look(status, headers, result[0])
        start_response(status, headers)
        return result

    return serve


def two(app: Any) -> Any:
    """`ErrorEnvelope` and `RateLimiter`."""
    quota = Quota(GENEROUS)
    scale, second, interval, capacity = quota.scale, quota.second, quota.interval, quota.capacity
    policy = "RateLimit-Policy", f'"default";q={quota.amount};w={quota.period}'
    buckets: dict[str, int] = {}
    lock = Lock()

    def serve(environ: Any, start_response: Any) -> Any:
        if "HTTP_TRACEPARENT" in environ:
            raise Unusual
        spans = modules.get("opentelemetry.trace")
        if spans is not None and spans.get_current_span().get_span_context().is_valid:
            raise Unusual
        own = environ.get("HTTP_X_REQUEST_ID")
        if own is None:
            own = SPARE.pop() if SPARE else new_id()
            environ["HTTP_X_REQUEST_ID"] = own
        elif not VALID(own):
            raise Unusual

        address = environ["REMOTE_ADDR"]
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
        environ[KEY] = {"request_id": own, "room": room}
        remaining, rest = divmod(room, interval)
        limit = f'"default";r={remaining};t={-((rest - interval) // second)}'

        head: Any = None

        def hold(status: str, headers: Any, _exc_info: Any = None) -> Callable[[bytes], None]:
            nonlocal head
            head = status, headers
            return _write

        token = CURRENT.set(own)
        try:
            result = app(environ, hold)
        except Exception as error:
            raise Unusual from error
        finally:
            CURRENT.reset(token)
        if type(result) is not list or len(result) != 1 or head is None:
            raise Unusual
        status, headers = head
        if status >= "4":
            raise Unusual
        for name, _ in headers:
            if name.lower() in TAKEN:
                raise Unusual
        start_response(status, [*headers, ("X-Request-ID", own), policy, ("RateLimit", limit)])
        return result

    return serve


def refusal(app: Any) -> Any:
    """`RateLimiter`, which refuses all requests of a day but the first, which it leaves alone."""
    quota = Quota("1/day")
    scale, second, interval, capacity = quota.scale, quota.second, quota.interval, quota.capacity
    policy = "RateLimit-Policy", f'"default";q={quota.amount};w={quota.period}'
    length = "Content-Length", str(len(REFUSAL))
    kind = "Content-Type", "application/problem+json"
    buckets: dict[str, int] = {}
    lock = Lock()

    def serve(environ: Any, start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "HEAD":
            raise Unusual
        address = environ["REMOTE_ADDR"]
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
            return app(environ, start_response)
        wait = -(room // second)
        limit = f'"default";r={max(room // interval + 1, 0)};t={wait}'
        headers = [kind, NO_STORE, ("Retry-After", str(wait)), length]
        headers += [policy, ("RateLimit", limit)]
        start_response("429 Too Many Requests", headers)
        return [REFUSAL]

    return serve


def five(app: Any, secrets: SecretLoader[Any], sanitizer: OutputSanitizer) -> Any:
    """All five policies; see the one for ASGI."""
    quota = Quota(GENEROUS)
    scale, second, interval, capacity = quota.scale, quota.second, quota.interval, quota.capacity
    policy = "RateLimit-Policy", f'"default";q={quota.amount};w={quota.period}'
    buckets: dict[str, int] = {}
    lock = Lock()
    redactor: Any = sanitizer._redactor
    registry: Any = sanitizer._registry
    loader: Any = secrets
    plans = {("Content-Type", "Content-Length"): b"\nContent-Type\nContent-Length\n"}
    depth, most = LIMITS.depth, LIMITS.body
    short, certain, run = min(JSON.short, MODEL_SIZE), JSON.certain, JSON.run

    def serve(environ: Any, start_response: Any) -> Any:
        if monotonic() >= loader._next_poll_at:
            loader._update(inf)
        if not environ.keys().isdisjoint(RARE_KEYS):
            raise Unusual
        spans = modules.get("opentelemetry.trace")
        if spans is not None and spans.get_current_span().get_span_context().is_valid:
            raise Unusual
        if environ["wsgi.url_scheme"] != "http":
            raise Unusual
        own = environ.get("HTTP_X_REQUEST_ID")
        if own is None:
            own = SPARE.pop() if SPARE else new_id()
            environ["HTTP_X_REQUEST_ID"] = own
        elif not VALID(own):
            raise Unusual

        address = environ["REMOTE_ADDR"]
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
        limit = f'"default";r={remaining};t={-((rest - interval) // second)}'

        path = environ["PATH_INFO"]
        validate = ROUTES.get((environ["REQUEST_METHOD"], path))
        if (
            validate is None
            or environ["RAW_URI"].partition("?")[0] != path
            or environ["SCRIPT_NAME"]
            or environ["QUERY_STRING"]
            or environ.get("CONTENT_TYPE") != "application/json"
        ):
            raise Unusual
        declared = environ["CONTENT_LENGTH"]
        if not (declared.isascii() and declared.isdigit()):
            raise Unusual
        size = int(declared)
        if not 0 < size <= most:
            raise Unusual
        text = environ["wsgi.input"].read(size)
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
        environ[KEY] = {
            "request_id": own,
            "room": room,
            "validated": model,
            "secrets": loader._snapshot,
        }
        environ["wsgi.input"] = BytesIO(text)

        head: Any = None

        def hold(status: str, headers: Any, _exc_info: Any = None) -> Callable[[bytes], None]:
            nonlocal head
            head = status, headers
            return _write

        token = CURRENT.set(own)
        try:
            result = app(environ, hold)
        except Exception as error:
            raise Unusual from error
        finally:
            CURRENT.reset(token)
        if type(result) is not list or len(result) != 1 or head is None:
            raise Unusual
        status, raw = head
        body = result[0]
        if status[0] != "2" or status.startswith("206"):
            raise Unusual
        names, values = zip(*raw, strict=True)
        lines = plans.get(names)
        joined = ",".join(values)
        if (
            lines is None
            or not joined.isprintable()
            or values[0] != "application/json"
            or len(body) > SMALL
            or 0 in body
            or body >= HIGH
            or registry.has_replaced
            or not redactor.scanner.is_clean(joined.encode("latin-1") + lines + body)
            or LESS in body
            or GREATER in body
            or AND in body
            or (SEPARATOR in body and body.find(LINES) >= 0)
        ):
            raise Unusual
        start_response(
            status, [*raw, *SECURITY, ("X-Request-ID", own), policy, ("RateLimit", limit)]
        )
        return result

    return serve

"""`Idempotency`: requests that are safe to repeat.

If a client gets no response, it can't know whether its request was carried out. With a key of its
own choice in ``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header-07), it can send the
request again: the first request runs, and repeats get its response, marked
``Idempotency-Replayed``.

A record of each key is kept in a store that all workers share. The record is bound to the client
and to the request: nobody gets the response of another client, and a key that is used for another
request is refused. If the worker dies, nobody knows after the lease whether the request was carried
out. The next repeat then runs, or is refused.

What it does not stop: an operation that takes longer than the lease and is repeated meanwhile; a
client that takes a new key for the same operation; and, unless the record is stored in the app's
own transaction (`mantlet.database`), a worker that dies between the operation and its record.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from mantlet._internal.coroutines import is_plain_function, start_eagerly
from mantlet._internal.disconnects import is_disconnect
from mantlet._internal.event_loop import is_on_loop
from mantlet._internal.log_throttle import LogThrottle
from mantlet._internal.options import check_duration, check_int
from mantlet.core.modes import ModeOption, check_mode
from mantlet.core.policy import HealthState, Policy
from mantlet.core.preflight import METHOD_OVERRIDES
from mantlet.core.problem import FixedProblem
from mantlet.core.request import Request
from mantlet.core.response import Reply, Response
from mantlet.core.statuses import StatusCondition
from mantlet.exceptions import StoreError
from mantlet.http.header_name import HeaderName
from mantlet.http.headers import HeaderNames
from mantlet.http.routing import METHODS, Routes, parse_pattern
from mantlet.idempotency.identification import (
    fingerprint_of,
    owner_of,
    parse_key,
    record_key,
)
from mantlet.idempotency.problems import (
    MALFORMED,
    MISSING,
    NO_RESPONSE,
    OUTSTANDING,
    REUSED,
    UNAVAILABLE,
    UNKNOWN,
)
from mantlet.idempotency.records import (
    COMPLETED,
    RESPONDED,
    STREAMING,
    UNFINISHED,
    IdempotencyRecord,
    RecordFormat,
    UnreadableRecord,
)
from mantlet.idempotency.run import Run, Settings
from mantlet.stores.factory import create_record_store
from mantlet.stores.records import BoundStores, Record, RecordStore

__all__ = ["Idempotency"]

_KEY: Final = "Idempotency-Key"
_REPLAYED: Final = HeaderName("Idempotency-Replayed")
#: Without it, a cache would take an old response for a fresh one (RFC 9111, 5.1).
_AGE: Final = HeaderName("Age")
_PREVIOUS_OUTCOME: Final = HeaderName("Idempotency-Previous-Outcome")
_OVERRIDES: Final = frozenset(METHOD_OVERRIDES)
#: Methods that change nothing, so they need no key (RFC 9110, 9.2.1).
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "QUERY", "TRACE"})
#: Status codes that ask the client to send the request again: to another URL, with other headers or
#: credentials, at another time, or over another connection.
_TRY_AGAIN: Final = frozenset({307, 308, 401, 406, 407, 408, 409, 417, 421, 423, 425, 428, 429})
#: The maximum bytes of a request's body in memory; the rest is in a temporary file.
_MEMORY: Final = 1024 * 1024
_DAY: Final = 86400
#: The maximum number of cached paths that need no key, and the maximum length of each.
_MAX_KNOWN: Final = 1024
_MAX_PATH: Final = 256
#: A key that never has a record.
_PROBE: Final = b"health"


@dataclass(frozen=True, slots=True)
class _KeyState:
    """The value of `mantlet.state(...).idempotency`; see `mantlet.core.state.IdempotencyState`."""

    key: str
    previous_outcome_unknown: bool


class Idempotency(Policy):
    """Run each request with an ``Idempotency-Key`` once, and replay its response to repeats.

    A key belongs to a client. The client is the result of ``by``, or the identity that an
    `Authenticator` has found. Without these, it is the credentials of the request, including every
    header whose name is that of a credential or a user. If these change between two requests of a
    client, as cookies and tokens may, only the first two make repeats safe.

    A request without a key is refused with 400 if its route requires one; a malformed key is
    refused with 400 on every route. While the first request with a key is running, repeats are
    refused with 409 and ``Retry-After``. If its response could not be stored, they are refused with
    409. A key that was used for another request is refused with 422. While the store is
    unavailable, requests with a key are refused with 503; requests without a key pass.

    Two requests are different if they differ in method, path, query, host, version, precondition,
    range, content type, content encoding or body.

    The app finds the key, and whether the request may have run before, in
    ``mantlet.state(...).idempotency``, which is None for requests without a key.

    Args:
        store: where records are kept: ``"memory://"``, for one process; ``"lmdb:///..."``, for the
            workers of a host; ``"redis://..."``; or a `RecordStore`, such as that of a
            `UnitOfWork`, which keeps the record in the app's own transaction.
        methods: the methods of requests whose keys count.
        required: patterns of routes that need a key, such as ``"POST /payments"``.
        keep: how long the record of a key is kept: seconds, or text such as ``"24h"``.
        max_body: the maximum size of the body of a request with a key, in bytes. A body of more
            than 1 MiB is partly kept in a temporary file.
        max_response: the maximum size of a stored response, in bytes. Up to this size, a stream is
            also held in memory until it ends; other responses take no extra memory.
        by: a function of the request that returns the owner of its key, such as the ids of a tenant
            and a user together; or None, for the owner that is used without this function.
        stored: returns whether to store the response of a status code. Otherwise, the key is free
            again, as it is if the app raises. By default responses below 500 are stored, except
            those that ask for the same request again: 307, 308, 401, 406, 407, 408, 409, 417, 421,
            423, 425, 428 and 429.
        lease: how long a request may run. After this time, its worker is considered dead. Must
            exceed the time limit of the server.
        unknown_outcome: how to handle a repeat if the worker of the first request has died, and
            nobody knows whether the request was carried out. ``"run"`` runs the repeat, logs a
            warning, adds the header ``Idempotency-Previous-Outcome: unknown`` and tells the app in
            its state. ``"refuse"`` refuses it with 409 for as long as the record is kept.
        encryption_keys: keys of 32 random bytes that encrypt the records (AES-256-GCM): the first
            key encrypts, all keys decrypt. Each is bytes, or text in hexadecimal or Base64,
            optionally in a `Secret`.
        mode: ``"enforce"``; ``"report"``, which logs and changes nothing; ``"off"``; or a mapping
            of route patterns to these.

    Raises:
        ImportError: an optional library is not installed; the message names the extra.
        TypeError: an option has the wrong type.
        ValueError: an option is out of range, or contradicts another one.
    """

    position = 110
    position_reason = "a response may be stored before {} has decided about it"
    inner_reason = "replays are sent before {} has decided about the request"
    request_headers = HeaderNames(_KEY, *METHOD_OVERRIDES)

    def __init__(
        self,
        *,
        store: str | RecordStore,
        methods: Iterable[str] = ("POST", "PATCH"),
        required: Iterable[str] = (),
        keep: str | float = "24h",
        max_body: int = 1024 * 1024,
        max_response: int = 256 * 1024,
        by: Callable[[Request], str | None] | None = None,
        stored: StatusCondition | None = None,
        lease: str | float = "60s",
        unknown_outcome: Literal["run", "refuse"] = "run",
        encryption_keys: Sequence[object] | None = None,
        mode: ModeOption = "enforce",
    ) -> None:
        self.mode = check_mode(mode)
        self._methods = _check_methods(methods)
        self._ignored = METHODS - self._methods
        self._required = _check_required(required, self._methods)
        self._lease = check_duration("lease", lease, least=1, most=_DAY)
        kept = check_duration("keep", keep, least=1, most=366 * _DAY)
        if kept <= self._lease:
            raise ValueError(f"keep must be longer than lease, but is {keep!r} and {lease!r}")
        self._max_body = check_int("max_body", max_body, unit="bytes")
        for option, function in (("by", by), ("stored", stored)):
            if function is not None and not is_plain_function(function):
                raise TypeError(f"{option} must be a function (def), not {function!r}")
        self._by = by
        if unknown_outcome not in ("run", "refuse"):
            raise ValueError(f'unknown_outcome must be "run" or "refuse", not {unknown_outcome!r}')
        self._refuses_unknown = unknown_outcome == "refuse"
        self._settings = Settings(
            format=RecordFormat(encryption_keys),
            keep=kept,
            max_response=check_int("max_response", max_response, unit="bytes"),
            is_stored=stored or _is_final,
            throttle=LogThrottle(logging.getLogger("mantlet.idempotency")),
        )
        if isinstance(store, str):
            store = create_record_store(store, name="idempotency")
        elif not isinstance(store, RecordStore):
            raise TypeError(f"store must be a URI or a RecordStore, not {type(store).__name__}")
        #: The store, bound for use outside and on an event loop.
        self._stores = BoundStores(store)
        unused = ("open", "startup"), ("close", "shutdown")
        self.disabled_hooks = frozenset(
            hook
            for name, hook in unused
            if getattr(type(store), name) is getattr(RecordStore, name)
        )
        #: The methods and paths of recent requests that need no key.
        self._known: set[tuple[str, str]] = set()

    # -- on the way in -----------------------------------------------------------------------------

    def on_request(self, request: Request) -> Reply | Awaitable[Reply | None] | None:
        """Let a request run if it is the first with its key; otherwise respond to it."""
        method = request.raw.get(request.method_key)
        if method is None:  # a handshake
            return None
        found = request.declared_headers(self.request_headers)
        if method in self._methods:
            if _KEY in found:
                return start_eagerly(self._begin(request, found[_KEY]))
            if self._required is None:
                return None
            is_known = (method, request.literal_path) in self._known
        else:
            is_known = method in self._ignored
        if is_known and _OVERRIDES.isdisjoint(found):  # the usual case, at no further cost
            return None
        return self._consider(request, found)

    def _consider(
        self, request: Request, found: Mapping[str, str]
    ) -> Reply | Awaitable[Reply | None] | None:
        """Do the same as `on_request()` if the method or the path needs a closer look."""
        method = request.method
        replaced = [found[name].strip() for name in METHOD_OVERRIDES if name in found]
        if method not in self._methods:
            readings = {one.upper() for one in (method, *replaced)}
            if self._methods.isdisjoint(readings):
                return None
        if _KEY in found:
            return start_eagerly(self._begin(request, found[_KEY]))
        if self._required is None:
            return None
        if any(
            entries
            for one in (method, *replaced)
            for entries in self._required.match_all(one, request.route_paths)
        ):
            return MISSING.reply(request)
        path = request.literal_path
        if not replaced and path is not None and len(path) <= _MAX_PATH:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known.add((method, path))
        return None

    async def _begin(self, request: Request, text: str) -> Reply | None:
        key = parse_key(text)
        if key is None:
            return MALFORMED.reply(request)
        owner = None if self._by is None else self._by(request)
        if owner is None:
            record = record_key(owner_of(request, key), key)
        elif isinstance(owner, str):
            record = record_key(("by", owner), key)
        else:
            raise TypeError(f"by must return text or None, not {type(owner).__name__}")
        fingerprint = await self._fingerprint(request)
        run = Run(self._settings, self._stores[request.is_async], request, record, fingerprint)
        try:
            existing = await run.create()
            if existing is not None:
                return await self._repeat(request, key, run, existing)
        except (StoreError, UnreadableRecord) as error:
            run.warn(f"was refused with 503, since its record is unavailable: {error}")
            return UNAVAILABLE.reply(request)
        self._start(request, key, run, is_unknown=False)
        return None

    async def _fingerprint(self, request: Request) -> bytes:
        hashed = fingerprint_of(request)
        if self._max_body <= _MEMORY:
            body = request.body_eagerly(self._max_body)
            hashed.update(body if isinstance(body, bytes) else await body)
        else:
            async for chunk in request.chunks(self._max_body, memory=_MEMORY):
                hashed.update(chunk)
        digest: bytes = hashed.digest()
        return digest

    async def _repeat(self, request: Request, key: str, run: Run, existing: Record) -> Reply | None:
        """Respond to a repeat from the record of the first request, or let the repeat run."""
        record = self._settings.format.read(run.key, existing.value)
        if record.kind == RESPONDED and record.fingerprint == run.fingerprint:
            reply = record.reply()
            request._add_header(_REPLAYED, "true")
            if "cache-control" in [name.lower() for name, _ in reply.headers]:
                request._add_header(_AGE, f"{existing.age:.0f}")
            return reply
        problem = self._refusal(record, run, existing.age)
        if problem is not None:
            return problem.reply(request)
        if not await run.take_over(
            existing.value
        ):  # changed by another repeat, or by a slow worker
            return OUTSTANDING.reply(request)
        run.warn(
            f"runs again, since a request with its key has begun and not ended within "
            f"{self._lease:g} s: whether it was carried out is unknown"
        )
        request._add_header(_PREVIOUS_OUTCOME, "unknown")
        self._start(request, key, run, is_unknown=True)
        return None

    def _refusal(self, record: IdempotencyRecord, run: Run, age: float) -> FixedProblem | None:
        """Return the problem for a repeat without a stored response, or None if it may run."""
        if record.fingerprint != run.fingerprint:
            return REUSED
        if record.kind == COMPLETED:
            return NO_RESPONSE
        if age < self._lease and record.kind != UNFINISHED:
            return OUTSTANDING
        if record.kind == STREAMING:
            return NO_RESPONSE
        return UNKNOWN if self._refuses_unknown else None

    def _start(self, request: Request, key: str, run: Run, *, is_unknown: bool) -> None:
        """Let the app have a request."""
        request.local(self)["run"] = run
        state = request.state
        state.idempotency = _KeyState(key, is_unknown)
        if run.is_transactional:
            state._before_commit += (run.commit,)

    # -- on the way out ----------------------------------------------------------------------------

    def on_response(self, request: Request, response: Response) -> Awaitable[None] | None:
        """Store the response of a request with a key, or free the key if it is not to be stored."""
        if request._local is None:
            return None
        run: Run | None = request.local(self).get("run")
        if run is None:
            return None
        if run.committed is response:
            run.end_commit(response)
            return None
        return start_eagerly(run.settle(response))

    def on_error(self, request: Request, error: BaseException) -> Awaitable[None] | None:
        """Free the key of a failed request, unless it was interrupted and may have succeeded.

        After a cancellation or a disconnect of the client, nobody knows how far the app has come.
        The key then stays in flight until its lease ends.
        """
        if request._local is None:
            return None
        run: Run | None = request.local(self).get("run")
        if run is None or not isinstance(error, Exception) or is_disconnect(error):
            return None
        return start_eagerly(run.free())

    # -- outside of exchanges ----------------------------------------------------------------------

    def startup(self) -> Awaitable[None] | None:
        """Open the store."""
        return self._stores[is_on_loop()].open()

    def needs_startup(self, request: Request) -> bool:
        """Return whether a request may need the store, because it has a key."""
        found = request.declared_headers(self.request_headers)
        method = request.raw.get(request.method_key, "GET")
        return _KEY in found and not (method in self._ignored and _OVERRIDES.isdisjoint(found))

    def shutdown(self) -> Awaitable[None] | None:
        """Close the store."""
        return self._stores[is_on_loop()].close()

    async def health(self) -> Mapping[str, HealthState]:
        """Return whether the store responds."""
        try:
            deleted = self._stores[is_on_loop()].delete(_PROBE, b"")
            if not isinstance(deleted, bool):
                await deleted
        except StoreError:
            return {"store": "down"}
        return {"store": "ok"}


def _is_final(status: int) -> bool:
    return status < 500 and status not in _TRY_AGAIN


def _check_methods(methods: Iterable[str]) -> frozenset[str]:
    """Return the methods of the option.

    Raises:
        TypeError: the option is not an iterable of texts.
        ValueError: the option is empty, or contains a method that needs no key.
    """
    if isinstance(methods, str | bytes) or not isinstance(methods, Iterable):
        raise TypeError(f'methods must be several, such as {{"POST", "PATCH"}}, not {methods!r}')
    found = frozenset(methods)
    for method in found:
        if not isinstance(method, str):
            raise TypeError(f'methods must hold texts such as "POST", not {method!r}')
        if method not in METHODS:
            raise ValueError(f'methods must be registered ones such as "POST", not {method!r}')
        if method in _SAFE:
            raise ValueError(f"methods must not contain {method}, which is safe to repeat as it is")
    if not found:
        raise ValueError('methods must not be empty; use mode="off" to turn the policy off')
    return found


def _check_required(patterns: Iterable[str], methods: frozenset[str]) -> Routes[bool] | None:
    """Return the routes that need a key, or None if the option is empty.

    Raises:
        TypeError: the patterns are not a list of texts.
        ValueError: a pattern is malformed, or its method is not in ``methods``.
    """
    if isinstance(patterns, str | bytes) or not isinstance(patterns, Iterable):
        raise TypeError(
            f'required must be a list of patterns such as ["POST /payments"], not {patterns!r}'
        )
    given = list(patterns)
    for text in given:
        others = {*parse_pattern(text).methods} - methods - {"*"}
        if others:
            raise ValueError(
                f"required has the pattern {text!r}, but methods has no {', '.join(sorted(others))}"
            )
    return Routes((text, True) for text in given) if given else None

"""Run a request under its key, and keep its record up to date."""

import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from mantlet._internal.coroutines import start_eagerly
from mantlet._internal.log_throttle import LogThrottle
from mantlet._internal.printable import printable
from mantlet.core.request import Request
from mantlet.core.response import Response
from mantlet.core.statuses import StatusCondition
from mantlet.exceptions import StoreError
from mantlet.http.routing import METHODS
from mantlet.idempotency.problems import OUTSTANDING
from mantlet.idempotency.records import (
    COMPLETED,
    IN_FLIGHT,
    RESPONDED,
    STREAMING,
    TOKEN_SIZE,
    UNFINISHED,
    RecordFormat,
    response_payload,
)
from mantlet.stores.records import Record, RecordStore

__all__ = ["Run", "Settings"]

_log: Final = logging.getLogger("mantlet.idempotency")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that all requests of a policy share; see `Idempotency` for each.

    Attributes:
        format: the format of the records.
        keep: how long to keep a record, in seconds.
        max_response: the maximum size of a stored response, in bytes.
        is_stored: returns whether to store the response of a status code.
        throttle: the throttle of the log.
    """

    format: RecordFormat
    keep: float
    max_response: int
    is_stored: StatusCondition
    throttle: LogThrottle


class Run:
    """A request that runs under its key, or tries to.

    Args:
        settings: the settings of the policy.
        store: the store, bound to the request's protocol.
        request: the request.
        key: the key of its record.
        fingerprint: the fingerprint of the request.

    Attributes:
        key: see above.
        fingerprint: see above.
        value: the record that this worker has stored.
        committed: the response that is stored in the app's transaction, or None.
    """

    __slots__ = (
        "_committed_value",
        "_is_unknown",
        "_method",
        "_request_id",
        "_settings",
        "_store",
        "_token",
        "committed",
        "fingerprint",
        "key",
        "value",
    )

    def __init__(
        self,
        settings: Settings,
        store: RecordStore,
        request: Request,
        key: bytes,
        fingerprint: bytes,
    ) -> None:
        self._settings = settings
        self._store = store
        # Not the request itself, which would form a reference cycle.
        self._method = request.method
        self._request_id = request.state._request_id or "-"
        #: Tells this worker's records apart from those of others.
        self._token = os.urandom(TOKEN_SIZE)
        self.key = key
        self.fingerprint = fingerprint
        self.committed: Response | None = None
        #: Whether an earlier request with the key may have run.
        self._is_unknown = False
        self._committed_value = b""
        self.value = self._written(IN_FLIGHT)

    def _written(self, kind: int, payload: bytes = b"") -> bytes:
        return self._settings.format.write(self.key, kind, self._token, self.fingerprint, payload)

    @property
    def is_transactional(self) -> bool:
        """Whether the record can be stored in a transaction of the app."""
        return self._store.is_transactional

    async def create(self) -> Record | None:
        """Store the record, or return the existing one.

        Raises:
            StoreError: the store is unavailable.
        """
        found = self._store.create(self.key, self.value, self._settings.keep)
        return found if found is None or isinstance(found, Record) else await found

    async def take_over(self, value: bytes) -> bool:
        """Replace the record of another worker; return whether that record was still stored.

        Args:
            value: the record of the other worker.

        Raises:
            StoreError: the store is unavailable.
        """
        self._is_unknown = True
        taken = self._store.replace(self.key, value, self.value, self._settings.keep)
        return taken if isinstance(taken, bool) else await taken

    async def settle(self, response: Response) -> None:
        """Store the response, or free the key if the response is not to be stored.

        The record of a stream first says that the response is missing: if the stream breaks off or
        the worker dies, the request has been carried out nevertheless.
        """
        if not self._settings.is_stored(response.status):
            await self.free()
            return
        body = _whole_body(response)
        if body is not None:
            await self.store(*self.outcome(response, body))
        elif self._is_collected(response):
            await self.store(STREAMING)
            self._collect(response)
        else:
            await self.store(COMPLETED)

    def outcome(self, response: Response, body: bytes | None) -> tuple[int, bytes]:
        """Return the kind and the payload of the record of a response.

        Args:
            response: the response.
            body: its whole body, or None if the body is unknown.
        """
        length = response.headers.get("Content-Length")
        is_whole = (
            length is None or response.status in (204, 304) or length == str(len(body or b""))
        )
        if body is not None and is_whole:
            payload = response_payload(response, body, self._settings.max_response)
            if payload is not None:
                return RESPONDED, payload
        return COMPLETED, b""

    def _is_too_long(self, response: Response) -> bool:
        length = response.headers.get("Content-Length") or ""
        most = self._settings.max_response
        return length.isdecimal() and (len(length) > 18 or int(length) > most)

    # Any: a session of the app's database.
    def commit(self, session: Any, response: Response) -> Awaitable[None] | None:
        """Store the response in the transaction of the app, just before the commit.

        Raises:
            Problem: a repeat has taken over the key, so the transaction must not be committed.
        """
        if not self._settings.is_stored(response.status):
            return None
        body = _whole_body(response)
        outcome = self.outcome(response, body)
        if body is None and self._is_collected(response):
            outcome = STREAMING, b""
        value = self._written(*outcome)
        args = session, self.key, self.value, value, self._settings.keep
        return start_eagerly(self._note_commit(response, value, self._store.replace_in(*args)))

    async def _note_commit(
        self, response: Response, value: bytes, replaced: bool | Awaitable[bool]
    ) -> None:
        if not (replaced if isinstance(replaced, bool) else await replaced):
            raise OUTSTANDING
        self.committed, self._committed_value = response, value

    def end_commit(self, response: Response) -> None:
        """Continue after the commit: collect a stream, and store it at its end."""
        self.value = self._committed_value
        if _whole_body(response) is None and self._is_collected(response):
            self._collect(response)

    def _is_collected(self, response: Response) -> bool:
        return not (response.has_trailers or self._is_too_long(response))

    def _collect(self, response: Response) -> None:
        collector = _Collector(self, response, self._settings.max_response)
        response.transform(collector, keeps_length=True, keeps_etag=True)

    async def free(self) -> None:
        """Free the key. If it was taken over, record that the first outcome is still unknown."""
        if self._is_unknown:
            await self.store(UNFINISHED)
        else:
            await self._change(partial(self._store.delete, self.key, self.value))

    async def store(self, kind: int, payload: bytes = b"") -> None:
        """Replace the record. If the response does not fit, store a record without it."""
        value = self._written(kind, payload)
        args = self.key, self.value, value, self._settings.keep
        done = await self._change(partial(self._store.replace, *args))
        if done:
            self.value = value
        elif done is None and kind == RESPONDED:
            await self.store(COMPLETED)

    async def _change(self, change: Callable[[], bool | Awaitable[bool]]) -> bool | None:
        """Change the record of a request that has run. Its response is sent in any case.

        Returns:
            Whether the record was changed; None if the store was unavailable or full.
        """
        try:
            done = change()
            if not isinstance(done, bool):
                done = await _persist(done, change)
        except StoreError as error:
            self.warn(f"has run, but its record could not be changed: {error}")
            return None
        if not done:
            self.warn("has run for longer than its lease, and a repeat has taken over its key")
        return done

    def warn(self, text: str) -> None:
        """Log a warning about the request.

        Args:
            text: the end of the message, without any input from the client.
        """
        suppressed = self._settings.throttle.suppressed(text)
        if suppressed is None:
            return
        more = f" (and {suppressed} more like it)" if suppressed else ""
        _log.warning(
            "Idempotency: %s request %s %s%s (record %s)",
            self._method if self._method in METHODS else "-",
            self._request_id,
            printable(text, 500),
            more,
            self.key.hex()[:16],
            extra={"policy": "Idempotency", "request_id": self._request_id, "repeats": suppressed},
        )


class _Collector:
    """A filter that collects the chunks of a stream, and stores them at its end.

    Args:
        run: the request under its key.
        response: its response.
        most: the maximum number of bytes to collect.
    """

    def __init__(self, run: Run, response: Response, most: int) -> None:
        self._run = run
        self._response = response
        #: A copy of the app's response, since outer policies change theirs before the body ends.
        self._sent = response._copy()
        self._most = most
        #: The chunks so far; None once they exceed the maximum.
        self._body: bytearray | None = bytearray()

    def __call__(self, chunk: bytes, more: bool) -> bytes | Awaitable[bytes]:
        """Collect a chunk, and return it unchanged."""
        body = self._body
        if body is not None:
            if len(body) + len(chunk) > self._most:
                body = self._body = None
            else:
                body += chunk
        return chunk if more else start_eagerly(self._end(chunk))

    async def _end(self, chunk: bytes) -> bytes:
        whole = None
        if self._body is not None and not self._response.broke_off:
            whole = bytes(self._body)
        self._body = None
        await self._run.store(*self._run.outcome(self._sent, whole))
        return chunk


def _whole_body(response: Response) -> bytes | None:
    """Return the body of a response if it is complete and has no trailers, else None."""
    if response.has_trailers:
        return None
    return b"" if response.status in (204, 304) else response.full_body


async def _persist(waiting: Awaitable[bool], change: Callable[[], bool | Awaitable[bool]]) -> bool:
    """Await a change. If the task is canceled meanwhile, make the change before it ends."""
    try:
        return await waiting
    except (Exception, GeneratorExit):
        raise
    except BaseException:
        again = change()  # does nothing if the first change was made
        if not isinstance(again, bool):
            await again
        raise

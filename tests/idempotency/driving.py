"""An app that counts what it does, and stores that fail, for the tests of `Idempotency`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Idempotency, Policy, Reply, StoreOutage
from mantlet.stores.memory import MemoryRecords
from mantlet.stores.records import Record, RecordStore
from mantlet.testing import PROTOCOLS, PolicyClient

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from mantlet import Request
    from mantlet.testing import AppRequest, Protocol, ReceivedResponse

both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS)

KEY = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Store(RecordStore):
    """Records in memory, over which a test has power.

    Attributes:
        clock: its clock.
        records: what keeps them.
        fails: whether a call fails, by its name, before anything is done.
        fails_after: the same, after it is done.
        calls: the names of all calls.
        is_async: whether calls have to be awaited, on an event loop.
    """

    def __init__(self, *, is_async: bool = False) -> None:
        self.clock = Clock()
        self.records = MemoryRecords(clock=self.clock)
        self.fails: set[str] = set()
        self.fails_after: set[str] = set()
        self.calls: list[str] = []
        self.is_async = is_async

    # Any: the arguments and the results of each method.
    def _call(self, name: str, *args: Any) -> Any:
        if self.is_async and _on_loop():
            return self._later(name, *args)
        return self._now(name, *args)

    def _now(self, name: str, *args: Any) -> Any:
        self.calls.append(name)
        if name in self.fails:
            raise StoreOutage("the test has switched it off")
        result = getattr(self.records, name)(*args)
        if name in self.fails_after:
            raise StoreOutage("the test has switched it off, later")
        return result

    async def _later(self, name: str, *args: Any) -> Any:
        await asyncio.sleep(0)
        result = self._now(name, *args)
        await asyncio.sleep(0)
        return result

    def create(
        self, key: bytes, value: bytes, seconds: float
    ) -> Record | Awaitable[Record | None] | None:
        result: Record | Awaitable[Record | None] | None = self._call("create", key, value, seconds)
        return result

    def replace(
        self, key: bytes, old: bytes, value: bytes, seconds: float
    ) -> bool | Awaitable[bool]:
        result: bool | Awaitable[bool] = self._call("replace", key, old, value, seconds)
        return result

    def delete(self, key: bytes, old: bytes) -> bool | Awaitable[bool]:
        result: bool | Awaitable[bool] = self._call("delete", key, old)
        return result

    @property
    def values(self) -> list[bytes]:
        """The values of all records."""
        return [entry[0] for entry in self.records._entries.values()]


def _on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


#: Makes the response to a request, from it and the number of the request.
Respond = Callable[[Any, int], Any]


class Payments:
    """An app that does something new for each request.

    Args:
        respond: makes the response to a request, from it and the number of the request.
    """

    def __init__(self, respond: Callable[[AppRequest, int], Any] | None = None) -> None:
        self._numbers = count(1)
        self._respond = respond
        self.count = 0

    # Any: a request of the client's, or none.
    def __call__(self, request: Any) -> Any:
        self.count += 1
        if self._respond is not None:
            return self._respond(request, self.count)
        return Reply(201, {"Location": f"/payments/{self.count}"}, f"payment {self.count}")


class Whole(Policy):
    """Gives the responses of an app in one piece, as frameworks do."""

    def __init__(self, app: Payments) -> None:
        self._app = app

    def on_request(self, request: Request) -> Reply:
        reply: Reply = self._app(None)
        return reply


class Shop:
    """An app behind a policy, with a store that the test has power over.

    Args:
        protocol: the protocol.
        respond: see `Payments`.
        outer: policies around it.
        inner: policies within it.
        is_async: see `Store`.
        is_whole: whether responses are in one piece, and not streams of one chunk.
        baseline: whether to add the baseline.
        options: of the policy.
    """

    def __init__(
        self,
        protocol: Protocol,
        respond: Respond | None = None,
        *,
        outer: tuple[Policy, ...] = (),
        inner: tuple[Policy, ...] = (),
        store: RecordStore | None = None,
        is_async: bool = False,
        is_whole: bool = False,
        baseline: bool = False,
        **options: Any,
    ) -> None:
        self.store = Store(is_async=is_async)
        self.app = Payments(respond)
        self.policy = Idempotency(store=store or self.store, **options)
        if is_whole:
            inner += (Whole(self.app),)
        self.client = PolicyClient(
            *outer, self.policy, *inner, app=self.app, protocol=protocol, baseline=baseline
        )

    @property
    def count(self) -> int:
        """How many requests the app has got."""
        return self.app.count

    def pay(
        self,
        key: str | None = KEY["Idempotency-Key"],
        body: bytes | str = b'{"amount": 5}',
        *,
        method: str = "POST",
        path: str = "/payments",
        **headers: str,
    ) -> ReceivedResponse:
        """Send a request; underscores in the names of headers are hyphens."""
        pairs = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            pairs["Idempotency-Key"] = key
        pairs.setdefault("Content-Type", "application/json")
        return self.client.request(method, path, headers=pairs, body=body)


def is_replay(response: ReceivedResponse) -> bool:
    """Return whether a response says that it is a replay."""
    return response.headers.get("Idempotency-Replayed") == "true"

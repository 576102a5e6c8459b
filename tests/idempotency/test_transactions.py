"""A record that is stored in the app's own transaction: it is there if, and only if, that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Policy, Problem, Reply
from mantlet.stores.memory import MemoryRecords
from tests.idempotency.driving import Clock, Shop, both_protocols, is_replay

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from mantlet import Request, Response
    from mantlet.testing import AppRequest, Protocol

ASYNC = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


class Killed(BaseException):
    """The worker stops here."""


class Session:
    """A transaction: what is to be done when it is committed."""

    def __init__(self) -> None:
        self.changes: list[Any] = []


class Records(MemoryRecords):
    """Records in the database of the app."""

    is_transactional = True

    def __init__(self, clock: Clock, *, is_async: bool) -> None:
        super().__init__(clock=clock)
        self._is_async = is_async

    def replace_in(
        self, session: Session, key: bytes, old: bytes, value: bytes, seconds: float
    ) -> bool | Awaitable[bool]:
        entry = self._entries.get(key)
        is_held = entry is not None and entry[0] == old
        session.changes.append(lambda: self.replace(key, old, value, seconds))
        return self._later(is_held) if self._is_async else is_held

    async def _later(self, result: bool) -> bool:
        return result


class UnitOfWork(Policy):
    """Commits before the head is sent, as that of `mantlet.database` does."""

    position = 120

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.fails: BaseException | None = None
        self.dies: str | None = None

    async def on_response(self, request: Request, response: Response) -> None:
        """Commit if the response is a success."""
        session = Session()
        session.changes.append(lambda: self.rows.append("payment"))
        if response.status >= 400:
            return
        for hook in request.state._before_commit:
            waiting = hook(session, response)
            if waiting is not None:
                await waiting
        if self.dies == "before":
            raise Killed
        if self.fails is not None:
            raise self.fails
        for change in session.changes:
            change()
        if self.dies == "after":
            raise Killed


class Bank:
    """A shop whose payments are rows of a database."""

    def __init__(self, protocol: Protocol, respond: Any = None, *, is_async: bool) -> None:
        self.clock = Clock()
        self.work = UnitOfWork()
        self.records = Records(self.clock, is_async=is_async)
        self.shop = Shop(protocol, respond, inner=(self.work,), store=self.records)


@both_protocols
@ASYNC
def test_a_commit_stores_the_response(protocol: Protocol, is_async: bool) -> None:
    """And a repeat commits nothing."""

    class Whole(Policy):
        def on_request(self, _request: Request) -> Reply:
            return Reply(201, {}, b"paid")

    bank = Bank(protocol, is_async=is_async)
    shop = Shop(protocol, inner=(bank.work, Whole()), store=bank.records)
    assert [is_replay(shop.pay()) for _ in range(3)] == [False, True, True]
    assert bank.work.rows == ["payment"]
    assert shop.pay().body == b"paid"


@both_protocols
@ASYNC
def test_a_stream_is_stored_at_its_end(protocol: Protocol, is_async: bool) -> None:
    """It begins after the commit, which says that there is no response yet."""
    bank = Bank(protocol, lambda *_: iter([b"a", b"b"]), is_async=is_async)
    assert bank.shop.pay().body == b"ab"
    repeat = bank.shop.pay()
    assert (is_replay(repeat), repeat.body) == (True, b"ab")
    assert bank.work.rows == ["payment"]


@both_protocols
@ASYNC
@pytest.mark.parametrize(
    "failure", [LookupError("serialization"), Problem(409), Problem(503)], ids=repr
)
def test_a_commit_that_fails_stores_nothing(
    protocol: Protocol, is_async: bool, failure: Exception
) -> None:
    """The key is free again."""
    bank = Bank(protocol, is_async=is_async)
    bank.work.fails = failure
    if isinstance(failure, Problem):
        assert bank.shop.pay().status == failure.status
    else:
        with pytest.raises(LookupError):
            bank.shop.pay()
    bank.work.fails = None
    assert bank.shop.pay().status == 201
    assert bank.work.rows == ["payment"]


@both_protocols
@ASYNC
def test_a_commit_that_fails_for_good_is_stored(protocol: Protocol, is_async: bool) -> None:
    """The envelope's 422 would come again."""
    bank = Bank(protocol, is_async=is_async)
    bank.work.fails = Problem(422, detail="no such account")
    assert [bank.shop.pay().status for _ in range(2)] == [422, 422]
    assert bank.shop.count == 1
    assert is_replay(bank.shop.pay())


@both_protocols
@ASYNC
def test_a_rolled_back_request_is_stored_by_itself(protocol: Protocol, is_async: bool) -> None:
    """If its response is to be kept."""
    bank = Bank(protocol, lambda *_: Reply(404), is_async=is_async)
    assert [is_replay(bank.shop.pay()) for _ in range(2)] == [False, True]


@both_protocols
@ASYNC
@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_worker_is_killed(protocol: Protocol, is_async: bool, dies: str) -> None:
    """Before the commit nothing is stored, after it everything: there is one payment in the end."""
    bank = Bank(protocol, is_async=is_async)
    bank.work.dies = dies
    with pytest.raises(Killed):
        bank.shop.pay()
    bank.work.dies = None
    if dies == "before":
        assert bank.shop.pay().headers["Retry-After"] == "1"
        bank.clock.now += 60
        assert bank.shop.pay().headers["Idempotency-Previous-Outcome"] == "unknown"
    else:
        bank.clock.now += 60
        assert bank.shop.pay().status == 409  # the app streams, and has not come to the end
    assert bank.work.rows == ["payment"]


@both_protocols
@ASYNC
def test_a_slow_worker_does_not_commit(protocol: Protocol, is_async: bool) -> None:
    """A repeat has taken over its key, and has paid."""
    bank: Bank

    def respond(_request: AppRequest, number: int) -> Reply:
        if number == 1:
            bank.clock.now += 61
            within = Shop("wsgi", inner=(bank.work,), store=bank.records)
            bank.records._is_async = False
            assert within.pay().status == 201
            bank.records._is_async = is_async
        return Reply(201)

    bank = Bank(protocol, respond, is_async=is_async)
    assert bank.shop.pay().status == 409
    assert bank.work.rows == ["payment"]

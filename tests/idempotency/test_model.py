"""Random requests, clients, keys and failures, under both protocols, against a small model."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mantlet import Idempotency, Identity, Policy, Reply
from mantlet.testing import PROTOCOLS, PolicyClient
from tests.idempotency.driving import Store

if TYPE_CHECKING:
    from mantlet import Request
    from mantlet.testing import AppRequest, Protocol, ReceivedResponse

LEASE, KEEP = 60, 600

#: What the app does: it answers at once, with a response that is kept or not; it streams; it
#: raises; its stream breaks off; its worker dies.
Behaviour = Literal["pay", "refuse", "later", "big", "stream", "raise", "break", "die"]
BEHAVIOURS: tuple[Behaviour, ...] = (
    *("pay", "refuse", "later", "big"),
    *("stream", "raise", "break", "die"),
)
#: The calls of the store that fail, and whether they have done their work before.
FAULTS = [(), ("create",), ("replace",), ("delete",), ("create", "replace", "delete")]


class Died(BaseException):
    """The worker stops here."""


class Failed(Exception):
    """The app fails."""


class Identify(Policy):
    """Knows who is asking."""

    def on_request(self, request: Request) -> None:
        """Set the identity."""
        request.state.identity = Identity(request.headers["X-User"], "test")


@dataclass
class Expected:
    """A record, as the model has it."""

    kind: Literal["in flight", "unfinished", "streaming", "completed", "responded"]
    body: bytes
    since: float
    response: tuple[int, bytes] = (0, b"")
    is_unknown: bool = False


class Model(RuleBasedStateMachine):
    """Two workers, one of each protocol, share a store."""

    @initialize(is_async=st.booleans(), is_encrypted=st.booleans())
    def begin(self, is_async: bool, is_encrypted: bool) -> None:
        """Start the workers."""
        self.store = Store(is_async=is_async)
        self.records: dict[tuple[str, str], Expected] = {}
        self.runs = self.expected_runs = 0
        self.behaviour: Behaviour = "pay"
        keys = [bytes(range(32))] if is_encrypted else None
        model = self

        class Whole(Policy):
            """Answers in one piece."""

            def on_request(self, request: Request) -> Reply | None:
                return model.reply(request.headers["X-User"])

        policy = Idempotency(
            store=self.store, lease=LEASE, keep=KEEP, max_response=500, encryption_keys=keys
        )
        self.clients = {
            protocol: PolicyClient(Identify(), policy, Whole(), app=self.stream, protocol=protocol)
            for protocol in PROTOCOLS
        }

    def reply(self, user: str) -> Reply | None:
        """Do what the app is to do, if that needs no stream."""
        self.runs += 1
        text = f"{self.runs} of {user}"
        if self.behaviour == "raise":
            raise Failed
        if self.behaviour == "die":
            raise Died
        if self.behaviour in ("stream", "break"):
            return None
        status = {"pay": 201, "refuse": 422, "later": 429, "big": 200}[self.behaviour]
        return Reply(status, {"X-Run": text}, text * (100 if self.behaviour == "big" else 1))

    def stream(self, request: AppRequest) -> Any:
        """Do the rest."""
        yield f"{self.runs} of ".encode()
        if self.behaviour == "break":
            raise Failed
        yield (request.headers["X-User"] or "").encode()

    @rule(seconds=st.sampled_from([10, 50, 70, 590]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.store.clock.now += seconds

    @rule(
        protocol=st.sampled_from(PROTOCOLS),
        user=st.sampled_from(["ann", "bob"]),
        key=st.sampled_from(["a", "b"]),
        body=st.sampled_from([b"5", b"5", b"5", b"6"]),
        behaviour=st.sampled_from(BEHAVIOURS),
        faults=st.sampled_from(FAULTS),
        is_late=st.booleans(),
    )
    def pay(
        self,
        *,
        protocol: Protocol,
        user: str,
        key: str,
        body: bytes,
        behaviour: Behaviour,
        faults: tuple[str, ...],
        is_late: bool,
    ) -> None:
        """Send a request, and compare all that happens."""
        self.behaviour = behaviour
        self.store.fails = set() if is_late else {*faults}
        self.store.fails_after = {*faults} if is_late else set()
        self.late = is_late
        self.faults = faults
        before = self.runs
        received: ReceivedResponse | None = None
        with suppress(Failed, Died):
            received = self.clients[protocol].post(
                "/", body=body, headers={"X-User": user, "Idempotency-Key": key}
            )
        expected = self.expect(user, key, body)
        if expected == "run":
            self.expected_runs += 1
            assert self.runs == before + 1
            if behaviour in ("raise", "die", "break"):
                assert received is None
            else:
                assert received is not None
                assert received.body.startswith(f"{self.runs} of {user}".encode())
                self.ran(user, key, (received.status, received.body))
                return
            self.ran(user, key, (0, b""))
        else:
            assert received is not None
            assert self.runs == before
            if isinstance(expected, int):
                assert received.status == expected
                assert "Idempotency-Replayed" not in received.headers
            else:
                assert (received.status, received.body) == expected
                assert received.headers["Idempotency-Replayed"] == "true"
                assert received.body.endswith(user.encode())

    def fails(self, call: str) -> bool:
        """Return whether a call fails, done or not."""
        return call in self.faults

    def undone(self, call: str) -> bool:
        """Return whether a call fails without having been done."""
        return call in self.faults and not self.late

    def expect(self, user: str, key: str, body: bytes) -> Literal["run"] | int | tuple[int, bytes]:
        """Return what becomes of a request: it runs, or gets a status, or a replay."""
        now = self.store.clock.now
        record = self.records.get((user, key))
        if record is not None and now - record.since >= KEEP:
            record = None
            del self.records[user, key]
        if record is None and not self.undone("create"):
            self.records[user, key] = Expected("in flight", body, now)
        if self.fails("create"):
            return 503
        if record is None:
            return "run"
        if record.body != body:
            return 422
        if record.kind == "responded":
            return record.response
        is_old = now - record.since >= LEASE
        if record.kind != "unfinished" and (record.kind != "in flight" or not is_old):
            return 409
        if not self.undone("replace"):
            record.kind, record.since, record.is_unknown = "in flight", now, True
        return 503 if self.fails("replace") else "run"

    def ran(self, user: str, key: str, response: tuple[int, bytes]) -> None:
        """Take note of how a request has ended."""
        record = self.records[user, key]
        if self.behaviour == "die":
            return
        if self.behaviour in ("raise", "later") and record.is_unknown:
            record.kind, record.since = "unfinished", self.store.clock.now
            return
        if self.behaviour in ("raise", "later"):
            if not self.undone("delete"):
                del self.records[user, key]
            return
        if self.undone("replace"):
            return
        record.since = self.store.clock.now
        if self.behaviour == "big":
            record.kind = "completed"
        elif self.behaviour in ("pay", "refuse"):
            record.kind, record.response = "responded", response
        elif self.fails("replace"):
            record.kind = "streaming"
        elif self.behaviour == "break":
            record.kind = "completed"
        else:
            record.kind, record.response = "responded", response

    @invariant()
    def runs_are_expected(self) -> None:
        """Nothing runs that the model does not know of."""
        if hasattr(self, "runs"):
            assert self.runs == self.expected_runs


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)

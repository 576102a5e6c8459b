"""However often a thing happens in requests, its log records are few and have no value in them."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

import mantlet
from mantlet import (
    ErrorEnvelope,
    Idempotency,
    OutputSanitizer,
    Policy,
    Problem,
    RateLimiter,
    Request,
    SchemaGuard,
    StoreError,
    Version,
    Versions,
)
from mantlet.errors import RequestId
from mantlet.secrets import Environment, Secret, SecretLoader, SecretModel
from mantlet.stores.memory import MemoryRecords
from mantlet.stores.records import Record
from mantlet.versions import header
from tests.drive import ADAPTERS, Adapter, both_adapters

REQUESTS = 101
#: The records of one kind: ten, and the 100th.
KIND = 11
OLD, NEW = "old-kR7-vT2_qX9.mB4w", "new-kR7-vT2_qX9.mB4w"

NUMBERS = count()
TEXT = ("content-type", "text/plain")


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")
    price: int


class App(SecretModel):
    token: Secret[str]


class Sealed(Policy):
    """Can't start, with an error that is expected or not."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def startup(self) -> None:
        raise self._error


class Broken(Policy):
    """Fails in each request."""

    def __init__(self, mode: Any = "enforce") -> None:
        super().__init__()
        self.mode = mode

    def on_request(self, request: Request) -> None:
        raise RuntimeError("a policy")


def fail(*_: Any) -> Any:
    raise RuntimeError("a function of the user's")


def hello(_: Any) -> Any:
    return 200, [TEXT], b"hello"


def leak(_: Any) -> Any:
    return 200, [TEXT, ("x-token", OLD)], f"token {OLD}".encode()


def leak_many(_: Any) -> Any:
    return 200, [TEXT], b"sk_" + b"live_4eC39HqLyjWDarjtT1zdp7%06d" % next(NUMBERS)


def raise_problem(_: Any) -> Any:
    raise Problem(404)


def rotated() -> Sequence[Policy]:
    """Return a loader whose secret has been replaced, and the policy that masks the old one."""
    environ = {"TOKEN": OLD}
    loader = SecretLoader(App, sources=[Environment(environ)], poll_interval=0)
    environ["TOKEN"] = NEW
    assert loader.current.token.reveal() == NEW
    return OutputSanitizer(secrets=loader, headers=None), loader


def failing() -> Sequence[Policy]:
    """Return a loader that can't read its secret any more, and tries with each request."""
    environ = {"TOKEN": OLD}
    loader = SecretLoader(App, sources=[Environment(environ)], poll_interval=0)
    del environ["TOKEN"]
    return (loader,)


def limiter(**options: Any) -> Sequence[Policy]:
    return (RateLimiter("1/hour", **options),)


def guard(**options: Any) -> Sequence[Policy]:
    return (SchemaGuard({"POST /": Item}, **options),)


class Down(MemoryRecords):
    """A store whose server is down."""

    def create(self, key: bytes, value: bytes, seconds: float) -> Record | None:
        raise StoreError("down")


def versions(**options: Any) -> Sequence[Policy]:
    return (Versions({"1": Version()}, read=[header("API-Version")], **options),)


Row = tuple[Callable[[], Sequence[Policy]], Callable[[Any], Any], dict[str, int]]

#: Policies, the app, and the records of all requests by their loggers.
ROWS: dict[str, Row] = {
    # In the body, and in a header.
    "rotated-secret": (rotated, leak, {"mantlet.sanitize": 2 * KIND}),
    "on-finding-fails": (
        lambda: [OutputSanitizer(secrets=[OLD], on_finding=fail)],
        leak,
        {"mantlet.sanitize": 3 * KIND},
    ),
    "sanitizer-reports": (
        lambda: [OutputSanitizer(secrets=[OLD], mode="report")],
        leak,
        {"mantlet.sanitize": 2 * KIND, "mantlet.report": KIND},
    ),
    "secrets-unreadable": (failing, hello, {"mantlet.secrets": 1}),
    "app-raises": (lambda: [ErrorEnvelope()], fail, {"mantlet.errors": KIND}),
    "app-raises-a-problem": (lambda: [ErrorEnvelope()], raise_problem, {"mantlet.errors": KIND}),
    "policy-raises": (lambda: [ErrorEnvelope(), Broken()], hello, {"mantlet.errors": KIND}),
    "on-exception-fails": (
        lambda: [ErrorEnvelope(on_exception=fail)],
        fail,
        {"mantlet.errors": 2 * KIND},
    ),
    "request-id-fails": (
        lambda: [ErrorEnvelope(request_id=RequestId(valid=fail))],
        hello,
        {"mantlet.errors": KIND},
    ),
    "limiter-refuses": (limiter, hello, {"mantlet.ratelimit": KIND}),
    "limiter-reports": (lambda: limiter(mode="report"), hello, {"mantlet.ratelimit": KIND}),
    "on-refuse-fails": (lambda: limiter(on_refuse=fail), hello, {"mantlet.ratelimit": 2 * KIND}),
    "guard-refuses": (guard, hello, {}),
    "guard-reports": (lambda: guard(mode="report"), hello, {"mantlet.guard": KIND}),
    "records-down": (lambda: [Idempotency(store=Down())], hello, {"mantlet.idempotency": KIND}),
    "by-fails-reports": (
        lambda: [Idempotency(store="memory://", by=fail, mode="report")],
        hello,
        {"mantlet.report": KIND},
    ),
    "caller-fails": (
        lambda: versions(default="1", caller=fail),
        hello,
        {"mantlet.versions": KIND},
    ),
    "version-missing-reports": (lambda: versions(mode="report"), hello, {"mantlet.report": KIND}),
    "policy-reports": (lambda: [Broken("report")], hello, {"mantlet.report": KIND}),
    "start-fails": (lambda: [Sealed(StoreError("sealed"))], hello, {"mantlet.startup": 1}),
    "start-raises": (lambda: [Sealed(ValueError("sealed"))], hello, {"mantlet.startup": 2}),
}


@both_adapters
@pytest.mark.parametrize("name", ROWS)
def test_records_of_one_fault_are_few(
    name: str, adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """At any level but ``DEBUG``."""
    make, handler, expected = ROWS[name]
    caplog.set_level(logging.INFO)
    app = mantlet.wrap(adapter.app(handler), *make(), baseline=False, startup="lazy")
    caplog.clear()
    for number in range(REQUESTS):
        body = b'{"member-%d": "of-client"}' % number
        headers = [("content-type", "application/json"), ("x-request-id", f"id-{number}")]
        headers.append(("idempotency-key", f"of-client-{number}"))
        adapter.drive(app, method="POST", headers=headers, body=body)
    assert Counter(one.name for one in caplog.records) == expected
    texts = caplog.text + repr([vars(one) for one in caplog.records])
    assert not any(text in texts for text in (OLD, NEW, "member-", "of-client"))


def test_records_of_many_faults_are_within_the_budget(caplog: pytest.LogCaptureFixture) -> None:
    """Each response has another value: 200 records, then one of each kind, and one that says so."""
    wsgi = ADAPTERS[1]
    app = mantlet.wrap(wsgi.app(leak_many), OutputSanitizer(), baseline=False)
    for _ in range(600):
        wsgi.drive(app)
    assert len(caplog.records) <= 200 + 256 + 1
    assert "The budget of this log is spent" in caplog.text

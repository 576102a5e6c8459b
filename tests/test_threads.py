"""Eight threads in one stack, switched as often as possible: each count and each response is exact.

The laws hold with the GIL and without it; a free-threaded interpreter makes the switches real.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from threading import Barrier, Event, Thread
from time import sleep
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from pydantic import BaseModel
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, select
from sqlalchemy.orm import sessionmaker

import mantlet
from mantlet import (
    Allow,
    Authenticator,
    Authorizer,
    Concurrency,
    Contract,
    Cors,
    CrossOrigin,
    ErrorEnvelope,
    Idempotency,
    Jwt,
    OutputSanitizer,
    Policy,
    RateLimiter,
    Reply,
    SchemaGuard,
    UnitOfWork,
    Version,
    keys,
)
from mantlet.secrets import Secret, SecretLoader, SecretModel
from mantlet.secrets.sources.source import SecretSource, select_values
from mantlet.versions import header
from tests.authentication.jwt.tokens import AUDIENCE, ISSUER, claims
from tests.drive import Adapter, WsgiAdapter, both_adapters, hello

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
    from pathlib import Path

    from mantlet import Request, Response
    from mantlet.secrets.sources.source import SecretField, SourceResult
    from tests.drive import Answer, Said

pytestmark = pytest.mark.slow

THREADS = 8
ALLOWED = "access-control-allow-origin"


@pytest.fixture(autouse=True)
def eager_switches() -> Iterator[None]:
    """Let the interpreter switch threads as often as possible."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def in_threads(work: Callable[[int], None], threads: int = THREADS) -> None:
    """Run a function in threads that begin at once, each with its number; raise the first error."""
    start = Barrier(threads)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            start.wait()
            work(number)
        except BaseException as error:
            errors.append(error)

    running = [Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if errors:
        raise errors[0]


def statuses(adapter: Adapter, app: Any, each: int, **options: Any) -> Counter[int | None]:
    """Return how many responses of each status eight threads get, with ``each`` requests each."""
    found: list[list[int | None]] = [[] for _ in range(THREADS)]

    def work(number: int) -> None:
        for _ in range(each):
            found[number].append(adapter.drive(app, **options).status)

    in_threads(work)
    return Counter(status for one in found for status in one)


# -- the limiter ----------------------------------------------------------------------------------


@both_adapters
def test_the_limiter_admits_exactly_its_quota(adapter: Adapter) -> None:
    """No token is given twice, and none is lost."""
    limiter = RateLimiter("100/hour", clock=lambda: 0)
    app = adapter.wrap(hello, limiter)
    assert statuses(adapter, app, 25) == {200: 100, 429: 100}


@both_adapters
def test_the_limiter_admits_exactly_its_quota_from_a_file(adapter: Adapter, tmp_path: Path) -> None:
    """As in memory."""
    limiter = RateLimiter("100/hour", store=f"lmdb://{tmp_path / 'limits'}", clock=lambda: 10**18)
    app = adapter.wrap(hello, limiter)
    assert statuses(adapter, app, 25) == {200: 100, 429: 100}


@both_adapters
def test_each_key_has_exactly_its_own_quota(adapter: Adapter) -> None:
    """Also where keys come and go: the first requests of a key come from all threads."""
    limiter = RateLimiter("5/hour", key=keys.header("X-Customer"), clock=lambda: 0)
    app = adapter.wrap(hello, limiter)
    admitted: list[int] = []

    def work(_number: int) -> None:
        for customer in range(20):
            headers = [("X-Customer", str(customer))]
            if adapter.drive(app, headers=headers).status == 200:
                admitted.append(customer)

    in_threads(work)
    assert Counter(admitted) == dict.fromkeys(range(20), 5)


@both_adapters
def test_no_more_requests_at_once_than_slots(adapter: Adapter) -> None:
    """And each slot is free again after its request."""
    entered: list[None] = []
    refused: list[int | None] = []
    all_refused = Event()

    def handler(carrier: MutableMapping[str, Any]) -> Said:
        entered.append(None)
        assert all_refused.wait(120)
        return hello(carrier)

    limiter = RateLimiter(concurrency=Concurrency(3), clock=lambda: 0)
    app = adapter.wrap(handler, limiter)

    def work(_number: int) -> None:
        status = adapter.drive(app).status
        if status != 200:
            refused.append(status)
            if len(refused) == THREADS - 3:
                all_refused.set()

    in_threads(work)
    assert len(entered) == 3
    assert refused == [429] * 5
    assert [adapter.drive(app).status for _ in range(3)] == [200] * 3


# -- the loader -----------------------------------------------------------------------------------


class Pair(SecretModel):
    first: Secret[str]
    second: Secret[str]


class Versions(SecretSource):
    """A source in memory, whose version a test raises."""

    name = "versions"

    def __init__(self) -> None:
        self.version = 0

    def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        found = values(self.version)
        sleep(0.001)  # another thread may read a newer version meanwhile
        return select_values(fields, found, self.name)

    def change_token(self, fields: Sequence[SecretField]) -> int:
        return self.version


def values(version: int) -> dict[str, str]:
    """Return secrets that begin with their version."""
    return {name: f"{version:04}-{name}-kR7vT2qX9mB4w" for name in ("first", "second")}


def version_of(secrets: Any) -> int:
    """Return the version of a snapshot, both of whose secrets must have it."""
    first, second = (int(one.reveal()[:4]) for one in (secrets.first, secrets.second))
    assert first == second, "a mix of two versions"
    return first


@both_adapters
def test_each_request_has_one_version_of_the_secrets(adapter: Adapter) -> None:
    """And a thread that has seen a version gets none that is older; all are masked."""
    source = Versions()
    loader = SecretLoader(Pair, sources=[source], poll_interval=0)
    seen: list[list[int]] = [[] for _ in range(THREADS)]

    def handler(carrier: MutableMapping[str, Any]) -> Said:
        secrets = mantlet.state(carrier).secrets
        number = int(mantlet.state(carrier).extra["thread"])
        seen[number].append(version_of(secrets))
        body = f"{secrets.first.reveal()} {secrets.second.reveal()}"
        return 200, [("content-type", "text/plain")], body.encode()

    app = adapter.wrap(handler, OutputSanitizer(secrets=loader), loader, Numbered())

    def work(number: int) -> None:
        headers = [("X-Thread", str(number))]
        for _ in range(25):
            if number == 0:
                source.version += 1
            assert set(adapter.drive(app, headers=headers).body) <= set(b"* ")

    in_threads(work)
    assert all(len(one) == 25 and one == sorted(one) for one in seen)
    assert version_of(loader.current) == 25


def test_code_outside_of_requests_sees_one_version_of_the_secrets() -> None:
    """`current` in eight threads, one of which changes the secrets; each change is told once."""
    source = Versions()
    changes: list[frozenset[str]] = []
    loader = SecretLoader(Pair, sources=[source], poll_interval=0, on_change=changes.append)

    def work(number: int) -> None:
        last = 0
        for _ in range(150):
            if number == 0:
                source.version += 1
            version = version_of(loader.current)
            assert version >= last
            last = version

    in_threads(work)
    assert version_of(loader.current) == 150
    assert 1 <= len(changes) <= 150
    assert set(changes) == {frozenset({"first", "second"})}


# -- the stack ------------------------------------------------------------------------------------


class Numbered(Policy):
    """Gives each request the number of its thread, and pairs its hooks."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.ended: list[str] = []

    def on_request(self, request: Request) -> None:
        request.state.extra["thread"] = request.headers.get("X-Thread")
        self.began.append(request.state.extra["thread"])

    def on_response(self, request: Request, response: Response) -> None:
        response.headers.set("X-Thread", request.state.extra["thread"])

    def on_finish(self, request: Request) -> None:
        self.ended.append(request.state.extra["thread"])


class Refuses(Policy):
    def on_request(self, request: Request) -> Reply | None:
        return (
            Reply(403, body=request.state.extra["thread"]) if request.path == "/refused" else None
        )


class Order(BaseModel):
    thread: int
    pieces: int


@both_adapters
def test_no_response_has_anything_of_another_thread(adapter: Adapter) -> None:
    """Whether the app answers, raises, or is never called; each hook is called once a request."""
    numbered = Numbered()

    def handler(carrier: MutableMapping[str, Any]) -> Said:
        number = mantlet.state(carrier).extra["thread"]
        if (carrier.get("path") or carrier.get("PATH_INFO")) == "/broken":
            raise LookupError(f"of thread {number}")
        body = json.dumps({"thread": int(number), "password": f"of {number}", "html": "<b>"})
        return 200, [("content-type", "application/json")], body.encode()

    app = adapter.wrap(
        handler,
        numbered,
        OutputSanitizer(mask=["password"]),
        ErrorEnvelope(),
        RateLimiter("1000/hour", clock=lambda: 0),
        Refuses(),
        SchemaGuard({"POST /orders": Contract(body=Order)}, exempt=["GET /broken"]),
    )

    def work(number: int) -> None:
        def ask(method: str, path: str, body: bytes = b"") -> Answer:
            headers = [("X-Thread", str(number)), ("X-Request-ID", f"thread-{number}-{path[1:]}")]
            if body:
                headers.append(("Content-Type", "application/json"))
            answer = adapter.drive(app, method, path, headers=headers, body=body)
            assert answer.get("X-Thread") == str(number)
            assert answer.get("X-Request-ID") == f"thread-{number}-{path[1:]}"
            return answer

        for pieces in range(12):
            answer = ask("POST", "/orders", b'{"thread": %d, "pieces": %d}' % (number, pieces))
            assert answer.json() == {"thread": number, "password": "***", "html": "<b>"}
            assert ask("POST", "/orders", b'{"thread": %d}' % number).status == 422
            assert ask("GET", "/broken").status == 500
            assert ask("GET", "/refused").body == str(number).encode()

    in_threads(work)
    expected = {str(number): 48 for number in range(THREADS)}
    assert Counter(numbered.began) == Counter(numbered.ended) == expected


@both_adapters
def test_no_request_has_the_identity_or_the_origin_of_another_thread(adapter: Adapter) -> None:
    """Though tokens and origins are remembered."""
    secret = "a-secret-of-a-test-with-32-bytes"
    key, header = OctKey.import_key(secret), {"alg": "HS256", "typ": "JWT"}
    tokens = [jwt.encode(header, claims(sub=str(number)), key) for number in range(THREADS)]

    def handler(carrier: MutableMapping[str, Any]) -> Said:
        number = int((carrier.get("path") or carrier["PATH_INFO"]).rpartition("/")[2])
        mantlet.authorize(carrier, "read", number)
        who = mantlet.state(carrier).identity
        assert who is not None
        return 200, [("content-type", "text/plain")], who.subject.encode()

    app = adapter.wrap(
        handler,
        ErrorEnvelope(),
        Cors(origins=["https://*.example.com"], headers=["Authorization"]),
        Authenticator(
            Jwt(issuer=ISSUER, audience=AUDIENCE, algorithms=["HS256"], secret=secret, typ="JWT")
        ),
        Authorizer(
            rules=[
                Allow(
                    "GET /orders/{id}",
                    check=lambda who, _, order: who is not None and who.subject == str(order),
                )
            ]
        ),
        CrossOrigin(),
        RateLimiter("50/hour", key=keys.identity(), clock=lambda: 0),
    )

    def work(number: int) -> None:
        origin = f"https://{number}.example.com"
        headers = [("Origin", origin), ("Authorization", f"Bearer {tokens[number]}")]
        for _ in range(25):
            own = adapter.drive(app, path=f"/orders/{number}", headers=headers)
            assert (own.status, own.body) == (200, str(number).encode())
            other = adapter.drive(app, path=f"/orders/{(number + 1) % THREADS}", headers=headers)
            assert other.status == 403
            assert own.get(ALLOWED) == other.get(ALLOWED) == origin
        assert adapter.drive(app, path=f"/orders/{number}", headers=headers).status == 429

    in_threads(work)


@both_adapters
def test_each_payment_is_made_once_and_committed(adapter: Adapter, tmp_path: Path) -> None:
    """Eight threads repeat the same requests: each one runs once, in the version that it names."""
    engine = create_engine(f"sqlite:///{tmp_path}/shop", connect_args={"timeout": 60})
    payments = Table("payments", MetaData(), Column("id", Integer), Column("version", String))
    payments.metadata.create_all(engine)

    def handler(carrier: MutableMapping[str, Any]) -> Said:
        state = mantlet.state(carrier)
        assert state.idempotency is not None
        key = state.idempotency.key
        with mantlet.uow(carrier) as work:
            work.session.execute(payments.insert().values(id=int(key), version=state.version))
        return 201, [("content-type", "text/plain")], key.encode()

    app = adapter.wrap(
        handler,
        ErrorEnvelope(),
        mantlet.Versions({"1": Version(), "2": Version()}, read=[header("API-Version")]),
        Idempotency(store="memory://"),
        UnitOfWork(sessionmaker(engine)),
    )

    def work(_number: int) -> None:
        for payment in range(12):
            version = str(1 + payment % 2)
            headers = [("Idempotency-Key", str(payment)), ("API-Version", version)]
            answer = adapter.drive(app, "POST", headers=headers)
            while answer.status == 409:  # another thread's is in flight
                answer = adapter.drive(app, "POST", headers=headers)
            assert (answer.status, answer.body) == (201, str(payment).encode())
            assert answer.get("API-Version") == version

    in_threads(work)
    with engine.connect() as connection:
        rows = connection.execute(select(payments).order_by(payments.c.id)).all()
    engine.dispose()
    assert rows == [(payment, str(1 + payment % 2)) for payment in range(12)]


def test_a_lazy_policy_starts_once() -> None:
    """By the first of eight requests, and the others wait for it."""
    started: list[None] = []

    class Opens(Policy):
        def startup(self) -> None:
            assert not started
            sleep(0.02)  # long enough for all the others to arrive
            started.append(None)

        def on_request(self, request: Request) -> None:
            assert started

    adapter = WsgiAdapter()  # under ASGI, all requests of a stack come from one event loop
    app = mantlet.wsgi.wrap(adapter.app(hello), Opens(), baseline=False, startup="lazy")
    assert statuses(adapter, app, 3) == {200: 24}
    assert len(started) == 1

"""Servers that are gone, hang, drip, send garbage or come back: no call exceeds its deadline."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mantlet.stores.redis import RedisBackend, async_connection
from mantlet.stores.redis.resp import ServerUnavailable
from tests.servers.server import HOST
from tests.stores.redis.conftest import AMPLE, timed
from tests.stores.redis.servers import Valkey, listen, quiet_port, tls_front

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.stores.redis.conftest import Way

#: In seconds. The servers of these tests never send what is waited for, so whoever does without a
#: deadline waits for `AMPLE` seconds at least.
DEADLINE = 0.05


def assert_outage(way: Way, backend: RedisBackend, *, soon: bool = False) -> None:
    """Call, and expect an outage at the deadline; or at once, if ``soon``."""

    def call() -> None:
        with pytest.raises(ServerUnavailable):
            way.call(backend, "PING", within=AMPLE if soon else DEADLINE)

    took = timed(call)
    assert took < AMPLE
    assert soon or took > DEADLINE / 2


def test_where_nobody_listens_the_outage_is_immediate(way: Way, tmp_path: Path) -> None:
    """A refused connection fails at once."""
    for uri in (f"redis://{HOST}:{quiet_port()}", f"unix://{tmp_path}/nothing"):
        assert_outage(way, RedisBackend(uri), soon=True)


def test_a_name_that_is_not_known_is_an_outage(way: Way) -> None:
    """As soon as the system reports it."""
    with pytest.raises(ServerUnavailable, match=r"nowhere\.invalid"):
        way.call(RedisBackend("redis://nowhere.invalid"), "PING")


def test_a_name_with_several_addresses_is_tried_at_each(
    way: Way, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One refuses, and one is silent and gets only its share of the time."""
    found = socket.getaddrinfo

    def look_up(host: str, port: int, **options: Any) -> list[Any]:
        if host != "several.test":
            return found(host, port, **options)
        if options.get("flags"):
            raise socket.gaierror
        places = [(HOST, quiet_port()), full.getsockname(), (HOST, valkey.port)]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with full_queue() as full:
        backend = RedisBackend("redis://several.test")
        assert way.call(backend, "PING", within=0.4) == b"PONG"
        way.close()
        valkey.pause()
        try:
            assert_outage(way, backend)
        finally:
            valkey.resume()


def test_a_server_that_hangs_is_waited_for_until_the_deadline(way: Way, own_valkey: Valkey) -> None:
    """Connected or not, every time; when the server continues, calls work again."""
    backends = [
        RedisBackend(f"redis://{own_valkey.place}"),
        RedisBackend(f"unix://{own_valkey.socket}"),
    ]
    assert way.call(backends[0], "INCR", "key") == 1
    with own_valkey.paused():
        for backend in backends * 2:
            assert_outage(way, backend)
    for backend in backends:
        assert way.call(backend, "ECHO", "this") == b"this"


def test_a_reply_that_came_too_late_is_nobody_elses(way: Way, own_valkey: Valkey) -> None:
    """A call that failed in an outage is answered later, on a connection that is gone."""
    backend = RedisBackend(f"redis://{own_valkey.place}")
    assert way.call(backend, "ECHO", "before") == b"before"
    with own_valkey.paused(), pytest.raises(ServerUnavailable):
        way.call(backend, "ECHO", "lost", within=DEADLINE)
    for number in range(5):
        assert way.call(backend, "ECHO", number) == str(number).encode()


def test_after_a_restart_no_call_fails(way: Way, own_valkey: Valkey) -> None:
    """The lost connection is noticed, and the call repeated on a new one."""
    backend = RedisBackend(f"redis://{own_valkey.place}")
    for number in range(3):
        assert way.call(backend, "ECHO", number) == str(number).encode()
        own_valkey.kill()
        own_valkey.start()
    assert way.call(backend, "PING") == b"PONG"


def test_while_the_server_is_down_every_call_is_an_outage(way: Way, own_valkey: Valkey) -> None:
    """Each call tries again, and works once the server is back."""
    backend = RedisBackend(f"redis://{own_valkey.place}")
    assert way.call(backend, "PING") == b"PONG"
    own_valkey.kill()
    for _ in range(3):
        assert_outage(way, backend, soon=True)
    own_valkey.start()
    assert way.call(backend, "PING") == b"PONG"


def test_a_connection_that_the_server_has_closed_is_not_missed(
    way: Way, backend: RedisBackend, valkey: Valkey
) -> None:
    """Servers close idle connections."""
    for number in range(3):
        assert way.call(backend, "ECHO", number) == str(number).encode()
        valkey.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def drip(taken: socket.socket) -> None:
    """Send an endless text, one byte at a time."""
    taken.settimeout(0.01)
    taken.sendall(b"$100\r\n")
    for _ in range(500):
        try:
            if not taken.recv(65536):
                return
        except TimeoutError:
            pass
        taken.sendall(b"x")


def stay_silent(taken: socket.socket) -> None:
    """Accept all data and reply nothing."""
    while taken.recv(65536):
        pass


def hang_up(taken: socket.socket) -> None:
    """Accept the command and close."""
    taken.recv(65536)


def reply_and_hang_up(reply: bytes) -> Callable[[socket.socket], None]:
    """Return a server that replies once on each connection."""

    def talk(taken: socket.socket) -> None:
        taken.recv(65536)
        taken.sendall(reply)

    return talk


def test_a_server_that_drips_gets_no_more_time(way: Way) -> None:
    """Each byte arrives before the deadline, but the end never does."""
    with listen(drip) as place:
        assert_outage(way, RedisBackend(f"redis://{place}"))


@pytest.mark.parametrize(
    "talk",
    [
        hang_up,
        socket.socket.close,
        reply_and_hang_up(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        reply_and_hang_up(b"%1\r\n*1\r\n:1\r\n:1\r\n"),
        reply_and_hang_up(b"-ERR max number of clients reached\r\n"),
    ],
    ids=["hangs-up", "hangs-up-at-once", "http", "odd-map", "full"],
)
def test_a_server_that_is_none_is_an_outage(
    way: Way, talk: Callable[[socket.socket], None]
) -> None:
    """At once, whatever it sends."""
    with listen(talk) as place:
        assert_outage(way, RedisBackend(f"redis://{place}"), soon=True)


def test_a_server_that_lets_no_more_in_is_an_outage(way: Way, tmp_path: Path) -> None:
    """It sends an error and closes."""
    with Valkey(tmp_path, "--maxclients", "1") as server:
        assert server.ask("PING") == b"PONG"
        assert_outage(way, RedisBackend(f"redis://{server.place}"), soon=True)


@contextmanager
def full_queue() -> Iterator[socket.socket]:
    """Listen with a full backlog, so that the system drops new connections."""
    waiting = []
    with socket.create_server((HOST, 0), backlog=0) as listener:
        try:
            for _ in range(4):
                knock = socket.socket()
                waiting.append(knock)
                knock.setblocking(False)
                knock.connect_ex(listener.getsockname())
            yield listener
        finally:
            for knock in waiting:
                knock.close()


def test_a_server_that_does_not_take_the_connection_is_given_up(way: Way) -> None:
    """It does not respond at all."""
    with full_queue() as listener:
        assert_outage(way, RedisBackend(f"redis://{HOST}:{listener.getsockname()[1]}"))


def test_a_hanging_server_behind_tls_is_given_up(
    way: Way, own_valkey: Valkey, certificate: tuple[Path, Path], server_context: ssl.SSLContext
) -> None:
    """In the middle of a call as well as in the handshake."""
    with tls_front(own_valkey, server_context) as place:
        backend = RedisBackend(
            f"rediss://localhost:{place.partition(':')[2]}?ssl_ca_certs={certificate[0]}"
        )
        assert way.call(backend, "PING") == b"PONG"
        with own_valkey.paused():
            assert_outage(way, backend)
        way.close()
    with listen(stay_silent) as place:
        assert_outage(way, RedisBackend(f"rediss://{place}"))


def test_a_call_whose_time_is_up_already_is_not_made(
    way: Way, backend: RedisBackend, valkey: Valkey
) -> None:
    """Nor is a connection opened."""
    with pytest.raises(ServerUnavailable):
        way.call(backend, "INCR", "key", within=-1)
    assert valkey.ask("GET", "key") is None


# -- on an event loop -----------------------------------------------------------------------------


def test_everyone_who_waits_is_told_in_time(own_valkey: Valkey) -> None:
    """A hundred calls to a hanging server take no longer than one."""
    backend = RedisBackend(f"redis://{own_valkey.place}")
    client = backend.client(is_async=True)

    async def ask() -> Any:
        return await client.call("PING", deadline=time.monotonic() + DEADLINE)

    async def call() -> list[Any]:
        return await asyncio.gather(*(ask() for _ in range(100)), return_exceptions=True)

    async def main() -> None:
        assert await call() == [b"PONG"] * 100
        for _ in range(2):
            with own_valkey.paused():
                start = time.monotonic()
                gone = asyncio.ensure_future(ask())
                await asyncio.sleep(0)
                gone.cancel()
                results = await call()
                took = time.monotonic() - start
            assert {type(result) for result in results} == {ServerUnavailable}
            assert took < AMPLE
        assert await client.call("PING", deadline=time.monotonic() + AMPLE) == b"PONG"

    asyncio.run(main())


def test_a_call_with_little_time_takes_no_other_with_it(own_valkey: Valkey) -> None:
    """A connection is given up only if it was silent for a good part of the timeout."""
    backend = RedisBackend(f"redis://{own_valkey.place}", timeout=AMPLE)
    client = backend.client(is_async=True)

    async def main() -> None:
        await client.call("PING", deadline=time.monotonic() + AMPLE)
        own_valkey.pause()
        hasty = asyncio.ensure_future(client.call("PING", deadline=time.monotonic() + 0.01))
        patient = asyncio.ensure_future(client.call("ECHO", "a", deadline=time.monotonic() + AMPLE))
        with pytest.raises(ServerUnavailable):
            await hasty
        own_valkey.resume()
        assert await patient == b"a"
        assert len(own_valkey.clients()) == 1

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_a_loop_that_was_held_up_reads_before_it_gives_up(kind: str, valkey: Valkey) -> None:
    """The reply came in time; the event loop was blocked."""
    uvloop = pytest.importorskip("uvloop")
    factory = asyncio.new_event_loop if kind == "asyncio" else uvloop.new_event_loop
    client = RedisBackend(f"redis://{valkey.place}").client(is_async=True)

    async def main() -> None:
        await client.call("PING", deadline=time.monotonic() + AMPLE)
        call = asyncio.ensure_future(client.call("PING", deadline=time.monotonic() + DEADLINE))
        while not valkey.calls("ping") > 1:
            await asyncio.sleep(0)
            time.sleep(2 * DEADLINE)  # noqa: ASYNC251  # what holds it up
        assert await call == b"PONG"

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


def test_a_reply_that_nobody_asked_for_ends_the_connection() -> None:
    """It could be taken for the reply to the next call."""

    async def main(place: str) -> None:
        client = RedisBackend(f"redis://{place}").client(is_async=True)
        with pytest.raises(ServerUnavailable):
            await client.call("PING", deadline=time.monotonic() + AMPLE)

    with listen(reply_and_hang_up(b"+OK\r\n" * 9)) as place:
        asyncio.run(main(place))


def test_a_name_whose_look_up_hangs_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes one thread of the executor, however many calls give up on it."""
    released = threading.Event()
    asked = []

    def look_up(host: str, port: int, **options: Any) -> list[Any]:
        if not options.get("flags"):
            asked.append(host)
            released.wait(AMPLE)
        raise socket.gaierror("nobody knows")

    async def main() -> None:
        client = RedisBackend("redis://slow.test").client(is_async=True)
        for _ in range(3):
            with pytest.raises(ServerUnavailable):
                await client.call("PING", deadline=time.monotonic() + DEADLINE)
        released.set()

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    asyncio.run(main())
    assert asked == ["slow.test"]


def test_a_server_that_falls_ever_further_behind_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never silent, and its pending replies would otherwise fill the memory."""
    monkeypatch.setattr(async_connection, "_MAX_LAG", 0.1)
    taken_from = []

    def answer_slowly(taken: socket.socket) -> None:
        taken_from.append(taken)
        taken.recv(65536)
        for _ in range(500):
            taken.sendall(b"+OK\r\n")
            time.sleep(0.01)

    async def main(place: str) -> None:
        client = RedisBackend(f"redis://{place}").client(is_async=True)
        deadline = time.monotonic() + AMPLE
        while len(taken_from) < 2:
            assert time.monotonic() < deadline
            calls = [client.call("PING", deadline=time.monotonic() + 0.01) for _ in range(10)]
            await asyncio.gather(*calls, return_exceptions=True)

    with listen(answer_slowly) as place:
        asyncio.run(main(place))

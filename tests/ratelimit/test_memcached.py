"""Windows that are counted in a real Memcached, through both clients of `limits`."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections import deque
from typing import TYPE_CHECKING

import pytest

from mantlet import Quota, RateLimiter
from tests.drive import Adapter, WsgiAdapter, both_adapters, hello
from tests.ratelimit.conftest import careless
from tests.servers.server import poll
from tests.stores.redis.servers import listen, quiet_port

if TYPE_CHECKING:
    from collections.abc import Iterator


MEMCACHED = shutil.which("memcached")
needs_memcached = pytest.mark.skipif(MEMCACHED is None, reason="memcached is not on this machine")
pytestmark = [pytest.mark.slow, careless, pytest.mark.usefixtures("careless_client")]


class Memcached:
    """A server on a port of its own."""

    def __init__(self) -> None:
        self.port = quiet_port()
        command = [str(MEMCACHED), "-u", "root", "-l", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(command)
        poll(self._answers, "Memcached")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def memcached() -> Iterator[Memcached]:
    """A server for this test alone."""
    server = Memcached()
    yield server
    server.stop()


def limiter(
    *ports: int, window: str = "fixed", period: str = "10minutes", **options: object
) -> RateLimiter:
    """Return a limiter that admits two requests in ten minutes."""
    quota = Quota(f"2/{period}", window=window)  # type: ignore[arg-type]  # a parameter of tests
    uri = "memcached://" + ",".join(f"127.0.0.1:{port}" for port in ports)
    return RateLimiter(quota, store=uri, timeout=10, **options)  # type: ignore[arg-type]  # as well


@needs_memcached
@both_adapters
@pytest.mark.parametrize(
    ("window", "period"),
    [("fixed", "10minutes"), ("fixed", "30days"), ("sliding", "10minutes"), ("sliding", "15days")],
)
def test_requests_are_counted(
    adapter: Adapter, window: str, period: str, memcached: Memcached
) -> None:
    """By all processes that use the server, up to the quota."""
    policies = [limiter(memcached.port, window=window, period=period) for _ in range(2)]
    first, second = (adapter.wrap(hello, policy) for policy in policies)
    assert [adapter.drive(app).status for app in (first, second, first)] == [200, 200, 429]


@needs_memcached
@both_adapters
@pytest.mark.parametrize(
    "names",
    [("a b", "a\nb"), ("é" * 200, "é" * 199), ("a" * 300, "b" * 300)],
    ids=["space", "non-ascii", "long"],
)
def test_clients_of_any_name_have_a_count_each(
    adapter: Adapter, names: tuple[str, str], memcached: Memcached
) -> None:
    """Though Memcached takes no key with a space or of more than 250 bytes."""
    current = deque(names)
    app = adapter.wrap(hello, limiter(memcached.port, key=lambda _: current[0]))
    for _ in names:
        assert [adapter.drive(app).status for _ in range(3)] == [200, 200, 429]
        current.rotate()


@both_adapters
def test_a_server_that_is_away_is_an_outage(adapter: Adapter) -> None:
    """Whichever way it fails: nobody listens, or the connection is closed."""
    with listen(lambda connection: connection.close()) as closing:
        for port in (quiet_port(), int(closing.rpartition(":")[2])):
            app = adapter.wrap(hello, limiter(port, on_outage="refuse"))
            assert adapter.drive(app).status == 503


@needs_memcached
@both_adapters
def test_a_server_that_stops_is_an_outage(adapter: Adapter, memcached: Memcached) -> None:
    """Until then it has counted."""
    app = adapter.wrap(hello, limiter(memcached.port, on_outage="refuse"))
    assert adapter.drive(app).status == 200
    memcached.stop()
    assert adapter.drive(app).status == 503


@both_adapters
@pytest.mark.parametrize("window", ["fixed", "sliding"])
def test_servers_that_are_all_away_are_an_outage(adapter: Adapter, window: str) -> None:
    """At every request: none is admitted uncounted while a client retries a server."""
    policy = limiter(quiet_port(), quiet_port(), window=window, on_outage="refuse")
    app = adapter.wrap(hello, policy)
    assert [adapter.drive(app).status for _ in range(6)] == [503] * 6


@needs_memcached
def test_other_servers_count_the_keys_of_one_that_is_away(memcached: Memcached) -> None:
    """Once the client for WSGI has noticed; that for ASGI calls no other."""
    adapter, ports = WsgiAdapter(), (memcached.port, quiet_port())
    current = deque("abcdefgh")  # some of them belong to the server that is away
    policy = limiter(*ports, window="sliding", key=lambda _: current[0], on_outage="refuse")
    app = adapter.wrap(hello, policy)
    statuses = []
    for _ in range(len(current)):
        statuses += [adapter.drive(app).status for _ in range(4)]
        current.rotate()
    assert statuses.count(503) == 1
    assert statuses.count(200) == 2 * len(current)


def test_a_moving_window_is_refused_when_the_limiter_is_made() -> None:
    """Memcached has no lists to keep it in."""
    with pytest.raises(ValueError, match=r'no window="moving" in .memcached:.*: use "sliding"'):
        limiter(11211, window="moving")


@pytest.mark.parametrize(("window", "days"), [("fixed", 30), ("sliding", 15)])
def test_a_long_window_is_refused_when_the_limiter_is_made(window: str, days: int) -> None:
    """Memcached would take its expiry for a date, long past, and so keep no count."""
    with pytest.raises(ValueError, match=rf'no window="{window}" of more than {days} days in'):
        limiter(11211, window=window, period=f"{days + 1}days")


@pytest.mark.parametrize("servers", ["", "/", "h", "h:x", ":11211", "h:1,h", "h:0"])
def test_a_uri_without_a_port_is_refused_when_the_limiter_is_made(servers: str) -> None:
    """The message shows right ones."""
    with pytest.raises(ValueError, match="memcached://localhost:11211"):
        RateLimiter(Quota("2/hour", window="fixed"), store=f"memcached://{servers}")

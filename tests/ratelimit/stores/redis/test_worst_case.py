"""What a client gets in the worst case of outages, as documented: at most its quota once more."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Quota, RateLimiter
from tests.drive import Adapter, WsgiAdapter, both_adapters, hello
from tests.servers.server import poll
from tests.stores.redis.conftest import AMPLE
from tests.stores.redis.servers import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stores.redis.servers import Valkey

pytestmark = pytest.mark.slow

#: Long enough for a noisy machine, so that no outage is found where there is none.
TIMEOUT = 0.25
BURST = 12
CLIENT = "192.0.2.1"


def local_bound(workers: int, burst: int, refilled: int = 0) -> int:
    """Return the most requests that all workers together admit without the store, as documented.

    Args:
        workers: the number of processes.
        burst: of the quota.
        refilled: the tokens that the quota refills in all the time.
    """
    return workers * ((burst + refilled) // min(workers, burst))


class Fleet:
    """Several limiters with one server: each is what a process would have.

    Args:
        adapter: the protocol.
        place: of the server.
        quota: of a client.
        workers: how many there are.
    """

    def __init__(
        self, adapter: Adapter, place: str, quota: Quota, workers: int, **options: Any
    ) -> None:
        self.adapter = adapter
        options = {"timeout": TIMEOUT, "workers": workers, **options}
        self.limiters = [
            RateLimiter(quota, store=f"redis://{place}", **options) for _ in range(workers)
        ]
        self.apps = [adapter.wrap(hello, limiter) for limiter in self.limiters]

    def admits(self, worker: int, client: str = CLIENT) -> bool:
        """Send a request to one of them."""
        answer = self.adapter.drive(self.apps[worker % len(self.apps)], client=client)
        assert answer.error is None
        assert answer.status in (200, 429)
        return answer.status == 200

    def admitted(self, count: int, client: str = CLIENT) -> int:
        """Send requests to all of them in turn; return how many were admitted."""
        return sum(self.admits(number, client) for number in range(count))

    @property
    def local(self) -> int:
        return sum(limiter.stats().local for limiter in self.limiters)

    def recover(self) -> None:
        """Wait until all of them count on the server again."""

        def asked() -> bool:
            before = self.local
            for worker in range(len(self.limiters)):
                self.admits(worker, f"198.51.100.{random.randrange(250)}")
            return self.local == before

        poll(asked, "a server that is asked again")

    def close(self) -> None:
        if isinstance(self.adapter, WsgiAdapter):
            for limiter in self.limiters:
                limiter.shutdown()


@contextmanager
def fleet(*arguments: Any, **options: Any) -> Iterator[Fleet]:
    """Yield a fleet, and close its connections."""
    made = Fleet(*arguments, **options)
    yield made
    made.close()


@contextmanager
def frozen(server: Valkey, _proxy: Proxy) -> Iterator[None]:
    with server.paused():
        yield


@contextmanager
def killed(server: Valkey, _proxy: Proxy) -> Iterator[None]:
    server.kill()
    yield
    server.start()


@contextmanager
def delayed(_server: Valkey, proxy: Proxy) -> Iterator[None]:
    proxy.delay = 2 * TIMEOUT
    yield
    proxy.delay = 0.0


@contextmanager
def cut_off(_server: Valkey, proxy: Proxy) -> Iterator[None]:
    proxy.is_cut = True
    yield
    proxy.is_cut = False


faults = pytest.mark.parametrize("fault", [frozen, killed, delayed, cut_off])
#: How often the server loses its buckets in each fault.
LOSSES = {killed: 1}


# -- one outage -----------------------------------------------------------------------------------


@pytest.mark.few_cases(2)
@both_adapters
@pytest.mark.parametrize(
    ("fault", "workers"),
    [(frozen, 3), (killed, 1), (killed, 5), (killed, 20), (delayed, 3), (cut_off, 3)],
)
def test_clients_that_nobody_knows_get_one_bucket_from_all_workers_together(
    adapter: Adapter, own_valkey: Valkey, fault: Any, workers: int
) -> None:
    """Exactly the bound; one request for each worker if there are more workers than tokens."""
    with Proxy(own_valkey) as proxy, ExitStack() as stack:
        made = stack.enter_context(
            fleet(adapter, proxy.place, Quota("1/year", burst=BURST), workers)
        )
        with fault(own_valkey, proxy):
            admitted = made.admitted((BURST + 1) * workers)
            assert made.local == (BURST + 1) * workers
        assert admitted == local_bound(workers, BURST)
        assert {limiter.stats().outages for limiter in made.limiters} == {1}


@pytest.mark.few_cases(2)
@both_adapters
@faults
def test_each_worker_goes_on_from_what_it_knows(
    adapter: Adapter, own_valkey: Valkey, fault: Any
) -> None:
    """A client that has spent its tokens gets none; another its share of what was left."""
    workers = 3
    with Proxy(own_valkey) as proxy, ExitStack() as stack:
        made = stack.enter_context(
            fleet(adapter, proxy.place, Quota("1/year", burst=BURST), workers, timeout=AMPLE)
        )
        assert made.admitted(2 * BURST) == BURST
        assert made.admitted(6, "192.0.2.2") == 6
        made = stack.enter_context(
            fleet(adapter, proxy.place, Quota("1/year", burst=BURST), workers)
        )
        assert made.admitted(workers) == 0
        assert made.admitted(workers, "192.0.2.2") == workers
        with fault(own_valkey, proxy):
            assert made.admitted(2 * BURST) == 0
            # They were told that 5, 4 and 3 tokens were left.
            assert made.admitted(6 * workers, "192.0.2.2") == 5 // 3 + 4 // 3 + 3 // 3


@both_adapters
def test_one_late_reply_gives_at_most_one_token_twice(adapter: Adapter, own_valkey: Valkey) -> None:
    """The worker's own share pays for it, since it does not know what others have taken since."""
    quota = Quota("1/year", burst=BURST)
    with Proxy(own_valkey) as proxy, fleet(adapter, proxy.place, quota, 2) as made:
        one, other = 0, 1
        assert made.admits(one)
        assert [made.admits(other) for _ in range(BURST)] == [True] * (BURST - 1) + [False]
        assert made.local == 0
        with delayed(own_valkey, proxy):
            assert made.admits(one)
            assert not made.admits(other)
        assert made.limiters[one].stats().local == 1
        made.recover()
        assert not made.admits(one)
        assert not made.admits(other)


# -- any number of outages ------------------------------------------------------------------------


@pytest.mark.few_cases(2)
@both_adapters
@faults
def test_any_number_of_outages_gives_at_most_the_quota_once_more(
    adapter: Adapter, own_valkey: Valkey, fault: Any
) -> None:
    """Besides what the server admits: its bucket, and once more for each time that it lost it."""
    workers, outages = 3, 3
    quota = Quota("120/minute", burst=BURST)
    choose = random.Random(1)
    with Proxy(own_valkey) as proxy, ExitStack() as stack:
        made = stack.enter_context(fleet(adapter, proxy.place, quota, workers))
        began = time.monotonic()
        by_server = locally = 0
        for _ in range(outages):
            made.recover()
            before = made.local
            by_server += sum(made.admits(choose.randrange(workers)) for _ in range(BURST))
            assert made.local == before
            with fault(own_valkey, proxy):
                locally += sum(made.admits(choose.randrange(workers)) for _ in range(3 * BURST))
        refilled = int((time.monotonic() - began) * 2) + 1
        losses = LOSSES.get(fault, 0) * outages
        assert 0 < locally <= local_bound(workers, BURST, refilled)
        assert 0 < by_server <= BURST * (1 + losses) + refilled


@both_adapters
def test_buckets_that_were_flushed_are_full_and_that_is_no_outage(
    adapter: Adapter, own_valkey: Valkey
) -> None:
    """Nothing tells that they were lost."""
    with fleet(adapter, own_valkey.place, Quota("1/year", burst=BURST), 3, timeout=AMPLE) as made:
        admitted = 0
        for _ in range(3):
            admitted += made.admitted(2 * BURST)
            own_valkey.ask("FLUSHALL")
            for limiter in made.limiters:
                limiter._engine.store._denials.clear()  # type: ignore[attr-defined]
        assert admitted == 3 * BURST
        assert made.local == 0


@pytest.mark.few_cases(1)
@both_adapters
def test_prefetched_tokens_are_counted(adapter: Adapter, own_valkey: Valkey) -> None:
    """Those spent, those held, which others may lack, and those that were dropped."""
    with fleet(
        adapter,
        own_valkey.place,
        Quota("1/year", burst=100),
        2,
        timeout=AMPLE,
        prefetch=20,
        max_keys=1,
    ) as made:
        one, other = made.limiters
        assert made.admits(0)
        while one.stats().prefetch_held < 10:
            assert made.admits(0)
        held, spent = one.stats().prefetch_held, one.stats().prefetched
        assert made.admits(0)
        assert one.stats().prefetch_held == held - 1
        assert one.stats().prefetched == spent + 1
        refused = 0
        while not refused:
            refused += not made.admits(1)
        assert made.admits(0)  # though the other one is refused: it lacks what this one holds
        assert not made.admits(1)
        assert other.stats().unasked >= 1
        held = one.stats().prefetch_held
        assert held > 0
        made.admits(0, "192.0.2.2")
        assert one.stats().prefetch_held == 0
        assert one.stats().prefetch_lost == held

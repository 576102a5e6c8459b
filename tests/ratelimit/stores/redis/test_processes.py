"""All processes, threads and event loops share one set of buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mantlet._internal import coroutines as steps
from mantlet.ratelimit.stores.redis.store import RedisStore
from tests.ratelimit.stores.redis.processes import together, workers
from tests.ratelimit.stores.redis.worker import PATIENT, admits, claims

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stores.redis.servers import Cluster, Valkey

BURST = 2000
KEYS = 10_000

both = pytest.mark.parametrize("command", ["spend", "spend_on_a_loop"], ids=["blocking", "asyncio"])


@pytest.fixture
def uri(valkey: Valkey) -> str:
    """The server, by its URI."""
    return f"redis://{valkey.place}"


@pytest.fixture
def cluster_uri(cluster: Cluster) -> Iterator[str]:
    """An empty cluster, by its URI; it is left as it was."""
    for node in cluster.nodes:
        node.ask("FLUSHALL")
        node.ask("CONFIG", "RESETSTAT")
    yield f"redis+cluster://{cluster.nodes[0].place}"
    for node in cluster.nodes:
        node.ask("FLUSHALL")


def more(uri: str, keys: int, burst: int) -> int:
    """Return how many requests are still admitted over all keys, with two requests for each."""
    store = RedisStore(uri, timeout=PATIENT)
    try:
        return sum(steps.run_sync(admits(store, claim)) for claim in claims(keys, 2, burst))
    finally:
        store.close()


def test_refusals_by_several_processes_ban_together_and_once(uri: str) -> None:
    """The 299th of three hundred refusals, whichever process sees it; and no earlier one."""
    assert together(uri, *[("strike", 100, 301)] * 3) == [0] * 3
    assert more(uri, 1, 5) == 2
    store = RedisStore(uri, timeout=PATIENT)
    store.reset(["api:0"])
    store.close()
    assert sum(together(uri, *[("strike", 100, 299)] * 3)) == 1
    assert more(uri, 1, 5) == 0


@pytest.mark.few_cases(1)
@both
def test_four_processes_on_one_key_admit_its_burst_and_not_one_more(uri: str, command: str) -> None:
    """Each requests less than the burst, and all of them together more."""
    got = together(uri, *[(command, 1, 700, BURST)] * 4)
    assert sum(got) == BURST
    assert more(uri, 1, BURST) == 0


@pytest.mark.exhaustive
@both
def test_four_processes_on_ten_thousand_keys_admit_the_burst_of_each(
    uri: str, command: str
) -> None:
    """Each of the four processes requests one token of each key, which has three."""
    got = together(uri, *[(command, KEYS, 1, 3)] * 4)
    assert sum(got) == 3 * KEYS
    assert more(uri, 100, 3) == 0


@pytest.mark.exhaustive
@both
def test_four_processes_on_a_cluster_admit_the_burst_of_each_of_ten_thousand_keys(
    cluster: Cluster, cluster_uri: str, command: str
) -> None:
    """The keys are spread over all nodes."""
    got = together(cluster_uri, *[(command, KEYS, 1, 3)] * 4)
    assert sum(got) == 3 * KEYS
    assert all(node.ask("DBSIZE") > KEYS / 4 for node in cluster.nodes)
    assert more(cluster_uri, 100, 3) == 0


@pytest.mark.few_cases(1)
@both
def test_threads_and_loops_of_several_processes_share_a_bucket(uri: str, command: str) -> None:
    """Whichever way they call."""
    others = ("spend", 1, 700, BURST), ("spend_on_a_loop", 1, 700, BURST)
    assert sum(together(uri, *others, (command, 1, 700, BURST))) == BURST


@pytest.mark.few_cases(1)
@both
def test_prefetched_tokens_are_paid_for(valkey: Valkey, uri: str, command: str) -> None:
    """The processes get the burst, except for the tokens still held when they end."""
    prefetch, burst = 100, 30_000
    valkey.ask("CONFIG", "RESETSTAT")
    assert together(uri, *[(command, 1, 5000, burst, prefetch)] * 4) == [5000] * 4
    assert 0 < valkey.calls("evalsha") < 20_000 / 10  # each of them learns that the key is busy
    left = sum(together(uri, *[(command, 1, 10_000, burst, prefetch)] * 2))
    assert 10_000 - 4 * prefetch <= left <= 10_000


def test_the_prefetched_tokens_of_a_killed_process_are_lost_and_nothing_else(
    valkey: Valkey, uri: str
) -> None:
    """They were paid for, so nobody gets more; and they are no more than a batch."""
    prefetch = 100
    with workers(uri, ("hold_some", 500, BURST, prefetch)) as (worker,):
        worker.kill()
    left = sum(together(uri, ("spend", 1, BURST, BURST)))
    assert BURST - 500 - prefetch <= left < BURST - 500


def test_what_is_taken_together_is_taken_by_one_process_at_a_time(uri: str, tmp_path: Path) -> None:
    """A token requested with the only seat is spent only by the process that gets the seat."""
    got = sum(together(uri, *[("sit", tmp_path, 500, BURST)] * 3))
    assert got > 0
    assert got + sum(together(uri, ("spend", 1, BURST, BURST))) == BURST


def test_a_process_that_forks_shares_its_bucket_with_its_children(uri: str) -> None:
    """Each child has a connection of its own, and never reads another's replies."""
    assert together(uri, ("fork", 4, 300, 1700)) == [1700]

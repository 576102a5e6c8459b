"""The app that `benchmarks.scale` serves: FastAPI, limited by clients that are drawn at random.

The server is told by environment variables: ``SCALE_STORE``, a URI; ``SCALE_PREFETCH``;
``SCALE_RATE`` of each client; ``SCALE_CLIENTS``, how many there are, and ``SCALE_EXPONENT``, how
unequal, see `scale_model.Population`; and ``SCALE_READY``, a directory in which each worker that is
up makes a file of the name of its process, with the number of its requests.
"""

import logging
import os
from itertools import accumulate, cycle
from mmap import mmap
from pathlib import Path
from random import Random
from typing import Any

import mantlet
from benchmarks.apps import fastapi_app
from mantlet import RateLimiter

#: How many clients are drawn when a worker starts; then they come again.
_DRAWN = 1 << 17


def app() -> Any:
    """Return the app of one worker."""
    logging.disable()  # every refusal
    count, exponent = int(os.environ["SCALE_CLIENTS"]), float(os.environ["SCALE_EXPONENT"])
    weights = accumulate(rank**-exponent for rank in range(1, count + 1))
    names = [f"client {rank}" for rank in range(1, count + 1)]
    random = Random(os.getpid())  # noqa: S311  # load, not a secret
    drawn = cycle(random.choices(names, cum_weights=list(weights), k=_DRAWN))
    limiter = RateLimiter(
        os.environ["SCALE_RATE"],
        key=lambda _: next(drawn),
        store=os.environ["SCALE_STORE"],
        prefetch=int(os.environ["SCALE_PREFETCH"]) or None,
        timeout=1,
    )
    limited = mantlet.wrap(fastapi_app(), limiter, baseline=False)

    requests = _counter(Path(os.environ["SCALE_READY"], str(os.getpid())))

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        """Count; answer refusals with 200, as the load generator takes others for failures."""

        async def accepted(message: Any) -> None:
            if message.get("status") == 429:
                message["status"] = 200
            await send(message)

        requests[0] += 1
        await limited(scope, receive, accepted)

    return answer


def _counter(path: Path) -> memoryview:
    """Return an integer of which the value is in a file."""
    path.write_bytes(bytes(8))
    with path.open("r+b") as file:
        return memoryview(mmap(file.fileno(), 8)).cast("Q")

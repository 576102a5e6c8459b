"""The memory of live exchanges: ``python -m benchmarks.live``.

Requests wait inside of the app, as they do on a slow database, and Python's allocator says what
all of them hold: beside the app's own coroutine and messages, Mantlet's exchange, its views of the
request and its validated body. Under WSGI each is in a thread; frames of threads are not counted.
"""

import asyncio
import gc
import json
import logging
import threading
import tracemalloc
from typing import Any

import mantlet
from benchmarks import hot_path, names
from benchmarks.traffic import SMALL, AsgiServer, WsgiServer

#: How many exchanges are live at once, for each protocol.
LIVE = {"ASGI": 1000, "WSGI": 100}


async def _asgi(policies: list[mantlet.Policy], count: int) -> int:
    """Return the bytes that are held by requests that wait."""
    arrived, go = asyncio.Semaphore(0), asyncio.Event()

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        arrived.release()
        await go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    server = AsgiServer(mantlet.wrap(app, *policies, baseline=False) if policies else app, SMALL)

    async def hold(number: int) -> int:
        go.clear()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        tasks = [asyncio.create_task(server.serve(1)) for _ in range(number)]
        for _ in tasks:
            await arrived.acquire()
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        go.set()
        await asyncio.gather(*tasks)
        return held - before

    await hold(10)
    return await hold(count)


def _wsgi(policies: list[mantlet.Policy], count: int) -> int:
    """Return the bytes that are held by requests that wait."""
    arrived, go = threading.Semaphore(0), threading.Event()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgi.input"].read()
        arrived.release()
        go.wait()
        start_response("200 OK", [])
        return [b""]

    server = WsgiServer(mantlet.wrap(app, *policies, baseline=False) if policies else app, SMALL)

    def hold(number: int) -> int:
        go.clear()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        threads = [
            threading.Thread(target=lambda: asyncio.run(server.serve(1))) for _ in range(number)
        ]
        for thread in threads:
            thread.start()
            arrived.acquire()
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        go.set()
        for thread in threads:
            thread.join()
        return held - before

    hold(10)
    return hold(count)


def measure() -> dict[str, dict[str, float]]:
    """Return the bytes that a live exchange of each stack holds beside the bare app's."""
    tracemalloc.start()
    held: dict[str, dict[str, float]] = {}
    for name, case in names.SERVED.items():
        held[name] = {
            "ASGI": asyncio.run(_asgi(hot_path.CASES[case](), LIVE["ASGI"])) / LIVE["ASGI"],
            "WSGI": _wsgi(hot_path.CASES[case](), LIVE["WSGI"]) / LIVE["WSGI"],
        }
    bare = held.pop(names.BARE)
    return {
        name: {protocol: bytes_ - bare[protocol] for protocol, bytes_ in protocols.items()}
        for name, protocols in held.items()
    }


def main() -> None:
    logging.disable(logging.CRITICAL)
    print(json.dumps(measure(), indent=1))


if __name__ == "__main__":
    main()

"""An app whose workers, on any number of hosts, share one count of requests."""

import os

from fastapi import FastAPI

import mantlet

app = FastAPI()
mantlet.install(
    app,
    mantlet.Health(),
    mantlet.RateLimiter(
        "100/day",
        store=os.environ["LIMITS"],
        timeout=float(os.environ["LIMITS_TIMEOUT"]),  # in seconds
    ),
)


@app.get("/")
async def hello() -> dict[str, int]:
    return {"worker": os.getpid()}

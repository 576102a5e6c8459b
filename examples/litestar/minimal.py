"""The baseline alone. Run it with ``uvicorn minimal:app``."""

from litestar import Litestar, get

import mantlet


@get("/")
async def hello() -> str:
    return "Hello"


app = mantlet.wrap(Litestar([hello]))

"""The baseline alone. Run it with ``quart --app minimal run``."""

from quart import Quart

import mantlet

app = Quart(__name__)
mantlet.install(app)


@app.get("/")
async def hello() -> str:
    return "Hello"

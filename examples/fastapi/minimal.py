"""The baseline alone. Run it with ``fastapi run minimal.py``."""

from fastapi import FastAPI

import mantlet

app = FastAPI()
mantlet.install(app)


@app.get("/")
async def hello() -> str:
    return "Hello"

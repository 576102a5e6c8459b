"""The same small app for each peer: under FastAPI, and under Flask."""

from __future__ import annotations

import itertools
from typing import Any

import fastapi
import flask

#: A secret of the app, which a careless view puts into a response.
DSN = "postgresql://app:correct-horse-battery@db/app"
#: What an exception of a view says.
INTERNAL = "no row in db-7.internal"
ORIGIN = "https://app.example"
#: Some peers keep their state in the process, so each probe has a client of its own.
CLIENTS = map("203.0.113.{}".format, itertools.count(1))


def fastapi_app() -> fastapi.FastAPI:
    """Return the app, in debug mode."""
    app = fastapi.FastAPI(debug=True)

    @app.get("/")
    async def home() -> dict[str, Any]:
        return {"ok": True}

    @app.get("/items/{id}")
    async def item(id: str, request: fastapi.Request) -> dict[str, Any]:
        return {"id": id}

    @app.post("/items")
    async def create(request: fastapi.Request) -> dict[str, Any]:
        return {"created": True}

    @app.post("/login", status_code=401)
    async def login(request: fastapi.Request) -> dict[str, Any]:
        return {}

    @app.get("/private")
    async def private() -> dict[str, Any]:
        return {"private": True}

    @app.get("/secret")
    async def secret() -> dict[str, Any]:
        return {"dsn": DSN}

    @app.get("/own")
    async def own() -> fastapi.Response:
        return fastapi.Response("own", headers={"X-Frame-Options": "DENY", "X-Powered-By": "own"})

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError(INTERNAL)

    @app.websocket("/ws")
    async def echo(socket: fastapi.WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text)

    return app


def flask_app() -> flask.Flask:
    """Return the app, in debug mode; errors do not reach the server, as under `flask run`."""
    app = flask.Flask("comparison")
    app.config["DEBUG"] = True
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.secret_key = "of a session"

    @app.get("/")
    def home() -> dict[str, Any]:
        flask.session["user"] = "1"
        return {"ok": True}

    @app.get("/items/<id>")
    def item(id: str) -> dict[str, Any]:
        return {"id": id}

    @app.post("/items")
    def create() -> dict[str, Any]:
        return {"created": True}

    @app.post("/login")
    def login() -> Any:
        return {}, 401

    @app.get("/private")
    def private() -> dict[str, Any]:
        return {"private": True}

    @app.get("/secret")
    def secret() -> dict[str, Any]:
        return {"dsn": DSN}

    @app.get("/own")
    def own() -> Any:
        return "own", {"X-Frame-Options": "DENY", "X-Powered-By": "own"}

    @app.get("/crash")
    def crash() -> str:
        raise RuntimeError(INTERNAL)

    return app

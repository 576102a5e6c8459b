"""Whatever path reaches a framework's WebSocket, the rule of its route has been applied."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

import falcon
import falcon.asgi
import pytest
from fastapi import FastAPI
from hypothesis import example, given, settings
from hypothesis import strategies as st
from litestar import Litestar
from litestar import WebSocket as LitestarWebSocket
from litestar import websocket as litestar_websocket
from quart import Quart
from quart import websocket as quart_websocket
from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute

import mantlet
from mantlet import Allow, Authorizer, Identity, Policy
from tests.drive import make_scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.websockets import WebSocket

    from mantlet import Request
    from mantlet._internal.asgi_types import AsgiApp, AsgiMessage

#: The names of the WebSockets that have been opened.
Reached = list[str]

PATHS = {"feed": "/admin/feed", "one": "/admin/{id}", "open": "/open"}


class HasRoles(Policy):
    """Says that a client has some roles."""

    def __init__(self) -> None:
        self.roles: frozenset[str] = frozenset()

    def on_request(self, request: Request) -> None:
        request.state.identity = Identity("me", "jwt", roles=self.roles)


def starlette_socket(reached: Reached, name: str) -> Callable[..., Any]:
    async def opened(websocket: WebSocket) -> None:
        reached.append(name)
        await websocket.accept()
        await websocket.close()

    return opened


def starlette(reached: Reached) -> AsgiApp:
    return Starlette(
        routes=[WebSocketRoute(PATHS[name], starlette_socket(reached, name)) for name in PATHS]
    )


def mounted(reached: Reached) -> AsgiApp:
    names = ("feed", "one")
    inside = [
        WebSocketRoute(PATHS[name].removeprefix("/admin"), starlette_socket(reached, name))
        for name in names
    ]
    outside = WebSocketRoute(PATHS["open"], starlette_socket(reached, "open"))
    return Starlette(routes=[Mount("/admin", routes=inside), outside])


def fastapi(reached: Reached) -> AsgiApp:
    app = FastAPI()
    for name, path in PATHS.items():

        async def opened(websocket: WebSocket, name: str = name) -> None:
            reached.append(name)
            await websocket.accept()
            await websocket.close()

        # FastAPI takes other arguments for parameters of the query.
        app.router.routes.append(WebSocketRoute(path, opened))
    return app


def quart(reached: Reached) -> AsgiApp:
    app = Quart(__name__)
    for name, path in PATHS.items():

        async def opened(id: str = "", name: str = name) -> None:
            reached.append(name)
            await quart_websocket.accept()

        app.add_websocket(path.replace("{id}", "<id>"), name, opened)
    return app


def litestar(reached: Reached) -> AsgiApp:
    def handler(name: str) -> Any:
        async def opened(socket: LitestarWebSocket[Any, Any, Any]) -> None:
            reached.append(name)
            await socket.accept()
            await socket.close()

        return litestar_websocket(PATHS[name].replace("{id}", "{id:str}"))(opened)

    return Litestar([handler(name) for name in PATHS])


def falcon_app(reached: Reached) -> AsgiApp:
    app = falcon.asgi.App()
    for name, path in PATHS.items():

        class Socket:
            name: str

            async def on_websocket(self, _request: Any, socket: Any, **_parameters: str) -> None:
                reached.append(self.name)
                await socket.accept()
                await socket.close()

        resource = Socket()
        resource.name = name
        app.add_route(path, resource)
    return app


MAKERS = {
    make.__name__: make for make in (starlette, mounted, fastapi, quart, litestar, falcon_app)
}


@cache
def site(name: str) -> tuple[AsgiApp, HasRoles, Reached]:
    """Return an app with a rule for each WebSocket, its client, and what it has opened."""
    reached: Reached = []
    client = HasRoles()
    rules = [Allow(f"GET {path}", role=role) for role, path in PATHS.items()]
    authorizer = Authorizer(rules=rules, unmatched="allow")
    return mantlet.asgi.wrap(MAKERS[name](reached), client, authorizer), client, reached


def opened_by(name: str, target: str, roles: set[str], *, header: str = "", root: str = "") -> str:
    """Return the name of the WebSocket that a client with some roles opens; "" if none."""
    app, client, reached = site(name)
    client.roles = frozenset(roles)
    reached.clear()
    events: list[AsgiMessage] = [{"type": "websocket.connect"}]

    async def receive() -> AsgiMessage:
        return events.pop(0) if events else {"type": "websocket.disconnect", "code": 1005}

    async def send(_message: AsgiMessage) -> None:
        pass

    overrides = [("X-HTTP-Method-Override", header)] if header else []
    scope = make_scope(
        path=unquote_to_bytes(root + target).decode("utf-8", "replace"),
        headers=[("Host", "app.example"), *overrides],
        scope={
            "type": "websocket",
            "method": ...,
            "scheme": "ws",
            "subprotocols": [],
            "state": {},
            "root_path": root,
            "raw_path": quote(root + target, safe="/%;~*").encode(),
        },
    )

    async def serve() -> None:
        await app(scope, receive, send)

    asyncio.run(serve())
    return "".join(reached)


PIECES = st.sampled_from(
    ["/", "//", "admin", "feed", "ADMIN", "7", "open", ".", "..", "%2F", "%2e%2e", "%0A", ";a"]
)
TARGETS = st.lists(PIECES, max_size=8).map(lambda pieces: "/" + "".join(pieces))


@pytest.mark.parametrize("name", MAKERS)
@given(
    target=TARGETS,
    header=st.sampled_from(["", "POST", "DELETE"]),
    root=st.sampled_from(["", "/api"]),
)
@example(target="/admin/feed/", header="", root="")
@example(target="//admin/feed", header="", root="")
@example(target="/open/../admin/feed", header="POST", root="")
@example(target="/admin/feed%0A", header="", root="/api")
@settings(max_examples=60, deadline=None)
def test_no_path_opens_a_websocket_whose_rule_was_not_applied(
    name: str, target: str, header: str, root: str
) -> None:
    """The client has the roles of all rules but one."""
    for role in PATHS:
        others = PATHS.keys() - {role}
        assert opened_by(name, target, set(others), header=header, root=root) != role


@pytest.mark.parametrize("name", MAKERS)
def test_clients_with_the_role_open_them(name: str) -> None:
    """The routes are those that the rules are for."""
    assert opened_by(name, "/admin/feed", {"feed"}) == "feed"
    assert opened_by(name, "/admin/7", {"one"}) == "one"
    assert opened_by(name, "/open", {"open"}) == "open"
    assert opened_by(name, "/open", set()) == ""

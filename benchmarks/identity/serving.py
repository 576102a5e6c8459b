"""Servers that send the requests of the groups: with tokens, origins and cookies."""

from collections.abc import Sequence
from itertools import cycle
from typing import Any

from benchmarks.traffic import SMALL, AsgiServer, WsgiServer

HOST = "api.example.com"
FRONT_END = "https://app.example"


class TokenAsgiServer(AsgiServer):
    """Sends one request again and again, with each of some tokens in turn."""

    def __init__(self, app: Any, tokens: Sequence[str], fields: dict[str, str]) -> None:
        super().__init__(app, SMALL)
        others = dict(SMALL.headers) | fields
        del others["authorization"]
        self.resend("/orders", list(others.items()))
        self._tokens = cycle((b"authorization", f"Bearer {one}".encode()) for one in tokens)

    def scope(self) -> dict[str, Any]:
        scope = super().scope()
        scope["headers"].append(next(self._tokens))
        return scope


class TokenWsgiServer(WsgiServer):
    """Sends one request again and again, with each of some tokens in turn."""

    def __init__(self, app: Any, tokens: Sequence[str], fields: dict[str, str]) -> None:
        super().__init__(app, SMALL)
        self.resend("/orders", list((dict(SMALL.headers) | fields).items()))
        self._tokens = cycle(f"Bearer {token}" for token in tokens)

    def environ(self) -> dict[str, Any]:
        environ = super().environ()
        environ["HTTP_AUTHORIZATION"] = next(self._tokens)
        return environ


TokenServer = TokenAsgiServer | TokenWsgiServer


def server_for(protocol: str) -> type[TokenServer]:
    """Return the class of the servers of a protocol, ``"ASGI"`` or ``"WSGI"``."""
    return TokenAsgiServer if protocol == "ASGI" else TokenWsgiServer

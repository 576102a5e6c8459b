"""An app behind a guard, asked and looked at from both sides."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet.guard import SchemaGuard

if TYPE_CHECKING:
    from collections.abc import MutableMapping, Sequence

    from tests.drive import Adapter, Answer, Fields, Said

JSON: Fields = [("Content-Type", "application/json")]
FORM: Fields = [("Content-Type", "application/x-www-form-urlencoded")]


class Guarded:
    """An app that keeps what it was given, behind a guard.

    Args:
        adapter: the protocol.
        args: the guard's.
        policies: what stands outside of the guard.
        answer: what the app answers.
        options: the guard's.

    Attributes:
        guard: the guard.
        seen: what the app was given as validated, for each request that has reached it.
        bodies: the body that it has read, for each.
        carriers: the environs or scopes.
    """

    def __init__(
        self,
        adapter: Adapter,
        *args: Any,
        policies: Sequence[mantlet.Policy] = (),
        answer: Said = (200, [("content-type", "application/json")], b"{}"),
        **options: Any,
    ) -> None:
        self.adapter = adapter
        made = bool(args) and isinstance(args[0], SchemaGuard)
        self.guard: SchemaGuard = args[0] if made else SchemaGuard(*args, **options)
        self.seen: list[Any] = []
        self.bodies: list[bytes] = []
        self.carriers: list[MutableMapping[str, Any]] = []
        self._answer = answer
        wrap: Any = adapter.module.wrap
        self.stack = wrap(
            self._wsgi if adapter.name == "wsgi" else self._asgi,
            *policies,
            self.guard,
            baseline=False,
        )

    def _see(self, carrier: MutableMapping[str, Any], body: bytes) -> None:
        self.seen.append(getattr(mantlet.state(carrier), "validated", None))
        self.bodies.append(body)
        self.carriers.append(carrier)

    def _wsgi(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self._see(environ, environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        status, fields, body = self._answer
        start_response(f"{status} Status", list(fields))
        return [body]

    async def _asgi(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self._see(scope, body)
        status, fields, answer = self._answer
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in fields]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": answer})

    def ask(
        self,
        method: str = "GET",
        target: str = "/",
        *,
        body: bytes | str = b"",
        headers: Fields = (),
        length: bool = True,
        **more: Any,
    ) -> Answer:
        """Send a request.

        Args:
            method: of the request.
            target: its path, decoded, and its query, as it is sent.
            body: its body.
            headers: its fields; a Content-Length is added where there is a body.
            length: whether it is, under ASGI.
            more: entries of the scope or the environ.
        """
        path, _, query = target.partition("?")
        body = body.encode() if isinstance(body, str) else body
        if body and length and self.adapter.name == "asgi":
            headers = [*headers, ("Content-Length", str(len(body)))]
        if self.adapter.name == "wsgi":
            carrier: dict[str, Any] = {"environ": {"QUERY_STRING": query, **more}}
        else:
            carrier = {"scope": {"query_string": query.encode("latin-1"), **more}}
        return self.adapter.drive(self.stack, method, path, body=body, headers=headers, **carrier)

    def post(self, target: str, value: Any, **more: Any) -> Answer:
        """Send a value as JSON."""
        return self.ask("POST", target, body=json.dumps(value), headers=JSON, **more)


def faults(answer: Answer) -> list[tuple[str, str, str]]:
    """Return where a refused request was wrong, and its codes."""
    assert answer.get("content-type") == "application/problem+json"
    assert answer.json()["status"] == answer.status
    return [(fault["in"], fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]

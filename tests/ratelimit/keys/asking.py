"""Keys asked for real requests of both protocols."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import mantlet
from mantlet import Policy
from mantlet.asgi.request import AsgiRequest
from mantlet.ratelimit.keys.content_type import read_body_type
from mantlet.ratelimit.keys.form_fields import FormField
from mantlet.ratelimit.keys.json_members import json_member
from mantlet.wsgi.request import WsgiRequest
from tests.drive import CLIENT, Adapter, hello, make_environ, make_scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mantlet import Request
    from mantlet._internal.asgi_types import AsgiMessage
    from mantlet.ratelimit.keys import KeyFunction
    from tests.drive import Fields


def hashed(text: str) -> str:
    """Return what stands in a key for a text that is long or secret."""
    return "#" + blake2b(text.encode(), digest_size=16).hexdigest()


class Asks(Policy):
    """Keeps the key of each request.

    Args:
        key: what is asked.
        route: the parameters of the path that a rule has found.
    """

    def __init__(self, key: KeyFunction, route: Mapping[str, str] | None = None) -> None:
        self.key = key
        self.route = route
        self.seen: list[str | None] = []

    async def on_request(self, request: Request) -> None:
        if self.route is not None:
            request.state._path_parameters = dict(self.route)
        found = self.key(request)
        if found is not None and not isinstance(found, str):
            found = await found
        assert found is None or isinstance(found, str)
        self.seen.append(found)


# Any: what the adapters' own drive() takes.
def ask(
    adapter: Adapter, key: KeyFunction, *, route: Mapping[str, str] | None = None, **request: Any
) -> str | None:
    """Return the key of one request through a stack."""
    asks = Asks(key, route)
    answer = adapter.drive(adapter.wrap(hello, asks), **request)
    assert answer.error is None
    assert answer.status == 200
    (found,) = asks.seen
    return found


async def _nothing() -> AsgiMessage:
    raise AssertionError("there is no body to receive")


def key_of(
    adapter: Adapter, key: KeyFunction, headers: Fields = (), client: str | None = CLIENT
) -> str | None:
    """Return the key of a request that is in no stack; for keys that do not wait."""
    request: Request
    if adapter.module is mantlet.asgi:
        request = AsgiRequest(make_scope(headers=headers, client=client), _nothing)
    else:
        request = WsgiRequest(make_environ(headers=headers, client=client))
    found = key(request)
    assert found is None or isinstance(found, str)
    return found


def read_form(body: bytes, kind: str, name: str = "username") -> str | None:
    """Return the value of a field of a form; None if it is no form, or lacks the field."""
    body_type = read_body_type(kind)
    return FormField(name).in_form(body, body_type) if body_type.is_form and body else None


def read_json(body: bytes, *path: str) -> str | None:
    """Return a member of a JSON body."""
    return json_member(body, read_body_type("application/json"), path)

"""JSON-RPC 2.0, for the staff: methods and responses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from examples.reference.adapters.web.versions import Json
from examples.reference.domain.orders import OrderNotFound, WrongStatus
from pydantic import StringConstraints

import mantlet
from mantlet.guard import RpcCall


@dataclass
class OrderParams:
    """The params of all methods."""

    id: Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$", max_length=32)]


SERVICE: Final = mantlet.JsonRpc({"orders.ship": OrderParams}, max_batch=10)
#: Errors of the application, in the range that the specification leaves to it (section 5.1).
_ERRORS: Final = {OrderNotFound: (-32001, "No such order"), WrongStatus: (-32002, "Wrong status")}


def answer(
    body: RpcCall | list[RpcCall], methods: Mapping[str, Callable[[str], None]]
) -> Json | list[Json] | None:
    """Return the response to a call or a batch; None if the client expects none."""
    if not isinstance(body, list):
        return _answer(body, methods)
    answers = [_answer(call, methods) for call in body]
    return [one for one in answers if one is not None] or None


def _answer(call: RpcCall, methods: Mapping[str, Callable[[str], None]]) -> Json | None:
    outcome: Json = {"result": True}
    try:
        methods[call.method](call.params.id)
    except tuple(_ERRORS) as error:
        code, message = _ERRORS[type(error)]
        outcome = {"error": {"code": code, "message": message}}
    return None if call.notification else {"jsonrpc": "2.0", **outcome, "id": call.id}

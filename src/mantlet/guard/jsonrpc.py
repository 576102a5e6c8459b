"""JSON-RPC 2.0: declared methods only, each with the params that its schema allows.

Source: the JSON-RPC 2.0 Specification (2013-01-04), sections 4, 4.1, 4.2 and 6.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from mantlet.guard.errors import Fault, Invalid, Place
from mantlet.guard.schemas import Schema

__all__ = ["JsonRpc", "RpcCall", "RpcSchema"]

_MEMBERS: Final = frozenset({"jsonrpc", "method", "params", "id"})
#: Names that begin so are the protocol's own (section 8).
_RESERVED: Final = "rpc."


class JsonRpc:
    """The methods of a JSON-RPC 2.0 service, for the body of a POST or for WebSocket messages.

    The app gets an `RpcCall`, or a list of them for a batch.

    Args:
        methods: what the params of each method are: a model, whose fields may also come by their
            positions, or None for a method that takes none.
        max_batch: calls in one batch; 0 refuses batches.

    Raises:
        ValueError: a name or the number is none.
    """

    # Any: whatever pydantic takes for a type.
    def __init__(self, methods: Mapping[str, Any], *, max_batch: int = 20) -> None:
        if not methods:
            raise ValueError("methods must name a method at least")
        for name in methods:
            if not name or name.startswith(_RESERVED):
                raise ValueError(
                    f'methods must have names that do not begin with "rpc.", not {name!r}'
                )
        if max_batch < 0:
            raise ValueError(f"max_batch must be at least 0 calls, not {max_batch}")
        self.methods = dict(methods)
        self.max_batch = max_batch


class RpcCall(NamedTuple):
    """One call, validated.

    Attributes:
        method: its name.
        params: a model, or None.
        id: what the answer is to name, or None.
        notification: whether no answer is wanted.
    """

    method: str
    # Any: a model of the user's.
    params: Any
    id: str | int | float | None
    notification: bool


class RpcSchema:
    """The methods of a service, compiled: a `Schema`.

    Args:
        methods: the schemas of their params; None for none.
        fields: the names of the params that may come by their positions, in their order.
        max_batch: calls in one batch.
        errors: how many faults are told at most.
    """

    __slots__ = ("_errors", "_fields", "_max_batch", "_methods")

    def __init__(
        self,
        methods: Mapping[str, Schema | None],
        fields: Mapping[str, tuple[str, ...]],
        *,
        max_batch: int,
        errors: int,
    ) -> None:
        self._methods = dict(methods)
        self._fields = dict(fields)
        self._max_batch = max_batch
        self._errors = errors

    # Any: plain JSON values in, calls out.
    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Return the call, or the calls, that a JSON text states.

        Raises:
            Invalid: with 400 for what is no JSON-RPC, 422 for what is not declared.
        """
        return self.check(value, place)

    def check(self, value: Any, place: Place) -> Any:
        """Return the call, or the calls, that a value states; see `load()`."""
        if not isinstance(value, list):
            return self._call(value, place, "")
        if not 0 < len(value) <= self._max_batch:
            words = f"A batch must have from 1 to {self._max_batch} calls"
            raise Invalid(400, [Fault(place, "", "rpc_batch", words)])
        calls, faults, status = [], list[Fault](), 422
        for index, one in enumerate(value):
            try:
                calls.append(self._call(one, place, f"/{index}"))
            except Invalid as invalid:
                faults += invalid.faults
                status = min(status, invalid.status)
            if len(faults) >= self._errors:
                break
        if faults:
            raise Invalid(status, faults[: self._errors])
        return calls

    def dump(self, value: Any) -> bytes:
        """Return calls as JSON, with their members in the specification's order."""
        if isinstance(value, list):
            return b"[%s]" % b",".join(map(self._dump, value))
        return self._dump(value)

    def _dump(self, call: RpcCall) -> bytes:
        text = b'{"jsonrpc":"2.0","method":' + json.dumps(call.method).encode()
        schema = self._methods[call.method]
        if schema is not None and call.params is not None:
            text += b',"params":' + schema.dump(call.params)
        if not call.notification:
            text += b',"id":' + json.dumps(call.id).encode()
        return text + b"}"

    def _call(self, value: Any, place: Place, at: str) -> RpcCall:
        malformed = list(_malformed(value, place, at))
        if malformed:
            raise Invalid(400, malformed)
        name = value["method"]
        if name not in self._methods:
            words = "The service has no such method"
            raise Invalid(422, [Fault(place, f"{at}/method", "undeclared_method", words)])
        params = self._params(name, value, place, at)
        return RpcCall(name, params, value.get("id"), "id" not in value)

    def _params(self, name: str, call: Mapping[str, Any], place: Place, at: str) -> Any:
        schema = self._methods[name]
        params: Any = call.get("params", {})
        if schema is None:
            if params:
                words = "The method takes no params"
                raise Invalid(422, [Fault(place, f"{at}/params", "undeclared_params", words)])
            return None
        names = self._fields.get(name)
        if isinstance(params, list) and names is not None:
            if len(params) > len(names):
                words = f"The method takes at most {len(names)} params"
                raise Invalid(422, [Fault(place, f"{at}/params", "too_long", words)])
            params = dict(zip(names, params, strict=False))
        try:
            # A call's own text is not at hand, and JSON's rules for types are wanted.
            return schema.load(json.dumps(params).encode(), params, place)
        except Invalid as invalid:
            raise Invalid(
                invalid.status,
                [fault._replace(pointer=f"{at}/params{fault.pointer}") for fault in invalid.faults],
            ) from None


def _malformed(value: Any, place: Place, at: str) -> Iterator[Fault]:
    """Yield what makes a value no request object (sections 4 and 4.2)."""
    if not isinstance(value, dict):
        yield Fault(place, at, "rpc_call", "A call must be an object")
        return
    if value.get("jsonrpc") != "2.0":
        yield Fault(place, f"{at}/jsonrpc", "rpc_version", 'Must be "2.0"')
    if not isinstance(value.get("method"), str):
        yield Fault(place, f"{at}/method", "rpc_method", "Must be text")
    if not isinstance(value.get("params", {}), (dict, list)):
        yield Fault(place, f"{at}/params", "rpc_params", "Must be an object or an array")
    number = value.get("id")
    if isinstance(number, bool) or not isinstance(number, (str, int, float, type(None))):
        yield Fault(place, f"{at}/id", "rpc_id", "Must be text, a number or null")
    if not value.keys() <= _MEMBERS:
        yield Fault(place, at, "rpc_members", "Has members that a call does not have")

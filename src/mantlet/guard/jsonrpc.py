"""Validate JSON-RPC 2.0: only declared methods, with the params that their schemas allow.

Source: the JSON-RPC 2.0 Specification (2013-01-04), sections 4, 4.1, 4.2 and 6.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from mantlet._internal.options import KnowsOptions
from mantlet.guard.errors import ErrorItem, Place, ValidationFailed
from mantlet.guard.readers import Schema

__all__ = ["JsonRpc", "JsonRpcSchema", "RpcCall"]

_MEMBERS: Final = frozenset({"jsonrpc", "method", "params", "id"})
#: The prefix of reserved method names (section 8).
_RESERVED: Final = "rpc."


class JsonRpc(KnowsOptions):
    """The methods of a JSON-RPC 2.0 service, for the body of a POST or for WebSocket messages.

    The app gets an `RpcCall`, or a list of them for a batch.

    Args:
        methods: the params of each method: a model, whose fields may also be sent by position, or
            None for a method without params.
        max_batch: the maximum number of calls in one batch; 0 rejects batches.

    Raises:
        ValueError: methods are missing, a name is invalid, or ``max_batch`` is negative.
    """

    # Any: whatever pydantic takes for a type.
    def __init__(self, methods: Mapping[str, Any], *, max_batch: int = 20) -> None:
        if not methods:
            raise ValueError("methods must name at least one method")
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
        method: the name of the method.
        params: a model, or None.
        id: the id that the response must repeat, or None.
        notification: whether the client expects no response.
    """

    method: str
    # Any: the user's model.
    params: Any
    id: str | int | float | None
    notification: bool


class JsonRpcSchema:
    """The compiled methods of a service; a `Schema`.

    Args:
        methods: the schemas of their params; None for a method without params.
        fields: the names of the params that may be sent by position, in order.
        max_batch: the maximum number of calls in one batch.
        errors: the maximum number of errors to report.
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
        """Return the call, or the list of calls, of a JSON text.

        Raises:
            ValidationFailed: with 400 for malformed JSON-RPC, 422 for an undeclared call.
        """
        return self.check(value, place)

    def check(self, value: Any, place: Place) -> Any:
        """Return the call, or the list of calls, of a value; see `load()`."""
        if not isinstance(value, list):
            return self._call(value, place, "")
        if not 0 < len(value) <= self._max_batch:
            detail = f"A batch must have from 1 to {self._max_batch} calls"
            raise ValidationFailed(400, [ErrorItem(place, "", "rpc_batch", detail)])
        calls, errors, status = [], list[ErrorItem](), 422
        for index, one in enumerate(value):
            try:
                calls.append(self._call(one, place, f"/{index}"))
            except ValidationFailed as failure:
                errors += failure.errors
                status = min(status, failure.status)
            if len(errors) >= self._errors:
                break
        if errors:
            raise ValidationFailed(status, errors[: self._errors])
        return calls

    def dump(self, value: Any) -> bytes:
        """Serialize calls, with their members in the order of the specification."""
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
            raise ValidationFailed(400, malformed)
        name = value["method"]
        if name not in self._methods:
            detail = "Unknown method"
            raise ValidationFailed(
                422, [ErrorItem(place, f"{at}/method", "undeclared_method", detail)]
            )
        params = self._params(name, value, place, at)
        return RpcCall(name, params, value.get("id"), "id" not in value)

    def _params(self, name: str, call: Mapping[str, Any], place: Place, at: str) -> Any:
        schema = self._methods[name]
        params: Any = call.get("params", {})
        if schema is None:
            if params:
                detail = "The method takes no params"
                raise ValidationFailed(
                    422, [ErrorItem(place, f"{at}/params", "undeclared_params", detail)]
                )
            return None
        names = self._fields.get(name)
        if isinstance(params, list) and names is not None:
            if len(params) > len(names):
                detail = f"The method takes at most {len(names)} params"
                raise ValidationFailed(422, [ErrorItem(place, f"{at}/params", "too_long", detail)])
            params = dict(zip(names, params, strict=False))
        try:
            # The call's own text is not available, and the rules for JSON types should apply.
            return schema.load(json.dumps(params).encode(), params, place)
        except ValidationFailed as failure:
            raise ValidationFailed(
                failure.status,
                [error._replace(pointer=f"{at}/params{error.pointer}") for error in failure.errors],
            ) from None


def _malformed(value: Any, place: Place, at: str) -> Iterator[ErrorItem]:
    """Yield the reasons why a value is not a request object (sections 4 and 4.2)."""
    if not isinstance(value, dict):
        yield ErrorItem(place, at, "rpc_call", "A call must be an object")
        return
    if value.get("jsonrpc") != "2.0":
        yield ErrorItem(place, f"{at}/jsonrpc", "rpc_version", 'Must be "2.0"')
    if not isinstance(value.get("method"), str):
        yield ErrorItem(place, f"{at}/method", "rpc_method", "Must be a string")
    if not isinstance(value.get("params", {}), (dict, list)):
        yield ErrorItem(place, f"{at}/params", "rpc_params", "Must be an object or an array")
    number = value.get("id")
    if isinstance(number, bool) or not isinstance(number, (str, int, float, type(None))):
        yield ErrorItem(place, f"{at}/id", "rpc_id", "Must be a string, a number or null")
    if not value.keys() <= _MEMBERS:
        yield ErrorItem(place, at, "rpc_members", "Unknown members")

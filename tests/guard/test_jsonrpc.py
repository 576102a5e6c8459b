"""JSON-RPC 2.0: what is a call, and what its params may be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, Field

from mantlet.guard.errors import ValidationFailed
from mantlet.guard.jsonrpc import JsonRpc, JsonRpcSchema, RpcCall
from mantlet.guard.models.schema import ModelSchema


class Subtract(BaseModel):
    minuend: int
    subtrahend: int = Field(ge=0)


def service(max_batch: int = 3) -> JsonRpcSchema:
    return JsonRpcSchema(
        {"subtract": ModelSchema(Subtract, name="subtract", errors=20), "ping": None},
        {"subtract": ("minuend", "subtrahend")},
        max_batch=max_batch,
        errors=20,
    )


def call(**members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1} | members


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in call().items() if name not in names}


PARAMS = Subtract(minuend=42, subtrahend=23)


# From the specification's section 7, "Examples".
@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (call(), RpcCall("subtract", PARAMS, 1, notification=False)),
        (call(params={"subtrahend": 23, "minuend": 42}, id="a"),
         RpcCall("subtract", PARAMS, "a", notification=False)),
        (call(id=None), RpcCall("subtract", PARAMS, None, notification=False)),
        (without("id"), RpcCall("subtract", PARAMS, None, notification=True)),
        ({"jsonrpc": "2.0", "method": "ping"}, RpcCall("ping", None, None, notification=True)),
        (call(method="ping", params=[]), RpcCall("ping", None, 1, notification=False)),
        ([call(), without("id")],
         [RpcCall("subtract", PARAMS, 1, notification=False),
          RpcCall("subtract", PARAMS, None, notification=True)]),
    ],
)  # fmt: skip
def test_calls_are_read(value: Any, wanted: Any) -> None:
    """With params by position or by name, alone or in a batch."""
    assert service().load(b"", value, "body") == wanted


@pytest.mark.parametrize(
    ("value", "status", "wanted"),
    [
        (1, 400, [("", "rpc_call")]),
        ([1, call(), "a"], 400, [("/0", "rpc_call"), ("/2", "rpc_call")]),
        ([], 400, [("", "rpc_batch")]),
        ([call()] * 4, 400, [("", "rpc_batch")]),
        (call(jsonrpc="1.0"), 400, [("/jsonrpc", "rpc_version")]),
        (without("jsonrpc", "method"), 400,
         [("/jsonrpc", "rpc_version"), ("/method", "rpc_method")]),
        (call(method=1), 400, [("/method", "rpc_method")]),
        (call(params="bar"), 400, [("/params", "rpc_params")]),
        (call(params=None), 400, [("/params", "rpc_params")]),
        (call(id=True), 400, [("/id", "rpc_id")]),
        (call(id=[]), 400, [("/id", "rpc_id")]),
        (call(more=1), 400, [("", "rpc_members")]),
        (call(method="rpc.discover"), 422, [("/method", "undeclared_method")]),
        (call(method="ping"), 422, [("/params", "undeclared_params")]),
        (call(params=[1, 2, 3]), 422, [("/params", "too_long")]),
        (call(params=[1]), 422, [("/params/subtrahend", "missing")]),
        (call(params={"minuend": "x", "subtrahend": -1, "z": 1}), 422,
         [("/params/minuend", "int_parsing"), ("/params/subtrahend", "greater_than_equal"),
          ("/params/z", "extra_forbidden")]),
        ([call(), call(params=[])], 422,
         [("/1/params/minuend", "missing"), ("/1/params/subtrahend", "missing")]),
    ],
)  # fmt: skip
def test_what_is_no_declared_call_is_refused(value: Any, status: int, wanted: Any) -> None:
    """Malformed ones with 400, undeclared ones with 422, each with its place."""
    with pytest.raises(ValidationFailed) as caught:
        service().load(b"", value, "body")
    assert caught.value.status == status
    assert [(fault.pointer, fault.code) for fault in caught.value.errors] == wanted


def test_a_batch_can_be_forbidden() -> None:
    """By a bound of none."""
    with pytest.raises(ValidationFailed):
        service(max_batch=0).check([call()], "message")


def test_as_many_faults_of_a_batch_are_told_as_the_bound_says() -> None:
    """The rest of it is not looked at."""
    schema = JsonRpcSchema({"ping": None}, {}, max_batch=1000, errors=5)
    with pytest.raises(ValidationFailed) as caught:
        schema.check([1] * 1000, "body")
    assert len(caught.value.errors) == 5


@pytest.mark.parametrize("value", [call(id="a"), without("id"), [call(), without("id")]])
def test_the_canonical_form_reads_to_the_same(value: Any) -> None:
    """With params by name."""
    schema = service()
    once = schema.check(value, "body")
    written = json.loads(schema.dump(once))
    assert schema.check(written, "body") == once


@pytest.mark.parametrize(
    ("methods", "options", "words"),
    [
        ({}, {}, "methods must name"),
        ({"rpc.x": None}, {}, 'not begin with "rpc."'),
        ({"": None}, {}, 'not begin with "rpc."'),
        ({"a": None}, {"max_batch": -1}, "max_batch must be at least 0"),
    ],
)
def test_wrong_options_are_refused(methods: Any, options: Any, words: str) -> None:
    """At construction."""
    with pytest.raises(ValueError, match=words):
        JsonRpc(methods, **options)

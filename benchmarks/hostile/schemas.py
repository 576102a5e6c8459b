"""Hostile JSON for schemas that cost much: unions, sets, multiples, formats, GraphQL."""

import gzip
import json
import sys
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from ipaddress import IPv6Address, IPv6Network
from itertools import product
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, Field, create_model

from benchmarks.hostile.kinds import MB, Hostile, Inputs, Stack, repeated
from mantlet import ErrorEnvelope, Policy, SchemaGuard
from mantlet.guard import Contract, GraphQL

__all__ = ["inputs"]

#: All multiples of it have the same hash.
_MODULUS: Final = sys.hash_info.modulus


def _wide(name: str, count: int) -> Any:
    fields: dict[str, Any] = {f"{name}{number}": (int, ...) for number in range(count)}
    return create_model(name.upper(), **fields)


A: Final[Any] = _wide("a", 30)
B: Final[Any] = _wide("b", 30)
C: Final[Any] = _wide("c", 1)


class Tree(BaseModel):
    """A model that contains itself twice, with fields that a client may leave out."""

    left: "Tree | None" = None
    right: "Tree | None" = None
    a: int
    b: int
    c: int


class Values(BaseModel):
    """A field for each kind of value."""

    wide: list[list[A]] = []
    by_name: dict[str, dict[str, A]] = {}
    either: list[list[A | B | C]] = []
    scalar: list[list[int | bool | date | UUID | str]] = []
    tree: Tree | None = None
    integers: list[set[int]] = []
    frozen: list[frozenset[int]] = []
    decimals: list[set[Decimal]] = []
    pairs: list[set[tuple[int, int]]] = []
    named: list[dict[int, int]] = []
    ids: list[set[UUID]] = []
    amounts: list[list[Decimal]] = []
    multiples: list[list[Annotated[float, Field(multiple_of=0.1)]]] = []
    dates: list[list[date]] = []
    times: list[list[datetime]] = []
    addresses: list[list[IPv6Address]] = []
    networks: list[list[IPv6Network]] = []


_NODE: Final[dict[str, Any]] = {"$ref": "#/components/schemas/Node"}
_FORMATS: Final = (
    *("byte", "base64url", "date", "date-time", "decimal", "duration", "email", "hostname"),
    *("idn-email", "idn-hostname", "ipv4", "ipv6", "iri", "iri-reference", "json-pointer", "regex"),
    *("relative-json-pointer", "time", "uri", "uri-reference", "uri-template", "uuid"),
)


def _arrays(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "array", "items": items}}


_PROPERTIES: Final[dict[str, Any]] = {
    "wide": _arrays({"type": "object", "required": [f"a{number}" for number in range(30)]}),
    "multiples": _arrays({"type": "number", "multipleOf": 0.1}),
    "unique": {"type": "array", "items": {"type": "array", "uniqueItems": True}},
    "contains": {"type": "array", "items": {"type": "array", "contains": {"const": 0}}},
    "node": _NODE,
    "looking": _arrays({"type": "string", "pattern": "(?=.*?a.*?b)c"}),
    **{name: _arrays({"type": "string", "format": name}) for name in _FORMATS},
}
_DOCUMENT: Final[dict[str, Any]] = {
    "openapi": "3.1.0",
    "info": {"title": "hostile", "version": "1"},
    "components": {"schemas": {"Node": {"anyOf": [
        {"type": "object", "properties": {"a": _NODE, "c": _NODE}},
        {"type": "object", "properties": {"a": _NODE, "c": _NODE}, "required": ["b"]},
        {"type": "array", "items": {"type": "integer"}},
    ]}}},
    "paths": {"/": {"post": {
        "requestBody": {"content": {"application/json": {"schema": {
            "type": "object", "additionalProperties": False, "properties": _PROPERTIES}}}},
        "responses": {"200": {"description": "Done"}}}}},
}  # fmt: skip


@cache
def _models(name: str) -> tuple[Stack, Stack]:
    """Return the policies for bodies, and for messages, that have one field of `Values` alone.

    The bounds of a body follow from all of its fields, so one field would hide what another costs.
    """
    info = Values.model_fields[name]
    fields: dict[str, Any] = {name: (info.annotation, info)}
    kind = create_model(f"Only{name.title()}", **fields)

    @cache
    def bodies() -> tuple[Policy, ...]:
        return (ErrorEnvelope(), SchemaGuard({"POST /": Contract(body=kind, lines=kind)}))

    @cache
    def messages() -> tuple[Policy, ...]:
        return (SchemaGuard({"WS /": Contract(message=kind)}),)

    return bodies, messages


def _model() -> tuple[Policy, ...]:
    """Stand for the policies of the field that a body has."""
    raise NotImplementedError


@cache
def _document() -> tuple[Policy, ...]:
    return (
        ErrorEnvelope(),
        SchemaGuard(openapi=_DOCUMENT, formats=True, regex_lookaround="bounded"),
    )


@cache
def _graphql() -> tuple[Policy, ...]:
    schema = "type Query { a(first: Int, i: In): Query b: [Query] c: Int } input In { a: [In] }"
    return (ErrorEnvelope(), SchemaGuard({"POST /": GraphQL(schema=schema)}))


def _nested(name: str, unit: bytes, size: int) -> bytes:
    """Return an object with an array of arrays of a unit, each of them within the limits."""
    inner = b"[%b]" % b",".join([unit] * max(min(9_000, size // (len(unit) + 1)), 1))
    return repeated(b'{"%b":[' % name.encode(), inner + b",", inner + b"]}", size)


def _numbers(name: str, text: str, size: int) -> bytes:
    """Return an object with sets of different numbers of one hash."""
    numbers = [text % (_MODULUS * number) for number in range(900)]
    is_mapping = ":" in text
    inner = ("{%s}" if is_mapping else "[%s]") % ",".join(numbers)
    return repeated(b'{"%b":[' % name.encode(), inner.encode() + b",", inner.encode() + b"]}", size)


def _tree(depth: int) -> str:
    return f'{{"left":{_tree(depth - 1)},"right":{_tree(depth - 1)}}}' if depth else "{}"


def _members(size: int) -> bytes:
    unit = b"{%b}," % b",".join(b'"x%d":1' % number for number in range(130))
    return repeated(b'{"wide":[[', unit, b"{}]]}", size)


#: The field, and the item that is repeated in arrays of it.
_UNITS: Final = (
    *(("wide", b"{}"), ("either", b"{}"), ("either", b'{"c0":1}'), ("scalar", b'""')),
    *(("amounts", b'"1e999999999"'), ("amounts", b"1"), ("amounts", b'""'), ("dates", b'""')),
    *(("multiples", b"1e300"), ("multiples", b"1.5"), ("times", b"1"), ("contains", b"1")),
    *(("multiples", b"1.7976931348623157e308"), ("multiples", b"9" * 80), ("unique", b"[]")),
    *(("addresses", b'"::1"'), ("networks", b"1"), ("looking", b'"' + b"a" * 900 + b'"')),
    ("looking", b'"' + b"a" * 90_000 + b'"'),
)
_TEXTS: Final = ("", "a", "a@b.cc", "1", "\\\\w{99}", "/~1")


def _bodies(size: int) -> Iterator[tuple[str, Stack, bytes]]:
    for name, unit in _UNITS:
        for stack in (_model, _document):
            yield f"{name}: {unit[:20].decode()}", stack, _nested(name, unit, size)
    for name, text in product(_FORMATS, _TEXTS if size == MB else ()):
        unit = f'"{text}"'.encode()
        yield f"format {name}: {text}", _document, _nested(name, unit, size)
        long = f'{{"{name}":[["{text * max(size // max(len(text), 1) - 20, 1)}"]]}}'
        yield f"format {name}, long: {text}", _document, long.encode()
    for name, text in (
        *(("integers", "%d"), ("integers", '"%d"'), ("frozen", "%d"), ("decimals", '"%d.0"')),
        *(("named", '"%d":1'), ("ids", '"%032x"'), ("unique", "%d"), ("unique", "[%d]")),
    ):
        stack = _document if name == "unique" else _model
        yield f"{name} of one hash: {text}", stack, _numbers(name, text, size)
    pairs = b"[%b]," % b",".join(b"[%d,%d]" % (number, number) for number in range(900))
    yield "sets of tuples", _model, repeated(b'{"pairs":[', pairs, b"[]]}", size)
    big = b"[%b]," % b",".join(b"%d" % (10**80 + number) for number in range(900))
    yield "unique integers of one double", _document, repeated(b'{"unique":[', big, b"[]]}", size)
    yield "undeclared members", _model, _members(size)
    yield "undeclared members", _document, _members(size)
    depth = max(1, (size // 22).bit_length() - 1)
    yield "a tree", _model, b'{"tree":%b}' % _tree(depth).encode()
    tree = _tree(depth).replace("left", "a").replace("right", "c")
    yield "a tree", _document, b'{"node":%b}' % tree.encode()
    leaf = b"[%b" % (b"1," * min(9_000, size // 3))
    for depth in (4, 28):
        body = b'{"node":%b%b"x"]%b}' % (b'{"b":1,"a":' * depth, leaf, b"}" * depth)
        yield f"branches {depth} levels around a large array", _document, body


def _selected(fields: str, before: str = "") -> str:
    return f"{before}{{{fields}}}"


_MERGED: Final = "b{b{c}} " * 150
_QUERIES: Final = (
    _selected("c " * 490),
    _selected(_MERGED),
    _selected(_MERGED, "{c} query B"),
    _selected(_MERGED, "{c} fragment F on Query"),
    _selected("b{b{b{b{b{b{c}}}}}} " * 80),
    _selected("x:b{c} x:a{c} " * 80),
    _selected(" ".join(f"q{number}" for number in range(480))),
    _selected("a(i:" + "{a:" * 90 + "{}" + "}" * 90 + "){c}"),
    "{c} " + " ".join(f"fragment F{n} on Query{{...F{n + 1} ...F{n + 1}}}" for n in range(60)),
    "{c}" + "," * 40_000,
    '{a(first:"' + "a" * 40_000 + '"){c}}',
)


def _requests() -> Iterator[tuple[str, bytes]]:
    for query in _QUERIES:
        yield f"GraphQL: {query[:40]}", json.dumps({"query": query}).encode()
    query = "query($i:In){a(i:$i){c}}"
    variables: Any = {"i": {"a": [{"a": [{}] * 9_000}] * 25}}
    yield "GraphQL: variables", json.dumps({"query": query, "variables": variables}).encode()


def _field(body: bytes) -> str:
    """Return the field that a body has; any if it is not one of `Values`."""
    name = body.split(b'"', 2)[1].decode()
    return name if name in Values.model_fields else "wide"


def inputs() -> Inputs:
    """Iterate over bodies, lines and messages."""
    kinds = ("application/json", "application/x-ndjson")
    for size in (MB, 100_000):
        for text, stack, body in _bodies(size):
            if stack is not _model:
                yield _post(f"schemas, {kinds[0]}: {text}", stack, body, kinds[0])
                continue
            in_bodies, in_messages = _models(_field(body))
            for kind in kinds:
                yield _post(f"schemas, {kind}: {text}", in_bodies, body, kind)
            sent = f"schemas, WebSocket: {text}"
            known = _known(sent, len(body))
            message = body.decode()
            yield Hostile(sent, in_messages, len(body), messages=(message,), known=known)
    members = _members(MB)
    coded = gzip.compress(members, 1, mtime=0)
    text = "schemas: gzip of undeclared members"
    yield _post(text, _models("wide")[0], coded, coding="gzip", size=len(members))
    for text, body in _requests():
        yield _post(f"schemas, {text}", _graphql, body)


#: Seconds a megabyte, where they are known to be more than the target: two bytes make a decimal,
#: which is an object of Python; the types of a union are tried for each three; validators are
#: functions of Python; and a pattern with lookaround reads the rest of a text at each place.
_DEAR: Final = {
    "amounts: 1": 0.3,
    'scalar: ""': 0.25,
    'addresses: "::1"': 0.6,
    "networks: 1": 4.0,
    f'looking: "{"a" * 19}': 2.0,
}
#: A text shorter than this may take as long as one of `_SECONDS`: the search for its errors and the
#: bounds of GraphQL are the same for each.
_SHORT: Final = 75_000
_SECONDS: Final = 0.03


def _known(text: str, size: int) -> float | None:
    """Return the rate that a text may have."""
    return _SECONDS * MB / size if size < _SHORT else _DEAR.get(text.partition(": ")[2])


def _post(
    text: str,
    stack: Stack,
    body: bytes,
    kind: str = "application/json",
    *,
    coding: str = "identity",
    size: int = 0,
) -> Hostile:
    headers = (
        ("content-type", kind),
        ("content-encoding", coding),
        ("content-length", str(len(body))),
    )
    size = size or len(body)
    return Hostile(
        text,
        stack,
        size,
        method="POST",
        headers=headers,
        body=body,
        known=_known(text, size),
    )

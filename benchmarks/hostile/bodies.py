"""Hostile bodies of requests."""

import gzip
import json
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Any, Final

from pydantic import BaseModel

from benchmarks.hostile.kinds import MB, Fields, Hostile, Inputs, Stack, repeated, shown
from mantlet import ErrorEnvelope, OutputSanitizer, Policy, RateLimiter, Rule, SchemaGuard, keys
from mantlet.guard import Contract, File, GraphQL, JsonRpc

__all__ = ["inputs"]


class Owner(BaseModel):
    name: str = ""
    age: int = 0


class Item(BaseModel):
    a: Any = None
    name: str = ""
    numbers: list[int] | None = None
    owners: list[Owner] | None = None
    more: dict[str, int] | None = None


class Upload(BaseModel):
    name: str = ""
    sizes: list[int] = []


_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "a": {"oneOf": [{"type": "string"}, {"type": "array", "uniqueItems": True},
                        {"$ref": "#/components/schemas/Node"}]},
        "name": {"type": "string", "pattern": "^(a|b|ab)*c$", "maxLength": 1000},
        "numbers": {"type": "array", "items": {"type": "integer", "multipleOf": 3}},
        "owners": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        "more": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
}  # fmt: skip
_FIELDS: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "maxLength": 1000},
        "sizes": {"type": "array", "items": {"type": "integer"}},
    },
}
_DOCUMENT: Final[dict[str, Any]] = {
    "openapi": "3.2.0",
    "info": {"title": "hostile", "version": "1"},
    "components": {"schemas": {
        "Body": _SCHEMA,
        "Node": {"type": "object", "properties": {"a": {"anyOf": [
            {"$ref": "#/components/schemas/Node"}, {"type": "integer"}]}}}}},
    "paths": {"/": {"post": {
        "requestBody": {"content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Body"}},
            "application/x-ndjson": {"itemSchema": _SCHEMA},
            "application/x-www-form-urlencoded": {"schema": _FIELDS},
            "multipart/form-data": {"schema": _FIELDS},
        }},
        "responses": {"200": {"description": "Done"}}}}},
}  # fmt: skip


def _guard(contract: Any) -> Stack:
    @cache
    def stack() -> tuple[Policy, ...]:
        if contract is None:
            return (ErrorEnvelope(), SchemaGuard(openapi=_DOCUMENT))
        return (ErrorEnvelope(), SchemaGuard({"POST /": contract}))

    return stack


@cache
def _form_key() -> tuple[Policy, ...]:
    return (RateLimiter("1000000/second", key=keys.form("name", limit=2**24)),)


@cache
def _json_key() -> tuple[Policy, ...]:
    return (RateLimiter("1000000/second", key=keys.json("/name/0/a", limit=2**24)),)


_FILES: Final = {"photo": File(max_size=MB * 2, types=["image/png", "image/svg+xml", "text/plain"])}
_MODEL: Final = _guard(Contract(body=Item))
_LINES: Final = _guard(Contract(lines=Item))
_FORMS: Final = _guard(Contract(form=Upload))
_UPLOADS: Final = _guard(Contract(form=Upload, files=_FILES))
_RPC: Final = _guard(Contract(body=JsonRpc({"add": Owner, "ping": None})))
_GRAPHQL: Final = _guard(
    Contract(body=GraphQL(schema="type Query { a(id: ID, x: [Int]): Query b: Query c: Int }"))
)
_BY_DOCUMENT: Final = _guard(None)

#: What begins a JSON body, what is repeated in it, and what ends it.
_JSON: Final = (
    *((b"", unit, b"") for unit in (b"[", b"{", b'{"a":', b'[{"a":', b'"', b"\\", b" ", b"1", b"-",
                                    b",", b"\xff", b"\xef\xbb\xbf", b"/**/", b"//\n", b"\0",
                                        b"nul")),
    *((b'{"a":"', unit, b'"}') for unit in (b"a", b"\\\\", b'\\"', b"\\u0061", b"\\ud83d\\ude00",
                                            b"\\ud800", b"\xc3\xa9", b"\xff", b"\x01", b"[", b"{",
                                            b",", b"<", b"\xe2\x84\xaa")),
    *((b'{"a":', unit, b"1}") for unit in (b"1", b"-", b"1.", b"1e", b"0", b"1e9", b"[", b'{"a":')),
    *((b'{"a":[', unit, b"1]}") for unit in (b"1,", b"[],", b"{},", b'"",', b"1e400,", b"null,",
                                             b'{"a":1},', b"1.5e300,", b"[[1]],", b"true,", b",",
                                             b'"\\u0061",')),
    *((b'{"numbers":[', unit, b"1]}") for unit in (b"1,", b'"x",', b"1.5,", b"null,", b"[],")),
    *((b'{"owners":[', unit, b"{}]}") for unit in (b"{},", b'{"x":1},', b'{"age":"x"},', b"1,")),
    *((b'{"name":"', unit, b'"}') for unit in (b"ab", b"aab", b"\xc3\xa9", b"a\xcc\x81")),
    *((b"{", unit, b'"z":1}') for unit in (b'"a":1,', b'"":1,', b'"x":{"x":1},')),
    (b'{"name":[{"a":"', b"\\u0061", b'"}]}'),
    (b'{"name":[{"a":"', b"\xef\xb7\xba", b'"}]}'),
    (b'{"name":[{"a":"', b"a\xcc\x81\xcc\xa3", b'"}]}'),
)  # fmt: skip


def _members(size: int) -> bytes:
    """Return an object of as many different members as fit."""
    return b'{"more":{%s}}' % b",".join(b'"k%d":1' % number for number in range(size // 12))


_PART: Final = b"--XX\r\nContent-Disposition: form-data; name="
_MULTIPART: Final = (
    *((b"", unit) for unit in (b"--XX", b"--XX\r\n", b"--XX\r\n\r\n", b"\r\n", b"\r\n--X", b"-",
                               b"--XX--", b"\r\n--XX\r\n\r\n", b"a", b"\r", b"\n")),
    *((_PART + b'"a', unit) for unit in (b"a", b'"', b"%22", b"%", b" ", b"\\", b"; ", b"\xff",
        b"\r",
                                         b'"; name="', b'"; filename="', b"; filename*=")),
    *((_PART + b'"name"\r\n', unit) for unit in (b"a: b\r\n", b"a", b": ", b"Content-Type: a/b;",
                                                 b" ", b"\r\n ", b"\r", b"content-type: a\r\n")),
    *((_PART + b'"name"\r\n\r\n', unit) for unit in (b"a", b"\r\n", b"\r\n-", b"\r\n--", b"\r\n--X",
                                                     b"\r", b"-", b"\xff", b"\r\n--XX ")),
    *((b"", _PART + b'"%b"%b\r\n\r\n%b\r\n' % row) for row in (
        (b"name", b"", b""), (b"sizes", b"", b"1"), (b"x", b"", b""), (b"sizes", b"", b"x"),
        (b"photo", b'; filename="a.png"', b"\x89PNG"), (b"photo", b'; filename="a.txt"', b""))),
    *((_PART + b'"photo"; filename="a.svg"\r\nContent-Type: image/svg+xml\r\n\r\n', unit)
      for unit in (b"<!--", b"<!-- -->", b"<?a?>", b"<?", b"<!DOCTYPE a", b" ", b"<!DOCTYPE a [")),
)  # fmt: skip
_FORM_UNITS: Final = (
    *(b"&", b"a", b"=", b"a=&", b"name=a&", b"sizes=1&", b"sizes=x&", b"%", b"%41", b"%C3", b"+"),
    *(b";", b"\xff", b"name", b"%00", b"%26", b"x[]=1&", b"==", b"&&"),
)
_LINE_UNITS: Final = (
    *(b"\n", b"\r\n", b" \n", b"{}\n", b"{\n", b"1\n", b"\x1e", b"\x1e{}\n", b"{}", b"\t", b" "),
    *(b'{"a":1}\n', b'{"x":1}\n', b'"\n', b"[", b'{"name":1}\n'),
)
_GRAPHQL_UNITS: Final = (
    *("{", "{b", "{b ", "b ", "#", "# \n", '"', '"""', "a(id:1)", "a(x:[1", "[", "...",
        "... on ", "@a "),
    *("...F ", "a:b ", "$a:Int ", ",", "\ufeff", "{c}", "b{c}", "fragment F on Query{...F}",
        "1 ", "a(id:1){c}"),
)  # fmt: skip
_CODED: Final[tuple[tuple[str, bytes], ...]] = (
    ("empty gzip members", gzip.compress(b"", 1, mtime=0)),
    ("small gzip members", gzip.compress(b"1", 1, mtime=0)),
)


#: What it is, the policies that read it, the headers that describe it, and itself.
_Body = tuple[str, Stack, Fields, bytes]
_IS_JSON: Final = (("content-type", "application/json"),)


def _json_bodies() -> Iterator[_Body]:
    for begin, unit, end in _JSON:
        body = repeated(begin, unit, end)
        for stack in (_MODEL, _BY_DOCUMENT, _RPC, _json_key):
            yield f"JSON: {shown(begin, unit)}", stack, _IS_JSON, body
    members = b'{"more":{%s}}' % b",".join(b'"k%d":1' % number for number in range(MB // 12))
    for stack in (_MODEL, _BY_DOCUMENT, _json_key):
        yield "JSON: many different members", stack, _IS_JSON, members
    call = b'{"jsonrpc":"2.0","method":"add","id":1,"params":{"age":"x"}},'
    yield "JSON-RPC: a batch", _RPC, _IS_JSON, repeated(b"[", call, b"1]")
    for text, member in _CODED:
        headers = (*_IS_JSON, ("content-encoding", "gzip"))
        for stack in (_MODEL, _LINES):
            yield text, stack, headers, repeated(b"", member)


def _form_bodies() -> Iterator[_Body]:
    for begin, unit in _MULTIPART:
        body = repeated(begin, unit)
        for stack in (_UPLOADS, _FORMS, _BY_DOCUMENT, _form_key):
            kind = "multipart/form-data; boundary=XX"
            yield f"multipart: {shown(begin, unit)}", stack, (("content-type", kind),), body
    for unit in _FORM_UNITS:
        for begin in (b"", b"name="):
            body = repeated(begin, unit)
            kind = "application/x-www-form-urlencoded"
            for stack in (_FORMS, _BY_DOCUMENT, _form_key):
                yield f"form: {shown(begin, unit)}", stack, (("content-type", kind),), body


def _other_bodies() -> Iterator[_Body]:
    for unit in _LINE_UNITS:
        for kind in ("application/x-ndjson", "application/json-seq"):
            text = f"{kind}: {shown(unit)}"
            yield text, _LINES, (("content-type", kind),), repeated(b"", unit)
    for begin in ("", "{", "query Q", "query("):
        for word in _GRAPHQL_UNITS:
            query = begin + word * ((MB - 1000) // max(len(word), len(json.dumps(word)) - 2))
            body = json.dumps({"query": query}).encode()
            yield f"GraphQL: {shown(begin, word)}", _GRAPHQL, _IS_JSON, body


#: Seconds a megabyte of many small messages of these units, where they are known to be more than
#: the target: an object of Python, or of the app's own model, is made of each few bytes.
_MESSAGES: Final = {b"[],": 0.4, b"[[1]],": 0.5, b"{},": 0.8}


def inputs() -> Inputs:
    """Iterate over bodies, each in large chunks and in small ones."""
    for text, stack, headers, body in chain(_json_bodies(), _form_bodies(), _other_bodies()):
        fields = (*headers, ("content-length", str(len(body))))
        for chunk in (64 * 1024, 200):
            yield Hostile(
                f"{text} in chunks of {chunk}",
                stack,
                len(body),
                method="POST",
                headers=fields,
                body=body,
                chunk=chunk,
            )


@cache
def _live() -> tuple[Policy, ...]:
    contracts = {
        "WS /": Contract(message=Item),
        "WS /rpc": Contract(message=JsonRpc({"ping": None})),
    }
    limits = RateLimiter(rules=[Rule("GET /*", "1000000/second", per="message")])
    return (OutputSanitizer(), limits, SchemaGuard(contracts))


def messages() -> Inputs:
    """Iterate over messages of WebSockets."""
    for begin, unit, end in _JSON:
        for path in ("/", "/rpc"):
            text = f"WebSocket {path}: {shown(begin, unit)}"
            for size in (10_000, MB):
                whole = repeated(begin, unit, end, size).decode("latin-1")
                sent = (whole,) * (MB // size)
                known = None if size == MB else _MESSAGES.get(unit)
                yield Hostile(f"{text} ({size})", _live, MB, path=path, messages=sent, known=known)

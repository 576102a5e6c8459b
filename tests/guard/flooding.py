"""What a flood of requests is made of: good ones, and what is put into them."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

#: Stands in values only, so that no answer may tell it.
SECRET = "sEEdEd"


class Sample(NamedTuple):
    """A request that is all right."""

    method: str
    target: str
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def _json(value: Any, kind: str = "application/json") -> dict[str, Any]:
    return {"fields": (("Content-Type", kind),), "body": json.dumps(value).encode()}


ITEM: dict[str, Any] = {
    "name": SECRET,
    "price": 9.5,
    "tags": [SECRET],
    "owner": {"name": SECRET, "age": 7},
    "more": {"a": 1},
}
_LINE = json.dumps(ITEM).encode()
_FORM = f"title={SECRET}&sizes=1&sizes=2".encode()
_PART = b'--XX\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
_PARTS = b"".join([
    _PART % (b"title", b"", SECRET.encode()),
    _PART % (b"sizes", b"", b"3"),
    _PART % (
        b"photo",
        b'; filename="%b.png"\r\nContent-Type: image/png' % SECRET.encode(),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    ),
    b"--XX--\r\n",
])  # fmt: skip
SAMPLES = [
    Sample("POST", "/items", **_json(ITEM)),
    Sample("POST", "/items", **_json({"name": SECRET}, "application/json; charset=utf-8")),
    Sample("GET", f"/items/7?limit=5&fields={SECRET}&fields=b", (("X-Count", "3"),)),
    Sample("GET", "/items/mine", (("Cookie", "session=abc; other=1"),)),
    Sample("POST", "/lines", (("Content-Type", "application/x-ndjson"),), _LINE + b"\n" + _LINE),
    Sample("POST", "/lines", (("Content-Type", "application/json-seq"),), b"\x1e" + _LINE + b"\n"),
    Sample("POST", "/form", (("Content-Type", "application/x-www-form-urlencoded"),), _FORM),
    Sample("POST", "/form", (("Content-Type", "multipart/form-data; boundary=XX"),),
           _PART % (b"title", b"", SECRET.encode()) + b"--XX--"),
    Sample("POST", "/upload", (("Content-Type", "multipart/form-data; boundary=XX"),), _PARTS),
    Sample("PUT", "/raw", (("Content-Type", "text/plain"),), SECRET.encode()),
    Sample("POST", "/rpc", **_json({"jsonrpc": "2.0", "method": "add", "id": 1,
                                    "params": {"name": SECRET}})),
    Sample("POST", "/rpc", **_json([{"jsonrpc": "2.0", "method": "ping", "id": SECRET}])),
    Sample("POST", "/graphql", **_json({"query": f'query($i: ID = "{SECRET}") {{ user(id: $i) }}',
                                        "variables": {"i": SECRET}})),
    Sample("GET", f"/styles/1,2,3/.4.5/;matrix=6;matrix=7/{SECRET}?form=1&form=2&space=3%204"
           f"&pipe=5%7C6&deep%5Ba%5D=7&deep%5Bb%5D={SECRET}&object=a,1&json=%7B%22a%22%3A1%7D",
           (("X-List", "1, 2"), ("Cookie", f"c={SECRET}"))),
]  # fmt: skip

#: What is put into them.
SCRAPS = [
    b"[", b"{", b"}", b"]", b",", b":", b'"', b"\\", b"'", b"&", b"=", b"?", b";", b"%", b"%00",
    b"%2F", b"%2e%2e", b"..", b"//", b"/", b"+", b" ", b"\t", b"\r\n", b"\n", b"\r", b"\0", b"\x1e",
    b"\x7f", b"\x80", b"\xff", b"\xc3", "é\u2028\U0001f600".encode(), b"\xed\xa0\x80", b"%ED%A0%80",
    b"%C3%A9", b"\\ud800", b"\\u0000", b"NaN", b"1e400", b"-0", b"1" * 50, b"0.1e-5", b"null",
    b"true", b"[]", b"{}", b'{"a":1,"a":2}', b"--XX", b"--XX--", b"\r\n\r\n", b"name=",
    b"filename*=UTF-8''%e9", b"filename=", b"Content-Type: text/plain\r\n",
    b"Content-Transfer-Encoding: base64\r\n", b"charset=utf-16", b"boundary=", b"gzip",
    SECRET.encode(), b'"' + SECRET.encode() + b'"', b"a" * 300, b"[" * 40, b"&a=1" * 40,
    b"__proto__", b"$ref", b"\x1f\x8b", b"query{user(id:", b"# ", b"fragment", b"...",
]  # fmt: skip

_INTEGER = {"type": "integer"}
_LIST = {"type": "array", "items": _INTEGER, "maxItems": 9}
_OBJECT = {"type": "object", "additionalProperties": False,
           "properties": {"a": _INTEGER, "b": {"type": "string"}}}  # fmt: skip
_ITEM: Any = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "maxLength": 40, "pattern": "^[a-zA-Z]*$"},
        "price": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "owner": {"oneOf": [{"$ref": "#/components/schemas/Owner"}, {"type": "null"}]},
        "more": {"type": "object", "additionalProperties": {"type": "integer", "format": "int32"}},
    },
}


def _parameter(name: str, place: str, schema: Any, style: str, **more: Any) -> Any:
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, "schema": schema, "style": style, **required, **more}


def _taking(content: Any) -> Any:
    return {"requestBody": {"content": content}, "responses": {"200": {"description": "Done"}}}


_FIELDS = {
    "type": "object",
    "required": ["title"],
    "properties": {
        "title": {"type": "string"},
        "sizes": _LIST,
        "photo": {"type": "string", "contentMediaType": "image/png"},
        "object": _OBJECT,
    },
}
#: The same API and more, as a document of OpenAPI 3.2.
DOCUMENT: Any = {
    "openapi": "3.2.0",
    "info": {"title": "Flood", "version": "1"},
    "components": {
        "schemas": {
            "Owner": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            }
        }
    },
    "paths": {
        "/items": {"post": _taking({"application/json": {"schema": _ITEM}})},
        "/items/{item_id}": {
            "get": {
                "parameters": [
                    _parameter("item_id", "path", _INTEGER, "simple"),
                    _parameter("limit", "query", _INTEGER, "form"),
                    _parameter("fields", "query", {"type": "array", "items": {"type": "string"}},
                               "form", explode=True),
                    _parameter("X-Count", "header", _INTEGER, "simple"),
                ],
                "responses": {"200": {"description": "Done"}},
            }
        },
        "/styles/{simple}/{label}/{matrix}/{text}": {
            "get": {
                "parameters": [
                    _parameter("simple", "path", _LIST, "simple"),
                    _parameter("label", "path", _LIST, "label", explode=True),
                    _parameter("matrix", "path", _LIST, "matrix", explode=True),
                    _parameter("text", "path", {"type": "string", "maxLength": 9}, "simple"),
                    _parameter("form", "query", _LIST, "form", explode=True),
                    _parameter("space", "query", _LIST, "spaceDelimited", explode=False),
                    _parameter("pipe", "query", _LIST, "pipeDelimited", explode=False),
                    _parameter("deep", "query", _OBJECT, "deepObject", explode=True),
                    _parameter("object", "query", _OBJECT, "form", explode=False),
                    {"name": "json", "in": "query",
                     "content": {"application/json": {"schema": _OBJECT}}},
                    _parameter("X-List", "header", _LIST, "simple"),
                    _parameter("c", "cookie", {"type": "string", "maxLength": 9}, "form"),
                ],
                "responses": {"200": {"description": "Done"}},
            }
        },
        "/lines": {
            "post": _taking({
                "application/x-ndjson": {"itemSchema": _ITEM},
                "application/json-seq": {"itemSchema": _ITEM},
            })
        },
        "/form": {
            "post": _taking({
                "application/x-www-form-urlencoded": {
                    "schema": _FIELDS,
                    "encoding": {"sizes": {"style": "form", "explode": True}},
                },
                "multipart/form-data": {"schema": _FIELDS},
            })
        },
        "/upload": {
            "post": _taking({
                "multipart/form-data": {
                    "schema": _FIELDS,
                    "encoding": {"photo": {"contentType": "image/png"}},
                }
            })
        },
        "/raw": {"put": _taking({"text/plain": {}})},
    },
}  # fmt: skip

"""Hostile responses: what a client has stored, or upstream servers send, as the app sends it."""

import gzip
import re
import zlib
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Final

from benchmarks.hostile.kinds import MB, Fields, Hostile, Inputs, Stack, repeated, shown
from mantlet import ErrorEnvelope, OutputSanitizer, Policy
from mantlet.sanitize import JsonField, Leaks

__all__ = ["inputs"]

_SECRETS: Final = ("correct horse battery", "aaaaaaaabbbbbbbbcccccccd1", '\\u0061\\\\/"quoted"')


@cache
def _default() -> tuple[Policy, ...]:
    return (OutputSanitizer(), ErrorEnvelope(convert="always"))


@cache
def _detecting() -> tuple[Policy, ...]:
    detect = ("errors", "keys", "jwt", "cards", "iban", "email", "national")
    return (OutputSanitizer(secrets=_SECRETS, leaks=Leaks(detect=detect)),)


@cache
def _masking() -> tuple[Policy, ...]:
    mask: list[str | JsonField] = [
        "password",
        "*_token",
        "a*b*c*d",
        "/a/*/b",
        "/list/0",
        JsonField("x", "drop"),
    ]
    return (OutputSanitizer(leaks=None, mask=mask),)


@cache
def _cleaning() -> tuple[Policy, ...]:
    return (OutputSanitizer(leaks=None, html={"* /*": "ugc"}),)


@cache
def _joining() -> tuple[Policy, ...]:
    return (OutputSanitizer(leaks=Leaks(across=8)),)


_LEAKY: Final[tuple[Stack, ...]] = (_default, _detecting)
_EVENTFUL: Final[tuple[Stack, ...]] = (_default, _masking, _joining)
_EDITED: Final[tuple[Stack, ...]] = (_default, _masking)
_CLEANED: Final[tuple[Stack, ...]] = (_default, _cleaning)
_PLAIN: Final[tuple[Stack, ...]] = (_default,)

_JSON: Final = (
    *((b"", unit, b"") for unit in (b"[", b"{", b'{"a":', b'"', b"\\", b" ", b"1", b"]", b"}", b":",
                                    b"<", b"&", b"{}\n", b"\x1e{}", b"\xe2\x80\xa8")),
    *((b'{"a":"', unit, b'"}') for unit in (b"a", b"\\\\", b'\\"', b"\\u0061", b"<", b"\\", b"\xe2",
                                            b"\xe2\x80", b"4111111111111111 ", b"1234 ", b"1")),
    *((b'{"', unit, b'":1}') for unit in (b"a", b"\\u0061", b"a_b_c_d", b"\\\\", b"_token")),
    *((b'{"a":[', unit, b"1]}") for unit in (b"1,", b"[],", b'{"b":1},', b'{"b":{"b":1}},',
        b"[[1]],",
                                             b'"",', b'{"b":"\\u0061"},')),
    *((b"{", unit, b'"z":1}') for unit in (b'"password":1,', b'"x":1,', b'"x":[[1],{"x":2}],',
                                           b'"p\\u0061ssword":"a",', b'"a_token":"\\"",', b'"x":',
                                           b'"password":', b'"password":[', b'"x":{',
                                               b'"abcd":1,')),
    *((b"{", unit, b'"z":1}') for unit in (b'"x":null,', b'"password":null,', b'"a":,', b'"a"',
                                           b'"a":[[[[[[[[[[1]]]]]]]]]],', b'"a":{"b":{"b":1}},')),
    *((b"", unit, b"") for unit in (b'{"a":{"x":{"b":1}}}\n', b"[[[[[]]]]", b"1,[1,[")),
)  # fmt: skip
#: Beginnings of leaks and of secrets, and texts that are almost leaks.
_LEAKS: Final = (
    b"Traceback (most recent call last):\n  File ",
    b"Traceback (most recent call last):\n" + b" " * 10,
    b'Traceback (most recent call last):\n  File "' + b"a" * 280,
    b"java.lang." + b"a" * 70,
    b"java.lang.Exception" + b"a" * 290,
    b"java.lang.",
    b"<b>Warning</b>: " + b"a" * 500,
    b"<b>Warning</b>: ",
    b"<html lang=en>\n  <head>\n    <title>",
    b"<title>Page not found at ",
    b"Duplicate entry '",
    b"Access denied for user '",
    b"-----BEGIN ",
    b"-----BEGIN RSA PRIVATE KEY-----",
    b"AKIA",
    b"ghp_",
    b"eyJhbGciOi",
    b"eyJhbGciOi" + b"a" * 900 + b".",
    b"eyJhbGciOiaaaa.",
    b"(psycopg2.",
    b"goroutine 1",
    b".rb:1",
    b"at Object.<anonymous> (/",
    b"SQLSTATE[",
    b"[SQL: ",
    b"SG.",
    b"npm_",
    b"hooks.slack.com/services/",
    b"a@",
    b"a@a.",
    b"a.",
    b"a@a.aa ",
    b"4111 1111 1111 ",
    b"4",
    b"4-",
    b"GB29 ",
    b"GB29NWBK",
    b"123-45-",
    b"correct horse ",
    b"correct horse battery ",
    b"aaaaaaaabbbbbbbbccccccc ",
    b"a",
    b"%61",
    b"\\u0061",
    b"YWFh",
    b"\r\n \r",
    b"\n",
    # Leaks, as many as there is room for; and what may open the strings that they stand in.
    b"UNIQUE constraint failed: a.b\n\n",
    b'"},{"a":"UNIQUE constraint failed: a.b',
    b'(x="ORA-00942: a") ',
    b"<p>ORA-00942: x</p>",
    b"4111111111111111 ",
    b'="',
    b"&quot;",
    b'\\"',
    b"\\\\\\",
    b"\ncolumn ",
    b'\ncolumn "' + b"a" * 120,
    b"\nno such table: ",
    b"\nDuplicate entry '",
    b"\nLINE 1",
    b'\nnear "',
    b": psycopg2.",
    b": sqlite3.errors.Error",
    b"[Errno 1",
    b"ConnectionPool(host='",
    b"ORA-0000",
    b"Error: ",
    b"Error: " + b"a" * 290,
    b"Exception: \\n\\tat ",
    b"panicked at ",
    b"Traceback (most recent call last):\n" + b"```\n",
    b"://",
    b"://a:",
    b"://a:" + b"b" * 250,
    b"://a:bbbb@c ",
    b"%3A%2F%2F" + b"%25" * 90,
    b"sk-",
    b"discord" + b" " * 15,
    b"AccountKey=" + b"a" * 85,
    b"$argon2id$" + b"a" * 300,
    b"LS0tLS1CRUdJTi" + b"a" * 5000,
    b"AGE-SECRET-KEY-1" + b"Q" * 58 + b" ",
    b"-----BEGIN PRIVATE KEY-----\n" + (b"a" * 39 + b" ") * 7,
    b"-----BEGIN PRIVATE KEY-----\n" + b"aB3dE5gH" * 8 + b"\n" + b"<b> " * 100,
)
#: Numbers and addresses of which nearly all fail a check, each another one.
_VARIOUS: Final = (
    "4%015d ",
    "%04d %04d %04d %04d a ",
    "%09d a ",
    "%09d social ",
    "%011d pesel ",
    "%03d %03d %03d a ",
    "%03d %03d %04d a ",
    "%03d-%02d-%04d ",
    "%03d.%03d.%03d-%02d ",
    "%08d-A ",
    "NO%013d ",
    "GB29NWBK%014d ",
    "a%d@a.png ",
    "https://a:pass%04d@b.c ",
    "https://a%04d.b:%04d@c ",
)
_HTML: Final = (
    *(b"<", b"<a", b"<a ", b"<a b=", b'<a b="', b"<a b=''", b"<a b ", b"<!--", b"<!-- ", b"<!-->"),
    *(b"<!", b"<?", b"</", b"</a>", b"<div>", b"<b>", b"<p><b>", b"<table>", b"<tr><td>", b"<svg>"),
    *(b"<math>", b"<script>", b"<style>", b"<title>", b"<textarea>", b"<plaintext>", b"<xmp><"),
    *(b"&", b"&amp", b"&lt;", b"&#", b"&#x", b"&a", b"<a&", b"<li>", b"<select><option>",
        b"<template>"),
    *(b"<a href=javascript:", b'<a href="', b"<![CDATA[", b"]]>", b"-->", b"\0", b"<form>",
        b"<button>"),
    *(b"<a><p>", b"<font><table>", b"<i><b>", b"</p>", b"</br>", b"<p>", b"x <", b"a=b "),
)  # fmt: skip
_EVENTS: Final = (
    *(b"data: a\n\n", b"data:\n", b"data: {\n", b":\n", b"\n", b"\r", b"\r\n", b"data", b"id: a\n"),
    *(
        b'data: {"password":\n',
        b'data: {"x":1}\n\n',
        b"event: x\n",
        b'data: "\n',
        b" ",
        b"data: a",
        b'data: ["s","s","s","s"]\n\n',
        b"data: <\n\n",
        b'data: "<",\n',
        b'data: {"a":"s"}\n\n',
        b"data: a\r\n\r\n",
        b"data: a\r\r",
        b"id: <\ndata: [\n",
    ),
)
_COOKIES: Final = (";", "=", " ", ",", "a=b;", '"', "Path=/;", "; HttpOnly", "Secure; ", "\\", "a")
_TYPES: Final = (
    ";",
    " ",
    "/",
    "charset=",
    ";charset=",
    '; charset="',
    ",",
    "a",
    "\t",
    '"',
    "; a=b",
)
_MANY_COOKIES: Final = {
    "sessions": "session%d=1",
    "prefixes": "__host-%d=1; a",
    "SameSite": "a%d=1; samesite=none",
    "attributes": "sid%d=1; Path=/; HttpOnly",
}
_TYPE_BY_KIND: Final = {
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "text": "text/plain; charset=utf-8",
    "events": "text/event-stream",
    "lines": "application/x-ndjson",
    "xml": "application/xml",
}


#: Seconds a megabyte of those that are known to take more than the target, by the policies and what
#: is repeated. All are linear, and their work is in objects of Python: for each of the smallest
#: documents and events, for numbers that nearly pass, and for chunks that a leak goes on over.
_KNOWN: Final[dict[str, float]] = {
    "cleaning: \\x00...": 0.3,
    "default: data: <\\n\\n...": 0.65,
    'default: \\nnear "...': 0.6,
    "default: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...": 0.55,
    'default: "},{"a":"UNIQUE constraint failed: a.b...': 0.5,
    'default: (x="ORA-00942: a") ...': 0.5,
    "default: 1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ ...": 0.35,
    "default: <b> <b> <b> <b> <b> <b> <b> <b> <b> <b> <b> <b> <b> <b> <b> ...": 0.35,
    "default: ConnectionPool(host='...": 0.25,
    "default: %25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25...": 0.25,
    "default: id: <\\ndata: [\\n...": 0.25,
    "default: -----BEGIN RSA PRIVATE KEY-----...": 0.2,
    "default: ://a:bbbb@c ...": 0.2,
    "default: https://a:pass%04d@b.c ": 0.2,
    "detecting: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...": 0.65,
    'detecting: \\nnear "...': 0.6,
    "detecting: %03d %03d %04d a ": 0.6,
    "detecting: %08d-A ": 0.6,
    'detecting: "},{"a":"UNIQUE constraint failed: a.b...': 0.5,
    'detecting: (x="ORA-00942: a") ...': 0.5,
    "detecting: 1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ ...": 0.5,
    "detecting: %09d social ": 0.5,
    "detecting: %011d pesel ": 0.5,
    "detecting: %03d %03d %03d a ": 0.45,
    "detecting: %03d.%03d.%03d-%02d ": 0.45,
    "detecting: <b> <b> <b> <b> <b> <b> <b> <b> <b> <b> <b> <b> <b> <b> <b> ...": 0.4,
    "detecting: %04d %04d %04d %04d a ": 0.4,
    "detecting: 4%015d ": 0.35,
    "detecting: NO%013d ": 0.35,
    "detecting: -----BEGIN RSA PRIVATE KEY-----...": 0.3,
    "detecting: %09d a ": 0.3,
    "detecting: GB29NWBK%014d ": 0.3,
    "detecting: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa....": 0.25,
    "detecting: 4111 1111 1111 ...": 0.25,
    "detecting: correct horse battery ...": 0.25,
    "detecting: 4111111111111111 ...": 0.25,
    "detecting: ConnectionPool(host='...": 0.25,
    "detecting: %25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25%25...": 0.25,
    "detecting: aaaaaaaaaaaaaaaaaaa aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ...": 0.25,
    "detecting: a%d@a.png ": 0.25,
    "detecting: at Object.<anonymous> (/...": 0.2,
    "detecting: a@a.aa ...": 0.2,
    "detecting: GB29 ...": 0.2,
    "detecting: GB29NWBK...": 0.2,
    "detecting: a...": 0.2,
    "joining: data: <\\n\\n...": 0.9,
    'joining: data: ["s","s","s","s"]\\n\\n...': 0.8,
    'joining: data: {"x":1}\\n\\n...': 0.55,
    'joining: data: {"a":"s"}\\n\\n...': 0.55,
    "joining: data: a\\n\\n...": 0.3,
    "joining: data: a\\r\\r...": 0.3,
    "joining: data: a\\r\\n\\r\\n...": 0.3,
    "joining: id: <\\ndata: [\\n...": 0.25,
    "masking: id: <\\ndata: [\\n...": 1.05,
    'masking: {"a":{"x":{"b":1}}}\\n...': 0.8,
    'masking: {"a":{"b":{"b":1}},...': 0.75,
    "masking: data: <\\n\\n...": 0.6,
    'masking: data: {"x":1}\\n\\n...': 0.5,
    'masking: {"a":[[[[[[[[[[1]]]]]]]]]],...': 0.4,
    'masking: {"a_token":"\\\\"",...': 0.35,
    'masking: {"a"...': 0.3,
    'masking: {"p\\\\u0061ssword":"a",...': 0.25,
    'masking: {"abcd":1,...': 0.25,
    'masking: {"a":...': 0.25,
    'masking: {"a":,...': 0.25,
    'masking: data: {"a":"s"}\\n\\n...': 0.25,
    'masking: {"a":[{"b":1},...': 0.2,
    'masking: {"password":null,...': 0.2,
    'masking: {"password":1,...': 0.2,
}


def _various(form: str) -> bytes:
    """Return a text of a form, with other digits each time."""
    chance = Random(1)  # noqa: S311  # for a benchmark
    sizes = [int(size or 4) for size in re.findall("%(?:0([0-9]+))?d", form)]
    text = [
        form % tuple(chance.randrange(10**size) for size in sizes)
        for _ in range(MB // len(form % tuple(10 ** (size - 1) for size in sizes)))
    ]
    return "".join(text).encode()


def _bodies() -> Iterator[tuple[str, str, tuple[Stack, ...], bytes]]:
    for begin, unit, end in _JSON:
        body = repeated(begin, unit, end)
        for kind in ("json", "lines"):
            yield f"{kind}: {shown(begin, unit)}", kind, _EDITED, body
        yield f"JSON as text: {shown(begin, unit)}", "text", _PLAIN, body
    members = b'{"list":{%s}}' % b",".join(b'"k%d":1' % number for number in range(MB // 12))
    yield "JSON: many different members", "json", _EDITED, members
    for unit in _LEAKS:
        for kind in ("json", "html", "text"):
            begin = b'{"a":"' if kind == "json" else b""
            yield f"{kind}: {shown(unit)}", kind, _LEAKY, repeated(begin, unit)
    for form in _VARIOUS:
        yield f"text: {form}", "text", _LEAKY, _various(form)
    for unit in _HTML:
        body = repeated(b"", unit)
        yield f"HTML: {shown(unit)}", "html", _CLEANED, body
        yield f"HTML as JSON: {shown(unit)}", "json", _PLAIN, b'{"a":"' + body
    for unit in _EVENTS:
        yield f"events: {shown(unit)}", "events", _EVENTFUL, repeated(b"", unit)


def _headers() -> Iterator[tuple[str, Fields, int]]:
    for unit in _COOKIES:
        value = "session=a;" + unit * (MB // len(unit))
        yield f"set-cookie: {shown(unit)}", (("set-cookie", value),), MB
    for begin in ("", "text/html", 'text/html; charset="'):
        for unit in _TYPES:
            value = begin + unit * (MB // len(unit))
            yield f"content-type: {shown(begin, unit)}", (("content-type", value),), MB
    for name in ("set-cookie", "x-frame-options", "content-type", "server", "x-other", "vary",
                 "content-encoding", "content-length", "cache-control",
                     "x-request-id"):  # fmt: skip
        for value in ("1", "session=a"):
            count = MB // (len(name) + len(value) + 4)
            yield f"{count} lines of {name}: {value}", ((name, value),) * count, MB
    for text, value in _MANY_COOKIES.items():
        each = [("set-cookie", value % number) for number in range(MB // (len(value) + 16))]
        yield f"many cookies, {text}", tuple(each), MB
    names = tuple((f"x-{number}", "") for number in range(MB // 12))
    yield "many headers of different names", names, MB


def _coded() -> Iterator[tuple[str, str, bytes]]:
    member = gzip.compress(b"", 1, mtime=0)
    yield "empty gzip members", "gzip", member * (MB // len(member))
    member = gzip.compress(b"a", 1, mtime=0)
    yield "small gzip members", "gzip", member * (MB // len(member))
    frame = b"\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"  # an empty one of Zstandard
    yield "empty zstd frames", "zstd", frame * (MB // len(frame))
    yield "empty deflate blocks", "deflate", zlib.compress(b"", 0)[:2] + b"\0\0\0\xff\xff" * 199_999


def inputs() -> Inputs:
    """Iterate over responses."""
    for text, kind, stacks, body in _bodies():
        response = (200, (("content-type", _TYPE_BY_KIND[kind]),), body)
        for stack in stacks:
            name = stack.__name__.removeprefix("_")
            known = _KNOWN.get(f"{name}: {text.partition(': ')[2]}")
            for chunk in (64 * 1024, 500):
                described = f"response, {name}, {text} by {chunk} bytes"
                yield Hostile(
                    described, stack, len(body), response=response, chunk=chunk, known=known
                )
    for text, headers, size in _headers():
        for status in (200, 404):
            yield Hostile(f"response {text}", _default, size, response=(status, headers, b"ok"))
    for text, coding, body in _coded():
        coded = (("content-type", "text/html"), ("content-encoding", coding))
        yield Hostile(f"response, {text}", _default, len(body), response=(200, coded, body))

"""Hostile headers: one long line, or as many lines as fit."""

from functools import cache
from typing import Any, Final

from pydantic import BaseModel

from benchmarks.hostile.kinds import MB, Hostile, Inputs, shown
from mantlet import (
    ErrorEnvelope,
    Idempotency,
    OutputSanitizer,
    Policy,
    RateLimiter,
    Rule,
    SchemaGuard,
    Version,
    Versions,
    keys,
)
from mantlet.guard import Contract
from mantlet.http.headers import MAX_SIZE
from mantlet.versions import header, media_type, path, query

__all__ = ["inputs", "reading_headers"]

#: As long as the renderer reads an ``Accept``.
_ACCEPT: Final = 4096
#: Headers that policies read, each with the texts that may come before what is repeated.
_PREFIXES: Final[dict[str, tuple[str, ...]]] = {
    "x-request-id": ("",),
    "traceparent": ("", "01-" + "a" * 32 + "-" + "b" * 16 + "-00-"),
    "accept": ("", "a/b;c="),
    "authorization": ("Bearer ", "Basic "),
    "cookie": ("", "session="),
    "content-type": ("application/json;", 'multipart/form-data; boundary="'),
    "content-encoding": ("",),
    "content-length": ("",),
    "host": ("",),
    "x-forwarded-for": ("",),
    "forwarded": ("", "for="),
    "x-real-ip": ("",),
    "x-api-key": ("",),
    "x-list": ("",),
    "x-json": ("", '{"a":"'),
}
_UNITS: Final = (
    *(",", ";", "=", " ", "\t", '"', "\\", '\\"', '"\\', '",', '";', "/", "*", ".", "-", "%", "+"),
    *("a", "0", "a,", "a;", "a=;", "a=b;", 'a="', 'a="b', 'a="b";', '=";', "a/b,", "a/b;c=d,"),
    *("a/b;q=1,", "*/*;q=0,", "1,", "1.1.1.1,", "[::1],", "for=1.1.1.1,", 'for="[::1]";', "00-"),
    *("a.", "QUJD.", "gzip,", "identity,", "session=a;", "session=a; ", 'session="', 'x="a; '),
    *("%41", "\xe9", "localhost.", "a-", "[", '{"a":', "127.", "Bearer "),
)
_JSON_NOT_FOUND: Final = (404, (("content-type", "application/json"),), b'{"detail":"Not Found"}')


class Headers(BaseModel):
    x_list: list[str] = []
    x_numbers: list[int] = []


class Cookies(BaseModel):
    session: str = ""
    sizes: list[int] = []


_LIST: Final = {"schema": {"type": "array", "items": {"type": "string"}}}
_SECURED: Final[dict[str, Any]] = {
    "openapi": "3.1.0",
    "info": {"title": "hostile", "version": "1"},
    "components": {
        "securitySchemes": {
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "session": {"type": "apiKey", "in": "cookie", "name": "session"},
            "token": {"type": "apiKey", "in": "query", "name": "token"},
            "basic": {"type": "http", "scheme": "basic"},
            "bearer": {"type": "http", "scheme": "bearer"},
        }
    },
    "paths": {
        "/": {
            "get": {
                "security": [{name: []} for name in ("key", "session", "token", "basic", "bearer")],
                "parameters": [
                    {"name": "X-List", "in": "header", **_LIST},
                    {"name": "X-JSON", "in": "header", "content": {"application/json": {
                        "schema": {"type": "object"}}}},
                    {"name": "session", "in": "cookie", "schema": {"type": "string"}},
                    {"name": "ids", "in": "query", "explode": False, **_LIST},
                    {"name": "deep", "in": "query", "style": "deepObject", "explode": True,
                     "schema": {"type": "object"}},
                ],
                "responses": {"200": {"description": "Done"}},
            }
        }
    },
}  # fmt: skip


@cache
def reading_headers() -> tuple[Policy, ...]:
    """Return policies that read every header, the guard's last, so that it sees all of them."""
    every = (
        keys.client_address(hops=1),
        keys.client_address(hops=3, header="Forwarded"),
        keys.client_address(trusted_proxies=["192.0.2.0/24"], header="X-Real-IP"),
        keys.header("X-API-Key"),
        keys.cookie("session"),
        keys.bearer_subject(),
        keys.form("name", limit=2**24),
    )
    return (
        OutputSanitizer(secrets=["correct horse battery"]),
        ErrorEnvelope(convert="always"),
        RateLimiter(rules=[Rule("* /*", "1000000/second", key=key) for key in every]),
        SchemaGuard(openapi=_SECURED, security=dict.fromkeys(_SECURED["components"]
                    ["securitySchemes"], lambda _request, _credential: False), allow=["body"]),
    )  # fmt: skip


@cache
def _declared_headers() -> tuple[Policy, ...]:
    contract = Contract(headers=Headers, cookies=Cookies)
    return (ErrorEnvelope(), SchemaGuard({"GET /": contract}, allow=["body"]))


@cache
def _reading_patterns() -> tuple[Policy, ...]:
    return (
        ErrorEnvelope(),
        Versions(
            {"1": Version(), "2": Version()},
            read=[path("/v{version}"), header("API-Version"), media_type("version"), query("v")],
            default="1",
        ),
        Idempotency(store="memory://"),
    )


def inputs() -> Inputs:
    for name, prefixes in _PREFIXES.items():
        for prefix in prefixes:
            for unit in _UNITS:
                for size in (MAX_SIZE, _ACCEPT):
                    value = prefix + unit * ((size - len(prefix)) // len(unit))
                    for stack in (reading_headers, _declared_headers):
                        if stack is _declared_headers and name not in ("cookie", "x-list"):
                            continue
                        yield Hostile(
                            f"{name}: {prefix}{shown(unit)}",
                            stack,
                            size,
                            headers=((name, value),),
                            response=_JSON_NOT_FOUND,
                        )
        for unit in ("1", "a=b", '"', "\xff" * 4000):
            count = MB // (len(name) + len(unit) + 4)
            yield Hostile(
                f"{count} lines of {name}: {unit[:8]}",
                reading_headers,
                MB,
                headers=((name, unit),) * count,
                response=_JSON_NOT_FOUND,
            )
    names = tuple((f"x-{number}", "") for number in range(MB // 12))
    yield Hostile("many headers of different names", reading_headers, MB, headers=names)
    yield from _keyed_inputs()


def _keyed_inputs() -> Inputs:
    key = ("idempotency-key", "1")
    for name in ("accept", "content-type", "api-version", "idempotency-key", "authorization"):
        for unit in _UNITS:
            value = unit * (MAX_SIZE // len(unit))
            headers = ((name, value),) if name == key[0] else (key, (name, value))
            text = f"a request with a key and {name}: {shown(unit)}"
            yield Hostile(text, _reading_patterns, MAX_SIZE, method="POST", headers=headers)
    for unit in ("", "a-" * 28, "user-" * 11):
        found = tuple((f"{unit}{number}", "") for number in range(MB // (len(unit) + 12)))
        text = f"a request with a key and headers {unit[:8]}..."
        # What tells users apart is looked for in each name.
        yield Hostile(text, _reading_patterns, MB, method="POST", headers=(key, *found), known=1.0)

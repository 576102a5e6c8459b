"""Hostile paths and queries."""

from functools import cache
from typing import Final

from pydantic import BaseModel

from benchmarks.hostile.headers import reading_headers
from benchmarks.hostile.kinds import MB, Hostile, Inputs, shown
from mantlet import ErrorEnvelope, OutputSanitizer, Policy, RateLimiter, Rule, SchemaGuard, keys
from mantlet.guard import Contract

__all__ = ["inputs"]

_PATH_UNITS: Final = (
    *("/", "/a", "/.", "/..", "/%2e", "/%2F", "%", "%41", "%25", "%00", "\\", ";", "//", "/:", "*"),
    *("/a/b", "/{", "\xe9", "/\u212a", "\ufffd", ".", "..;/", "/a%", "http://a", "+", "/1", "-1"),
)


@cache
def _reading_paths() -> tuple[Policy, ...]:
    patterns = [
        *("/a/{x}/b/{y}", "/{x}/a/{y}/a/{z}", "/{x}/{y}/{z}/a", "/a/a/a/{rest:path}", "/a/{x}/*"),
        *("/{x}/b/*", "/a/*", "/b/{rest:path}"),
    ]
    return (
        OutputSanitizer(routes={"* /a/*": None}, html={"* /a/{x}/*": "ugc"}),
        ErrorEnvelope(),
        RateLimiter("1000000/second", rules=[Rule(f"* {path}", "9999999/hour", key=keys.constant())
                                             for path in patterns]),
        SchemaGuard({f"GET {path.removesuffix('/*')}": Contract() for path in patterns}),
    )  # fmt: skip


@cache
def _normalizing_paths() -> tuple[Policy, ...]:
    contracts = {"GET /a/{x}/b/{y}": Contract(), "GET /a/{rest:path}": Contract()}
    return (ErrorEnvelope(), SchemaGuard(contracts, paths="normalize"))


class Query(BaseModel):
    ids: list[int] = []
    name: str = ""


@cache
def _reading_queries() -> tuple[Policy, ...]:
    return (ErrorEnvelope(), SchemaGuard({"GET /": Contract(query=Query)}))


@cache
def _secured_queries() -> tuple[Policy, ...]:
    return reading_headers()[1:]


def inputs() -> Inputs:
    for unit in _PATH_UNITS:
        for size in (8000, 64 * 1024, MB):
            path = "/a" + unit * (size // len(unit.encode()))
            for stack in (_reading_paths, _normalizing_paths):
                yield Hostile(f"the path {shown(unit)}", stack, size, path=path)
    for unit in ("&", "a", "a=1&", "ids=1&", "=", "+", "%", "%41", "%25", ";", "[", "deep[a]=1&",
                 "ids=1,", "1,", "ids%5B=1&", "token=a&", "name=%C3&", "%00", "\xe9"):  # fmt: skip
        for prefix in ("", "ids=", "token=", "deep["):
            for size in (8000, 64 * 1024, MB):
                query = (prefix + unit * (size // len(unit))).encode("latin-1")
                for stack in (_reading_queries, _secured_queries):
                    yield Hostile(f"the query {prefix}{shown(unit)}", stack, size, query=query)

"""Compare validators: send the same requests to the same API behind each of them.

It runs in the environment of the validating peers, and writes the page:
``python -m benchmarks --holes``.

Every validator is set up as in its documentation, with the kind of schema that it supports: a
model, or the document. The app records the requests that reach it. As a control, a valid request
must reach each app, and a plainly invalid one must not.
"""

import asyncio
import json
import logging
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from benchmarks.environment import ROOT
from benchmarks.traffic import AsgiServer, Traffic, WsgiServer
from benchmarks.validators import JSON, VALIDATORS, Reached

PAGE: Final = ROOT / "docs" / "schema-guard" / "validation-holes.md"
SHORT: Final = "short-pw"


@dataclass(frozen=True)
class Hole:
    """A request that should not get through as it is.

    Attributes:
        text: the mistake in it.
        method: of the request.
        target: its path and query.
        body: its body.
        content_type: of the body, or None to send no such header.
    """

    text: str
    method: str = "POST"
    target: str = "/users"
    body: bytes = b""
    content_type: str | None = JSON


_GOOD = b'{"name":"ada","password":"a long password"}'
_WRONG = b'{"name":5,"password":"a long password"}'
_NESTED = b'{"name":"ada","password":"a long password","more":%s}'
_REST = b'"password":"a long password"}'
HOLES: Final = (
    Hole("an invalid body as `application/json; charset=utf-8`", body=_WRONG,
         content_type=f"{JSON}; charset=utf-8"),
    Hole("an invalid body without a Content-Type", body=_WRONG, content_type=None),
    Hole("an invalid body as `text/plain`", body=_WRONG, content_type="text/plain"),
    Hole("a duplicate key", body=b'{"name":"ada","name":"eve",' + _REST),
    Hole("a duplicate key, once with an escape",
         body=b'{"name":"ada","n\\u0061me":"eve",' + _REST),
    Hole("`NaN`", body=b'{"name":"ada","height":NaN,' + _REST),
    Hole("`1e999`, which no double can hold", body=b'{"name":"ada","height":1e999,' + _REST),
    Hole("a lone surrogate", body=b'{"name":"\\ud800",' + _REST),
    Hole("100,000 nested arrays", body=_NESTED % (b"[" * 100_000 + b"]" * 100_000)),
    Hole("a byte-order mark", body=b"\xef\xbb\xbf" + _GOOD),
    Hole("an undeclared member", body=b'{"admin":true,"name":"ada",' + _REST),
    Hole("a read-only member", body=b'{"id":1,"name":"ada",' + _REST),
    Hole("DELETE `/p/mine`, where only `/p/{id}` has DELETE", method="DELETE", target="/p/mine"),
    Hole("an undeclared query parameter", method="GET", target="/users?limit=1&sort=x"),
    Hole("a duplicate scalar in the query", method="GET", target="/users?limit=1&limit=2"),
    Hole("a password that is too short",
         body=b'{"name":"ada","password":"%s"}' % SHORT.encode()),
)  # fmt: skip
_CONTROLS = (
    (Hole("good", body=_GOOD), True),
    (Hole("wrong", body=_WRONG), False),
    (Hole("good", method="GET", target="/users?limit=1"), True),
    (Hole("wrong", method="GET", target="/users?limit=one"), False),
    (Hole("good", method="DELETE", target="/p/7"), True),
)


# -- the measurement ------------------------------------------------------------------------------


async def _sent(app: Any, hole: Hole, *, wsgi: bool) -> tuple[int | None, bytes]:
    """Return the status code and the body of an app's response; None if it raises."""
    path, _, query = hole.target.partition("?")
    traffic = Traffic("small", (hole.body,), hole.method, query)
    server = (WsgiServer if wsgi else AsgiServer)(app, traffic)
    fields = dict(traffic.headers)
    if hole.body and hole.content_type != JSON:
        fields.pop("content-type")
        if hole.content_type is not None:
            fields["content-type"] = hole.content_type
    server.resend(path, list(fields.items()))
    try:
        return await server.answer()
    except Exception:  # noqa: BLE001  # a server would respond with 500
        return None, b""


async def _cell(name: str, hole: Hole) -> str:
    """Return the outcome of a request in a few words."""
    make, wsgi = VALIDATORS[name]
    reached = Reached()
    status, body = await _sent(make(reached), hole, wsgi=wsgi)
    if reached.count:
        return "**let through**"
    words = f"{status}" if status is not None and status < 500 else "**500**"
    return f"{words}, **echoed**" if SHORT.encode() in body else words


async def measure() -> dict[str, Any]:
    """Return the outcome of every request with every validator."""
    for name, (make, wsgi) in VALIDATORS.items():
        for control, passes in _CONTROLS:
            reached = Reached()
            status, body = await _sent(make(reached), control, wsgi=wsgi)
            assert reached.count == passes, (name, control, status, body[:500])
    rows = {hole.text: {name: await _cell(name, hole) for name in VALIDATORS} for hole in HOLES}
    packages = ("mantlet", "fastapi", "connexion", "openapi-core", "spectree", "flask-openapi3")
    return {"versions": {name: version(name) for name in packages}, "rows": rows}


def page(found: dict[str, Any]) -> str:
    """Return the page that shows the results."""
    head = ["the request has", *VALIDATORS]
    lines = [[text, *cells.values()] for text, cells in found["rows"].items()]
    table = "\n".join(
        "| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *lines)
    )
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    return f"{_HEAD}\n\n{table}\n\n{_LEGEND}\n\nVersions: {versions}.\n"


_HEAD: Final = """# Validation holes

The same requests were sent to the same small API behind each validator, with the kind of schema
that it supports: an OpenAPI document, or models that forbid undeclared members. This page is
generated by
`python -m benchmarks --holes`; each row is also one of Mantlet's tests."""

_LEGEND: Final = """A number is the status code that the request was rejected with.
**let through**: the request reached the app. **500**: the validator failed. **echoed**: the
response contains the rejected value.

Every validator is set up as in its documentation; connexion with `strict_validation`. Before the
measurement, a valid request must reach each app, and a plainly invalid one must not. Models have no
read-only members: they reject the member as undeclared."""


def main() -> None:
    logging.disable(logging.CRITICAL)
    found = asyncio.run(measure())
    PAGE.write_text(page(found))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

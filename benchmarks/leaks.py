"""What errors let out: the same ones, sent through bare FastAPI, the peers and Mantlet.

It runs in the environment of the peers, writes the results to standard output, and the page to
``docs/error-leaks.md``: ``python -m benchmarks --leaks``.

Every stack is around the same app, with slowapi's middleware, and is set up as documented, with the
defaults. An error comes with needles: the parts of its text, its traceback or the request that a
client must not see. They are searched for in the whole response, headers included.

A control, which responds with the traceback, must leak every needle, so a stack without leaks had
something to leak. Everything is sent twice, with a different secret each time, and both runs must
give the same result.
"""

import asyncio
import json
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from itertools import chain
from secrets import token_hex
from traceback import format_exception
from typing import Any, Final

import fastapi_problem.handler
import starlette_problem.handler
from fastapi import FastAPI

import mantlet
from benchmarks import names
from benchmarks.environment import ROOT
from benchmarks.shop import Error, Shop, errors
from benchmarks.shop import app as shop_app
from benchmarks.traffic import AsgiServer, Traffic
from mantlet import ErrorEnvelope

PAGE: Final = ROOT / "docs" / "error-leaks.md"
PROBLEM: Final = "application/problem+json"
JSON: Final = "application/json"
#: Values of ``Accept``: of a careful client, and of most clients by default.
CLIENTS: Final = (JSON, "*/*")
PACKAGES: Final = (
    "mantlet", "starlette", "fastapi", "pydantic", "sqlalchemy",
    names.STARLETTE_PROBLEM, names.FASTAPI_PROBLEM, "slowapi",
)  # fmt: skip

Found = dict[str, Any]


# -- the stacks -----------------------------------------------------------------------------------


def _starlette_problem(app: FastAPI) -> Any:
    starlette_problem.handler.add_exception_handler(app)
    return app


def _fastapi_problem(app: FastAPI) -> Any:
    handler = fastapi_problem.handler.new_exception_handler()
    fastapi_problem.handler.add_exception_handler(app, handler)
    return app


STACKS: Final[dict[str, Callable[[FastAPI], Any]]] = {
    names.BARE: lambda app: app,
    names.STARLETTE_PROBLEM: _starlette_problem,
    names.FASTAPI_PROBLEM: _fastapi_problem,
    names.ENVELOPE: lambda app: mantlet.wrap(app, ErrorEnvelope(), baseline=False),
}


def _telling(app: Any) -> Any:
    """Return the control: the app, which adds the traceback to its response."""

    async def telling(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except Exception as error:  # noqa: BLE001  # any exception is reported
            words = "".join(format_exception(error)).encode()
            await send({"type": "http.response.body", "body": words})

    return telling


# -- the measurement ------------------------------------------------------------------------------


async def _answer(app: Any, error: Error, number: int, accept: str) -> Found:
    """Return an app's response to a client, and the needles in it."""
    server = AsgiServer(app, Traffic("small", (json.dumps(error.body).encode(),)))
    path = f"/{number}"
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = server.scope() | {"path": path, "raw_path": path.encode()}
    headers = dict(scope["headers"]) | {b"accept": accept.encode()}
    scope["headers"] = list(headers.items())
    with suppress(Exception):  # a server would log it
        await app(scope, server.receive(), send)
    heads = [message for message in sent if message["type"] == "http.response.start"]
    bodies = [message for message in sent if message["type"] == "http.response.body"]
    body = b"".join(message.get("body", b"") for message in bodies)
    pairs = [pair for head in heads for pair in head["headers"]]
    fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs}
    status = heads[0]["status"] if heads else None
    media_type = fields.get("content-type", "").partition(";")[0]
    everything = b"\n".join(chain(*pairs, [body])).decode("utf-8", "replace")
    return {
        "status": status,
        "media_type": media_type,
        "problem": is_problem(status, media_type, body),
        "ended": bool(bodies) and not bodies[-1].get("more_body", False),
        "heads": len(heads),
        "field": error.keeps,
        "kept": error.keeps is not None and error.keeps.lower() in fields,
        "out": {
            kind: excerpts
            for kind, needles in error.needles.items()
            if (excerpts := [_excerpt(everything, one) for one in needles if one in everything])
        },
    }


def _excerpt(everything: str, needle: str) -> str:
    """Return the text around a needle, as evidence."""
    place = everything.index(needle)
    return everything[max(0, place - 40) : place + len(needle) + 40]


def is_problem(status: int | None, media_type: str, body: bytes) -> bool:
    """Return whether an answer is a problem as RFC 9457, 3 wants it, its members by their types.

    Under ``application/json`` any object could be one, so there it has to have the members that
    tell.
    """
    if media_type not in (PROBLEM, JSON):
        return False
    try:
        problem = json.loads(body)
    except ValueError:
        return False
    if not isinstance(problem, dict) or (media_type == JSON and not problem.keys() >= _TELLING):
        return False
    texts = {name: problem.get(name, "") for name in ("type", "title", "detail", "instance")}
    return (
        all(isinstance(text, str) for text in texts.values())
        and all(_URI_REFERENCE.fullmatch(texts[name]) for name in ("type", "instance"))
        and problem.get("status", status) == status
    )


_TELLING: Final = {"type", "title", "status"}
#: Of characters that a URI may have (RFC 3986, 2).
_URI_REFERENCE: Final = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")


async def _once(accept: str) -> list[Found]:
    """Send every error through every stack, with a secret that was never there before."""
    shop = Shop(token_hex(8))
    control = _telling(shop_app(shop))
    apps = {name: wrap(shop_app(shop)) for name, wrap in STACKS.items()}
    rows: list[Found] = []
    for number, error in enumerate(errors(shop)):
        told = (await _answer(control, error, number, accept))["out"]
        there = {kind: len(needles) for kind, needles in error.needles.items()}
        assert {kind: len(found) for kind, found in told.items()} == there, error.text
        answers = {name: await _answer(app, error, number, accept) for name, app in apps.items()}
        rows.append({"error": error.text, "needles": list(there), "answers": answers})
    return rows


async def measure() -> Found:
    """Return the leaks of every stack for every error, checked twice."""
    clients = {}
    for accept in CLIENTS:
        first, clients[accept] = [await _once(accept) for _ in range(2)]
        assert _cells(first) == _cells(clients[accept]), "two runs come to the same"
    return {"versions": {name: version(name) for name in PACKAGES}, "clients": clients}


# -- the page -------------------------------------------------------------------------------------


def page(found: Found) -> str:
    """Return the page that shows the results."""
    careful, usual = (found["clients"][accept] for accept in CLIENTS)
    others = [
        row
        for row, other in zip(usual, careful, strict=True)
        if any(
            row["answers"][name]["out"].keys() != other["answers"][name]["out"].keys()
            for name in STACKS
        )
    ]
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    sections = [_HEAD, _table(_cells(careful) + _sums(careful))]
    sections += [_OTHERS, _table(_cells(others))] if others else [_NO_OTHERS]
    return "\n\n".join([*sections, _LEGEND, f"Versions: {versions}."]) + "\n"


def _table(lines: list[list[str]]) -> str:
    head = ["the error", *(_TITLES.get(name, name) for name in STACKS)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *lines))


def _sums(rows: list[Found]) -> list[list[str]]:
    lines = []
    for words, counts in (
        ("**leaks**", lambda answer: bool(answer["out"])),
        ("**problems**", lambda answer: answer["problem"]),
    ):
        sums = (sum(counts(row["answers"][name]) for row in rows) for name in STACKS)
        lines.append([words, *(f"{count} of {len(rows)}" for count in sums)])
    return lines


def _cells(rows: list[Found]) -> list[list[str]]:
    return [[row["error"], *map(_cell, row["answers"].values())] for row in rows]


def _cell(answer: Found) -> str:
    """Return the form and the leaks of a response in a few words."""
    if answer["status"] is None:
        return "no response"
    form = (_PROBLEMS if answer["problem"] else _FORMS)[answer["media_type"]]
    words = [f"{answer['status']} {form}", f"**{', '.join(answer['out'])}**"]
    if not answer["out"]:
        words[1] = "nothing"
    if answer["field"]:
        words.append(("with " if answer["kept"] else "without ") + answer["field"])
    if not answer["ended"]:
        words.append("cut off")
    if answer["heads"] > 1:
        words.append(f"{answer['heads']} heads")
    return ", ".join(words)


_TITLES: Final = {names.BARE: "FastAPI"}
_PROBLEMS: Final = {PROBLEM: "problem", JSON: "problem as JSON"}
_FORMS: Final = {
    PROBLEM: "invalid problem",
    JSON: "JSON",
    "text/plain": "text",
    "text/html": "HTML",
    "text/csv": "CSV",
    "": "empty",
}

_HEAD: Final = """# What error responses leak

The same errors in the same FastAPI app: without any package, with the handlers of two packages that
make problem details (RFC 9457), and in Mantlet's `ErrorEnvelope`. This page is generated by
`python -m benchmarks --leaks`.

The client sends `Accept: application/json`:"""

_OTHERS: Final = """A client that sends `Accept: */*` gets the same, with these exceptions:"""
_NO_OTHERS: Final = """A client that sends `Accept: */*` gets the same."""

_LEGEND: Final = """A cell has the status, the format of the response, and the leaks: a
**secret** in an exception or in its cause, an exception's **text**, **SQL**, a **path**, the name
of a **class** or of a **field** inside the app, the **password** that the client had sent.

- A problem has the media type `application/problem+json`, and the members of RFC 9457 with their
  types; "as JSON", it has the media type that the client asked for.
- Mantlet leaves responses with the app's own text, such as the `detail` of the 404, as they are.
  For refused input it names the field, not the value.
- A response that is cut off has no end, so that the client notices.
- "No response" means that an exception reached the server before anything was sent.

Everything runs in process, with the defaults, inside slowapi's ASGI middleware. starlette-problem
is set up on the FastAPI app, which keeps its own handler for refused input. All results are
measured: each response, headers included, is searched for the data of the error. A control that
responds with the traceback must leak all of it, and a second run with another secret must give the
same results."""


def main() -> None:
    logging.disable(logging.CRITICAL)
    found = asyncio.run(measure())
    PAGE.write_text(page(found))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

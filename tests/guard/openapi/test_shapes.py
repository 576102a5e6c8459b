"""Small documents in the shapes of real ones, and requests that must pass and that must not.

Each file of ``data/shapes`` has shapes by name: the keys of a document, the requests that
``pass``, and those to ``refuse``, by status and code. A request is a method and a target; one with
a body is a mapping to JSON, or to a text, which is a form; or it is a whole message, as in HTTP.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
import yaml

from tests.drive import Adapter, both_adapters
from tests.guard.asking import FORM, JSON, Guarded

DATA = Path(__file__).parent / "data" / "shapes"
OK: Any = {"200": {"description": "Fine."}}
OWN = ("pass", "refuse", "guard")
SHAPES: dict[str, dict[str, Any]] = {}
for _path in sorted(DATA.glob("*.yaml")):
    for _name, _shape in yaml.safe_load(_path.read_text()).items():
        assert _name not in SHAPES
        SHAPES[_name] = _shape


class Message(NamedTuple):
    """A request as it is sent."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: str


def message(said: Any) -> Message:
    """Read a request of a file."""
    body: Any = None
    if isinstance(said, dict):
        ((said, body),) = said.items()
    head, _, text = said.partition("\n\n")
    line, *fields = head.splitlines()
    method, target = line.split(" ")
    headers = [tuple(field.split(": ", 1)) for field in fields]
    if isinstance(body, str):
        return Message(method, target, [*FORM], body)
    if body is not None:
        return Message(method, target, [*JSON], json.dumps(body, ensure_ascii=False))
    if "multipart" in head:
        text = text.replace("\n", "\r\n")
    return Message(method, target, headers, text)


def document(shape: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a shape, with what every document must have."""
    paths = {
        template: {
            key: {"responses": OK, **value} if isinstance(value, dict) else value
            for key, value in item.items()
        }
        for template, item in shape["paths"].items()
    }
    version = {} if "swagger" in shape else {"openapi": "3.0.3"}
    own = {key: value for key, value in shape.items() if key not in OWN}
    return {**version, "info": {"title": "An API", "version": "1"}, **own, "paths": paths}


def guarded(adapter: Adapter, shape: dict[str, Any]) -> Guarded:
    """Return an app behind the guard of a shape; the app authenticates, unless it says else."""
    options = {"security": "app", **shape.get("guard", {})}
    return Guarded(adapter, openapi=document(shape), **options)


def ask(app: Guarded, sent: Message) -> Any:
    """Send a request as a server hands it on: its path decoded, and as it was."""
    raw, mark, query = sent.target.partition("?")
    if app.adapter.name == "asgi":
        more: dict[str, Any] = {"raw_path": raw.encode()}
    else:
        more = {"RAW_URI": sent.target}
    return app.ask(
        sent.method, unquote(raw) + mark + query, body=sent.body, headers=sent.headers, **more
    )


@pytest.mark.parametrize("name", SHAPES)
@both_adapters
def test_honest_requests_pass(adapter: Adapter, name: str) -> None:
    """Their bodies reach the app as they are."""
    app = guarded(adapter, SHAPES[name])
    for said in SHAPES[name]["pass"]:
        sent = message(said)
        answer = ask(app, sent)
        assert answer.status == 200, (said, answer.text())
        assert app.bodies.pop() == sent.body.encode()


@pytest.mark.parametrize("name", SHAPES)
@both_adapters
def test_wrong_requests_are_refused(adapter: Adapter, name: str) -> None:
    """Each for its own reason."""
    app = guarded(adapter, SHAPES[name])
    for said in SHAPES[name]["refuse"]:
        ((expected, request),) = said.items()
        status, code = expected.split(" ")
        answer = ask(app, message(request))
        assert answer.status == int(status), (said, answer.text())
        assert code in [error["code"] for error in answer.json()["errors"]], (said, answer.text())
    assert app.bodies == []


def test_there_are_enough() -> None:
    """Each has requests of both kinds."""
    assert len(SHAPES) >= 60
    assert all(shape["pass"] or shape["refuse"] for shape in SHAPES.values())

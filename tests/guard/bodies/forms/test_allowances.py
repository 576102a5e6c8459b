"""`allow` has one meaning in all forms: of contracts, of documents and of FastAPI apps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pytest
from fastapi import FastAPI, Form
from pydantic import BaseModel

import mantlet
from mantlet import Contract, SchemaGuard
from tests.drive import both_adapters, drive_asgi
from tests.guard.asking import Guarded
from tests.guard.openapi.building import DONE, document

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.drive import Adapter, Answer

    Send = Callable[..., Answer]

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"


class Login(BaseModel):
    name: str


def encoded(media: str, pairs: list[tuple[str, str]]) -> bytes:
    if media == URLENCODED:
        return "&".join(f"{name}={value}" for name, value in pairs).encode()
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in pairs
    ]
    return ("".join(parts) + "--b--\r\n").encode()


def contract(adapter: Adapter, **options: Any) -> Send:
    return Guarded(adapter, {"POST /login": Contract(form=Login)}, **options).ask


def declared(adapter: Adapter, **options: Any) -> Send:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    }
    content = {media.partition(";")[0]: {"schema": schema} for media in (URLENCODED, MULTIPART)}
    root = document({"/login": {"post": {"requestBody": {"content": content}, **DONE}}})
    return Guarded(adapter, openapi=root, **options).ask


def fastapi(_adapter: Adapter, **options: Any) -> Send:
    app = FastAPI()

    @app.post("/login")
    def login(name: Annotated[str, Form()]) -> str:
        return name

    stack = mantlet.asgi.wrap(app, SchemaGuard.from_app(app, **options), baseline=False)

    def send(method: str, path: str, **options: Any) -> Answer:
        return drive_asgi(stack, method, path, **options)

    return send


@both_adapters
@pytest.mark.parametrize("media", [URLENCODED, MULTIPART])
@pytest.mark.parametrize("source", [contract, declared, fastapi])
def test_forms_are_closed_and_opened_alike(
    adapter: Adapter, source: Callable[..., Send], media: str
) -> None:
    """Undeclared fields by ``"members"``, repeated by ``"duplicates"``, none by ``"query"``."""
    undeclared = encoded(media, [("name", "a"), ("role", "admin")])
    repeated = encoded(media, [("name", "a"), ("name", "b")])
    for options, statuses in (
        ({}, (422, 400)),
        ({"undeclared_query": "ignore"}, (422, 400)),
        ({"allow": ["query"]}, (422, 400)),
        ({"allow": ["members"]}, (200, 400)),
        ({"allow": ["duplicates"]}, (422, 200)),
    ):
        send = source(adapter, **options)
        answers = [
            send("POST", "/login", body=body, headers=[("Content-Type", media)])
            for body in (undeclared, repeated)
        ]
        assert tuple(answer.status for answer in answers) == statuses, options


@both_adapters
@pytest.mark.parametrize("media", [URLENCODED, MULTIPART])
def test_the_last_of_several_values_counts(adapter: Adapter, media: str) -> None:
    """As in queries."""
    app = Guarded(adapter, {"POST /login": Contract(form=Login)}, allow=["duplicates"])
    body = encoded(media, [("name", "a"), ("name", "b")])
    assert app.ask("POST", "/login", body=body, headers=[("Content-Type", media)]).status == 200
    assert app.seen[0].body == Login(name="b")

"""The guard of the documentation's first example, in front of an app that reads the upload."""

from __future__ import annotations

import ast
import hashlib
import json
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from flask import Flask, request
from pydantic import BaseModel

import mantlet
from mantlet import Contract, File, SchemaGuard
from tests.docs.pages import block_with

if TYPE_CHECKING:
    from collections.abc import Mapping


class Item(BaseModel):
    """A body and a response."""

    name: str


class ItemPath(BaseModel):
    """The parameters of the path."""

    item_id: int


class ItemQuery(BaseModel):
    """The query."""

    page: int = 1


class Upload(BaseModel):
    """The fields of the form."""

    title: str
    size: int | None = None


def _example() -> SchemaGuard:
    """Return the guard made of contracts, which is the example's last statement."""
    block = block_with("schema-guard.md", 'max_size="5 MB"')
    last = ast.parse(block).body[-1]
    assert isinstance(last, ast.Expr)
    names: dict[str, Any] = {
        "Contract": Contract, "File": File, "SchemaGuard": SchemaGuard, "Item": Item,
        "ItemPath": ItemPath, "ItemQuery": ItemQuery, "Upload": Upload, "Event": Item,
    }  # fmt: skip
    guard: SchemaGuard = eval(compile(ast.Expression(last.value), "docs", "eval"), names)
    return guard


def _told(title: str, read: bytes, files: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the app and the guard have read."""
    return {
        "title": title,
        "app": hashlib.sha256(read).hexdigest(),
        "guard": hashlib.sha256(files["photo"].read()).hexdigest(),
    }


_flask = Flask(__name__)


@_flask.post("/upload")
def _receive() -> str:
    validated = mantlet.state(request).validated
    photo = request.files["photo"].read()
    return json.dumps(_told(request.form["title"], photo, validated.files))


_fastapi = FastAPI()


@_fastapi.post("/upload")
async def _receive_async(request: Request) -> dict[str, Any]:
    validated = mantlet.state(request).validated
    form: Any = await request.form()
    return _told(form["title"], await form["photo"].read(), validated.files)


flask = mantlet.wsgi.wrap(_flask, _example())
fastapi = mantlet.asgi.wrap(_fastapi, _example())

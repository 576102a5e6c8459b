"""A FastAPI site with forms as browsers send them, bare and behind its guard."""

from __future__ import annotations

from typing import Annotated, Any

import fastapi
from fastapi import File, Form, UploadFile
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

import mantlet
from mantlet import SchemaGuard

PAGE = """<!DOCTYPE html><title>Profile</title>
<form method="post" action="/profile" enctype="multipart/form-data" target="answer">
<input name="name"><textarea name="about"></textarea><input name="age">
<input type="checkbox" name="news"><input type="checkbox" name="terms" checked>
<select name="tags" multiple><option selected>a</option><option selected>b</option></select>
<input type="file" name="photo"><input type="file" name="papers" multiple>
<input type="file" name="drafts" multiple>
</form><iframe name="answer"></iframe>"""


class Note(BaseModel):
    """A form without files."""

    text: str
    pinned: bool = False


async def profile(
    *,
    name: Annotated[str, Form()],
    about: Annotated[str, Form()],
    papers: list[UploadFile],
    tags: Annotated[list[str], Form()],
    age: Annotated[int | None, Form()] = None,
    news: Annotated[bool, Form()] = False,
    terms: Annotated[bool, Form()] = False,
    photo: UploadFile | None = None,
    drafts: Annotated[list[UploadFile] | None, File()] = None,
) -> dict[str, Any]:
    """Answer with what the endpoint got."""
    files = [[one.filename, one.content_type, (await one.read()).decode()] for one in papers]
    return {
        "fields": [name, about, age, news, terms, tags],
        "photo": repr(photo and photo.filename),
        "papers": files,
        "drafts": [one.filename for one in drafts or ()],
    }


async def note(note: Annotated[Note, Form()]) -> Note:
    """Answer with the form."""
    return note


async def page() -> HTMLResponse:
    """Answer with the page of the form."""
    return HTMLResponse(PAGE)


bare = fastapi.FastAPI()
bare.add_api_route("/", page)
bare.add_api_route("/profile", profile, methods=["POST"])
bare.add_api_route("/note", note, methods=["POST"])
guarded = mantlet.wrap(bare, SchemaGuard.from_app(bare), baseline=False)

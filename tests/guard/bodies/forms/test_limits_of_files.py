"""The body limit of a form follows from the files that it may have, on both adapters."""

from __future__ import annotations

from datetime import date  # noqa: TC003  # pydantic reads it
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel, Field

from mantlet import BodyLimits, Contract, File, RouteOptions, SchemaGuard
from mantlet.guard.bodies.forms.file import limits_for_files
from mantlet.guard.errors import ValidationFailed
from tests.drive import Adapter, both_adapters
from tests.guard.asking import FORM, Guarded, faults

from .building import body, field, media, multipart, read, refused, upload

if TYPE_CHECKING:
    from tests.drive import Answer

MULTIPART = [("Content-Type", "multipart/form-data; boundary=AaB03x")]
MB = 1_000_000


class Upload(BaseModel):
    """A form with optional fields of each kind."""

    title: str = Field(min_length=1)
    note: str = "none"
    pages: int | None = 1
    day: date | None = None
    kind: Literal["a", "b"] = "a"
    marks: list[int] = []


def uploads(adapter: Adapter, files: dict[str, File], **options: Any) -> Guarded:
    return Guarded(adapter, {"POST /a": Contract(form=Upload, files=files)}, **options)


def send(app: Guarded, *parts: bytes) -> Answer:
    content = body(field("title", "x"), *parts)
    return app.ask("POST", "/a", body=content, headers=MULTIPART)


@both_adapters
@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({"f": File(max_size="3 MB")}, 1),
        ({"f": File(max_size="2 MB", many=True, max_count=2)}, 2),
        ({"f": File(max_size="1 MB", many=True)}, 3),
        ({"f": File(max_size="1.5 MB"), "g": File(max_size="1.5 MB", required=False)}, 1),
        ({"f": File()}, 1),
    ],
)
def test_files_may_be_as_large_as_declared(
    adapter: Adapter, files: dict[str, File], count: int
) -> None:
    """The sum of all of them; the size of one is still its own."""
    app = uploads(adapter, files)
    size = int(files["f"].max_size or 4 * MB)
    assert send(app, *[upload("f", bytes(size))] * count).status == 200
    if files["f"].max_size is not None:
        answer = send(app, upload("f", bytes(size + 1)))
        assert answer.status == 413
        assert [code for _, _, code in faults(answer)] == ["file_too_large"]


@both_adapters
def test_other_bodies_keep_their_limit(adapter: Adapter) -> None:
    """Only forms with files have a higher one."""
    app = Guarded(
        adapter, {"POST /a": Contract(form=Upload, files={"f": File(max_size=1)}, body=Upload)}
    )
    text = f'{{"title": "{"x" * MB}"}}'
    answer = app.ask("POST", "/a", body=text, headers=[("Content-Type", "application/json")])
    assert answer.status == 413
    assert send(app, field("note", "x" * 999_000), upload("f", b"1")).status == 200
    assert send(app, field("note", "x" * 999_999), field("day", "x" * 999_999)).status == 413


def test_a_body_limit_that_is_set_must_be_large_enough() -> None:
    """It is not raised: the error names both, and the operation."""
    files = {"f": File(max_size="2 MB", many=True, max_count=2)}
    contracts = {"POST /a": Contract(files=files)}
    words = r"POST /a: limits.body must be at least 4000000 bytes, .*, not 3000000"
    with pytest.raises(ValueError, match=words):
        SchemaGuard(contracts, limits=BodyLimits(body="3 MB"))
    with pytest.raises(ValueError, match=words):
        SchemaGuard(contracts, routes={"* /*": RouteOptions(limits=BodyLimits(body="3 MB"))})
    SchemaGuard(contracts, limits=BodyLimits(body="4 MB"))
    SchemaGuard({"POST /a": Contract(files={"f": File()})}, limits=BodyLimits(body="3 MB"))


def test_limits_follow_from_files() -> None:
    """Those that are set stay as they are, and copies remember which these are."""
    limits = BodyLimits(file="3 MB")
    assert limits_for_files(limits, {}) is limits
    files = {"a": File(), "b": File(), "c": File(max_size=5, many=True)}
    assert limits_for_files(limits, files).body == MB + 3 * MB + 10 * 5
    assert limits_for_files(BodyLimits.of(limits, depth=3), files).body == 4 * MB + 50
    assert limits_for_files(BodyLimits.of(limits, body=99), files).body == 99
    assert limits_for_files(BodyLimits(body=99), {"a": File()}).body == 99
    assert limits_for_files(limits, {"a": File(max_size="20 MB")}).decoded == 21 * MB


@both_adapters
def test_documents_raise_the_limit_too(adapter: Adapter) -> None:
    """By ``maxLength``; a lower limit that is set counts, and is no error."""
    schema = {
        "type": "object",
        "properties": {"f": {"type": "string", "format": "binary", "maxLength": 3 * MB}},
    }
    operation = {"requestBody": {"content": {"multipart/form-data": {"schema": schema}}}}
    root: dict[str, Any] = {
        "openapi": "3.1.1", "info": {"title": "t", "version": "1"},
        "paths": {"/a": {"post": operation}},
    }  # fmt: skip
    content = body(upload("f", bytes(3 * MB)))
    cases: list[tuple[dict[str, Any], int]] = [
        ({}, 200),
        ({"limits": BodyLimits(body="2 MB")}, 413),
    ]
    for options, status in cases:
        app = Guarded(adapter, openapi=root, **options)
        assert app.ask("POST", "/a", body=content, headers=MULTIPART).status == status


@both_adapters
def test_optional_files_and_fields_of_contracts(adapter: Adapter) -> None:
    """What a browser sends for a form that is not filled in."""
    files = {"f": File(required=False), "g": File(required=False, many=True, max_count=2)}
    app = uploads(adapter, files)
    empty = [field(name, "") for name in ("note", "pages", "day", "kind", "marks")]
    answer = send(app, *empty, upload("f", b"", ""), upload("g", b"", ""))
    assert answer.status == 200, answer.body
    (validated,) = app.seen
    assert validated.body == Upload(title="x", note="")
    assert validated.files == {"g": []}
    assert send(app, field("f", ""), field("g", "")).status == 200
    assert send(app, upload("g", b"1"), upload("g", b"2")).status == 200
    answer = app.ask("POST", "/a", body=body(*empty, field("title", "")), headers=MULTIPART)
    assert faults(answer) == [("body", "/title", "string_too_short")]
    plain = Guarded(adapter, {"POST /a": Contract(form=Upload)})
    text = "title=a%0D%0Ab%09c&note=&pages=&day=&kind=&marks="
    assert plain.ask("POST", "/a", body=text, headers=FORM).status == 200
    assert plain.seen[0].body == Upload(title="a\r\nb\tc", note="")
    answer = plain.ask("POST", "/a", body="title=&pages=x&day=", headers=FORM)
    assert {where for _, where, _ in faults(answer)} == {"/title", "/pages"}


@pytest.mark.parametrize("content", [b"1", b"1" * 5000])
def test_unique_files_differ_in_their_content(content: bytes) -> None:
    """Not in their names or types; a field alone is judged."""
    rule = File(many=True, unique=True, required=False)
    form = multipart(uploads={"f": rule, "g": rule})
    same = [upload("f", content, "a"), upload("f", content, "b", "image/png")]
    with pytest.raises(ValidationFailed) as caught:
        read(form, body(*same))
    assert refused(caught.value) == (422, [("/f/1", "duplicate_file")])
    read(form, body(upload("f", content), upload("g", content), upload("f", content + b"2")))


def test_a_minimum_of_files_holds_once_there_are_any() -> None:
    """A form without them may be without them."""
    form = multipart(uploads={"f": File(many=True, min_count=2, required=False)})
    assert read(form, body())[1] == {"f": []}
    with pytest.raises(ValidationFailed) as caught:
        read(form, body(upload("f", b"1")))
    assert refused(caught.value) == (422, [("/f", "too_few_items")])


def test_streams_declare_their_own_limits() -> None:
    """By which the body is read."""
    form = multipart(uploads={"f": File(max_size="20 MB")})
    assert form.limits.body == 21 * MB
    form.start(media("multipart/form-data; boundary=b")).close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_count": 1}, "min_count needs many=True"),
        ({"max_count": 1}, "max_count needs many=True"),
        ({"unique": True}, "unique needs many=True"),
        ({"many": True, "min_count": 3, "max_count": 2}, "min_count must be at most max_count"),
        ({"many": True, "min_count": 0}, "min_count must be at least 1"),
    ],
)
def test_counts_must_fit(options: Any, words: str) -> None:
    """A count needs several files, and a minimum its maximum."""
    with pytest.raises(ValueError, match=words):
        File(**options)

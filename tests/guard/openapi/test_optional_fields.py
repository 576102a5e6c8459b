"""What browsers and frameworks make of optional fields and files, on both adapters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, UploadFile
from fastapi import File as FastApiFile
from fastapi import Form as FastApiForm
from litestar import Litestar, post
from litestar.datastructures import UploadFile as LitestarFile  # noqa: TC002  # a dataclass's type
from litestar.enums import RequestEncodingType
from litestar.params import Body

from tests.drive import Adapter, both_adapters
from tests.guard.openapi.documents import each_version
from tests.guard.openapi.test_forms import (
    INTEGER,
    MULTIPART,
    TEXT,
    URLENCODED,
    Form,
    codes,
    form,
    of,
    part,
)

BINARY: Any = {"type": "string", "format": "binary"}
MEDIA: Any = {"type": "string", "contentMediaType": "application/octet-stream"}
NULL: Any = {"type": "null"}
#: A file input without a selected file, as a browser sends it.
NOTHING = part("f", b"", "application/octet-stream", "")

OPTIONAL: list[tuple[str, Any, bool]] = [
    ("3.0.4", {**BINARY, "nullable": True}, False),
    ("3.0.4", {"allOf": [BINARY], "nullable": True}, False),
    ("3.0.4", {"anyOf": [BINARY], "nullable": True}, False),
    ("3.0.4", {"type": "array", "items": BINARY, "nullable": True}, True),
    ("3.0.4", MEDIA, False),
    ("3.1.1", {"anyOf": [BINARY, NULL]}, False),
    ("3.1.1", {"anyOf": [MEDIA, NULL], "title": "F"}, False),
    ("3.1.1", {"oneOf": [NULL, {**BINARY, **MEDIA}]}, False),
    ("3.1.1", {"anyOf": [{"$ref": "#/components/schemas/File"}, {"const": None}]}, False),
    ("3.1.1", {"type": ["string", "null"], "format": "binary"}, False),
    ("3.1.1", {"anyOf": [{"type": "array", "items": MEDIA}, NULL]}, True),
    ("3.2.0", {"oneOf": [{"type": "array", "items": BINARY}, {"enum": [None]}]}, True),
    ("3.2.0", {"type": ["array", "null"], "items": {"anyOf": [BINARY, NULL]}}, True),
    ("3.1.1", {"anyOf": [BINARY, {"type": "array", "items": BINARY}]}, True),
]


@both_adapters
@pytest.mark.parametrize(("version", "schema", "many"), OPTIONAL)
def test_optional_files_come_or_do_not(
    adapter: Adapter, version: str, schema: Any, many: bool
) -> None:
    """As FastAPI, Litestar and others declare them; an input without a file is no file."""
    components = {"schemas": {"File": BINARY}}
    root = form(MULTIPART, version, of({"f": schema, "n": INTEGER}), components=components)
    app = Form(adapter, root)
    file = part("f", b"data", "application/octet-stream", "a.bin")
    absent: dict[str, Any] = {"f": []} if many else {}
    for parts, files in (
        ([file], {"f": [b"data"] if many else b"data"}),
        ([], absent),
        ([NOTHING], absent),
        ([part("f", "")], absent),
    ):
        assert codes(app.send(*parts, part("n", "1"))) == [], parts
        assert app.files.pop() == files
    assert (app.send(file, file).status == 200) is many
    assert codes(app.send(part("f", "text"))) == [("/f", "not_a_file")]
    required = Form(adapter, form(MULTIPART, version, of({"f": schema}, required=["f"]),
                                  components=components))  # fmt: skip
    assert codes(required.send(NOTHING)) == [("/f", "missing")]
    assert codes(required.send(part("f", ""))) == [("/f", "not_a_file")]


@both_adapters
@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [BINARY, TEXT]},
        {"type": "array", "items": {"type": "array", "items": BINARY}},
        {"oneOf": [NULL]},
    ],
)
def test_other_alternatives_are_no_files(adapter: Adapter, schema: Any) -> None:
    """A file or text is text: a part with a file's name is refused."""
    app = Form(adapter, form(MULTIPART, "3.1.1", of({"f": schema})))
    assert codes(app.send(part("f", "x", filename="x"))) == [("/f", "not_a_field")]


@each_version
@both_adapters
def test_bounds_of_files_hold(adapter: Adapter, version: str) -> None:
    """How many, whether they differ, and how large they are."""
    files = {"type": "array", "items": {**BINARY, "maxLength": 5, "minLength": 2}}
    schema = of({"f": {**files, "minItems": 2, "maxItems": 3, "uniqueItems": True}})
    app = Form(adapter, form(MULTIPART, version, schema))

    def send(*contents: str) -> list[tuple[str, str]]:
        return codes(app.send(*(part("f", text, filename="x") for text in contents)))

    assert send() == []
    assert send("ab", "cd") == send("ab", "cd", "ef") == []
    assert send("ab") == [("/f", "too_few_items")]
    assert send("ab", "cd", "ef", "gh") == [("/f", "too_many_items")]
    assert send("ab", "cd", "ab") == [("/f/2", "duplicate_file")]
    assert send("ab", "c") == [("/f/1", "file_too_small")]
    assert send("ab", "abcdef") == [("/f/1", "file_too_large")]
    assert app.files == [{"f": []}, {"f": [b"ab", b"cd"]}, {"f": [b"ab", b"cd", b"ef"]}]


def test_forms_of_fastapi() -> None:
    """Each kind of optional file and field that FastAPI declares."""
    app = FastAPI()

    @app.post("/a")
    async def receive(  # noqa: PLR0917  # one of each
        f: UploadFile | None = None,
        fs: list[UploadFile] | None = None,
        b: Annotated[bytes | None, FastApiFile(max_length=5)] = None,
        s: Annotated[set[bytes], FastApiFile()] = set(),  # noqa: B006  # FastAPI copies it
        few: Annotated[list[UploadFile], FastApiFile(min_length=2, max_length=3)] = [],  # noqa: B006  # the same
        n: Annotated[int | None, FastApiForm()] = 3,
        text: Annotated[str, FastApiForm(max_length=20)] = "",
    ) -> None: ...

    _fits_framework(app.openapi())


@dataclass
class Upload:
    """A form of Litestar."""

    f: LitestarFile | None = None
    fs: list[LitestarFile] | None = None
    b: LitestarFile | None = None
    n: int | None = 3
    text: str = ""


def test_forms_of_litestar() -> None:
    """The same in Litestar's words."""

    @post("/a", sync_to_thread=False)
    def receive(
        data: Annotated[Upload, Body(media_type=RequestEncodingType.MULTI_PART)],
    ) -> None: ...

    _fits_framework(Litestar([receive]).openapi_schema.to_schema())


@both_adapters
def test_a_form_that_is_a_file(adapter: Adapter) -> None:
    """As Litestar declares an optional file as the whole form: files may have any name."""
    root = form(MULTIPART, "3.1.1", {"oneOf": [BINARY, NULL]})
    app = Form(adapter, root)
    assert codes(app.send(part("any", b"x" * 2_000_000, filename="x"))) == []
    assert app.files[0] == {"any": [b"x" * 2_000_000]}
    assert codes(app.send()) == []
    assert codes(app.send(part("any", "text"))) == [("/any", "undeclared_field")]
    assert any("files may have any name" in words for _, words in app.guard.coverage.notes)


def _fits_framework(root: Any) -> None:
    from tests.drive import ADAPTERS

    for adapter in ADAPTERS:
        guarded = Form(adapter, root)
        file = part("f", b"1", "image/png", "a.png")
        several = [part("fs", b"1", filename="a"), part("fs", b"2", filename="b")]
        text = part("text", "one\r\ntwo\tthree\r\n")
        for parts in ([file, *several, text], [NOTHING, part("n", "")], [part("b", "")], [text]):
            answer = guarded.send(*parts)
            assert answer.status == 200, (parts, answer.body)


@each_version
@both_adapters
@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
def test_empty_optional_fields_are_absent(adapter: Adapter, version: str, kind: str) -> None:
    """A browser sends every field; one that may not be empty has its default instead."""
    schema = of(
        {
            "n": {**INTEGER, "default": 5},
            "day": {**TEXT, "pattern": "^[0-9]+$"},
            "kind": {"enum": ["a", "b"]},
            "many": {"type": "array", "items": INTEGER},
            "name": TEXT,
            "size": INTEGER,
            "must": {**TEXT, "minLength": 1},
        },
        required=["size", "must"],
    )
    app = Form(adapter, form(kind, version, schema))

    def send(**fields: str) -> list[tuple[str, str]]:
        if kind == URLENCODED:
            return codes(app.submit("&".join(f"{name}={text}" for name, text in fields.items())))
        return codes(app.send(*(part(name, text) for name, text in fields.items())))

    assert send(n="", day="", kind="", many="", name="", size="1", must="x") == []
    assert app.seen[0].body == {"n": 5, "name": "", "size": 1, "must": "x"}
    assert sorted(send(size="", must="", n="")) == [("/must", "minLength"), ("/size", "type")]
    assert send(size="1", must="x", n="x", day="") == [("/n", "type")]
    assert send(size="1", must="x", n="-") == [("/n", "type")]


@both_adapters
def test_many_empty_fields_are_absent_beyond_the_errors_that_are_listed(adapter: Adapter) -> None:
    """A long form may be empty; the number of validations is bounded."""
    root = form(URLENCODED, "3.1.1", of({f"n{index}": INTEGER for index in range(60)}))
    app = Form(adapter, root)
    text = "&".join(f"n{index}=" for index in range(60))
    assert app.submit(text).status == 200
    assert app.seen[0].body == {}


@both_adapters
@pytest.mark.parametrize("nullable", [{"type": ["integer", "null"]}, {"anyOf": [INTEGER, NULL]}])
def test_an_empty_nullable_field_has_its_default(adapter: Adapter, nullable: Any) -> None:
    """It is absent if it is optional, and null if it is required."""
    for kind in (URLENCODED, MULTIPART):
        schema = of({"a": {**nullable, "default": 3}, "b": nullable}, required=["b"])
        app = Form(adapter, form(kind, "3.1.1", schema))
        parts = (part("a", ""), part("b", ""))
        answer = app.submit("a=&b=") if kind == URLENCODED else app.send(*parts)
        assert codes(answer) == []
        assert app.seen[0].body == {"a": 3, "b": None}


@each_version
@both_adapters
def test_text_of_a_textarea(adapter: Adapter, version: str) -> None:
    """Line ends, tabs and what is pasted, in both kinds of forms; NUL is refused."""
    pasted = "one\r\ntwo\tthree\x0b\x0c\x85\x1b four\r\n"
    encoded = "a=one%0D%0Atwo%09three%0B%0C%C2%85%1B+four%0D%0A"
    schema = of({"a": TEXT})
    app = Form(adapter, form(URLENCODED, version, schema))
    assert codes(app.submit(encoded)) == []
    assert codes(app.submit("a=%00")) == [("/a", "control_character")]
    assert app.seen[0].body == {"a": pasted}
    app = Form(adapter, form(MULTIPART, version, schema))
    assert codes(app.send(part("a", pasted))) == []
    assert codes(app.send(part("a", "\0"))) == [("/a", "field_text")]
    assert app.seen[0].body == {"a": pasted}

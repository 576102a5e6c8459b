"""Forms of documents: fields of each style, parts of JSON, and files, on both adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from tests.drive import Adapter, both_adapters
from tests.guard.asking import FORM, Guarded, faults
from tests.guard.openapi.documents import api, each_version

if TYPE_CHECKING:
    from tests.drive import Answer

URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
INTEGER: Any = {"type": "integer"}
TEXT: Any = {"type": "string"}
TEXTS: Any = {"type": "array", "items": TEXT}
POINT: Any = {"type": "object", "properties": {"x": INTEGER, "y": INTEGER}}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
HEADERS = [("Content-Type", "multipart/form-data; boundary=limit")]


def form(kind: str, version: str, schema: Any, encoding: Any = None, **more: Any) -> dict[str, Any]:
    """Return a document of ``POST /a`` with a form."""
    media = {"schema": schema} | ({} if encoding is None else {"encoding": encoding})
    return api(version, requestBody={"required": True, "content": {kind: media}}, more=more)


def of(properties: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **more}


def part(name: str, data: bytes | str, media: str = "", filename: str | None = None) -> bytes:
    """Return one part of a multipart form."""
    head = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        head += f'; filename="{filename}"'
    if media:
        head += f"\r\nContent-Type: {media}"
    data = data.encode() if isinstance(data, str) else data
    return b"--limit\r\n%s\r\n\r\n%s\r\n" % (head.encode(), data)


class Form(Guarded):
    """An app behind a guard with one form, which keeps the content of files."""

    def __init__(self, adapter: Adapter, root: Any, **options: Any) -> None:
        self.files: list[dict[str, Any]] = []
        super().__init__(adapter, openapi=root, **options)

    def _see(self, carrier: Any, body: bytes) -> None:
        validated: Any = mantlet.state(carrier).validated
        self.files.append(
            {
                name: [one.read() for one in found] if isinstance(found, list) else found.read()
                for name, found in (validated.files or {}).items()
            }
        )
        super()._see(carrier, body)

    def send(self, *parts: bytes) -> Answer:
        """Send a multipart form."""
        return self.ask("POST", "/a", body=b"".join(parts) + b"--limit--\r\n", headers=HEADERS)

    def submit(self, text: str) -> Answer:
        """Send an urlencoded form."""
        return self.ask("POST", "/a", body=text, headers=FORM)


def codes(answer: Answer) -> list[tuple[str, str]]:
    return [] if answer.status == 200 else [(at, code) for _, at, code in faults(answer)]


# -- urlencoded -----------------------------------------------------------------------------------


@each_version
@both_adapters
def test_fields_become_what_their_schemas_say(adapter: Adapter, version: str) -> None:
    """Integers, booleans, arrays of repeated fields; with defaults and faults as of JSON."""
    schema = of(
        {
            "n": {**INTEGER, "maximum": 9}, "ok": {"type": "boolean"}, "tags": TEXTS,
            "size": {**INTEGER, "default": 5},
        },
        required=["n"],
    )  # fmt: skip
    app = Form(adapter, form(URLENCODED, version, schema))
    assert codes(app.submit("n=7&tags=a&ok=true&tags=b%20c")) == []
    assert app.seen[0].body == {"n": 7, "ok": True, "tags": ["a", "b c"], "size": 5}
    assert codes(app.submit("n=10&ok=yes")) == [("/n", "maximum"), ("/ok", "type")]
    assert codes(app.submit("ok=true&more=1")) == [
        ("/more", "undeclared_parameter"), ("/n", "missing_parameter"),
    ]  # fmt: skip
    answer = app.submit("n=1&n=2")
    assert answer.status == 400
    assert {place for place, _, _ in faults(answer)} == {"body"}


@each_version
@both_adapters
def test_encodings_have_the_styles_of_queries(adapter: Adapter, version: str) -> None:
    """OpenAPI, "Encoding Object": ``style``, ``explode``, and JSON by ``contentType``."""
    schema = of({"at": POINT, "deep": POINT, "words": TEXTS, "pipes": TEXTS, "as": TEXTS})
    encoding = {
        "deep": {"style": "deepObject", "explode": True},
        "words": {"style": "spaceDelimited", "explode": False},
        "pipes": {"style": "pipeDelimited"},
        "as": {"contentType": "application/json"},
    }
    app = Form(adapter, form(URLENCODED, version, schema, encoding))
    answer = app.submit('at={"x":1}&deep[x]=2&deep[y]=3&words=a%20b&pipes=c|d&as=["e"]')
    assert codes(answer) == []
    assert app.seen[0].body == {
        "at": {"x": 1}, "deep": {"x": 2, "y": 3}, "words": ["a", "b"], "pipes": ["c", "d"],
        "as": ["e"],
    }  # fmt: skip
    assert codes(app.submit('at={"x":"1"}&deep[x]=z&as=[5]')) == [
        ("/at/x", "type"), ("/deep/x", "type"), ("/as/0", "type"),
    ]  # fmt: skip
    answer = app.submit('at={"x":1,"x":2}')
    assert answer.status == 400
    assert faults(answer) == [("body", "/at", "json_duplicate_key")]


@each_version
@both_adapters
def test_a_style_goes_before_a_content_type(adapter: Adapter, version: str) -> None:
    """Which is ignored then (OpenAPI 3.1.1, "Encoding Object")."""
    encoding = {"deep": {"style": "deepObject", "contentType": "application/json"}}
    app = Form(adapter, form(URLENCODED, version, of({"deep": POINT}), encoding))
    assert codes(app.submit("deep[x]=2")) == []
    assert app.seen[0].body == {"deep": {"x": 2}}


@pytest.mark.parametrize("style", ["deepObject", "pipeDelimited", "spaceDelimited"])
@both_adapters
def test_a_scalar_with_a_style_for_others_is_read_as_it_is(adapter: Adapter, style: str) -> None:
    """Stripe's document has many; a note says so."""
    until = {"anyOf": [{"type": "string", "enum": ["now"]}, INTEGER]}
    root = form(URLENCODED, "3.0.4", of({"until": until}), {"until": {"style": style}})
    app = Form(adapter, root)
    assert codes(app.submit("until=now")) == []
    assert codes(app.submit("until=5")) == []
    assert app.seen[1].body == {"until": 5}
    assert app.submit("until=never").status == 422
    assert app.submit("until[x]=now").status == 422
    assert app.submit("until=now&until=5").status == 400
    words = f"the style {style} has no scalars, so it is ignored"
    assert words in [told for _, told in app.guard.coverage.notes]


COMPOSED: Any = {
    "allOf": [
        {"$ref": "#/components/schemas/Base"},
        of({"b": INTEGER, "both": {"maxLength": 5}}, required=["b"]),
    ],
    "oneOf": [of({"card": INTEGER}, required=["card"]), of({"iban": TEXT}, required=["iban"])],
}  # fmt: skip
BASE: Any = {
    "schemas": {"Base": of({"a": INTEGER, "both": {**TEXT, "minLength": 2}}, required=["a"])}
}


@each_version
@both_adapters
@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
def test_fields_are_found_wherever_a_schema_names_them(
    adapter: Adapter, version: str, kind: str
) -> None:
    """By references, ``allOf`` and alternatives; all that is said of one holds."""
    app = Form(adapter, form(kind, version, COMPOSED, components=BASE))

    def told(**fields: str) -> list[tuple[str, str]]:
        if kind == URLENCODED:
            return codes(app.submit("&".join(f"{name}={text}" for name, text in fields.items())))
        return codes(app.send(*(part(name, text) for name, text in fields.items())))

    assert told(a="1", b="2", both="abc", card="5") == []
    assert app.seen[0].body == {"a": 1, "b": 2, "both": "abc", "card": 5}
    assert told(a="1", b="2", iban="x") == []
    assert ("/both", "minLength") in told(a="1", b="2", both="a", iban="x")
    assert ("/both", "maxLength") in told(a="1", b="2", both="abcdef", iban="x")
    assert told(a="1", b="2") != []
    assert told(a="1", b="2", card="5", iban="x") != []
    assert told(a="1", b="x", iban="x") == [("/b", "type")]


@both_adapters
@pytest.mark.parametrize("version", ["3.1.1", "3.2.0"])
@pytest.mark.parametrize("with_file", [False, True])
def test_what_stands_beside_a_reference_holds_of_fields_too(
    adapter: Adapter, version: str, with_file: bool
) -> None:
    """Of the form, of one field, and where files are apart."""
    components = {"schemas": {"Word": TEXT, "Whole": of({"a": TEXT})}}
    word = {"$ref": "#/components/schemas/Word", "maxLength": 3}
    properties = {"word": word} | ({"file": {}} if with_file else {})
    schema = {"$ref": "#/components/schemas/Whole", **of(properties, required=["word"])}
    app = Form(adapter, form(MULTIPART, version, schema, components=components))
    file = [part("file", b"x", filename="x")] if with_file else []
    assert codes(app.send(part("a", "x"), part("word", "abc"), *file)) == []
    assert codes(app.send(part("a", "x"), part("word", "abcd"), *file)) == [("/word", "maxLength")]
    assert codes(app.send(part("a", "x"), *file)) == [("/word", "required")]


@each_version
@both_adapters
def test_a_form_is_open_where_its_schema_says_so(adapter: Adapter, version: str) -> None:
    """By ``additionalProperties`` that are said; else a field that is not named is refused."""
    for schema, opened in (
        (of({"a": TEXT}), False),
        (of({"a": TEXT}, additionalProperties=False), False),
        (of({"a": TEXT}, additionalProperties=True), True),
        (of({"a": TEXT}, additionalProperties={"type": "string"}), True),
    ):
        app = Form(adapter, form(URLENCODED, version, schema))
        assert (app.submit("a=1&b=2").status == 200) is opened, schema
        app = Form(adapter, form(MULTIPART, version, schema))
        assert (app.send(part("a", "1"), part("b", "2")).status == 200) is opened, schema
    allowed = Form(adapter, form(URLENCODED, version, of({"a": TEXT})), allow=["members"])
    assert allowed.submit("a=1&b=2").status == 200


@both_adapters
def test_an_open_form_with_files_is_open(adapter: Adapter) -> None:
    """And what it says of the others holds."""
    schema = of({"file": {}}, additionalProperties={"type": "string", "maxLength": 2})
    app = Form(adapter, form(MULTIPART, "3.1.1", schema))
    file = part("file", b"x", filename="x")
    assert codes(app.send(file, part("b", "ab"))) == []
    assert codes(app.send(file, part("b", "abc"))) == [("/b", "maxLength")]


@each_version
@both_adapters
@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
def test_a_form_without_a_schema_is_a_warning(adapter: Adapter, version: str, kind: str) -> None:
    """It is bounded in size alone."""
    root = api(version, requestBody={"content": {kind: {}}})
    app = Guarded(adapter, openapi=root)
    assert app.ask("POST", "/a", body="any=1", headers=[("Content-Type", kind)]).status == 200
    words = "only the size of a form without a schema is checked"
    assert words in [told for _, told in app.guard.coverage.notes]


@both_adapters
def test_an_urlencoded_form_can_be_written_anew(adapter: Adapter) -> None:
    """With ``forward="canonical"`` the app's parser sees what was validated."""
    schema = of({"n": INTEGER, "ok": {"type": "boolean"}, "tags": TEXTS, "deep": POINT})
    encoding = {"deep": {"style": "deepObject", "explode": True}}
    root = form(URLENCODED, "3.1.1", schema, encoding)
    app = Form(adapter, root, forward="canonical")
    assert codes(app.submit("tags=b%2Bc&ok=true&n=%37&deep%5Bx%5D=1&tags=a+b")) == []
    assert app.bodies == [b"n=7&ok=true&tags=b%2Bc&tags=a+b&deep%5Bx%5D=1"] or set(
        app.bodies[0].split(b"&")
    ) == {b"n=7", b"ok=true", b"tags=b%2Bc", b"tags=a+b", b"deep%5Bx%5D=1"}


# -- multipart ------------------------------------------------------------------------------------


@each_version
@both_adapters
def test_parts_become_what_their_schemas_say(adapter: Adapter, version: str) -> None:
    """Texts are coerced, objects and what is encoded as JSON are read as such."""
    schema = of({"n": INTEGER, "at": POINT, "tags": TEXTS, "as": TEXTS, "points": {
        "type": "array", "items": POINT}}, required=["n"])  # fmt: skip
    encoding = {"as": {"contentType": "application/json"}}
    app = Form(adapter, form(MULTIPART, version, schema, encoding))
    answer = app.send(
        part("n", "7"),
        part("at", '{"x": 1}', "application/json"),
        part("tags", "a"),
        part("tags", "b"),
        part("points", '{"y": 2}'),
        part("points", '{"y": 3}', "application/json"),
    )
    assert codes(answer) == []
    assert app.seen[0].body == {
        "n": 7, "at": {"x": 1}, "tags": ["a", "b"], "points": [{"y": 2}, {"y": 3}],
    }  # fmt: skip
    assert codes(
        app.send(part("n", "x"), part("at", '{"x": "1"}'), part("points", '{"y": "z"}'))
    ) == [("/n", "type"), ("/at/x", "type"), ("/points/0/y", "type")]
    assert codes(app.send(part("tags", "a"))) == [("/n", "required")]
    assert app.send(part("n", "1"), part("at", "{")).status == 400
    assert app.send(part("n", "1"), part("n", "2")).status == 400
    assert codes(app.send(part("n", "1"), part("more", "2"))) == [("/more", "undeclared_field")]


FILES: list[tuple[str, Any, Any, bool]] = [
    ("3.0.4", {"type": "string", "format": "binary"}, None, False),
    ("3.1.1", {}, None, False),
    ("3.1.1", True, None, False),
    ("3.1.1", {"description": "A file."}, None, False),
    ("3.1.1", {"type": "string", "contentMediaType": "image/png"}, None, False),
    ("3.1.1", {"contentMediaType": "application/octet-stream"}, None, False),
    ("3.1.1", {"type": "string", "format": "binary"}, None, False),
    ("3.2.0", {}, {"contentType": "image/png"}, False),
    ("3.0.4", {"type": "array", "items": {"type": "string", "format": "binary"}}, None, True),
    ("3.1.1", {"type": "array", "items": {}}, None, True),
    ("3.2.0", {"type": "array", "items": {"contentMediaType": "image/png"}}, None, True),
    ("3.1.1", {"type": ["array", "null"], "items": {}}, None, True),
    ("3.1.1", {"$ref": "#/components/schemas/File"}, None, False),
    ("3.1.1", {"$ref": "#/components/schemas/Files"}, None, True),
]
COMPONENTS = {"schemas": {
    "File": {"contentMediaType": "image/png"},
    "Files": {"type": "array", "items": {"$ref": "#/components/schemas/File"}},
}}  # fmt: skip


@both_adapters
@pytest.mark.parametrize(("version", "schema", "encoding", "many"), FILES)
def test_files_are_found_by_their_schemas(
    adapter: Adapter, version: str, schema: Any, encoding: Any, many: bool
) -> None:
    """As each version writes them; what is required must come, and arrays are several."""
    root = form(
        MULTIPART, version, of({"f": schema, "name": TEXT}, required=["f", "name"]),
        encoding and {"f": encoding}, components=COMPONENTS,
    )  # fmt: skip
    app = Form(adapter, root)
    file = part("f", PNG, "image/png", "a.png")
    assert codes(app.send(part("name", "x"), file)) == []
    assert app.seen[0].body == {"name": "x"}
    assert app.files[0] == {"f": [PNG] if many else PNG}
    assert (app.send(part("name", "x"), file, file).status == 200) is many
    assert codes(app.send(part("name", "x"))) == [("/f", "missing")]
    assert codes(app.send(file)) == [("/name", "required")]
    assert codes(app.send(part("name", "x"), part("f", "text"))) == [("/f", "not_a_file")]


NO_FILES: list[tuple[str, Any, Any]] = [
    ("3.0.4", {"type": "string"}, None),
    ("3.0.4", {"type": "string", "format": "byte"}, None),
    ("3.1.1", {"type": "string"}, None),
    ("3.1.1", {"type": "string", "contentMediaType": "image/png", "contentEncoding": "base64"},
     None),
    ("3.1.1", {"type": "object"}, None),
    ("3.1.1", {}, {"contentType": "application/json"}),
]  # fmt: skip


@both_adapters
@pytest.mark.parametrize(("version", "schema", "encoding"), NO_FILES)
def test_fields_are_no_files(adapter: Adapter, version: str, schema: Any, encoding: Any) -> None:
    """Texts, what is encoded in text, objects, and JSON."""
    root = form(MULTIPART, version, of({"f": schema}), encoding and {"f": encoding})
    app = Form(adapter, root)
    assert codes(app.send(part("f", "{}"))) == []
    assert not app.files[0]


@each_version
@both_adapters
def test_the_content_type_of_an_encoding_is_that_of_the_file(
    adapter: Adapter, version: str
) -> None:
    """By its first bytes as well; ranges too. A type that can't be told is noted."""
    file = {"type": "string", "format": "binary"}
    encoding = {"f": {"contentType": "image/png, image/jpeg"}, "g": {"contentType": "image/*"}}
    app = Form(adapter, form(MULTIPART, version, of({"f": file, "g": file}), encoding))
    png, gif = part("f", PNG, "image/png", "a.png"), part("f", b"GIF89a", "image/gif", "a.gif")
    assert codes(app.send(png, part("g", b"GIF89a" + bytes(9), "image/gif", "a.gif"))) == []
    assert codes(app.send(gif)) == [("/f", "file_type")]
    assert codes(app.send(part("f", b"<html>", "image/png", "a.png"))) == [("/f", "file_type")]
    unknown = {"f": {"contentType": "application/x-castle"}}
    other = Form(adapter, form(MULTIPART, version, of({"f": file}), unknown))
    assert codes(other.send(part("f", b"any", "application/x-castle", "a"))) == []
    assert any("files of any type are accepted" in words for _, words in other.guard.coverage.notes)
    octets = Form(adapter, form(MULTIPART, version, of({"f": file}), {"f": {
        "contentType": "application/octet-stream"}}))  # fmt: skip
    assert codes(octets.send(part("f", b"any", "application/octet-stream", "a"))) == []


@both_adapters
def test_what_is_not_checked_beside_files_is_a_warning(adapter: Adapter) -> None:
    """Files are no part of the value that a schema judges, so some keywords can't hold."""
    schema = of({"f": {}, "a": TEXT}, minProperties=2, dependentRequired={"a": ["f"]})
    app = Form(adapter, form(MULTIPART, "3.1.1", schema))
    (words,) = [words for _, words in app.guard.coverage.notes if "in a form with files" in words]
    assert "dependentRequired, minProperties" in words


NESTED: Any = of({"n": INTEGER, "list": TEXTS, "rows": {"type": "array", "items": POINT}})
STYLES = {
    "deep": {"style": "deepObject", "explode": True},
    "expand": {"style": "deepObject", "explode": True},
    "csv": {"style": "form", "explode": False},
    "pipes": {"style": "pipeDelimited", "explode": False},
    "spaces": {"style": "spaceDelimited", "explode": False},
    "each": {"style": "form", "explode": True},
}
INTEGERS: Any = {"type": "array", "items": INTEGER}
STYLED: Any = {
    "deep": NESTED, "expand": TEXTS, "csv": INTEGERS, "pipes": INTEGERS, "spaces": INTEGERS,
    "each": INTEGERS,
}  # fmt: skip


@each_version
@both_adapters
@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
def test_fields_have_styles_in_both_kinds_of_forms(
    adapter: Adapter, version: str, kind: str
) -> None:
    """Nested names as Stripe's and Rails' clients write them, and delimited arrays."""
    app = Form(adapter, form(kind, version, of(STYLED), STYLES))

    def send(*pairs: tuple[str, str]) -> Answer:
        if kind == MULTIPART:
            return app.send(*(part(name, text) for name, text in pairs))
        return app.submit("&".join(f"{name}={text.replace(' ', '+')}" for name, text in pairs))

    answer = send(
        ("deep[n]", "1"), ("deep[list][]", "a"), ("deep[list][]", "b"), ("deep[rows][0][x]", "2"),
        ("expand[]", "c"), ("csv", "1,2"), ("pipes", "3|4"), ("spaces", "5 6"), ("each", "7"),
        ("each", "8"),
    )  # fmt: skip
    assert codes(answer) == []
    assert app.seen[0].body == {
        "deep": {"n": 1, "list": ["a", "b"], "rows": [{"x": 2}]}, "expand": ["c"],
        "csv": [1, 2], "pipes": [3, 4], "spaces": [5, 6], "each": [7, 8],
    }  # fmt: skip
    assert codes(send(("deep[n]", "x"), ("csv", "1,x"))) == [
        ("/deep/n", "type"),
        ("/csv/1", "type"),
    ]
    for pairs in (
        [("deep[n]", "1"), ("deep[n]", "2")],
        [("deep[list][]", "1"), ("deep[list][0]", "2")],
        [("expand", "1")],
        [("csv", "1"), ("csv", "2")],
        [("deep[n][]", "1")],
    ):
        assert send(*pairs).status == 400, pairs
    assert app.guard.coverage.notes


@both_adapters
def test_a_form_in_styles_can_be_written_anew(adapter: Adapter) -> None:
    """Each field in its style, so that it is read as the same value again."""
    schema = of({**STYLED, "json": POINT, "open": TEXT}, additionalProperties=INTEGER)
    app = Form(adapter, form(URLENCODED, "3.1.1", schema, STYLES), forward="canonical")
    text = (
        "deep[n]=1&deep[list][]=a%2Cb&deep[rows][0][x]=2&expand[]=c&csv=1,2&pipes=3|4&spaces=5+6"
        '&each=7&each=8&json={"x":9}&open=%C3%A9+%26%0A&more=5'
    )
    assert codes(app.submit(text)) == []
    assert codes(app.submit(app.bodies[0].decode())) == []
    assert app.bodies[1] == app.bodies[0]
    assert app.seen[1].body == app.seen[0].body
    assert b"csv=1,2&" in app.bodies[0]


@both_adapters
def test_a_multipart_form_in_styles_can_be_written_anew(adapter: Adapter) -> None:
    """Each field in its style, and JSON as JSON."""
    schema = of({**STYLED, "points": {"type": "array", "items": POINT}, "file": {}},
                additionalProperties=INTEGER)  # fmt: skip
    app = Form(adapter, form(MULTIPART, "3.1.1", schema, STYLES), forward="canonical")
    texts = {
        "deep[n]": "1", "deep[list][]": "a,b", "deep[rows][0][x]": "2", "expand[]": "c",
        "csv": "1,2", "pipes": "3|4", "spaces": "5 6", "each": "7", "points": "[]", "more": "5",
    }  # fmt: skip
    file = part("file", b"x", filename="x")
    assert codes(app.send(*(part(name, text) for name, text in texts.items()), file)) == []
    kind = app.carriers[0].get("CONTENT_TYPE") or dict(app.carriers[0]["headers"])[
        b"content-type"].decode()  # fmt: skip
    again = app.ask("POST", "/a", body=app.bodies[0], headers=[("Content-Type", kind)])
    assert codes(again) == []
    assert app.seen[1].body == app.seen[0].body
    assert app.seen[0].body["points"] == []


@each_version
@both_adapters
def test_arrays_of_json_come_in_one_part_or_in_several(adapter: Adapter, version: str) -> None:
    """As their items, or whole where no item is an array."""
    schema = of({"points": {"type": "array", "items": POINT}, "words": TEXTS, "lists": {
        "type": "array", "items": TEXTS}})  # fmt: skip
    json = {"contentType": "application/json"}
    app = Form(adapter, form(MULTIPART, version, schema, {"words": json, "lists": json}))
    point = '{"x": 1}'
    for points in ([point], [f"[{point}]"], [point, point], [f"[{point}, {point}]"], ["[]"]):
        parts = [part("points", one, "application/json") for one in points]
        assert codes(app.send(*parts, part("words", '["a"]'), part("lists", '["a"]'))) == []
    assert [one.body["points"] for one in app.seen] == [
        [{"x": 1}], [{"x": 1}], [{"x": 1}] * 2, [{"x": 1}] * 2, [],
    ]  # fmt: skip
    assert app.seen[0].body["words"] == ["a"]
    assert app.seen[0].body["lists"] == [["a"]]
    assert codes(app.send(part("words", '"a"'), part("words", '"b"'))) == []
    assert codes(app.send(part("points", f"[{point}]"), part("points", point))) == [
        ("/points/0", "type"),
    ]  # fmt: skip


@each_version
@both_adapters
def test_other_fields_of_an_open_form_are_checked_and_handed_over(
    adapter: Adapter, version: str
) -> None:
    """As ``additionalProperties`` says, urlencoded and in parts."""
    schema = of({"a": TEXT}, additionalProperties={"type": "integer", "maximum": 9})
    for kind in (URLENCODED, MULTIPART):
        app = Form(adapter, form(kind, version, schema))

        def send(app: Form = app, kind: str = kind, **fields: str) -> list[tuple[str, str]]:
            if kind == MULTIPART:
                return codes(app.send(*(part(name, text) for name, text in fields.items())))
            return codes(app.submit("&".join(f"{name}={text}" for name, text in fields.items())))

        assert send(a="x", b="1", c="2") == []
        assert app.seen[0].body == {"a": "x", "b": 1, "c": 2}
        assert send(a="x", b="10") == [("/b", "maximum")]
        assert send(a="x") == []
        assert app.seen[1].body == {"a": "x"}


@each_version
@both_adapters
def test_arrays_of_objects_are_written_anew_as_json(adapter: Adapter, version: str) -> None:
    """One field for each item, however they were sent."""
    rows = of({"rows": {"type": "array", "items": POINT}})
    app = Guarded(adapter, openapi=form(URLENCODED, version, rows), forward="canonical")
    for sent in (
        "rows=%7B%22x%22%3A1%7D&rows=%7B%22x%22%3A2%7D",
        "rows=%5B%7B%22x%22%3A+1%7D%2C%7B%22x%22%3A2%7D%5D",
    ):
        assert app.ask("POST", "/a", body=sent, headers=FORM).status == 200
        assert app.seen[-1].body == {"rows": [{"x": 1}, {"x": 2}]}
        assert app.bodies[-1] == b"rows=%7B%22x%22%3A1%7D&rows=%7B%22x%22%3A2%7D"


@pytest.mark.parametrize("kind", [URLENCODED, MULTIPART])
def test_forms_of_any_fields_are_noted(kind: str) -> None:
    """Since nothing of them is checked but their sizes."""
    schemas: list[Any] = [{}, {"type": "object"}, of({"a": TEXT})]
    guards = [mantlet.SchemaGuard(openapi=form(kind, "3.0.4", schema)) for schema in schemas]
    noted = [
        any("fields of any names" in words for _, words in guard.coverage.notes) for guard in guards
    ]
    assert noted == [True, True, False]

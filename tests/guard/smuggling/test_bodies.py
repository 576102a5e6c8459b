"""What the app's own parser reads of a body is the value that the guard has validated."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import brotli
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from mantlet.guard import BodyLimits, Contract, File, SchemaGuard
from tests.guard.smuggling.body_readers import BODY_READERS, BodyReader, Read
from tests.integrations.django_site import lower_case
from tests.zstandard import zstd

if TYPE_CHECKING:
    from tests.drive import Answer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.breaks_rules("Django writes header fields in both cases under ASGI"),
]


class Fields(BaseModel):
    """The declared fields of a form."""

    name: str
    note: str = ""
    tag: list[str] = []


class Note(BaseModel):
    """A form whose fields are optional."""

    note: str = ""


CONTRACTS = {
    "POST /json": Contract(body=dict[str, Any]),
    "POST /form": Contract(form=Fields, required=False),
    "POST /parts": Contract(
        form=Fields, files={"photo": File(required=False, many=True, min_size=0)}
    ),
    "POST /text": Contract(raw=["text/plain"]),
    "POST /lines": Contract(lines=Any),
}
STRINGS = {"type": "array", "items": {"type": "string"}}
FORM = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "note": {"type": "string"}, "tag": STRINGS},
    "required": ["name"],
    "additionalProperties": False,
}
FILES_SCHEMA = {"photo": {"type": "array", "items": {"type": "string", "format": "binary"}}}
PARTS_SCHEMA = FORM | {"properties": {**FORM["properties"], **FILES_SCHEMA}}  # type: ignore[dict-item]  # a dict
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Bodies", "version": "1"},
    "paths": {
        path: {
            "post": {
                "requestBody": {"content": {kind: {"schema": schema}}, "required": path != "/form"},
                "responses": {"200": {"description": "It has been read."}},
            }
        }
        for path, kind, schema in [
            ("/json", "application/json", {"type": "object"}),
            ("/form", "application/x-www-form-urlencoded", FORM),
            ("/parts", "multipart/form-data", PARTS_SCHEMA),
            ("/text", "text/plain", {"type": "string"}),
            ("/lines", "application/x-ndjson", {"type": "object"}),
        ]
    },
}
#: The same operations, declared in two ways.
SOURCES: dict[str, dict[str, Any]] = {
    "models": {"contracts": CONTRACTS},
    "document": {"openapi": DOCUMENT},
}
TYPES = {
    "/json": "application/json",
    "/form": "application/x-www-form-urlencoded",
    "/parts": "multipart/form-data; boundary=b",
    "/text": "text/plain",
    "/lines": "application/x-ndjson",
}

# -- bodies ---------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8)
NUMBERS = st.integers(-(10**25), 10**25) | st.floats(allow_nan=False, allow_infinity=False)
JSON_OBJECTS = st.dictionaries(TEXTS, st.none() | st.booleans() | NUMBERS | TEXTS)


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    """Return one part of a form."""
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"'
    if filename is not None:
        head += f'; filename="{filename}"\r\nContent-Type: text/plain'
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


def _form(fields: Fields) -> bytes:
    pairs = [("name", fields.name), *(("tag", tag) for tag in fields.tag)]
    return urlencode(pairs).encode()


def _parts(fields: Fields, files: list[bytes]) -> bytes:
    parts = [part("name", fields.name.encode()), *(part("tag", one.encode()) for one in fields.tag)]
    parts += [part("photo", content, f"{index}.txt") for index, content in enumerate(files)]
    return b"".join(parts) + b"--b--\r\n"


# An empty optional field may count as absent.
FIELDS = st.builds(Fields, name=TEXTS, tag=st.lists(TEXTS.filter(bool), max_size=3))
FILES = st.lists(TEXTS.map(str.encode), max_size=2)
BODIES: dict[str, st.SearchStrategy[bytes]] = {
    "/json": JSON_OBJECTS.map(lambda value: json.dumps(value).encode()),
    "/form": FIELDS.map(_form),
    "/parts": st.builds(_parts, FIELDS, FILES),
    "/text": TEXTS.map(str.encode),
    "/lines": st.lists(JSON_OBJECTS, max_size=3).map(
        lambda values: b"".join(json.dumps(value).encode() + b"\n" for value in values)
    ),
}
#: What an app that takes the coded bytes for the body would read in them.
ATTACKS = {
    "/json": b'{"role": "admin"}',
    "/form": b"&role=admin&",
    "/parts": b"\r\n" + part("role", b"admin") + part("photo", b"evil", "evil.php") + b"--b--\r\n",
    "/text": b"role=admin",
    "/lines": b'\n{"role": "admin"}\n',
}

# -- codings --------------------------------------------------------------------------------------


def gzip_with(field: str, body: bytes, attack: bytes) -> bytes:
    """Return a body in gzip whose header has other bytes in a field (RFC 1952, 2.3)."""
    flag = {"extra": 4, "name": 8, "comment": 16}[field]
    held = len(attack).to_bytes(2, "little") + attack if field == "extra" else attack + b"\0"
    head = b"\x1f\x8b\x08" + bytes([flag]) + b"\0\0\0\0\x00\xff" + held
    return head + gzip.compress(body, mtime=0)[10:]


class Coded(NamedTuple):
    """A coded body, with the values of its Content-Encoding headers."""

    body: bytes
    codings: tuple[str, ...]


def stored(body: bytes, attack: bytes) -> bytes:
    """Return an empty stored block after the body: deflate without compression."""
    deflate = zlib.compressobj(0)
    return deflate.compress(body) + deflate.flush()


def raw_deflate(body: bytes, attack: bytes) -> bytes:
    """Return deflate without zlib's frame, which some clients send (RFC 9110, 8.4.1.2)."""
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(body) + deflate.flush()


Encode = Callable[[bytes, bytes], bytes]
CODINGS: dict[str, tuple[Encode, tuple[str, ...]]] = {
    "none": (lambda body, _: body, ()),
    "identity": (lambda body, _: body, ("Identity",)),
    "gzip": (lambda body, _: gzip.compress(body, mtime=0), ("gzip",)),
    "GZip": (lambda body, _: gzip.compress(body, mtime=0), ("GZip",)),
    "x-gzip": (lambda body, _: gzip.compress(body, mtime=0), ("x-gzip",)),
    "gzip-extra": (lambda body, attack: gzip_with("extra", body, attack), ("gzip",)),
    "gzip-name": (lambda body, attack: gzip_with("name", body, attack), ("gzip",)),
    "gzip-comment": (lambda body, attack: gzip_with("comment", body, attack), ("gzip",)),
    "gzip-members": (
        lambda body, attack: gzip.compress(body[:3]) + gzip_with("extra", body[3:], attack),
        ("gzip",),
    ),
    "gzip-empty-member": (
        lambda body, attack: gzip.compress(body) + gzip_with("extra", b"", attack),
        ("gzip",),
    ),
    "gzip-trailing": (lambda body, attack: gzip.compress(body) + attack, ("gzip",)),
    "not-gzip": (lambda _, attack: attack, ("gzip",)),
    "deflate": (lambda body, _: zlib.compress(body), ("deflate",)),
    "deflate-stored": (stored, ("deflate",)),
    "deflate-raw": (raw_deflate, ("deflate",)),
    "deflate-trailing": (lambda body, attack: zlib.compress(body) + attack, ("deflate",)),
    "br": (lambda body, _: brotli.compress(body), ("br",)),
    "zstd": (lambda body, _: zstd.compress(body), ("zstd",)),
    # Skippable frames may hold anything (RFC 8878, 3.1.2).
    "zstd-skippable": (
        lambda body, attack: b"\x50\x2a\x4d\x18" + len(attack).to_bytes(4, "little") + attack
        + zstd.compress(body),
        ("zstd",),
    ),
    "two": (lambda body, _: brotli.compress(gzip.compress(body)), ("gzip, br",)),
    "two-headers": (
        lambda body, attack: gzip_with("extra", zlib.compress(body), attack),
        ("deflate", "gzip"),
    ),
    "with-identity": (
        lambda body, attack: gzip_with("extra", body, attack), ("identity, gzip ,identity",)
    ),
    "unknown": (lambda body, _: body, ("nonsense",)),
    "unknown-too": (lambda body, attack: gzip_with("extra", body, attack), ("gzip, aes128gcm",)),
}  # fmt: skip

GUARDS = {name: SchemaGuard(**options) for name, options in SOURCES.items()}

# -- the apps -------------------------------------------------------------------------------------


@pytest.fixture(params=BODY_READERS)
def reader(request: pytest.FixtureRequest) -> Any:
    """Each app."""
    with BODY_READERS[request.param]() as made:
        yield made


def send(
    reader: BodyReader,
    guard: SchemaGuard,
    path: str,
    coded: Coded,
    *,
    chunked: bool = False,
    kind: str | None = None,
) -> tuple[Answer, Read | None]:
    """Send a body; return the answer, and what the app has read if it was reached."""
    reader.reads.clear()
    body = coded.body
    headers = [
        ("Host", "localhost"),
        ("Content-Type", kind or TYPES[path]),
        *(("Content-Encoding", one) for one in coded.codings),
    ]
    more: dict[str, Any] = {}
    if chunked:
        headers.append(("Transfer-Encoding", "chunked"))
    elif reader.adapter.name == "asgi" or not body:
        headers.append(("Content-Length", str(len(body))))
    if reader.adapter.name == "wsgi" and chunked:
        more = {"environ": {"wsgi.input_terminated": True, "CONTENT_LENGTH": ...}}
    app = lower_case(reader.app) if reader.adapter.name == "asgi" else reader.app
    wrap: Any = reader.adapter.module.wrap
    stack = wrap(app, guard, baseline=False)
    answer = reader.adapter.drive(stack, "POST", path, headers=headers, body=body, **more)
    assert answer.error is None
    assert len(reader.reads) == (answer.status == 200)
    return answer, reader.reads[0] if reader.reads else None


def expected(path: str, validated: Any, text: bytes, *, canonical: bool = False) -> Read:
    """Return what an app reads if it reads what was validated; of a large text, all of it."""
    if path in ("/json", "/lines"):
        return Read(validated.body)
    if path == "/text":
        return Read((text if validated.body is None else validated.body).decode())
    read = Read()
    if validated.body is None:
        return read
    fields = validated.body
    if isinstance(fields, Fields):
        fields = fields.model_dump(exclude_unset=not canonical)
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            read.keep(name, one)
    read.files = validated.files if isinstance(validated.files, list) else []
    return read


def check(
    reader: BodyReader, path: str, read: Read, text: bytes = b"", *, canonical: bool = False
) -> None:
    """See that an app has read what was validated, and nothing of how it was sent."""
    should = expected(path, read.validated, text, canonical=canonical)
    assert (read.value, read.fields, read.files) == (should.value, should.fields, should.files)
    assert "content-encoding" not in read.headers
    if read.validated.body:  # an empty one needs no length
        assert "transfer-encoding" not in read.headers
        assert "content-length" in read.headers


@pytest.mark.slow
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_an_app_reads_what_was_validated(reader: BodyReader, data: st.DataObject) -> None:
    """Over codings, media types, framings, memory and both kinds of forwarding."""
    path = data.draw(st.sampled_from(sorted(TYPES)))
    body = data.draw(BODIES[path])
    encode, codings = CODINGS[data.draw(st.sampled_from(sorted(CODINGS)))]
    coded = Coded(encode(body, ATTACKS[path]), codings)
    canonical = data.draw(st.booleans())
    limits = BodyLimits(memory=data.draw(st.sampled_from([1, 20, 1000])))
    if path == "/parts":
        limits = BodyLimits()  # which bounds the fields of a form as well
    forward: Any = "canonical" if canonical else "original"
    source = SOURCES[data.draw(st.sampled_from(sorted(SOURCES)))]
    guard = SchemaGuard(**source, limits=limits, forward=forward)
    answer, read = send(reader, guard, path, coded, chunked=data.draw(st.booleans()))
    if read is None:
        assert answer.status in (400, 413, 415, 422)
    else:
        check(reader, path, read, body, canonical=canonical)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("path", TYPES)
def test_nothing_in_a_coding_is_read_as_a_body(reader: BodyReader, path: str, source: str) -> None:
    """A field of gzip's header, trailing bytes, a skippable frame: as a field of a form, a part."""
    body = {
        "/json": b'{"name": "a"}',
        "/form": b"name=a",
        "/parts": part("name", b"a") + part("photo", b"b", "b.txt") + b"--b--\r\n",
        "/text": b"a",
        "/lines": b'{"name": "a"}\n',
    }[path]
    refused = {"gzip-trailing", "deflate-trailing", "not-gzip", "zstd-skippable"}
    reached = set()
    for coding, (encode, codings) in CODINGS.items():
        coded = Coded(encode(body, ATTACKS[path]), codings)
        for chunked in (False, True):
            answer, read = send(reader, GUARDS[source], path, coded, chunked=chunked)
            if read is not None:
                reached.add(coding)
                check(reader, path, read)
                assert "admin" not in repr((read.value, read.fields, read.files)), coding
            elif coding in refused:
                assert answer.status == 400, coding
            else:
                assert (answer.status, coding.partition("-")[0]) == (415, "unknown")
    assert reached == CODINGS.keys() - refused - {"unknown", "unknown-too"}


@pytest.mark.parametrize("coding", ["gzip", "gzip-extra", "gzip-comment", "deflate", "br", "zstd"])
def test_a_coded_form_of_nothing_has_no_fields(reader: BodyReader, coding: str) -> None:
    """As one that is not coded, and the app reads none."""
    encode, codings = CODINGS[coding]
    coded = Coded(encode(b"", ATTACKS["/form"]), codings)
    guard = SchemaGuard({"POST /form": Contract(form=Note, required=False)})
    _, read = send(reader, guard, "/form", coded)
    assert read is not None
    assert (read.fields, read.validated.body) == ([], Note())

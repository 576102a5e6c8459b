"""Forms in parts: what is read, and what is refused."""

from __future__ import annotations

import gc
import json
import tracemalloc
import warnings
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.guard.bodies.forms import File, FormFields, MultipartForm, UploadedFile
from mantlet.guard.errors import ValidationFailed
from mantlet.guard.limits import BodyLimits

from .building import (
    BOUNDARY,
    MULTIPART,
    PNG,
    URLENCODED,
    body,
    field,
    media,
    multipart,
    part,
    read,
    refused,
    upload,
    urlencoded,
)

if TYPE_CHECKING:
    from mantlet.guard.readers import FullBodyReader, StreamingBodyReader

FORM = 'Content-Disposition: form-data; name="a"'


def refusal(form: MultipartForm, content: bytes, kind: str = MULTIPART) -> tuple[int, Any]:
    with pytest.raises(ValidationFailed) as caught:
        read(form, content, kind)
    assert caught.value.__cause__ is caught.value.__context__ is None
    return refused(caught.value)


READ = [
    pytest.param(body(), {}, id="no parts"),
    pytest.param(body(field("a", "1"), field("b", "2")), {"a": "1", "b": "2"}, id="fields"),
    pytest.param(body(field("a", "")), {"a": ""}, id="empty field"),
    pytest.param(body(field("a", "1"), field("a", "2")), {"a": ["1", "2"]}, id="repeated"),
    pytest.param(b"\r\n" + body(field("a", "1")), {"a": "1"}, id="line end before it"),
    pytest.param(body(field("a", "1"))[:-2], {"a": "1"}, id="no line end behind it"),
    pytest.param(
        body(field("a", "\r\n--\r\n--AaB03\r\n")),
        {"a": "\r\n--\r\n--AaB03\r\n"},
        id="nearly a delimiter",
    ),
    pytest.param(body(part("content-disposition: FORM-DATA; name=a", "1")), {"a": "1"}, id="token"),
    pytest.param(
        body(part('Content-Disposition:form-data;name="a"', "1")), {"a": "1"}, id="no spaces"
    ),
    pytest.param(body(field("a", "é")), {"a": "é"}, id="UTF-8"),
    pytest.param(body(field("é", "1")), {"é": "1"}, id="name in UTF-8 (RFC 7578, 5.1)"),
    pytest.param(body(field("a[b][]", "1")), {"a[b][]": "1"}, id="brackets"),
    pytest.param(
        body(part(FORM + "\r\nContent-Type: text/plain; charset=UTF-8", "é")),
        {"a": "é"},
        id="charset",
    ),
    pytest.param(
        body(part(FORM + "\r\nContent-Transfer-Encoding: 8bit", "é")), {"a": "é"}, id="8bit"
    ),
    pytest.param(body(part(FORM + "\r\nContent-Length: 2", "é")), {"a": "é"}, id="length"),
]


@pytest.mark.parametrize(("content", "value"), READ)
def test_what_all_parsers_read_alike_is_read(content: bytes, value: Any) -> None:
    """Each of the ways to write a form that are in use is read."""
    assert read(multipart(), content) == (value, {})


def test_the_example_of_the_standard_is_read() -> None:
    """RFC 7578, 4.1 to 4.4 and RFC 1867, 6: a field and a text file."""
    content = (
        b"--AaB03x\r\n"
        b'content-disposition: form-data; name="field1"\r\n\r\n'
        b"Joe Blow\r\n"
        b"--AaB03x\r\n"
        b'content-disposition: form-data; name="pics"; filename="file1.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\n"
        b" ... contents of file1.txt ...\r\n"
        b"--AaB03x--\r\n"
    )
    form = multipart(FormFields(["field1"]), {"pics": File(types=["text/plain"])})
    assert read(form, content) == (
        {"field1": "Joe Blow"},
        {"pics": ("file1.txt", "text/plain", None, b" ... contents of file1.txt ...")},
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        # How a body is cut (RFC 2046, 5.1.1).
        pytest.param(b"", "multipart", id="nothing"),
        pytest.param(b"--", "multipart", id="hardly anything"),
        pytest.param(b"x" + body(field("a")), "multipart", id="preamble"),
        pytest.param(b"x\r\n" + body(field("a")), "multipart", id="preamble with a line end"),
        pytest.param(b"\r\n\r\n" + body(field("a")), "multipart", id="two line ends before"),
        pytest.param(b"\n" + body(field("a")), "multipart", id="LF before"),
        pytest.param(body(field("a")) + b"x", "multipart", id="epilogue"),
        pytest.param(body(field("a")) + b"\r\n", "multipart", id="two line ends behind"),
        pytest.param(body(field("a")) + body(field("a")), "multipart", id="second form behind"),
        pytest.param(body(field("a"))[:-1], "multipart", id="half a line end behind"),
        pytest.param(body(field("a"))[:-2] + b"\n", "multipart", id="LF behind"),
        pytest.param(body(field("a"))[:-4], "multipart", id="no last delimiter"),
        pytest.param(body(field("a"))[:-3], "multipart", id="half of a last delimiter"),
        pytest.param(field("a", "1")[:-2], "multipart", id="no delimiter behind"),
        pytest.param(body(field("a")).replace(b"\r\n", b"\n"), "multipart", id="LF alone"),
        pytest.param(body(field("a")).replace(b"\r\n", b"\r"), "multipart", id="CR alone"),
        pytest.param(
            body(field("a", "1")).replace(b"1\r\n--", b"1\n--"),
            "multipart",
            id="LF before a delimiter (werkzeug)",
        ),
        pytest.param(
            body(field("a", "1")).replace(b"1\r\n--", b"1\r--"),
            "multipart",
            id="CR before a delimiter (werkzeug)",
        ),
        pytest.param(
            body(field("a", "x--AaB03x--")), "multipart", id="delimiter in a line (django)"
        ),
        pytest.param(body(field("a", "\n--AaB03x\n")), "multipart", id="delimiter between LF"),
        pytest.param(body(field("a", "\r\n--AaB03xy")), "multipart", id="longer line"),
        pytest.param(body(field("a", "\r\n--AaB03x-")), "multipart", id="one hyphen"),
        pytest.param(
            body(field("a")).replace(b"x\r\n", b"x \r\n", 1), "multipart", id="padding (RFC 2046)"
        ),
        pytest.param(
            body(field("a")).replace(b"x--", b"x --"), "multipart", id="padding of the last"
        ),
        pytest.param(
            body(part(FORM + '; filename="--AaB03x"')), "multipart", id="delimiter in a name"
        ),
        pytest.param(
            body(field("a")).replace(b"\r\n\r\n\r\n", b"\r\n\r\n"), "multipart", id="no blank line"
        ),
        # Header fields of a part (RFC 7578, 4.2 to 4.8).
        pytest.param(body(b"--AaB03x\r\n\r\n1\r\n"), "multipart", id="no header fields, no end"),
        pytest.param(body(part("", "1")), "part_header", id="no header fields"),
        pytest.param(
            body(part("Content-Type: text/plain", "1")), "disposition", id="no disposition"
        ),
        pytest.param(
            body(part("Content-Disposition: attachment; name=a")), "disposition", id="attachment"
        ),
        pytest.param(body(part("Content-Disposition: form-data")), "disposition", id="no name"),
        pytest.param(
            body(part('Content-Disposition: form-data; filename="x"')),
            "disposition",
            id="no name but a file's",
        ),
        pytest.param(body(part(FORM + '; name="b"')), "disposition", id="two names"),
        pytest.param(
            body(part(FORM + '; filename="x"; filename="y"')), "disposition", id="two files' names"
        ),
        pytest.param(body(part(FORM + "; x=y")), "disposition", id="unknown parameter"),
        pytest.param(body(part(FORM + ";")), "disposition", id="semicolon at the end"),
        pytest.param(body(part(FORM + '; filename="a')), "disposition", id="open quote"),
        pytest.param(body(part(FORM + "; filename=")), "disposition", id="no value"),
        pytest.param(
            body(part('Content-Disposition: form-data; name = "a"')), "disposition", id="spaces"
        ),
        pytest.param(
            body(part('Content-Disposition: form-data;\tname="a"')),
            "disposition",
            id="tab (litestar)",
        ),
        pytest.param(
            body(part("Content-Disposition: form-data; name='a b'")),
            "disposition",
            id="single quotes",
        ),
        pytest.param(body(part(FORM + "; filename*=UTF-8''a.txt")), "filename_ext", id="filename*"),
        pytest.param(
            body(part(FORM + "; filename=\"a.png\"; filename*=UTF-8''a.php")),
            "filename_ext",
            id="both",
        ),
        pytest.param(
            body(part(FORM + '; filename*0="a."; filename*1=php')),
            "filename_ext",
            id="continued (RFC 2231)",
        ),
        pytest.param(
            body(part("Content-Disposition: form-data; name*=UTF-8''b")), "filename_ext", id="name*"
        ),
        pytest.param(body(part(FORM + "\r\n" + FORM)), "part_header", id="disposition twice"),
        pytest.param(
            body(part(FORM + "\r\ncontent-disposition: form-data; name=b")),
            "part_header",
            id="twice in other case",
        ),
        pytest.param(body(part(FORM + "\r\nX-Other: 1")), "part_header", id="unknown field"),
        pytest.param(
            body(part(FORM + "\r\nContent-Encoding: gzip")), "part_header", id="content coding"
        ),
        pytest.param(body(part(FORM + "\r\n b")), "part_header", id="folded line"),
        pytest.param(
            body(part(FORM + "\r\n\tb: c")), "part_header", id="line that begins with a tab"
        ),
        pytest.param(
            body(part("Content-Disposition : form-data; name=a")),
            "part_header",
            id="space before the colon",
        ),
        pytest.param(
            body(part("Content-Di\u017fposition: form-data; name=a")),
            "part_header",
            id="letter that is no ASCII",
        ),
        pytest.param(
            body(part("Content-Disposition form-data; name=a")), "part_header", id="no colon"
        ),
        pytest.param(body(part("Content-Disposition:")), "part_header", id="no value of a field"),
        pytest.param(body(part(FORM + " ")), "part_header", id="space at the end"),
        pytest.param(body(part(FORM + "\nX: y")), "part_header", id="LF in a field"),
        pytest.param(body(part(FORM + "\rX: y")), "part_header", id="CR in a field"),
        pytest.param(body(field("a\0b")), "part_header", id="NUL in a name"),
        pytest.param(body(field("a\x1bb")), "part_header", id="escape in a name"),
        pytest.param(body(field("a\x85b")), "part_header", id="C1 control in a name"),
        pytest.param(
            body(field("a")).replace(b'"a"', b'"\xe9"'), "part_header", id="name in latin-1"
        ),
        pytest.param(body(field("")), "field_name", id="empty name"),
        pytest.param(body(field(" a")), "field_name", id="space before a name (django)"),
        pytest.param(body(field("a ")), "field_name", id="space behind a name (django)"),
        pytest.param(body(field("a\tb")), "field_name", id="tab in a name"),
        pytest.param(body(field("/a")), "field_name", id="slash before a name (aiohttp)"),
        pytest.param(body(field("a;b")), "field_name", id="semicolon in a name"),
        pytest.param(body(field("a%22b")), "field_name", id="escaped quote (werkzeug)"),
        pytest.param(body(field("a%0d%0Ab")), "field_name", id="escaped line end (multipart)"),
        pytest.param(body(field("a\\b")), "field_name", id="backslash"),
        pytest.param(
            body(part('Content-Disposition: form-data; name="a\\"b"')),
            "disposition",
            id="quoted pair",
        ),
        pytest.param(
            body(field("_charset_", "utf-16")), "charset_field", id="_charset_ (RFC 7578, 4.6)"
        ),
        pytest.param(
            body(part(FORM + '; filename="a\\b"')), "filename", id="backslash in a file's name"
        ),
        pytest.param(
            body(part(FORM + '; filename="a%22b"')), "filename", id="quote in a file's name"
        ),
        pytest.param(
            body(part(FORM + "\r\nContent-Transfer-Encoding: base64", "MQ==")),
            "transfer_encoding",
            id="base64 (django)",
        ),
        pytest.param(
            body(part(FORM + "\r\nContent-Transfer-Encoding: quoted-printable")),
            "transfer_encoding",
            id="quoted-printable",
        ),
        pytest.param(
            body(part(FORM + "\r\nContent-Type: multipart/mixed; boundary=x")),
            "nested_multipart",
            id="nested (RFC 7578, 4.3)",
        ),
        pytest.param(body(part(FORM + "\r\nContent-Type: text")), "part_type", id="no type"),
        pytest.param(
            body(part(FORM + "\r\nContent-Type: text/plain;;")), "part_type", id="malformed type"
        ),
        pytest.param(
            body(part(FORM + '\r\nContent-Type: text/plain; charset="é"')),
            "part_type",
            id="type that is not ASCII",
        ),
        pytest.param(
            body(part(FORM + "\r\nContent-Length: 1", "12")), "part_length", id="length too short"
        ),
        pytest.param(
            body(part(FORM + "\r\nContent-Length: 3", "12")), "part_length", id="length too long"
        ),
        pytest.param(
            body(part(FORM + "\r\nContent-Length: +2", "12")),
            "part_length",
            id="length with a sign",
        ),
        pytest.param(
            body(part(FORM + "\r\nContent-Length: \u0662", "12")),
            "part_length",
            id="length in other digits",
        ),
        # Texts.
        pytest.param(body(field("a", b"\xff")), "field_text", id="no UTF-8"),
        pytest.param(body(field("a", b"\xed\xa0\x80")), "field_text", id="surrogate"),
        pytest.param(body(field("a", b"\0")), "field_text", id="NUL"),
        # What takes long elsewhere.
        pytest.param(
            body(part('Content-Disposition: form-data; name="' + "\\" * 8000)),
            "disposition",
            id="CVE-2024-24762",
        ),
        pytest.param(
            b"\r\n" * 50_000 + body(), "multipart", id="line ends before (CVE-2024-53981)"
        ),
        pytest.param(
            body() + b"\r\n" * 50_000, "multipart", id="line ends behind (CVE-2024-53981)"
        ),
        pytest.param(
            b"--AaB03x\r\n" + b"x" * 8200, "part_headers_too_large", id="header without an end"
        ),
    ],
)
def test_what_parsers_read_differently_is_refused(content: bytes, code: str) -> None:
    """A body that any parser reads otherwise, or repairs, is malformed: by 400."""
    status, faults = refusal(multipart(), content)
    assert (status, faults[0][1]) == (400, code)
    in_bytes = (content[at : at + 1] for at in range(min(len(content), 9_000)))
    if len(content) < 9_000:
        with pytest.raises(ValidationFailed) as caught:
            read(multipart(), in_bytes)
        assert refused(caught.value) == (status, faults)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("multipart/form-data", 400, "boundary"),
        ('multipart/form-data; boundary=""', 400, "boundary"),
        ('multipart/form-data; boundary="a b"', 400, "boundary"),
        ('multipart/form-data; boundary="é"', 400, "boundary"),
        ("multipart/form-data; boundary=---", 400, "boundary"),
        ("multipart/form-data; boundary=a*b", 400, "boundary"),
        (f"multipart/form-data; boundary={'a' * 71}", 400, "boundary"),
        (f"{MULTIPART}; charset=utf-16", 415, "charset"),
        (f"{MULTIPART}; boundary*0=x", 415, "media_parameter"),
    ],
)
def test_a_media_type_must_say_how_the_body_is_cut(kind: str, status: int, code: str) -> None:
    """A boundary is 1 to 70 of the characters of RFC 2046, 5.1.1, and all else is unknown."""
    with pytest.raises(ValidationFailed) as caught:
        multipart().start(media(kind))
    assert refused(caught.value) == (status, [("", code)])


def test_any_lawful_boundary_is_one() -> None:
    """Seventy characters, those that need quotes among them, and UTF-8 as the charset."""
    boundary = "'()+_,-./:=?" + "a" * 58
    content = body(field("a", "1")).replace(BOUNDARY.encode(), boundary.encode())
    kind = f'multipart/form-data; charset=UTF-8; boundary="{boundary}"'
    assert read(multipart(), content, kind) == ({"a": "1"}, {})


@pytest.mark.parametrize(
    ("parts", "limits", "status", "code"),
    [
        ([field("a"), field("b"), field("c")], {"fields": 2}, 400, "too_many_fields"),
        ([upload("f", b"1"), upload("f", b"2")], {"files": 1}, 400, "too_many_files"),
        ([field("a", "123")], {"field": 2}, 413, "field_too_large"),
        ([field("a", "12"), field("b", "3")], {"memory": 2}, 413, "form_too_large"),
        ([upload("f", b"123")], {"file": 2}, 413, "file_too_large"),
        ([field("éé")], {"name": 3}, 400, "name_too_long"),
        ([field("aaaa")], {"part_headers": 42}, 400, "part_headers_too_large"),
    ],
)
def test_what_exceeds_a_limit_is_refused(
    parts: list[bytes], limits: dict[str, Any], status: int, code: str
) -> None:
    """Each limit holds to the byte: one more and the same body is read."""
    said, faults = refusal(multipart(**limits), body(*parts))
    assert (said, faults[0][1]) == (status, code)
    read(multipart(**{name: most + 1 for name, most in limits.items()}), body(*parts))


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        pytest.param(
            b"\r\n" * 100_000 + body(), 400, "multipart", id="CVE-2024-53981: line ends before"
        ),
        pytest.param(b"x" * 200_000 + body(), 400, "multipart", id="CVE-2026-40347: long preamble"),
        pytest.param(body() + b"x" * 200_000, 400, "multipart", id="CVE-2026-40347: long epilogue"),
        pytest.param(
            b"--AaB03x\r\n" + b"a: b\r\n" * 40_000,
            400,
            "part_headers_too_large",
            id="CVE-2026-42561: header fields without an end",
        ),
        pytest.param(
            body(part('Content-Disposition: form-data; name="' + '\\"' * 4_000)) + bytes(200_000),
            400,
            "disposition",
            id="CVE-2024-24762, CVE-2026-28356: a pattern tried again and again",
        ),
        pytest.param(
            b'--AaB03x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"x" * 2_000_000,
            413,
            "field_too_large",
            id="CVE-2024-47874: a field without an end",
        ),
        pytest.param(
            body(part(FORM + "\r\nContent-Transfer-Encoding: base64", "x" * 200_000)),
            400,
            "transfer_encoding",
            id="CVE-2022-23833: base64 that never ends",
        ),
    ],
)
def test_known_attacks_on_parsers_are_refused_at_once(
    content: bytes, status: int, code: str
) -> None:
    """What has cost other parsers their time costs the chunk in which it is found."""
    fed = 0
    with closing(multipart().start(media(MULTIPART))) as parse:
        with pytest.raises(ValidationFailed) as caught:
            for at in range(0, len(content), 65_536):
                fed += 65_536
                parse.feed(content[at : at + 65_536])
            parse.finish()
        assert (refused(caught.value)[0], refused(caught.value)[1][0][1]) == (status, code)
    assert fed <= max(65_536, 1_100_000 if status == 413 else 0)


def test_a_file_of_line_ends_alone_is_a_file() -> None:
    """CVE-2023-46136: a file that begins with a line end, and nothing like a delimiter behind."""
    for content in (b"\r" + bytes(500_000), b"\r\n" * 250_000, b"\r\n--" * 100_000):
        form = multipart(FormFields(), {"f": File()})
        assert read(form, body(upload("f", content)))[1]["f"][3] == content


def test_undeclared_files_are_counted_too() -> None:
    """What is not kept counts as a field."""
    form = multipart(FormFields(), fields=2)
    assert refusal(form, body(*[upload("f", b"1")] * 3)) == (400, [("", "too_many_fields")])


def test_a_hundred_thousand_parts_are_not_held() -> None:
    """CVE-2023-25577 and CVE-2024-49767: parts are counted as they come, and the rest not read."""
    content = body(*[field("a")] * 100_000)
    tracemalloc.start()
    try:
        with closing(multipart().start(media(MULTIPART))) as parse:
            fed = 0
            with pytest.raises(ValidationFailed) as caught:
                for at in range(0, len(content), 65_536):
                    fed += 1
                    parse.feed(content[at : at + 65_536])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused(caught.value) == (400, [("", "too_many_fields")])
    assert fed == 1
    assert peak < 2_000_000


def test_a_large_file_does_not_stay_in_memory() -> None:
    """A file of 20 MB takes a small part of it, in any chunks."""
    form = multipart(FormFields(), {"f": File(max_size="20 MB")}, memory=100_000)
    chunk = bytes(100_000)
    tracemalloc.start()
    try:
        with closing(form.start(media(MULTIPART))) as parse:
            parse.feed(upload("f")[:-2])
            for _ in range(200):
                parse.feed(chunk)
            parse.feed(b"\r\n" + body())
            file = parse.finish().files["f"]
            assert isinstance(file, UploadedFile)
            assert file.size == 20_000_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_500_000


def test_a_file_that_is_too_large_is_refused_at_once() -> None:
    """Nothing behind the limit is waited for."""
    form = multipart(FormFields(), {"f": File(max_size=10)})
    with closing(form.start(media(MULTIPART))) as parse, pytest.raises(ValidationFailed) as caught:
        parse.feed(upload("f")[:-2] + b"12345678901" + bytes(100))
    assert refused(caught.value) == (413, [("/f", "file_too_large")])


def test_a_file_is_what_it_was_sent_as() -> None:
    """Its name, its two types, its size, and its content from its beginning."""
    form = multipart(FormFields(), {"photo": File(types=["image/*"])})
    content = body(upload("photo", PNG, "a.png", "image/png"))
    assert read(form, content)[1] == {"photo": ("a.png", "image/png", "image/png", PNG)}


def test_a_file_may_say_its_codecs() -> None:
    """Parameters of a file's type are its own matter; the type is without them."""
    form = multipart(FormFields(), {"f": File(types=["image/*"])})
    content = body(upload("f", PNG, "a.png", "image/png; codecs=x; charset=binary"))
    assert read(form, content)[1]["f"][1] == "image/png"


def test_forms_are_body_readers() -> None:
    """Both kinds of forms have the interface of a body's reader."""
    whole: FullBodyReader = urlencoded()
    streamed: StreamingBodyReader = multipart()
    assert whole.dump(whole.read(b"a=1", media(URLENCODED))) == b"a=1"
    streamed.start(media(MULTIPART)).close()


def test_several_files_are_a_list() -> None:
    """One that may come more than once is a list, though none has come."""
    form = multipart(
        FormFields(), {"f": File(many=True, required=False), "g": File(required=False)}
    )
    content = body(upload("f", b"1"), upload("f", b"2"))
    assert [file[3] for file in read(form, content)[1]["f"]] == [b"1", b"2"]
    assert read(form, body()) == ({}, {"f": []})


@pytest.mark.parametrize(
    ("parts", "faults"),
    [
        ([], [("/f", "missing")]),
        ([upload("f", b"", "")], [("/f", "missing")]),
        ([upload("f", b"", "a.png")], [("/f", "file_too_small")]),
        ([upload("f", PNG, "a.png", "image/jpeg")], [("/f", "file_type")]),
        ([upload("f", b"<svg>", "a.png", "image/png")], [("/f", "file_type")]),
        ([upload("f", b"<html>" * 1000, "a.png", "image/png")], [("/f", "file_type")]),
        ([upload("f", PNG, "a.png", "text/csv")], [("/f", "file_type")]),
        ([upload("f", b"a,\xff\n", "a.csv", "text/csv")], [("/f", "file_type")]),
        ([upload("f", b"a,\0\n", "a.csv", "text/csv")], [("/f", "file_type")]),
        ([upload("f", b"a" * 5000 + b"\0", "a.csv", "text/csv")], [("/f", "file_type")]),
        ([upload("f", b"a" * 5000 + b"\xc3", "a.csv", "text/csv")], [("/f", "file_type")]),
        ([upload("f", PNG, "a.php", "image/png")], [("/f", "file_extension")]),
        ([upload("f", PNG, "../a.png", "image/png")], [("/f", "unsafe_filename")]),
        ([upload("f", PNG, "a" * 201 + ".png")], [("/f", "filename_too_long")]),
        ([field("f", "1")], [("/f", "not_a_file")]),
        ([upload("f", PNG, "a.png"), upload("a", b"1")], [("/a", "not_a_field")]),
        (
            [field("b", "1"), field("b", "1"), upload("c~/", b"1"), field("wrong", "")],
            [
                ("/b", "undeclared_field"),
                ("/c~0~1", "undeclared_field"),
                ("/f", "missing"),
                ("/wrong", "wrong"),
            ],
        ),
    ],
)
def test_all_that_is_wrong_is_told_at_once(
    parts: list[bytes], faults: list[tuple[str, str]]
) -> None:
    """What is readable and wrong is by 422, each fault where it is."""
    form = multipart(
        FormFields(["a", "wrong"]),
        {"f": File(types=["image/png", "text/csv"], extensions=[".png", ".csv"])},
    )
    assert refusal(form, body(*parts)) == (422, faults)


def test_no_more_faults_are_told_than_the_limit() -> None:
    """A form with too much wrong is not read to its end."""
    form = multipart(FormFields(), errors=2)
    content = body(*(field(f"a{n}") for n in range(3)))[:-10]
    assert refusal(form, content) == (
        422,
        [("/a0", "undeclared_field"), ("/a1", "undeclared_field")],
    )


def test_files_of_a_list_are_counted() -> None:
    """More than may be are told of once, and each file's faults have its place."""
    form = multipart(FormFields(), {"f": File(many=True, max_count=2, types=["image/png"])})
    png, other = upload("f", PNG, "a.png", "image/png"), upload("f", b"x", "a.png", "image/png")
    assert refusal(form, body(png, other, png, png)) == (
        422,
        [("/f/1", "file_type"), ("/f", "too_many_items")],
    )


def test_one_file_has_one_fault() -> None:
    """What is wrong with its type is told before its size is known."""
    form = multipart(FormFields(), {"f": File(types=["image/png"], min_size=9)})
    assert refusal(form, body(upload("f", b"x"))) == (422, [("/f", "file_type")])


def test_a_file_that_is_no_list_comes_once() -> None:
    """Frameworks take the first of two, or the last."""
    form = multipart(FormFields(), {"f": File()})
    content = body(upload("f", b"1"), upload("f", b"2"))
    assert refusal(form, content) == (400, [("/f", "duplicate_field")])


def test_a_scalar_comes_once() -> None:
    """A field that is no array is refused the second time."""
    form = multipart(FormFields(["a"]))
    content = body(field("a", "1"), field("a", "2"))
    assert refusal(form, content) == (400, [("/a", "duplicate_field")])


def test_an_input_that_nothing_was_chosen_in_is_no_file() -> None:
    """Browsers send a file with an empty name then. One with content is a field to Django."""
    form = multipart(FormFields(), {"f": File(required=False)})
    kind = "application/octet-stream"
    assert read(form, body(upload("f", b"", "", kind))) == ({}, {})
    assert refusal(form, body(upload("f", b"x", "", kind))) == (400, [("/f", "filename")])


def test_an_empty_file_may_be_allowed() -> None:
    """With min_size=0 nothing is of any type."""
    form = multipart(FormFields(), {"f": File(min_size=0, types=["image/png", "text/csv"])})
    assert read(form, body(upload("f", b"", "a.png", "image/png")))[1] == {
        "f": ("a.png", "image/png", None, b"")
    }


@pytest.mark.parametrize(
    "content",
    [
        upload("j", b'{"a":1}', "blob", "application/json"),
        field("j", '{"a":1}', "\r\nContent-Type: application/vnd.x+json"),
        field("j", '{"a":1}'),
    ],
)
def test_a_json_part_is_its_value(content: bytes) -> None:
    """A JSON part may say so, and be called a file, as browsers do with a Blob."""
    form = multipart(FormFields(json={"j": json.loads}))
    assert read(form, body(content)) == ({"j": {"a": 1}}, {})


@pytest.mark.parametrize(
    ("name", "kind"), [("j", "text/plain"), ("a", "application/json"), ("a", "image/png")]
)
def test_a_part_of_another_type_is_not_supported(name: str, kind: str) -> None:
    """A field is text, or JSON where that is declared."""
    form = multipart(FormFields(["a"], json={"j": json.loads}))
    content = body(field(name, "1", f"\r\nContent-Type: {kind}"))
    assert refusal(form, content) == (415, [(f"/{name}", "part_type")])


@pytest.mark.parametrize("more", ["charset=iso-8859-1", "charset=us-ascii", "x=y"])
def test_a_part_in_another_charset_is_not_supported(more: str) -> None:
    """Werkzeug and Litestar read a part in its own charset, Django and Starlette don't."""
    content = body(field("a", "1", f"\r\nContent-Type: text/plain; {more}"))
    assert refusal(multipart(), content)[0] == 415


def test_an_open_form_takes_any_field_and_file() -> None:
    """What is not declared is handed over, bounded and with a safe name."""
    content = body(field("a", "1"), upload("f", PNG, "a.png"))
    assert read(multipart(), content) == ({"a": "1"}, {"f": [("a.png", None, "image/png", PNG)]})
    bad = body(upload("f", PNG, "../a.png"))
    assert refusal(multipart(), bad) == (422, [("/f/0", "unsafe_filename")])


def test_a_form_of_files_alone_needs_no_schema() -> None:
    """Without a schema the fields are what has been read."""
    form = MultipartForm(FormFields(), {"f": File()}, None, BodyLimits())
    assert read(form, body(upload("f", b"1")))[0] == {}


def test_what_can_not_be_declared_is_an_error_at_construction() -> None:
    """A name is a field or a file, and no form requires more files than may come."""
    with pytest.raises(ValueError, match="field and a file"):
        multipart(FormFields(["a"]), {"a": File()})
    with pytest.raises(ValueError, match=r"limits\.files"):
        multipart(FormFields(), {"a": File(), "b": File()}, files=1)


@pytest.mark.exhaustive
def test_all_files_are_closed_whatever_comes() -> None:
    """No temporary file is left open: not after a form, a refusal, nor a body that breaks off."""
    form = multipart(FormFields(), {"f": File(many=True, required=False)}, memory=1)
    whole = body(upload("f", bytes(100)), upload("f", bytes(100)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(form, whole)
        refusal(form, whole[:-4])
        refusal(form, body(upload("f", bytes(100)), field("x", "1")))
        with closing(form.start(media(MULTIPART))) as parse:
            parse.feed(whole[: len(whole) // 2])
        parse.close()
        gc.collect()


WHOLE = body(
    field("a", "é\r\n--\r\n"),
    upload("f", PNG + b"\r\n-\r\n--AaB03", "a.png", "image/png"),
    field("j", '{"x":[1]}', "\r\nContent-Type: application/json"),
    field("b", ""),
)
FULL = multipart(
    FormFields(["a"], ["b"], {"j": json.loads}), {"f": File(types=["image/png"])}, memory=50
)


def _outcome(form: MultipartForm, chunks: list[bytes]) -> Any:
    try:
        return read(form, chunks)
    except ValidationFailed as invalid:
        return refused(invalid)


@given(st.lists(st.integers(0, len(WHOLE)), max_size=6))
@settings(max_examples=100)
def test_a_form_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    """Chunks say nothing."""
    ends = [0, *sorted(cuts), len(WHOLE)]
    assert read(FULL, [WHOLE[a:b] for a, b in pairwise(ends)]) == read(FULL, WHOLE)


def test_a_form_is_the_same_cut_anywhere() -> None:
    """At every byte, in two and in all."""
    said = read(FULL, WHOLE)
    for at in range(len(WHOLE)):
        assert read(FULL, [WHOLE[:at], WHOLE[at:]]) == said
    assert read(FULL, [WHOLE[at : at + 1] for at in range(len(WHOLE))]) == said


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=3), st.integers(1, 40))
@settings(max_examples=200)
def test_a_form_that_is_changed_is_one_or_is_refused(at: int, put: bytes, size: int) -> None:
    """No other exception leaves, and what comes of it does not depend on how it is cut."""
    content = WHOLE[:at] + put + WHOLE[at + 1 :]
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    form = multipart(FormFields(closed=False), {"f": File(types=["image/png"])}, memory=500)
    assert _outcome(form, [content]) == _outcome(form, chunks)


_PIECES = [
    b"--AaB03x",
    b"--AaB03x--",
    b"\r\n",
    b"\n",
    b"\r",
    b"--",
    b"a",
    b"\0",
    b": ",
    b'"',
    b"; ",
    b"name=",
    b"\xff",
    b"Content-Disposition: form-data",
    b'; name="a"',
    b'; filename="b"',
    b"Content-Type: ",
    b"text/plain",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=20).map(b"".join))
@settings(max_examples=200)
def test_no_other_exception_leaves(content: bytes) -> None:
    """Whatever comes is a form or is refused."""
    _outcome(multipart(), [b"--AaB03x\r\n" + content])
    _outcome(multipart(), [content])

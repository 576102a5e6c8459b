"""The kinds of bodies: by their types, and by how they begin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.sanitize.body_kind import (
    JsonBeginning,
    classify_body,
    guess_json,
    strictest_type,
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1}', True),
        (b" \r\n\t[1, 2]\n", True),
        (b"\xef\xbb\xbf{}", True),
        (b"\xef\xbb\xbf [true]", True),
        (b'{"a": 1}\n{"a": 2}\n', True),
        (b'{"a": 1} <script>', True),
        (b'{"a": "\xff"}', True),
        (b'["a", [{' + b" " * 300, True),
        (b"", False),
        (b"<p>{}</p>", False),
        (b"{% block %}", False),
        (b"[1] is a footnote", False),
        (b"[[Page]] of a wiki", False),
        (b"{} is an object", False),
        (b'"text"', False),
        (b"[" * 100_000, False),
    ],
    ids=range(16),
)
def test_a_whole_body_is_json_if_it_can_be_read_as_such(body: bytes, expected: bool) -> None:
    """Or begins as nothing else does. Nothing is raised, whatever it is."""
    assert guess_json(body, more=False) is expected


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b'{"a": "', True),
        (b'{"a\\"b":', True),
        (b'\xef\xbb\xbf[{"a":', True),
        (b"{}", None),
        (b"{{ name }}", None),
        (b"{{ name }}" + b" " * 300, False),
        (b"{", None),
        (b"\xef\xbb", None),
        (b"[link](https://a.example)", None),
        (b"<!doctype html>", False),
        (b'{"' + b"\\" * 100_000, False),
    ],
    ids=range(11),
)
def test_a_beginning_is_json_if_it_can_be_nothing_else(first: bytes, expected: bool | None) -> None:
    """A text may begin with a bracket too; then more of it has to be seen."""
    assert guess_json(first, more=True) is expected


BEGINNINGS = [b"{", b"[", b'{"a":', b" [t", b"1", b"\xef\xbb", b"\xef\xbb\xbf", b"[1]", b'["a",']


@given(
    st.sampled_from([b"", *BEGINNINGS]),
    st.sampled_from([b"", b" ", b"[", b"x"]),
    st.integers(0, 300),
    st.sampled_from([b"", b"1]", b'"a": 1}', b"}"]),
    st.lists(st.integers(0, 320), max_size=4),
)
def test_a_guess_does_not_depend_on_the_chunks(
    start: bytes, filling: bytes, count: int, end: bytes, cuts: list[int]
) -> None:
    """The tag of a body may stay, since it always becomes the same body."""
    body = start + filling * count + end
    told = None
    for cut in sorted(cuts):
        if told is None and cut <= len(body):
            told = guess_json(body[:cut], more=True)
    if told is not None:
        assert told is guess_json(body, more=False)


OFFICE = "application/vnd.openxmlformats-officedocument"
OPAQUE = [
    *(f"{OFFICE}.spreadsheetml.sheet", f"{OFFICE}.wordprocessingml.document"),
    *(f"{OFFICE}.presentationml.slideshow", "application/vnd.oasis.opendocument.text"),
    *("application/vnd.oasis.opendocument.spreadsheet-template", "application/vnd.ms-excel"),
    *("application/vnd.ms-excel.sheet.macroenabled.12", "application/vnd.ms-powerpoint"),
    *("application/msword", "application/vnd.visio", "application/epub+zip", "application/pdf"),
    *("application/zip", "application/x-zip-compressed", "application/gzip", "application/x-gzip"),
    *("application/x-tar", "application/x-7z-compressed", "application/vnd.rar"),
    *("application/java-archive", "application/zstd", "application/x-bzip2", "application/x-xz"),
    *("application/protobuf", "application/x-protobuf", "application/vnd.google.protobuf"),
    *("application/grpc", "application/grpc+proto", "application/grpc+json", "application/cbor"),
    *("application/grpc-web-text+proto", "application/connect+json", "application/senml+cbor"),
    *("application/msgpack", "application/x-msgpack", "application/vnd.msgpack", "avro/binary"),
    *("application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"),
    *("application/vnd.apache.arrow.file", "application/vnd.sqlite3", "application/x-sqlite3"),
    *("application/geopackage+sqlite3", "application/wasm", "font/woff2", "application/font-woff"),
    *("application/vnd.ms-fontobject", "application/x-font-ttf", "image/png", "video/mp4"),
    *("audio/mpeg", "application/mp4", "multipart/byteranges", "application/vnd.apache.avro"),
]


@pytest.mark.parametrize("media", OPAQUE)
def test_files_that_show_no_leak_are_left_alone(media: str) -> None:
    """Whatever the options are: a byte changed in them breaks them."""
    for scan_binary in (False, True):
        kind = classify_body(media, scan_binary=scan_binary, inspects_html=False)
        assert (kind.scanned, kind.json, kind.plain, kind.guessed) == (False,) * 4


@pytest.mark.parametrize(
    "media",
    [
        *("text/plain", "text/csv", "image/svg+xml", "application/xml", "application/javascript"),
        *("application/vnd.oasis.opendocument.text-flat-xml", "application/soap+xml", "a/b"),
        *("application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",),
        *("application/vnd.ms-playready.initiator+xml", "application/rtf", "text/yaml"),
        *("application/x-pem-file", "application/jwt", "application/toml", "multipart/mixed"),
    ],
)
def test_text_is_looked_at(media: str) -> None:
    """Also that of the same families."""
    kind = classify_body(media, scan_binary=False, inspects_html=False)
    assert (kind.scanned, kind.json, kind.guessed) == (True, False, False)


@pytest.mark.parametrize(
    ("types", "strictest"),
    [
        ([], None),
        (["text/plain"], "text/plain"),
        (["text/plain", "text/css"], "text/plain"),
        (["image/png", "text/plain"], "text/plain"),
        (["text/plain", "text/html"], "text/html"),
        (["text/html", "text/event-stream"], "text/event-stream"),
        (["text/event-stream", "a/b+json"], "a/b+json"),
        (["application/grpc+json", "application/octet-stream"], "application/grpc+json"),
    ],
    ids=range(8),
)
def test_the_type_that_is_looked_at_most_closely_counts(
    types: list[str], strictest: str | None
) -> None:
    """In any order of the others."""
    assert strictest_type(types) == strictest


@given(st.binary(max_size=40), st.sampled_from([b"", b"{", b"[", b" [t", b"1", b"\xef\xbb", b")]"]))
def test_a_beginning_tells_the_same_in_pieces(rest: bytes, start: bytes) -> None:
    """And until it tells, nothing has come that would have to be escaped."""
    body = start + rest
    whole = JsonBeginning().feed(body)
    pieces = JsonBeginning()
    for end in range(1, len(body) + 1):
        told = pieces.feed(body[end - 1 : end])
        if told is not None:
            assert told is whole
            return
        assert not set(b"<>&") & set(body[:end])
    assert whole in (None, False)

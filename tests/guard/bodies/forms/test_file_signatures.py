"""Types by first bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import sys
import wave
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet.guard.bodies.forms.file_signatures import HEAD, detect, signature_type


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
    return buffer.getvalue()


def _wav() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(8000)
        writer.writeframes(b"\0")
    return buffer.getvalue()


def _box(brand: bytes, *compatible: bytes) -> bytes:
    brands = b"".join(compatible)
    return (
        (16 + len(brands)).to_bytes(4) + b"ftyp" + brand + b"\0\0\0\0" + brands + b"\0\0\0\x08free"
    )


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"GIF89a\1\0\1\0", "image/gif"),
        (b"GIF87a\1\0\1\0", "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
        (_box(b"avif", b"mif1"), "image/avif"),
        (_box(b"mif1", b"mif1", b"avif"), "image/avif"),
        (_box(b"heic", b"mif1"), "image/heic"),
        (_box(b"mif1", b"heic"), "image/heic"),
        (_box(b"mif1", b"mif1"), "image/heif"),
        (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0", "image/bmp"),
        (b"II*\0\x08\0\0\0", "image/tiff"),
        (b"MM\0*\0\0\0\x08", "image/tiff"),
        (b"\0\0\1\0\1\0\x10\x10", "image/vnd.microsoft.icon"),
        (b"%PDF-1.7\n", "application/pdf"),
        (_zip(), "application/zip"),
        (b"PK\5\6" + bytes(18), "application/zip"),
        (gzip.compress(b"", mtime=0), "application/gzip"),
        (bz2.compress(b"x"), "application/x-bzip2"),
        (bz2.compress(b""), "application/x-bzip2"),
        (lzma.compress(b""), "application/x-xz"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "application/x-7z-compressed"),
        (b"\x28\xb5\x2f\xfd\x20\0", "application/zstd"),
        (b"Rar!\x1a\x07\1\0", "application/vnd.rar"),
        (b"ID3\4\0\0\0\0\0\0", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"OggS\0\2", "application/ogg"),
        (_wav(), "audio/wav"),
        (b"fLaC\0\0\0\x22", "audio/flac"),
        (_box(b"isom", b"isom", b"mp41"), "video/mp4"),
        (_box(b"qt  "), "video/quicktime"),
        (_box(b"M4A "), "audio/mp4"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\x82\x84webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\1\x42\x82\x88matroska", "video/matroska"),
        (b"wOFF\0\1\0\0", "font/woff"),
        (b"wOF2\0\1\0\0", "font/woff2"),
        (b"\0asm\1\0\0\0", "application/wasm"),
        (b"SQLite format 3\0\x10\0", "application/vnd.sqlite3"),
        (b"\x7fELF\2\1\1\0", "application/x-elf"),
        (b"MZ\x90\0\3\0\0\0", "application/vnd.microsoft.portable-executable"),
        (b"\xcf\xfa\xed\xfe\7\0\0\1", "application/x-mach-binary"),
        (b"\xca\xfe\xba\xbe\0\0\0\2", "application/x-mach-binary"),
        (b"\xca\xfe\xba\xbe\0\0\0\x34", "application/java-vm"),
        (b"{\\rtf1\\ansi", "application/rtf"),
        (b"%!PS-Adobe-3.0", "application/postscript"),
        # WHATWG MIME Sniffing, 7.1.
        (b"  <!doctype html>", "text/html"),
        (b"\n<HTML><p>", "text/html"),
        (b"<script>alert(1)</script>", "text/html"),
        (b"<h1>", "text/html"),
        (b"<!-- x", "text/html"),
        (b"\xef\xbb\xbf<body>", "text/html"),
        (b'<?xml version="1.0"?><rss>', "text/xml"),
        (b'<svg xmlns="http://www.w3.org/2000/svg">', "image/svg+xml"),
        (
            b'<?xml version="1.0"?>\n<!-- a --><!DOCTYPE svg [<!ENTITY a "b">]>\n<svg>',
            "image/svg+xml",
        ),
        (b'<s:svg xmlns:s="http://www.w3.org/2000/svg">', "image/svg+xml"),
        # What only seems to be something.
        (b"", None),
        (b"BM,Country,1\n", None),
        (b"MZ is a text", None),
        (b"ID3ntity,x", None),
        (b"name,age\n", None),
        (b"RIFF\0\0\0\0AVI ", None),
        (_box(b"crx "), None),
        (b"\0\0\0\x14ftyp", None),
        (b"\xff\xfe\0\0", None),
        (b"\xff\xfb", None),
        (b"\xff\xeb\x90\x64", None),
        (b"\xff\xfb\xf0\x64", None),
        (b"\xff\xfb\x9c\x64", None),
        (b"<abbr>", None),
        (b"<svgs>", None),
        (b"x<svg>", None),
    ],
)
def test_a_type_is_told_by_first_bytes(head: bytes, kind: str | None) -> None:
    """Each type has its signature, and no text of a table begins by chance like one."""
    assert detect(head) == kind


def test_files_of_this_machine_are_known_as_what_they_are(tmp_path: Path) -> None:
    """A database, and the interpreter itself."""
    database = tmp_path / "a.db"
    connection = sqlite3.connect(database)
    connection.execute("create table a (b)")
    connection.close()
    assert detect(database.read_bytes()) == "application/vnd.sqlite3"
    with Path(sys.executable).open("rb") as program:
        assert detect(program.read(HEAD)) in {
            "application/x-elf",
            "application/x-mach-binary",
            "application/vnd.microsoft.portable-executable",
        }


@pytest.mark.parametrize(
    "head",
    [
        b"<!---->" * 300,
        b"<?a?>" * 300,
        b"<!DOCTYPE a[" * 150,
        b" " * HEAD + b"<svg>",
        b"\x1a\x45\xdf\xa3" * 400,
    ],
)
def test_no_head_takes_long(head: bytes) -> None:
    """A head that is made to have a pattern tried again and again is no exception."""
    assert detect(head) in {None, "text/html", "text/xml"}


@pytest.mark.parametrize(
    ("kind", "magic"),
    [
        ("image/png", "image/png"),
        ("image/jpg", "image/jpeg"),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/zip",
        ),
        ("application/vnd.oasis.opendocument.text", "application/zip"),
        ("application/epub+zip", "application/zip"),
        ("application/atom+xml", "text/xml"),
        ("image/svg+xml", "image/svg+xml"),
        ("audio/ogg", "application/ogg"),
        ("text/csv", None),
        ("application/octet-stream", None),
    ],
)
def test_types_that_share_their_bytes_are_known_by_them(kind: str, magic: str | None) -> None:
    """A document in a ZIP file is a ZIP file by its first bytes."""
    assert signature_type(kind) == magic


@given(st.binary(max_size=64))
@settings(max_examples=100)
def test_whatever_the_bytes_are_there_is_an_answer(head: bytes) -> None:
    """Each type that is told is known by its own bytes."""
    kind = detect(head)
    assert kind is None or signature_type(kind) == kind

"""Forms of tests, and bodies for them."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

from mantlet.guard.bodies.forms import File, Form, FormFields, MultipartForm, UrlencodedForm
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.http.media_types import MediaType, read_media_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mantlet.guard.bodies.forms import UploadedFile
    from mantlet.guard.errors import Place

BOUNDARY = "AaB03x"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
URLENCODED = "application/x-www-form-urlencoded"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))


class Plain:
    """A schema that any value meets, but one that has a field named ``wrong``."""

    def load(self, text: bytes, value: Any, place: Place) -> Any:
        return value

    def check(self, value: Any, place: Place) -> Any:
        if "wrong" in value:
            raise ValidationFailed(422, [ErrorItem(place, "/wrong", "wrong", "It is wrong.")])
        return value

    def dump(self, value: Any) -> bytes:
        return json.dumps(value).encode()


def media(text: str) -> MediaType:
    read = read_media_type(text)
    assert read is not None
    return read


def urlencoded(declared: FormFields | None = None, **limits: Any) -> UrlencodedForm:
    """Return a form of any fields, or of those."""
    return UrlencodedForm(declared or FormFields(closed=False), Plain(), BodyLimits(**limits))


def multipart(
    declared: FormFields | None = None,
    uploads: Mapping[str, File] | None = None,
    **limits: Any,
) -> MultipartForm:
    """Return a form of any fields, or of those, and of those files."""
    return MultipartForm(
        declared or FormFields(closed=False), uploads or {}, Plain(), BodyLimits(**limits)
    )


def part(head: str, content: bytes | str = b"") -> bytes:
    """Return a part with its header fields, and the delimiter before it."""
    raw = content.encode() if isinstance(content, str) else content
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + raw + b"\r\n"


def field(name: str, content: bytes | str = b"", more: str = "") -> bytes:
    """Return a part that is a field."""
    return part(f'Content-Disposition: form-data; name="{name}"{more}', content)


def upload(
    name: str, content: bytes = b"", filename: str = "a.bin", kind: str | None = None
) -> bytes:
    """Return a part that is a file."""
    more = "" if kind is None else f"\r\nContent-Type: {kind}"
    return field(name, content, f'; filename="{filename}"{more}')


def body(*parts: bytes) -> bytes:
    """Return a whole body."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def read(
    form: MultipartForm, chunks: bytes | Iterable[bytes], content_type: str = MULTIPART
) -> tuple[Any, dict[str, Any]]:
    """Return a form's value, and its files each as name, types and content."""
    with closing(form.start(media(content_type))) as parse:
        for chunk in [chunks] if isinstance(chunks, bytes) else chunks:
            parse.feed(chunk)
        said: Form = parse.finish()
        return said.value, {
            name: [_told(one) for one in kept] if isinstance(kept, list) else _told(kept)
            for name, kept in said.files.items()
        }


def _told(file: UploadedFile) -> tuple[str, str | None, str | None, bytes]:
    content = file.read()
    assert len(content) == file.size
    return file.name, file.content_type, file.detected_type, content


def refused(invalid: ValidationFailed) -> tuple[int, list[tuple[str, str]]]:
    """Return the status of a refusal, and where and what is wrong."""
    assert {fault.place for fault in invalid.errors} == {"body"}
    return invalid.status, [(fault.pointer, fault.code) for fault in invalid.errors]

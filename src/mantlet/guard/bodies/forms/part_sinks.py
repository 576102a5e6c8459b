"""Sinks for the content of one part of a form: a field, a file, or nothing."""

from codecs import getincrementaldecoder
from hashlib import sha256
from typing import Final, Protocol

from mantlet.guard.bodies.forms.errors import error_item, form_error
from mantlet.guard.bodies.forms.file import File, TypeMatch
from mantlet.guard.bodies.forms.file_signatures import HEAD, detect
from mantlet.guard.bodies.forms.uploads import FileSpool, UploadedFile
from mantlet.guard.errors import ErrorItem
from mantlet.http.forms import Pairs, PartHead, decode_text

__all__ = ["DiscardSink", "EmptySink", "FieldSink", "FileSink", "PartSink"]

_UTF8: Final = getincrementaldecoder("utf-8")


class PartSink(Protocol):
    """Takes the content of one part."""

    def write(self, data: bytes) -> None:
        """Take more of the content.

        Raises:
            ValidationFailed: the content is invalid; raised as early as possible.
        """
        ...

    def end(self) -> None:
        """Take the end of the content.

        Raises:
            ValidationFailed: the content is invalid.
        """
        ...


class DiscardSink:
    """Discards a part.

    Args:
        name: the name of the field, if the part must be empty: a file input without a selected
            file, which Django takes for a field.
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name

    def write(self, data: bytes) -> None:
        """Discard content, or reject it if the part must be empty."""
        if self._name is not None:
            raise form_error(400, "filename", "File without a name has content", self._name)

    def end(self) -> None:
        """Do nothing."""


class EmptySink:
    """Takes the empty text in the place of an optional file.

    Args:
        name: the name of the file's field.
        errors: the list to append an error to, if there is any text.
    """

    def __init__(self, name: str, errors: list[ErrorItem]) -> None:
        self._name = name
        self._errors = errors
        self._is_empty = True

    def write(self, data: bytes) -> None:
        """Note content, which only a file may have."""
        if self._is_empty:
            self._is_empty = False
            self._errors.append(error_item("not_a_file", "Must be a file", self._name))

    def end(self) -> None:
        """Do nothing."""


class FieldSink:
    """Collects a field.

    Args:
        name: the name of the field.
        pairs: the list to append the field to.
        max_size: the maximum size in bytes.
    """

    def __init__(self, name: str, pairs: Pairs, max_size: int) -> None:
        self._name = name
        self._pairs = pairs
        self._max_size = max_size
        self._data = bytearray()

    def write(self, data: bytes) -> None:
        """Append content, up to the maximum size."""
        if len(self._data) + len(data) > self._max_size:
            detail = f"The field is larger than {self._max_size} bytes"
            raise form_error(413, "field_too_large", detail, self._name)
        self._data += data

    def end(self) -> None:
        """Decode the field as UTF-8 without a NUL."""
        text = decode_text(self._data)
        if text is None:
            raise form_error(400, "field_text", "Invalid UTF-8 or NUL", self._name)
        self._pairs.append((self._name, text))


class FileSink:
    """Stores a file.

    Except for its size, an error does not stop the form from being read, so that all errors can be
    reported; the file is discarded then.

    Args:
        head: the head of its part.
        rule: the allowed files.
        path: its path in the form, for errors.
        max_size: the maximum size in bytes.
        spool: stores the content.
        kept: the list to append the file to.
        errors: the list to append errors to.
        digests: the digests of the other files of the field, if it must differ from them.
    """

    def __init__(
        self,
        head: PartHead,
        rule: File,
        path: tuple[str | int, ...],
        *,
        max_size: int,
        spool: FileSpool,
        kept: list[UploadedFile],
        errors: list[ErrorItem],
        digests: set[bytes] | None = None,
    ) -> None:
        self._name = head.filename or ""
        self._declared = None if head.media is None else head.media.kind
        self._detected: str | None = None
        self._rule = rule
        self._path = path
        self._max_size = max_size
        self._spool = spool
        self._kept = kept
        self._errors = errors
        self._digests = digests
        self._digest = None if digests is None else sha256()
        self._size = 0
        # The first bytes, until the type has been detected.
        self._head: bytes | None = b""
        self._decoder = _UTF8()
        self._match: TypeMatch = "yes"
        self._file = spool.open()

    def write(self, data: bytes) -> None:
        """Store content, up to the maximum size."""
        self._size += len(data)
        if self._size > self._max_size:
            detail = f"The file is larger than {self._max_size} bytes"
            raise form_error(413, "file_too_large", detail, *self._path)
        if self._digest is not None:
            self._digest.update(data)
        if self._head is not None:
            self._head += data
            if len(self._head) < HEAD:
                return
            data = self._check_type(self._head)
        self._store(data)

    def end(self) -> None:
        """Check the complete file."""
        if self._head is not None:
            self._store(self._check_type(self._head))
        if self._size < self._rule.min_size:
            detail = f"The file is smaller than {self._rule.min_size} bytes"
            self._reject("file_too_small", detail)
        elif self._match == "if text":
            self._check_text(b"", final=True)
        self._check_unique()
        if self._match == "no":
            return
        self._file.seek(0)
        self._kept.append(
            UploadedFile(
                name=self._name,
                content_type=self._declared,
                detected_type=self._detected,
                size=self._size,
                file=self._file,
            )
        )

    def _check_unique(self) -> None:
        if self._digests is None or self._digest is None:
            return
        digest = self._digest.digest()
        if digest in self._digests:
            self._reject("duplicate_file", "The same file twice")
        self._digests.add(digest)

    def _check_type(self, head: bytes) -> bytes:
        self._head = None
        self._detected = detect(head)
        # An empty file is of any type.
        if head:
            match = self._rule.match_type(self._declared, self._detected)
            if match == "no":
                self._reject_type()
            else:
                self._match = match
        return head

    def _store(self, data: bytes) -> None:
        if self._match == "if text":
            self._check_text(data)
        if self._match != "no":
            self._spool.write(self._file, data)

    def _check_text(self, data: bytes, *, final: bool = False) -> None:
        try:
            valid = "\0" not in self._decoder.decode(data, final)
        except UnicodeDecodeError:
            valid = False
        if not valid:
            self._reject_type()

    def _reject_type(self) -> None:
        types = ", ".join(self._rule.types or ())
        self._reject("file_type", f"Unsupported file type; use one of {types}")

    def _reject(self, code: str, detail: str) -> None:
        if self._match != "no":
            self._match = "no"
            self._errors.append(error_item(code, detail, *self._path))
            self._spool.drop(self._file)

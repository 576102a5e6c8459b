"""Read ``multipart/form-data`` (RFC 7578) while it is received, if all parsers would agree on it.

Fields are kept in memory, at most `BodyLimits.memory` bytes in total; files in memory up to the
same size, and on disk beyond it. The rules for the syntax are in
`mantlet.http.forms.multipart`, those for files in `filenames` and `file`.
"""

import json
from collections.abc import Callable, Mapping
from secrets import token_hex
from typing import Any, Final

from mantlet.guard.bodies.forms.errors import (
    check_form_parameters,
    convert_malformed,
    error_item,
    form_error,
)
from mantlet.guard.bodies.forms.fields import Form, FormFields
from mantlet.guard.bodies.forms.file import File, limits_for_files
from mantlet.guard.bodies.forms.filenames import is_safe_filename
from mantlet.guard.bodies.forms.part_sinks import (
    DiscardSink,
    EmptySink,
    FieldSink,
    FileSink,
    PartSink,
)
from mantlet.guard.bodies.forms.uploads import FileSpool, UploadedFile
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.limits import BodyLimits
from mantlet.guard.readers import Schema
from mantlet.http.forms import MultipartParser, Pairs, PartHead
from mantlet.http.media_types import MediaType

__all__ = ["MultipartForm", "MultipartParse"]

#: Bytes of a file that are copied at once.
_PIECE: Final = 64 * 1024
#: The rule of files that an open form does not declare.
_ANY: Final = File(required=False, many=True)
_CRLF: Final = b"\r\n"


def _part_head(boundary: str, name: str, filename: str | None, kind: str | None) -> bytes:
    """Return the delimiter and the headers of a part (RFC 7578, 4.2 and 4.4)."""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
    if filename is not None:
        head += f'; filename="{filename}"'
    if kind is not None:
        head += f"\r\nContent-Type: {kind}"
    return f"{head}\r\n\r\n".encode()


class MultipartForm:
    """Reads multipart forms.

    Args:
        fields: the declared fields.
        files: the declared files, by field name.
        schema: the schema of the fields' value; None for a form that has only files, whose value is
            the result of `FormFields.read()`.
        limits: bounds on fields, files, memory, names and headers.

    Attributes:
        limits: the same, whose body is at least as large as the declared files may be.

    Raises:
        ValueError: a name is declared as a field and as a file, more files are required than
            ``limits.files``, or ``limits.body`` was set and is too small for the declared files.
    """

    def __init__(
        self,
        fields: FormFields,
        files: Mapping[str, File],
        schema: Schema | None,
        limits: BodyLimits,
    ) -> None:
        both = fields.names & files.keys()
        if both:
            raise ValueError(f"{sorted(both)!r} can't be both a field and a file")
        required = sum(file.required for file in files.values())
        if required > limits.files:
            raise ValueError(f"limits.files must be at least {required}, not {limits.files}")
        self.fields: Final = fields
        self.files: Final = dict(files)
        self.schema: Final = schema
        self.limits: Final = limits_for_files(limits, files)

    def start(self, media: MediaType) -> "MultipartParse":
        """Begin to read a body.

        Raises:
            ValidationFailed: with 400 for an invalid boundary, 415 for unknown parameters.
        """
        check_form_parameters(media, ("boundary",))
        return convert_malformed(lambda: MultipartParse(self, media.get("boundary")))


class MultipartParse:
    """Parses one body while it is received.

    Args:
        form: the declared form.
        boundary: the boundary of the body, or None.

    Raises:
        MalformedForm: the boundary is missing or invalid.
    """

    def __init__(self, form: MultipartForm, boundary: str | None) -> None:
        limits = form.limits
        self._form = form
        self._limits = limits
        self._max_memory = limits.memory
        self._parts = MultipartParser(
            boundary, max_head_size=limits.part_headers, max_name_size=limits.name
        )
        self._spool = FileSpool(self._max_memory, limits.directory, limits.disk)
        self._errors: list[ErrorItem] = []
        self._pairs: Pairs = []
        self._kept: dict[str, list[UploadedFile]] = {}
        # Whether each part of a JSON field has a file name, by the field's name.
        self._blobs: dict[str, list[bool]] = {}
        # The number of files by field name, including discarded ones.
        self._seen: dict[str, int] = {}
        # The digests of the files that must be unique.
        self._digests: dict[str, set[bytes]] = {}
        # The names of files that have a part without a file, as browsers send for an empty input.
        self._empty: set[str] = set()
        self._undeclared: set[str] = set()
        self._field_count = 0
        self._file_count = 0
        self._memory = 0
        self._sink: PartSink = DiscardSink()

    def completes(self, chunk: bytes) -> int:
        """Return 0: parts are parsed while they come, and validated at the end."""
        return 0

    def feed(self, chunk: bytes) -> None:
        """Take a chunk of the decoded body.

        Raises:
            ValidationFailed: the form is invalid; raised as early as possible.
        """
        convert_malformed(lambda: self._take(chunk))

    def finish(self) -> Form:
        """Return the form.

        Raises:
            ValidationFailed: the form is invalid.
        """
        convert_malformed(self._parts.finish)
        form = self._form
        for name, rule in form.files.items():
            count = self._seen.get(name)
            if count is None and rule.required:
                self._errors.append(error_item("missing", "Missing required file", name))
            elif count and count < (rule.min_count or 0):
                detail = f"Fewer than {rule.min_count} files"
                self._errors.append(error_item("too_few_items", detail, name))
        value = form.fields.check(self._pairs, form.schema, self._errors, self._limits.errors)
        files: dict[str, UploadedFile | list[UploadedFile]] = {}
        for name, rule in form.files.items():
            kept = self._kept.pop(name, [])
            if rule.many:
                files[name] = kept
            elif kept:
                files[name] = kept[0]
        return Form(value, {**files, **self._kept})

    def dump(self, value: Form, write: Callable[[bytes], object]) -> str:
        """Write a form with the same fields and files, and return its ``Content-Type``.

        Its syntax has nothing of the client's. The boundary is random, so that no content can
        contain it.

        Raises:
            TypeError: the value has a field that `FormFields` can't write.
        """
        boundary = token_hex(20)
        schema = self._form.schema
        plain: dict[str, Any] = value.value if schema is None else json.loads(schema.dump(value[0]))
        blobs = {name: iter(parts) for name, parts in self._blobs.items()}
        for name, text in self._form.fields.write(plain):
            kind = "application/json" if name in self._form.fields.json else None
            filename = "blob" if next(blobs.get(name, iter(())), False) else None
            write(_part_head(boundary, name, filename, kind))
            write(text.encode() + _CRLF)
        for name, kept in value.files.items():
            for file in kept if isinstance(kept, list) else [kept]:
                write(_part_head(boundary, name, file.name, file.content_type))
                while piece := file.read(_PIECE):
                    write(piece)
                file.file.seek(0)
                write(_CRLF)
        write(f"--{boundary}--\r\n".encode())
        return f"multipart/form-data; boundary={boundary}"

    def close(self) -> None:
        """Close the files."""
        self._spool.close()

    def _take(self, chunk: bytes) -> None:
        for event in self._parts.feed(chunk):
            if isinstance(event, PartHead):
                self._sink = self._open_sink(event)
            elif event is None:
                self._end()
            else:
                self._sink.write(event)
                if isinstance(self._sink, FieldSink):
                    self._count_memory(len(event))

    def _open_sink(self, head: PartHead) -> PartSink:
        name = head.name
        rule = self._form.files.get(name)
        if rule is None and not self._form.fields.knows(name):
            self._count_field()
            if name not in self._undeclared:
                self._undeclared.add(name)
                self._add_error("undeclared_field", "Unknown field", name)
            return DiscardSink()
        if rule is None and head.filename is not None and self._allows_undeclared(name):
            rule = _ANY
        if rule is not None:
            return self._open_file(head, rule)
        return self._open_field(head)

    def _allows_undeclared(self, name: str) -> bool:
        fields = self._form.fields
        return name not in fields.names and not fields.closed

    def _open_field(self, head: PartHead) -> PartSink:
        self._count_field()
        name = head.name
        is_json = name in self._form.fields.json
        # A browser gives a JSON part, which is a Blob, a file name.
        if head.filename is not None and not is_json:
            self._add_error("not_a_field", "Must not be a file", name)
            return DiscardSink()
        if head.media is not None:
            # Parameters of a file, such as codecs, do not change how the form is read.
            check_form_parameters(head.media)
            known = head.media.is_json if is_json else head.media.kind.startswith("text/")
            if not known:
                raise form_error(415, "part_type", "Unsupported media type of the field", name)
        if is_json:
            self._blobs.setdefault(name, []).append(head.filename is not None)
        return FieldSink(name, self._pairs, self._limits.field)

    def _open_file(self, head: PartHead, rule: File) -> PartSink:
        self._count_file()
        name = head.name
        count = self._seen.get(name, 0)
        # Some frameworks take the last of several parts, and so no file if that one is empty.
        if (count or name in self._empty) and not rule.many:
            raise form_error(400, "duplicate_field", "Duplicate file", name)
        if not head.filename:
            self._empty.add(name)
            return self._open_missing_file(head, rule)
        self._seen[name] = count + 1
        if rule.max_count is not None and count >= rule.max_count:
            if count == rule.max_count:
                detail = f"More than {rule.max_count} files"
                self._add_error("too_many_items", detail, name)
            return DiscardSink()
        path = (name, count) if rule.many else (name,)
        wrong = self._name_error(head.filename, rule)
        if wrong is not None:
            self._add_error(*wrong, *path)
            return DiscardSink()
        return FileSink(
            head,
            rule,
            path,
            max_size=int(self._limits.file if rule.max_size is None else rule.max_size),
            spool=self._spool,
            kept=self._kept.setdefault(name, []),
            errors=self._errors,
            digests=self._digests.setdefault(name, set()) if rule.unique else None,
        )

    def _open_missing_file(self, head: PartHead, rule: File) -> PartSink:
        """Open a part that has no file: a file input without one, or a text."""
        name = head.name
        if head.filename is not None:
            return DiscardSink(name)
        if not rule.required:
            # JavaScript and API consoles send the empty text where there is no file.
            return EmptySink(name, self._errors)
        self._seen.setdefault(name, 0)
        self._add_error("not_a_file", "Must be a file", name)
        return DiscardSink()

    def _name_error(self, name: str, rule: File) -> tuple[str, str] | None:
        """Return the code and the detail of an error in a file's name."""
        longest = self._limits.name
        if len(name.encode()) > longest:
            return "filename_too_long", f"The file name is longer than {longest} bytes"
        if not is_safe_filename(name, longest):
            return "unsafe_filename", "Unsafe file name"
        if not rule.allows_name(name):
            extensions = ", ".join(rule.extensions or ())
            return "file_extension", f"The file name must end with one of {extensions}"
        return None

    def _end(self) -> None:
        self._sink.end()
        self._sink = DiscardSink()
        self._check_errors()

    def _count_field(self) -> None:
        self._field_count += 1
        limit = self._limits.fields
        if self._field_count > limit:
            raise form_error(400, "too_many_fields", f"More than {limit} fields")

    def _count_file(self) -> None:
        self._file_count += 1
        limit = self._limits.files
        if self._file_count > limit:
            raise form_error(400, "too_many_files", f"More than {limit} files")

    def _count_memory(self, size: int) -> None:
        self._memory += size
        if self._memory > self._max_memory:
            detail = f"The fields are larger than {self._max_memory} bytes in total"
            raise form_error(413, "form_too_large", detail)

    def _add_error(self, code: str, detail: str, *path: str | int) -> None:
        self._errors.append(error_item(code, detail, *path))
        self._check_errors()

    def _check_errors(self) -> None:
        if len(self._errors) >= self._limits.errors:
            raise ValidationFailed(422, self._errors)

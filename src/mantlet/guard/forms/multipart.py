"""``multipart/form-data`` (RFC 7578), read as it comes and only where all parsers read the same.

Fields are kept in memory, at most `BodyLimits.memory` bytes in total; files in memory up to as
much again, and on disk beyond. What is refused, and why, stands in `mantlet.http.forms`: `parts`
(how a body is cut) and `heads` (what a part says of itself), and here in `names` (what a file is
called) and `file` (what it is).
"""

from collections.abc import Mapping
from typing import Final

from mantlet.guard.errors import Fault, Invalid
from mantlet.guard.forms.errors import check_parameters, fault, outcome, refusal
from mantlet.guard.forms.fields import Form, FormFields
from mantlet.guard.forms.file import File
from mantlet.guard.forms.filenames import is_safe
from mantlet.guard.forms.part_sinks import Nothing, Receiver, Text, Upload
from mantlet.guard.forms.uploads import Spool, UploadedFile
from mantlet.guard.limits import BodyLimits
from mantlet.guard.schemas import Schema
from mantlet.http.forms import MultipartParser, Pairs, PartHead
from mantlet.http.media_types import MediaType

__all__ = ["MultipartForm", "MultipartParse"]

#: A file that an open form does not declare.
_ANY: Final = File(required=False, many=True)


class MultipartForm:
    """Reads a multipart form.

    Args:
        fields: what the form declares of fields.
        files: what it declares of files, by their fields' names.
        schema: what the fields' value is checked against; None for a form of files alone, whose
            value is what `FormFields.read()` says.
        limits: of fields, files, memory, names and header fields.

    Raises:
        ValueError: a name is declared as a field and as a file, or there are more files required
            than ``limits.files``.
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
        self.limits: Final = limits

    def start(self, media: MediaType) -> "MultipartParse":
        """Begin to read a body.

        Raises:
            Invalid: with 400 where the boundary is none, and 415 for unknown parameters.
        """
        check_parameters(media, ("boundary",))
        return outcome(lambda: MultipartParse(self, media.get("boundary")))


class MultipartParse:
    """One body that is read as it comes.

    Args:
        form: what it must be.
        boundary: of it.

    Raises:
        MalformedForm: the boundary is none.
    """

    def __init__(self, form: MultipartForm, boundary: str | None) -> None:
        limits = form.limits
        self._form = form
        self._limits = limits
        self._most_memory = limits.memory
        self._parts = MultipartParser(
            boundary, max_head_size=limits.part_headers, max_name_size=limits.name
        )
        self._spool = Spool(self._most_memory)
        self._faults: list[Fault] = []
        self._pairs: Pairs = []
        self._kept: dict[str, list[UploadedFile]] = {}
        # Files by their fields' names, those that were not kept among them.
        self._seen: dict[str, int] = {}
        self._undeclared: set[str] = set()
        self._field_count = 0
        self._file_count = 0
        self._memory = 0
        self._receiver: Receiver = Nothing()

    def feed(self, chunk: bytes) -> None:
        """Take a chunk of the decoded body.

        Raises:
            Invalid: as soon as it is known.
        """
        outcome(lambda: self._take(chunk))

    def finish(self) -> Form:
        """Return the form.

        Raises:
            Invalid: it is not what is declared.
        """
        outcome(self._parts.finish)
        form = self._form
        for name, rule in form.files.items():
            if rule.required and name not in self._seen:
                self._faults.append(fault("missing", "The file is required.", name))
        value = form.fields.check(self._pairs, form.schema, self._faults, self._limits.errors)
        files: dict[str, UploadedFile | list[UploadedFile]] = {}
        for name, rule in form.files.items():
            kept = self._kept.pop(name, [])
            if rule.many:
                files[name] = kept
            elif kept:
                files[name] = kept[0]
        return Form(value, {**files, **self._kept})

    def close(self) -> None:
        """Let go of the files."""
        self._spool.close()

    def _take(self, chunk: bytes) -> None:
        for event in self._parts.feed(chunk):
            if isinstance(event, PartHead):
                self._receiver = self._begin(event)
            elif event is None:
                self._end()
            else:
                self._receiver.write(event)
                if isinstance(self._receiver, Text):
                    self._count_memory(len(event))

    def _begin(self, head: PartHead) -> Receiver:
        name = head.name
        rule = self._form.files.get(name)
        if rule is None and not self._form.fields.knows(name):
            self._count_field()
            if name not in self._undeclared:
                self._undeclared.add(name)
                self._wrong("undeclared_field", "The form declares no such field.", name)
            return Nothing()
        if rule is None and head.filename is not None and self._is_open_to(name):
            rule = _ANY
        if rule is not None:
            return self._begin_file(head, rule)
        return self._begin_field(head)

    def _is_open_to(self, name: str) -> bool:
        fields = self._form.fields
        return name not in fields.names and not fields.closed

    def _begin_field(self, head: PartHead) -> Receiver:
        self._count_field()
        name = head.name
        is_json = name in self._form.fields.json
        # A browser gives a JSON part, which is a Blob to it, a file's name.
        if head.filename is not None and not is_json:
            self._wrong("not_a_field", "The field can't be a file.", name)
            return Nothing()
        if head.media is not None:
            # A file's parameters, such as codecs, change nothing in how the form is read.
            check_parameters(head.media)
            known = head.media.is_json if is_json else head.media.kind.startswith("text/")
            if not known:
                raise refusal(415, "part_type", "The field can't be of that type.", name)
        return Text(name, self._pairs, self._limits.field)

    def _begin_file(self, head: PartHead, rule: File) -> Receiver:
        self._count_file()
        name = head.name
        if head.filename is None:
            self._seen.setdefault(name, 0)
            self._wrong("not_a_file", "The field must be a file.", name)
            return Nothing()
        if not head.filename:
            return Nothing(name)
        count = self._seen.get(name, 0)
        self._seen[name] = count + 1
        if count and not rule.many:
            raise refusal(400, "duplicate_field", "The field comes more than once.", name)
        if rule.max_count is not None and count >= rule.max_count:
            if count == rule.max_count:
                detail = f"There are more than {rule.max_count} files."
                self._wrong("too_many_items", detail, name)
            return Nothing()
        path = (name, count) if rule.many else (name,)
        if not is_safe(head.filename, self._limits.name):
            self._wrong("unsafe_filename", "The name of the file is not safe.", *path)
            return Nothing()
        if not rule.allows_name(head.filename):
            extensions = ", ".join(rule.extensions or ())
            detail = f"The name of the file must end with one of: {extensions}."
            self._wrong("file_extension", detail, *path)
            return Nothing()
        return Upload(
            head,
            rule,
            path,
            longest=int(self._limits.file if rule.max_size is None else rule.max_size),
            spool=self._spool,
            kept=self._kept.setdefault(name, []),
            faults=self._faults,
        )

    def _end(self) -> None:
        self._receiver.end()
        self._receiver = Nothing()
        self._check_faults()

    def _count_field(self) -> None:
        self._field_count += 1
        most = self._limits.fields
        if self._field_count > most:
            raise refusal(400, "too_many_fields", f"A form has at most {most} fields.")

    def _count_file(self) -> None:
        self._file_count += 1
        most = self._limits.files
        if self._file_count > most:
            raise refusal(400, "too_many_files", f"A form has at most {most} files.")

    def _count_memory(self, size: int) -> None:
        self._memory += size
        if self._memory > self._most_memory:
            detail = f"The fields have more than {self._most_memory} bytes in all."
            raise refusal(413, "form_too_large", detail)

    def _wrong(self, code: str, detail: str, *path: str | int) -> None:
        self._faults.append(fault(code, detail, *path))
        self._check_faults()

    def _check_faults(self) -> None:
        if len(self._faults) >= self._limits.errors:
            raise Invalid(422, self._faults)

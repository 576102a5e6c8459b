"""What becomes of the content of one part: a field's text, a file, or nothing."""

from codecs import getincrementaldecoder
from typing import Final, Protocol

from mantlet.guard.errors import Fault
from mantlet.guard.forms.errors import fault, refusal
from mantlet.guard.forms.file import File, Verdict
from mantlet.guard.forms.file_signatures import HEAD, detect
from mantlet.guard.forms.uploads import Spool, UploadedFile
from mantlet.http.forms import Pairs, PartHead, decode_text

__all__ = ["Nothing", "Receiver", "Text", "Upload"]

_UTF8: Final = getincrementaldecoder("utf-8")


class Receiver(Protocol):
    """Takes the content of one part."""

    def write(self, data: bytes) -> None:
        """Take more of it.

        Raises:
            Invalid: as soon as it is known.
        """
        ...

    def end(self) -> None:
        """Take its end.

        Raises:
            Invalid: it is not what it has to be.
        """
        ...


class Nothing:
    """A part that is not kept.

    Args:
        name: of its field, if it must be empty: a file's input that nothing was chosen in. Django
            takes it for a field.
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name

    def write(self, data: bytes) -> None:
        """Refuse it, or leave it be."""
        if self._name is not None:
            raise refusal(400, "filename", "A file without a name has content.", self._name)

    def end(self) -> None:
        """Do nothing."""


class Text:
    """A field.

    Args:
        name: of the field.
        pairs: where it is put.
        longest: bytes of it.
    """

    def __init__(self, name: str, pairs: Pairs, longest: int) -> None:
        self._name = name
        self._pairs = pairs
        self._longest = longest
        self._data = bytearray()

    def write(self, data: bytes) -> None:
        """Keep more of it, up to its bound."""
        if len(self._data) + len(data) > self._longest:
            detail = f"The field has more than {self._longest} bytes."
            raise refusal(413, "field_too_large", detail, self._name)
        self._data += data

    def end(self) -> None:
        """Read it as UTF-8 without a NUL."""
        text = decode_text(self._data)
        if text is None:
            raise refusal(400, "field_text", "The field is not UTF-8, or has a NUL.", self._name)
        self._pairs.append((self._name, text))


class Upload:
    """A file.

    What is wrong with it but its size lets the rest of the form be read, so that all that is wrong
    can be told; the file is not kept then.

    Args:
        head: of its part.
        rule: what it may be.
        path: of it in the form, for faults.
        longest: bytes of it.
        spool: where it is kept.
        kept: where it is put in the end.
        faults: where that is put which is wrong with it.
    """

    def __init__(
        self,
        head: PartHead,
        rule: File,
        path: tuple[str | int, ...],
        *,
        longest: int,
        spool: Spool,
        kept: list[UploadedFile],
        faults: list[Fault],
    ) -> None:
        self._name = head.filename or ""
        self._declared = None if head.media is None else head.media.kind
        self._detected: str | None = None
        self._rule = rule
        self._path = path
        self._longest = longest
        self._spool = spool
        self._kept = kept
        self._faults = faults
        self._size = 0
        # Until it is judged.
        self._head: bytes | None = b""
        self._text = _UTF8()
        self._verdict: Verdict = "yes"
        self._file = spool.open()

    def write(self, data: bytes) -> None:
        """Keep more of it, up to its bound."""
        self._size += len(data)
        if self._size > self._longest:
            detail = f"The file has more than {self._longest} bytes."
            raise refusal(413, "file_too_large", detail, *self._path)
        if self._head is not None:
            self._head += data
            if len(self._head) < HEAD:
                return
            data = self._judge(self._head)
        self._keep(data)

    def end(self) -> None:
        """Judge all of it."""
        if self._head is not None:
            self._keep(self._judge(self._head))
        if self._size < self._rule.min_size:
            detail = f"The file has less than {self._rule.min_size} bytes."
            self._refuse("file_too_small", detail)
        elif self._verdict == "if text":
            self._check_text(b"", final=True)
        if self._verdict == "no":
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

    def _judge(self, head: bytes) -> bytes:
        self._head = None
        self._detected = detect(head)
        # An empty file is of any type.
        if head and self._rule.judge(self._declared, self._detected) == "no":
            self._refuse_type()
        elif head:
            self._verdict = self._rule.judge(self._declared, self._detected)
        return head

    def _keep(self, data: bytes) -> None:
        if self._verdict == "if text":
            self._check_text(data)
        if self._verdict != "no":
            self._spool.write(self._file, data)

    def _check_text(self, data: bytes, *, final: bool = False) -> None:
        try:
            good = "\0" not in self._text.decode(data, final)
        except UnicodeDecodeError:
            good = False
        if not good:
            self._refuse_type()

    def _refuse_type(self) -> None:
        types = ", ".join(self._rule.types or ())
        detail = f"The file is not, or is not declared as, one of: {types}."
        self._refuse("file_type", detail)

    def _refuse(self, code: str, detail: str) -> None:
        if self._verdict != "no":
            self._verdict = "no"
            self._faults.append(fault(code, detail, *self._path))
            self._spool.drop(self._file)

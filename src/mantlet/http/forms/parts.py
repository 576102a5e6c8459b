"""A multipart body (RFC 2046, 5.1) cut into its parts as it comes, where every parser cuts alike.

Nothing may stand before the first delimiter or behind the last one but one line end. Lines end with
CRLF. ``--boundary`` may stand nowhere but in a delimiter: Django takes it for one anywhere, and
Werkzeug behind a bare CR or LF. What comes of a body is the same however it is cut into chunks.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal

from mantlet.http.forms.heads import PartHead, read_head
from mantlet.http.forms.malformed import Malformed

__all__ = ["Event", "Parts"]

#: The head of a part; some of its content; its end.
Event = PartHead | bytes | None

# RFC 2046, 5.1.1, without the space. One of hyphens alone could overlap itself.
_BOUNDARY: Final = re.compile(r"(?!-*\Z)[0-9A-Za-z'()+_,\-./:=?]{1,70}")
_NO_BOUNDARY: Final = (
    "The boundary is missing, or has 0 or over 70 characters, or others than RFC 2046 allows."
)
_CRLF: Final = b"\r\n"
_LAST: Final = b"--"


class Parts:
    """Cuts one body.

    Args:
        boundary: of the body, as its media type says it.
        longest_head: bytes of the header fields of one part.
        longest_name: bytes of the name of a field.
        lenient: whether parts may have what `read_head()` lets pass then.

    Raises:
        Malformed: the boundary is missing, or is none.
    """

    def __init__(
        self,
        boundary: str | None,
        *,
        longest_head: int,
        longest_name: int,
        lenient: bool = False,
    ) -> None:
        if boundary is None or not _BOUNDARY.fullmatch(boundary):
            raise Malformed("boundary", _NO_BOUNDARY)
        self._dashes = f"--{boundary}".encode()
        self._delimiter = _CRLF + self._dashes
        self._longest_head = longest_head
        self._longest_name = longest_name
        self._lenient = lenient
        self._state: Literal["start", "delimiter", "head", "content", "end"] = "start"
        # What has come, up to where it is dealt with. It is cut only once a chunk, since cutting it
        # once a part would copy a large chunk as often as it has parts.
        self._buffer = b""
        self._at = 0
        # Of the part that has begun and not yet ended.
        self._part: PartHead | None = None
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield what a chunk brings, which must be taken to its end before the next chunk.

        Raises:
            Malformed: as soon as a body can't be cut in one way only.
        """
        self._buffer = self._buffer[self._at :] + chunk
        self._at = 0
        waiting = False
        while not waiting:
            if self._state == "content":
                data, waiting = self._content()
                if data:
                    self._size += len(data)
                    yield data
            elif self._state == "head":
                head = self._head()
                waiting = head is None
                if head is not None:
                    yield head
            elif self._state == "delimiter":
                waiting = not self._take_delimiter()
                if self._part is not None and not waiting:
                    self._check_length(self._part)
                    self._part = None
                    yield None
            elif self._state == "start":
                waiting = not self._start()
            else:
                waiting = True
                if not _CRLF.startswith(self._buffer[self._at : self._at + 3]):
                    raise _broken("Something stands behind the last delimiter.")

    def finish(self) -> None:
        """Check that the body has ended where it may.

        Raises:
            Malformed: it has not.
        """
        if self._state != "end" or self._buffer[self._at :] not in (b"", _CRLF):
            raise _broken("The form breaks off before its end.")

    def _start(self) -> bool:
        if len(self._buffer) < len(_CRLF):
            return False
        # The first delimiter has no line end before it, or one that some clients send.
        if self._buffer.startswith(_LAST):
            self._buffer = _CRLF + self._buffer
        self._state = "delimiter"
        return True

    def _take_delimiter(self) -> bool:
        """Take a delimiter; return whether all of it was there."""
        tail = self._at + len(self._delimiter)
        if len(self._buffer) < tail + 2:
            return False
        if not self._buffer.startswith(self._delimiter, self._at):
            raise _broken("Something stands before the first delimiter.")
        self._at = tail + 2
        ending = self._buffer[tail : self._at]
        if ending == _CRLF:
            self._state = "head"
        elif ending == _LAST:
            self._state = "end"
        else:
            raise _broken("A delimiter is followed by something else than a line end.")
        return True

    def _head(self) -> PartHead | None:
        # With the blank line, of which all but the last byte may be there already.
        most = self._at + self._longest_head + 4
        end = self._buffer.find(b"\r\n\r\n", self._at, most)
        if end < 0:
            if len(self._buffer) < most:
                return None
            detail = f"The header fields of a part have more than {self._longest_head} bytes."
            raise Malformed("part_headers_too_large", detail)
        block = self._buffer[self._at : end]
        if self._dashes in block:
            raise _elsewhere()
        self._at = end + 4
        self._state = "content"
        self._size = 0
        self._part = read_head(block, self._longest_name, lenient=self._lenient)
        return self._part

    def _check_length(self, head: PartHead) -> None:
        # Litestar refuses the part then, others don't look at it.
        if head.length is not None and head.length != self._size:
            detail = "The Content-Length of a part is not its length."
            raise Malformed("part_length", detail, head.name)

    def _content(self) -> tuple[bytes, bool]:
        """Take content; return it, and whether more of the body must come first."""
        found = self._buffer.find(self._dashes, self._at)
        if found < 0:
            # What is behind may become a delimiter.
            end = max(self._at, len(self._buffer) - len(self._delimiter) + 1)
        elif self._buffer[max(self._at, found - 2) : found] == _CRLF:
            end = found - 2
            self._state = "delimiter"
        elif found > self._at:
            end = found  # so that what is before is told of first, as it is in small chunks
        else:
            raise _elsewhere()
        data = self._buffer[self._at : end]
        self._at = end
        return data, found < 0


def _broken(detail: str) -> Malformed:
    return Malformed("multipart", detail)


def _elsewhere() -> Malformed:
    return _broken("The boundary stands elsewhere than in a delimiter.")

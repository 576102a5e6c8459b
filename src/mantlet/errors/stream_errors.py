"""The last thing that a client hears of a stream that breaks off, in the stream's own form."""

from typing import Final

from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Response

__all__ = ["FORMATS", "Ending"]

#: What goes before and behind a problem's document. The Server-Sent Event has the name "error"
#: (HTML, 9.2.6).
_EVENT: Final = (b"event: error\ndata: ", b"\n\n")
_LINE: Final = (b"", b"\n")
#: JSON text sequences (RFC 7464, 2.2).
_RECORD: Final = (b"\x1e", b"\n")

#: The streams that a problem can be said in, by media type.
FORMATS: Final = {
    "text/event-stream": _EVENT,
    "application/x-ndjson": _LINE,
    "application/ndjson": _LINE,
    "application/jsonl": _LINE,
    "application/json-seq": _RECORD,
}


class Ending:
    """Says a problem at the end of one stream, on a line of its own.

    Args:
        response: the stream's.
        media_type: a key of `FORMATS`.
    """

    def __init__(self, response: Response, media_type: str) -> None:
        self._before, self._behind = FORMATS[media_type]
        self._last = b"\n"
        response.transform(self._watch)

    def _watch(self, chunk: bytes, _more: bool) -> bytes:
        if chunk:
            self._last = chunk[-1:]
        return chunk

    def words(self, problem: Problem, request: Request) -> bytes:
        """Return the last chunk of the stream.

        An event that was cut short becomes part of the error's: it is not handed on as whole.
        """
        start = b"" if self._last in b"\r\n" else b"\n"
        return start + self._before + problem.as_json(request) + self._behind

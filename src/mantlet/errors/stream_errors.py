"""Report an error that comes late in the stream itself, in the stream's own format."""

from typing import Final

from mantlet.core.problem import Problem
from mantlet.core.request import Request
from mantlet.core.response import Response

__all__ = ["STREAM_FORMATS", "LateErrorWriter"]

#: Bytes before and after a problem's document. A Server-Sent Event is named "error" (HTML, 9.2.6).
_EVENT: Final = (b"event: error\ndata: ", b"\n\n")
_LINE: Final = (b"", b"\n")
#: JSON text sequences (RFC 7464, 2.2).
_RECORD: Final = (b"\x1e", b"\n")

#: The formats that can carry a problem, by media type.
STREAM_FORMATS: Final = {
    "text/event-stream": _EVENT,
    "application/x-ndjson": _LINE,
    "application/ndjson": _LINE,
    "application/jsonl": _LINE,
    "application/json-seq": _RECORD,
}


class LateErrorWriter:
    """Writes a problem at the end of a stream, on a line of its own.

    Args:
        response: the response with the stream.
        media_type: a key of `STREAM_FORMATS`.
    """

    def __init__(self, response: Response, media_type: str) -> None:
        self._before, self._after = STREAM_FORMATS[media_type]
        self._last = b"\n"
        response.transform(self._watch, keeps_etag=True)

    def _watch(self, chunk: bytes, _more: bool) -> bytes:
        if chunk:
            self._last = chunk[-1:]
        return chunk

    def last_chunk(self, problem: Problem, request: Request) -> bytes:
        """Return the last chunk of the stream.

        An event that was cut short becomes part of the error event, so that it does not arrive as
        if it were complete.
        """
        start = b"" if self._last in b"\r\n" else b"\n"
        return start + self._before + problem.as_json(request) + self._after

"""Validate request bodies: whether one is allowed, its media type, and its content."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from mantlet._internal.coroutines import start_eagerly
from mantlet.core.body import CONTENT_LENGTH, SpooledBody
from mantlet.core.body_filters import SLICE
from mantlet.core.request import Request
from mantlet.core.temporary_files import check_directory
from mantlet.guard.bodies.content_decoding import CONTENT_ENCODING, decode_body, decode_chunks
from mantlet.guard.bodies.forms.fields import Form
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.operation import DeclaredBody
from mantlet.guard.options import WEBSOCKET_METHOD, OperationSettings
from mantlet.guard.readers import (
    BodyReader,
    FullBodyReader,
    LargeBodyReader,
    MediaRangeReader,
    StreamingBodyReader,
)
from mantlet.http.media_types import MediaType, read_media_type

__all__ = ["CODING_HEADERS", "CONTENT_HEADERS", "BodyValidator", "Validated"]

T = TypeVar("T")

_TRANSFER_ENCODING: Final = "Transfer-Encoding"
#: The headers of a body that is sent in another form than its own.
CODING_HEADERS: Final = (_TRANSFER_ENCODING, CONTENT_ENCODING)
#: The headers that describe a body.
CONTENT_HEADERS: Final = ("Content-Type", CONTENT_LENGTH, *CODING_HEADERS)
_DESCRIBING: Final = frozenset(CONTENT_HEADERS)
_MISSING: Final = ErrorItem("body", "", "missing_body", "A body is required")
_UNDECLARED: Final = ErrorItem("body", "", "undeclared_body", "This operation takes no body")
#: Servers that know no other coding than "chunked" hand on a body in it as it is (RFC 9112, 6.1).
_TRANSFER_CODING: Final = ErrorItem(
    "header", "/Transfer-Encoding", "transfer_coding", "Unsupported transfer coding"
)
_NO_TYPE: Final = ErrorItem("body", "", "media_type", "Missing or malformed Content-Type")

#: An empty body of this type is a form without fields, as browsers send it.
_URLENCODED: Final = "application/x-www-form-urlencoded"
#: Operations whose requests are not waited for, unless something announces a body. ``GET`` has
#: those of ``HEAD`` too.
_BODILESS: Final = frozenset({"GET", "HEAD", WEBSOCKET_METHOD})
#: How many values of Content-Type are cached for an operation.
_MAX_CACHED: Final = 16


class WholeReader(NamedTuple):
    """The reader of whole bodies of a media type."""

    media: MediaType
    reader: FullBodyReader


class PieceReader(NamedTuple):
    """The reader of bodies of a media type that are read while they are received."""

    media: MediaType
    reader: StreamingBodyReader


class Validated:
    """The validated values of a request, so that the app need not parse it again.

    The app finds it as ``mantlet.state(...).validated``. Each value is a model or a plain value,
    depending on its schema.

    Attributes:
        operation: the name of the operation, such as ``"GET /items/{item_id}"``.
        body: the value of a JSON body, the fields of a form, the list of values of a JSON sequence,
            or the bytes of another body; None without a body, and for another body that may be
            larger than ``BodyLimits(memory=)``, which the app reads itself.
        path: the path parameters.
        query: the query parameters.
        headers: the declared headers.
        cookies: the declared cookies.
        files: the files of a form by field name.
    """

    # Class attributes, since setting each one per request takes time, and so does an `__init__`.
    operation: str = ""
    # Any: the user knows what the schema makes of a value.
    body: Any = None
    path: Any = None
    query: Any = None
    headers: Any = None
    cookies: Any = None
    files: Any = None

    # Any: see above.
    def set_body(self, value: Any) -> None:
        """Take the value that a reader made of the body."""
        if value.__class__ is Form:
            self.body, self.files = value
        else:
            self.body = value

    def __repr__(self) -> str:
        # Values come from the client, and may be secrets.
        return f"Validated({self.operation!r})"


class BodyValidator:
    """Validates the bodies of one operation.

    Args:
        body: the declared body, or None.
        settings: how strictly to treat it.
        method: the operation's method.

    Raises:
        ValueError: bodies may be too large for memory, and no temporary file can be made.
    """

    __slots__ = (
        "_allows_any_type",
        "_allows_undeclared",
        "_at_once",
        "_awaits",
        "_cache",
        "_canonical",
        "_check_absence",
        "_exact",
        "_is_declared",
        "_limit",
        "_limits",
        "_may_be_absent",
        "_passive",
        "_ranges",
        "_required",
        "_untyped",
    )

    def __init__(self, body: DeclaredBody | None, settings: OperationSettings, method: str) -> None:
        readers = {} if body is None else body.readers
        if any(map(_may_spill, readers.values())):
            check_directory(settings.limits.directory)
        self._exact = {kind: reader for kind, reader in readers.items() if "*" not in kind}
        # The most specific range first: "image/*" before "*/*".
        self._ranges = sorted(
            ((kind, reader) for kind, reader in readers.items() if "*" in kind),
            key=lambda pair: pair[0].startswith("*"),
        )
        #: By the client's Content-Type, of which there are a few.
        self._cache: dict[str | None, WholeReader | PieceReader] = {}
        self._required = body is not None and body.required
        self._check_absence = None if body is None else body.check_absence
        self._untyped = "" if body is None else body.untyped
        self._is_declared = body is not None
        self._may_be_absent = not self._required and self._check_absence is None
        #: Whether a body may come that no header announces: gateways that pass events on as ASGI
        #: may announce it by the event alone, and the app would read it.
        self._awaits = self._is_declared or method not in _BODILESS
        self._allows_undeclared = "body" in settings.allow
        self._allows_any_type = "media_type" in settings.allow
        #: Whether the app gets the request as it is, whatever that may be.
        self._passive = settings.mode == "report"
        self._canonical = settings.forward == "canonical" and not self._passive
        self._limits = settings.limits
        self._limit = settings.limits.body
        #: A body of at most this size is validated at once, and the app gets it as it is.
        self._at_once = 0 if self._canonical else settings.limits.in_loop

    def validate(
        self, request: Request, headers: Mapping[str, str], validated: Validated
    ) -> Awaitable[None] | None:
        """Read and validate the body of a request, if it has one, into ``validated``.

        Args:
            request: the request.
            headers: at least those of `CONTENT_HEADERS` that it has.
            validated: gets the body's value.

        Returns:
            An awaitable if the validation must wait, else None.

        Raises:
            ValidationFailed: the body is undeclared, missing or invalid.
            Problem: the body can't be read.
        """
        if (not headers or _DESCRIBING.isdisjoint(headers)) and _ends_with_head(request):
            if not self._may_be_absent:
                self._accept_absence()
            if not (self._awaits and request.is_async):
                return None
        if not self._is_declared:
            return None if self._allows_undeclared else self._reject(request, headers)
        if _TRANSFER_ENCODING in headers:
            _check_transfer_coding(headers[_TRANSFER_ENCODING])
        stated = headers.get("Content-Type") or self._untyped
        found = self._cache.get(stated) or self._find_reader(stated)
        if not isinstance(found, WholeReader):
            return start_eagerly(
                self._stream(request, headers, validated, found)
                if isinstance(found, PieceReader)
                else self._pass_unread(request, found)
            )
        body = (
            start_eagerly(self._decode(request, headers))
            if CONTENT_ENCODING in headers
            else request.body_eagerly(self._limit, headers)
        )
        if isinstance(body, bytes):
            return self._take(body, request, headers, validated, found)
        return self._take_later(body, request, headers, validated, found)

    def validate_uncoded(
        self, request: Request, headers: Mapping[str, str], validated: Validated
    ) -> Awaitable[None] | None:
        """Do the same as `validate()` for a request without `CODING_HEADERS`, in fewer steps."""
        found = self._cache.get(headers.get("Content-Type"))
        if type(found) is not WholeReader:
            return self.validate(request, headers, validated)
        body = request.body_eagerly(self._limit, headers)
        if not isinstance(body, bytes):
            return self._take_later(body, request, headers, validated, found)
        size = len(body)
        if size > self._at_once or not size or headers.get(CONTENT_LENGTH) != str(size):
            return self._take(body, request, headers, validated, found)
        media, reader = found  # the usual case
        value = reader.read(body, media)
        if type(value) is Form:
            validated.set_body(value)
        else:
            validated.body = value
        return None

    def _accept_absence(self) -> None:
        """Accept the absence of a body, unless one is required."""
        if self._required:
            raise ValidationFailed(422, [_MISSING])
        if self._check_absence is not None:
            self._check_absence()

    def _reject(self, request: Request, headers: Mapping[str, str]) -> Awaitable[None] | None:
        """Let a request pass only without a body."""
        length = headers.get(CONTENT_LENGTH)
        if _TRANSFER_ENCODING in headers or (length or "").strip("0"):
            raise ValidationFailed(400, [_UNDECLARED])
        if not length and (request.is_async or not _ends_with_head(request)):
            return start_eagerly(self._reject_content(request))
        return None

    async def _reject_content(self, request: Request) -> None:
        if not await _is_empty(request):
            raise ValidationFailed(400, [_UNDECLARED])

    async def _take_later(
        self,
        body: Awaitable[bytes],
        request: Request,
        headers: Mapping[str, str],
        validated: Validated,
        found: WholeReader,
    ) -> None:
        waiting = self._take(await body, request, headers, validated, found)
        if waiting is not None:
            await waiting

    def _take(
        self,
        body: bytes,
        request: Request,
        headers: Mapping[str, str],
        validated: Validated,
        found: WholeReader,
    ) -> Awaitable[None] | None:
        """Validate a whole body, decoded; see `validate()`."""
        size = len(body)
        if headers.get(CONTENT_LENGTH) != str(size) or _TRANSFER_ENCODING in headers:
            self._state_length(request, size)
        if not size and found.media.kind != _URLENCODED:  # in which it is a form without fields
            self._accept_absence()
            return None
        if size > self._limits.in_loop or self._canonical:
            return start_eagerly(self._convert(body, request, validated, found))
        validated.set_body(found.reader.read(body, found.media))
        return None

    async def _convert(
        self, body: bytes, request: Request, validated: Validated, found: WholeReader
    ) -> None:
        """Validate a body that may be large, and give the app its canonical form."""
        media, reader = found
        value = await self._run(request, len(body), reader.read, body, media)
        if self._canonical:
            request.replace_body(await self._run(request, len(body), reader.dump, value))
        validated.set_body(value)

    async def _pass_unread(self, request: Request, media: MediaType | None) -> None:
        """Let a body pass that no reader is declared for, if it is empty or that is allowed.

        Raises:
            ValidationFailed: with 415, or 422 for a missing body.
        """
        if await _is_empty(request):
            self._accept_absence()
        elif media is None or not self._allows_any_type:
            raise self._unsupported(media)

    async def _decode(self, request: Request, headers: Mapping[str, str]) -> bytes:
        """Return a complete body, decoded, and give it to the app too."""
        body = await decode_body(request, self._limits, headers)
        if not self._passive:
            request.replace_body(body)
        return body

    async def _stream(
        self,
        request: Request,
        headers: Mapping[str, str],
        validated: Validated,
        found: PieceReader,
    ) -> None:
        """Validate a body that is read while it is received."""
        media, reader = found
        parser = reader.start(media)
        request.add_cleanup(parser.close)
        is_coded = CONTENT_ENCODING in headers
        is_raw = isinstance(reader, LargeBodyReader)
        canonical = self._canonical and not is_raw
        new: SpooledBody | None = None
        if canonical or (is_coded and not self._passive):
            # The decoded body, or its canonical form, for the app.
            new = SpooledBody(self._limits.memory, self._limits.directory, self._limits.disk)
            request.add_cleanup(new.close)
        size = fed = 0
        async for chunk in decode_chunks(request, reader.limits, headers):
            size += len(chunk)
            for piece in _slices(chunk):
                await self._run(request, parser.completes(piece), parser.feed, piece)
                fed += len(piece)
                if fed >= SLICE:
                    fed = 0
                    await request.checkpoint()
            if new is not None and not canonical:
                new.write(chunk)
        value = await self._run(request, size, parser.finish)
        if new is not None:
            kind = None
            if canonical:
                kind = await self._run(request, size, parser.dump, value, new.write)
            request.replace_body(new, content_type=kind)
        elif _TRANSFER_ENCODING in headers or headers.get(CONTENT_LENGTH) != str(size):
            self._state_length(request, 0 if is_coded else size)
        if is_raw and not size:
            self._accept_absence()
        validated.set_body(value)

    # Any: the arguments of any function.
    async def _run(self, request: Request, size: int, fn: Callable[..., T], *args: Any) -> T:
        """Call a function that works on some bytes of a body: in a thread if they are many."""
        if size <= self._limits.in_loop:
            return fn(*args)
        return await request.run_in_thread(fn, *args)

    def _state_length(self, request: Request, size: int) -> None:
        """Have the app get the true length of a body that was sent in chunks or with another one.

        Django takes a multipart form without a length for an empty one, and under WSGI most
        frameworks take any such body for empty.
        """
        if size and not self._passive:
            request.set_content_length()

    def _find_reader(self, stated: str) -> WholeReader | PieceReader | MediaType | None:
        """Return the reader of a Content-Type; without one the media type, or None if malformed."""
        media = read_media_type(stated)
        if media is None:
            return None
        reader = self._exact.get(media.kind) or self._find_range(media.kind)
        if isinstance(reader, MediaRangeReader):
            reader = reader.json if media.is_json else reader.other
        if reader is None:
            return media
        found = (
            PieceReader(media, reader)
            if isinstance(reader, StreamingBodyReader)
            else WholeReader(media, reader)
        )
        if len(self._cache) < _MAX_CACHED:
            self._cache[stated] = found
        return found

    def _find_range(self, kind: str) -> BodyReader | None:
        for media_range, reader in self._ranges:
            before, _, after = media_range.partition("*")
            if media_range == "*/*" or (kind.startswith(before) and kind.endswith(after)):
                return reader
        return None

    def _unsupported(self, media: MediaType | None) -> ValidationFailed:
        """Return the failure for a media type, with the supported ones (RFC 9110, 15.5.16)."""
        supported = ", ".join([*self._exact, *(kind for kind, _ in self._ranges)])
        error = _NO_TYPE
        if media is not None:
            error = ErrorItem("body", "", "media_type", f"Unsupported media type; use {supported}")
        return ValidationFailed(415, [error], {"Accept": supported})


def _may_spill(reader: BodyReader) -> bool:
    """Return whether bodies may be too large for memory."""
    if isinstance(reader, MediaRangeReader):
        reader = reader.other
    if not isinstance(reader, StreamingBodyReader):
        return False
    limits = reader.limits
    return max(limits.body, limits.decoded) > limits.memory


def _check_transfer_coding(value: str) -> None:
    """Reject a ``Transfer-Encoding`` that servers do not decode.

    Raises:
        ValidationFailed: with 400.
    """
    if value.strip().lower() != "chunked":
        raise ValidationFailed(400, [_TRANSFER_CODING])


def _slices(chunk: bytes) -> Iterable[bytes]:
    """Return a chunk in slices, or itself if it is short."""
    size = len(chunk)
    if size <= SLICE:
        return (chunk,)
    return (chunk[start : start + SLICE] for start in range(0, size, SLICE))


async def _is_empty(request: Request) -> bool:
    # The first chunk is in memory anyway, since the server has handed it out.
    async for chunk in request.chunks(1 << 40, memory=1 << 40):
        if chunk:
            return False
    return True


def _ends_with_head(request: Request) -> bool:
    """Return whether a request with neither a length nor an encoding certainly has no body.

    In HTTP/1 it has none (RFC 9112, 6.3). In HTTP/2 and 3 the head need not announce a body (RFC
    9113, 8.1.1).
    """
    source = request.raw
    version: str = source.get("http_version") or source.get("SERVER_PROTOCOL", "")[5:]
    return version.startswith("1")

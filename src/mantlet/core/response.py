"""A response on its way out, and a whole response given by a policy: `Response` and `Reply`."""

from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from itertools import islice
from types import coroutine
from typing import Any, Final

from mantlet.exceptions import ResponseTooLarge
from mantlet.http.headers import LOWER_TEXT, MutableHeaders, check_value, text_header

__all__ = ["DIGESTS", "VALIDATORS", "Filter", "Reply", "Response", "without_digests"]

#: Takes a chunk of a body, and whether more will follow; returns the chunk to send.
ChunkFilter = Callable[[bytes, bool], bytes]
#: A filtered chunk: one byte string, or the pieces of a long one.
Filtered = bytes | list[bytes]
#: A `ChunkFilter` that may also return an awaitable.
Filter = Callable[[bytes, bool], bytes | Awaitable[Filtered]]
# Any: the native pairs, of bytes under ASGI and of str under WSGI.
TrailerFilter = Callable[[Any], Any]

#: Headers with a digest of the body's bytes.
DIGESTS: Final = ("Digest", "Content-Digest", "Repr-Digest", "Content-MD5")
#: Headers that describe the exact bytes of the body.
VALIDATORS: Final = ("ETag", *DIGESTS)

#: Yielded by `Response.body()`, with a limit in bytes, to wait for the whole body.
WANTS_BODY: Final = "body"


#: Headers that describe a body, or the connection that it is sent over, or name a file that a
#: server is to send in its place.
_BODY_HEADERS: Final = frozenset(
    {
        "accept-ranges",
        "age",
        "connection",
        "content-digest",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-location",
        "content-md5",
        "content-range",
        "content-type",
        "digest",
        "etag",
        "expires",
        "keep-alive",
        "last-modified",
        "repr-digest",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-accel-redirect",
        "x-sendfile",
    }
)
#: Headers of which each line counts for itself.
_REPEATABLE: Final = frozenset({"link", "set-cookie", "vary", "www-authenticate"})
#: The most headers that a reply takes over.
_MAX_KEPT: Final = 64

_TEXT: Final = "text/plain; charset=utf-8"
_BYTES: Final = "application/octet-stream"


class Reply:
    """A whole response, given by a policy in the app's place.

    Args:
        status: 200 to 599.
        headers: a mapping or pairs. ``Content-Length`` is added, and a missing ``Content-Type`` is
            that of plain text, or ``application/octet-stream`` for bytes.
        body: text is sent as UTF-8.

    Raises:
        ValueError: the status is out of range, or a header's name or value is not allowed
            (RFC 9110, 5).
    """

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: bytes | str = "",
    ) -> None:
        if not 200 <= status <= 599:
            raise ValueError(f"status must be between 200 and 599, not {status}")
        pairs: Iterable[tuple[str, str]]
        if isinstance(headers, list):  # quicker than the check against an abstract class
            pairs = headers
        else:
            pairs = headers.items() if isinstance(headers, Mapping) else headers
        has_body = status not in (204, 304)
        lacks_type = has_body
        fields: list[tuple[str, str]] = []
        for name, value in pairs:
            if not (value.isascii() and value.isprintable()):
                check_value(name, value)
            lower = LOWER_TEXT[name]
            if lower == "content-type":
                lacks_type = False
            if lower != "content-length" or not has_body:  # that is added when it is sent
                fields.append((name, value))
        if lacks_type:
            fields.append(("Content-Type", _TEXT if isinstance(body, str) else _BYTES))
        self.status = status
        self.headers = tuple(fields)
        self.body = body.encode() if isinstance(body, str) else body

    @classmethod
    def _of(cls, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> "Reply":
        """Return a reply with the headers of another one, which need no check."""
        reply = cls.__new__(cls)
        reply.status = status
        reply.headers = headers
        reply.body = body
        return reply

    # Any: frameworks keep values of other types than text as well.
    def keep_headers(self, pairs: Iterable[tuple[Any, Any]]) -> "Reply":
        """Return this reply with the headers of a response that it replaces.

        Cookies, CORS headers, ``Vary`` and the app's own stay; those that describe the replaced
        body do not. Where both have a header, this reply's counts; but lines of ``Link``,
        ``Set-Cookie``, ``Vary`` and ``WWW-Authenticate`` are added to its own, and the stricter
        ``Cache-Control: no-store`` stays (RFC 9111, 5.2.2.5).

        Args:
            pairs: the names and values of the replaced response. Invalid ones (RFC 9110, 5) are
                dropped, and those after the first 64.
        """
        own = {name.lower() for name, _ in self.headers}
        kept: list[tuple[str, str]] = []
        for name, value in islice(pairs, _MAX_KEPT):
            try:
                header = text_header(str(name), str(value))
            except ValueError:
                continue
            lower = header[0].lower()
            if lower == "cache-control" and "no-store" in header[1].lower():
                own.discard(lower)
            is_of_body = lower in _BODY_HEADERS and (lower, self.status) != ("content-range", 416)
            is_said = header in kept or header in self.headers
            if not is_of_body and not is_said and (lower not in own or lower in _REPEATABLE):
                kept.append(header)
        if not kept:
            return self
        replaced = {name.lower() for name, _ in kept} - _REPEATABLE
        own_headers = [header for header in self.headers if header[0].lower() not in replaced]
        return Reply(self.status, [*own_headers, *kept], self.body)

    def __repr__(self) -> str:
        return f"Reply({self.status}, {len(self.body)} bytes)"


class Response:
    """A response before any byte of it is sent.

    It is the app's, or the `Reply` of an inner policy: a policy need not know which.

    Attributes:
        status: the status code; may be changed.
        reply: whether a policy gave it in the app's place.
        no_body: whether it has no body: it answers HEAD, or is a WebSocket handshake.
        first_chunk: the first bytes of the body, as far as they arrived with the headers; empty
            under ASGI for a stream, whose headers are sent before its first chunk.
        complete: whether `first_chunk` is the whole body, by the app's own word.
        is_single_chunk: whether `first_chunk` is all that has arrived of the body.
        has_trailers: whether the app has announced trailers after the body (ASGI).
        is_file: whether the body is a file that the server is to send by itself
            (``wsgi.file_wrapper``, ``http.response.pathsend``, ``http.response.zerocopysend``).
        broke_off: whether the app has raised after the headers were sent: then the last call of a
            filter is not at the end of the body.
        on_late_error: None, or a callable that returns a last chunk to send if the app raises the
            given exception after the headers were sent. The connection ends after it all the same.
    """

    # Defaults of seldom set attributes stand in the class: setting one takes time.
    trailer_filters: tuple[TrailerFilter, ...] = ()
    keeps_length = True
    keeps_etag = True
    is_file = False
    reply = False
    no_body = False
    has_trailers = False
    broke_off = False
    on_late_error: Callable[[BaseException], bytes] | None = None

    # Any: native pairs, and native names.
    #: Headers whose names are known, and these; see `_set_headers()`.
    _keyed: tuple[Any, frozenset[Any] | None] = None, None

    # Any: the native pairs, of bytes under ASGI and of str under WSGI.
    def __init__(
        self,
        status: int,
        raw: Any,
        make: Callable[[Any], MutableHeaders],
        whole: bytes | None = None,
    ) -> None:
        self.status = status
        self._raw = raw
        self._make = make
        self._headers: MutableHeaders | None = None
        self._full_body: Filtered | None = whole
        self.filters: tuple[Filter, ...] = ()
        self.first_chunk = whole or b""
        self.complete = self.is_single_chunk = whole is not None

    @property
    def headers(self) -> MutableHeaders:
        """The response's headers, editable."""
        headers = self._headers
        if headers is None:
            headers = self._headers = self._make(self._raw)
        return headers

    @property
    def raw(self) -> Any:
        """The native pairs: the app's own object as long as nothing was edited."""
        return self._raw if self._headers is None else self._headers.raw

    @raw.setter
    def raw(self, pairs: Any) -> None:
        self._raw = pairs
        self._headers = None

    def _set_headers(self, raw: list[Any], keys: frozenset[Any] | None) -> None:
        """Replace the headers.

        Args:
            raw: the native pairs.
            keys: the names in lower case, and maybe others, if they are known, and none of them
                says what other headers may be (CORS).
        """
        self._raw = raw
        self._headers = None
        self._keyed = raw, keys

    def _keys(self) -> frozenset[Any] | None:
        """Return the names of the headers, if they are known; see `replace_headers()`."""
        raw, keys = self._keyed
        return keys if self._headers is None and raw is self._raw else None

    @property
    def full_body(self) -> bytes | None:
        """The whole body, where it arrived with the headers; else None.

        A first chunk that is as long as ``Content-Length`` says is the whole body.
        """
        if isinstance(self._full_body, list):
            self._full_body = b"".join(self._full_body)
        if self._full_body is None and self.is_single_chunk and self.first_chunk:
            length = self.headers.get("Content-Length")
            if length == str(len(self.first_chunk)):
                self._full_body = self.first_chunk
        return self._full_body

    @full_body.setter
    def full_body(self, body: bytes) -> None:
        self._full_body = self.first_chunk = body

    def _set_pieces(self, pieces: list[bytes]) -> None:
        """Set the whole body as pieces, which are joined only if a policy reads `full_body`."""
        self._full_body = pieces
        self.first_chunk = pieces[0] if pieces else b""
        self.complete = self.is_single_chunk = False

    def _set_no_body(self) -> None:
        """Take note that this is the response to HEAD, or has no body at all."""
        self.full_body = b""
        self.no_body = True
        self.complete = False

    def _begin(self, buffered: list[bytes], size: int, complete: bool) -> None:
        """Take note of the body as far as it has arrived.

        Args:
            buffered: its chunks.
            size: their bytes in all.
            complete: whether they are the whole body.
        """
        if len(buffered) == 1:
            self.first_chunk = buffered[0]
            self.is_single_chunk = True
            if complete:
                self.complete = True
                self._full_body = buffered[0]
        else:
            self.first_chunk = next(filter(None, buffered), b"")
            self.is_single_chunk = len(self.first_chunk) == size
            if complete and self.is_single_chunk:
                self.complete = True
                self._full_body = self.first_chunk

    def _copy(self) -> "Response":
        """Return a response that can be edited without changing this one."""
        copy = Response(self.status, list(self.raw), self._make)
        attributes = vars(self) | {"_raw": copy._raw, "_headers": None}
        vars(copy).update(attributes)
        return copy

    def transform(
        self, fn: Filter, *, keeps_length: bool = False, keeps_etag: bool = False
    ) -> None:
        """Register a filter over the streamed body.

        Filters run in the order of their registration: those of inner policies first.
        ``Content-Length`` is corrected or dropped, and ``ETag``, ``Digest``, ``Content-Digest``,
        ``Repr-Digest`` and ``Content-MD5`` are dropped, also from trailers, when bytes may change.
        A response without a body (to HEAD, or with status 204 or 304) is not filtered. Nor is a
        part of a body (206), except by filters that keep the length: it is refused with a 416, or
        made a 200 if it is all of the body.

        Args:
            fn: called with each ``chunk`` and whether ``more`` will follow; returns the chunk to
                send, or an awaitable of it, or of its pieces in a list. The last call has
                ``more=False``, and may have an empty chunk. An unchanged chunk is returned as the
                same object. No call begins before the one before it has ended.
            keeps_length: ``fn`` never changes the number of bytes, and changes only bytes that must
                not be sent. Then no header is dropped before it has changed any.
            keeps_etag: the result of ``fn`` depends on the body alone, however it is split into
                chunks. Then equal bodies stay equal, and ``ETag`` stays.
        """
        if keeps_length and (self.no_body or self.status in (204, 304)):
            return
        if self.no_body or self.status in (204, 304):
            # The headers describe the unfiltered body. A 304 names, by its ETag, the response that
            # the client has already (RFC 9110, 15.4.5), and a cache takes over its other headers.
            if self.status != 204:
                self.headers.remove("Content-Length", *DIGESTS)
            if self.no_body:
                self.headers.remove(*(DIGESTS if keeps_etag else VALIDATORS))
            fn = _no_body
        if self.has_trailers and not keeps_length:
            self.transform_trailers(without_digests if keeps_etag else _without_validators)
        self.filters += (fn,)
        self.keeps_length = self.keeps_length and keeps_length
        self.keeps_etag = self.keeps_etag and keeps_etag

    def transform_trailers(self, fn: TrailerFilter) -> None:
        """Register a filter over the trailers after the body, where there are any (ASGI).

        Args:
            fn: called with the native pairs; returns the pairs to send.
        """
        self.trailer_filters += (fn,)

    async def body(self, limit: int) -> bytes:
        """Wait for the whole body, as the inner policies made it, and return it.

        Nothing is sent before it is there, so use it only where a policy must see all of it.

        Args:
            limit: in bytes. No more than this is held in memory, and the chunk that exceeds it.

        Raises:
            ResponseTooLarge: the body is larger. A policy that catches this lets it stream.
            Exception: the app's own, where it raises before the body is complete.
        """
        body = self.full_body
        if body is None:
            body = self.full_body = await _whole_body(limit)
        if len(body) > limit:
            raise ResponseTooLarge(limit)
        return body


def without_digests(trailers: Any) -> Any:
    """Return trailers (ASGI) without digests of the body, which a filter may change."""
    return _without(trailers, DIGESTS)


def _without_validators(trailers: Any) -> Any:
    return _without(trailers, VALIDATORS)


def _without(trailers: Any, names: tuple[str, ...]) -> Any:
    dropped = {name.lower().encode() for name in names}
    return [pair for pair in trailers if bytes(pair[0]).lower() not in dropped]


def _no_body(_chunk: bytes, _more: bool) -> bytes:
    return b""


@coroutine
def _whole_body(limit: int) -> Generator[Any, Any, bytes]:
    # The response pipeline catches the yielded pair, and sends the body back in.
    body: bytes = yield WANTS_BODY, limit
    return body

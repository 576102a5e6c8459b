"""The head of an answer, and what is known of its body with it."""

from collections.abc import Callable, Generator
from types import coroutine
from typing import Any, Final

from mantlet.exceptions import ResponseTooLarge
from mantlet.http.headers import MutableHeaders

__all__ = ["Response"]

Filter = Callable[[bytes, bool], bytes]
# Any: the native pairs, of bytes under ASGI and of str under WSGI.
TrailerFilter = Callable[[Any], Any]

#: Fields that are true of the very bytes that they came with.
VALIDATORS: Final = ("ETag", "Digest", "Content-Digest", "Repr-Digest", "Content-MD5")

#: What a pass yields to be suspended until the whole body is there, with a limit in bytes.
WANTS_BODY: Final = "body"


class Response:
    """The head of an answer, before any byte of it is sent.

    It is the app's answer, or the `Reply` of a policy further in: a policy need not know which.

    Attributes:
        status: may be changed.
        no_body: whether this is the answer to HEAD, or a head alone.
        first_chunk: the first bytes of the body, as far as they are there with the head.
        complete: whether `first_chunk` is all of the body, the app having said so.
        is_single_chunk: whether `first_chunk` is all that has come of it.
        has_trailers: whether the app has said that fields will follow the body (ASGI).
        is_file: whether the body is a file that the server is to send by itself
            (``wsgi.file_wrapper``, ``http.response.pathsend``, ``http.response.zerocopysend``).
        on_late_error: None, or what is asked for a last chunk to send if the app raises the given
            exception once the head has gone. The connection is ended behind it all the same.
    """

    # What is seldom looked at is said here, the rest where one is made: each attribute that is set
    # takes time, and so does each look for one that isn't.
    trailer_filters: tuple[TrailerFilter, ...] = ()
    keeps_length = True
    complete = False
    is_single_chunk = False
    is_file = False
    has_trailers = False
    on_late_error: Callable[[BaseException], bytes] | None = None

    # Any: the native pairs, of bytes under ASGI and of str under WSGI.
    def __init__(self, status: int, raw: Any, make: Callable[[Any], MutableHeaders]) -> None:
        self.status = status
        self._raw = raw
        self._make = make
        self._headers: MutableHeaders | None = None
        self._whole: bytes | None = None
        self.filters: tuple[Filter, ...] = ()
        self.first_chunk = b""
        self.reply = False
        self.no_body = False

    @property
    def headers(self) -> MutableHeaders:
        """The answer's header fields, editable."""
        headers = self._headers
        if headers is None:
            headers = self._headers = self._make(self._raw)
        return headers

    @property
    def raw(self) -> Any:
        """The native pairs: the app's own object as long as nothing was edited."""
        return self._raw if self._headers is None else self._headers.raw

    @raw.setter
    def raw(self, fields: Any) -> None:
        self._raw = fields
        self._headers = None

    @property
    def full_body(self) -> bytes | None:
        """The whole body, where that is there with the head; else None.

        A first chunk that is as long as ``Content-Length`` says is all of it.
        """
        if self._whole is None and self.is_single_chunk and self.first_chunk:
            length = self.headers.get("Content-Length")
            if length == str(len(self.first_chunk)):
                self._whole = self.first_chunk
        return self._whole

    @full_body.setter
    def full_body(self, body: bytes) -> None:
        self._whole = self.first_chunk = body

    def _set_no_body(self) -> None:
        """Say that this is the answer to HEAD, or that it is a head alone."""
        self.full_body = b""
        self.no_body = True
        self.complete = False

    def _begin(self, held: list[bytes], size: int, complete: bool) -> None:
        """Say what is there of the body.

        Args:
            held: the chunks.
            size: how many bytes they are.
            complete: whether they are all.
        """
        if len(held) == 1:
            self.first_chunk = held[0]
            self.is_single_chunk = True
            if complete:
                self.complete = True
                self._whole = held[0]
        else:
            self.first_chunk = next(filter(None, held), b"")
            self.is_single_chunk = len(self.first_chunk) == size

    def transform(self, fn: Filter, *, keeps_length: bool = False) -> None:
        """Register a filter over the streamed body.

        Filters run in the order of their registration: those of policies further in first.
        ``Content-Length`` is corrected or dropped, and ``ETag``, ``Digest``, ``Content-Digest``,
        ``Repr-Digest`` and ``Content-MD5`` are dropped, when bytes may change. An answer without a
        body (to HEAD, or with status 204 or 304) is not filtered, nor is a part of one (206): its
        bytes mean nothing without the rest.

        Args:
            fn: called with each ``chunk`` and whether ``more`` will follow; returns what is sent in
                its place. The last call has ``more=False``, and may have an empty chunk. A chunk
                that it leaves as it is, it returns as the same object.
            keeps_length: whether ``fn`` puts as many bytes in the place of those that it changes,
                and changes those only that must not get out. Then nothing is dropped before it has
                changed any.
        """
        if self.status == 206:
            return
        if keeps_length and (self.no_body or self.status in (204, 304)):
            return
        if self.no_body or self.status in (204, 304):
            # What the head says of a body is true of the unfiltered one. A 304 names, by its ETag,
            # what the client has already (RFC 9110, 15.4.5).
            if self.status != 204:
                self.headers.remove("Content-Length")
            if self.no_body:
                self.headers.remove(*VALIDATORS)
            fn = _no_body
        self.filters += (fn,)
        self.keeps_length = self.keeps_length and keeps_length

    def transform_trailers(self, fn: TrailerFilter) -> None:
        """Register a filter over the fields that follow the body, where there are any (ASGI).

        Args:
            fn: called with the native pairs; returns those that are sent in their place.
        """
        self.trailer_filters += (fn,)

    async def body(self, limit: int) -> bytes:
        """Wait for the whole body, as the policies further in made it, and return it.

        Nothing is sent before it is there, so use it only where a policy must see all of it.

        Args:
            limit: in bytes. No more than this is held in memory, and the chunk that exceeds it.

        Raises:
            ResponseTooLarge: the body is larger. A policy that catches this lets it stream.
            Exception: the app's own, where it raises before the body is complete.
        """
        whole = self.full_body
        if whole is None:
            whole = self.full_body = await _whole_body(limit)
        if len(whole) > limit:
            raise ResponseTooLarge(limit)
        return whole


def _no_body(_chunk: bytes, _more: bool) -> bytes:
    return b""


@coroutine
def _whole_body(limit: int) -> Generator[Any, Any, bytes]:
    # The face catches what is yielded here, and sends the body back in.
    body: bytes = yield WANTS_BODY, limit
    return body

"""The body of a request: whether it may have one, of which type, and what it is read as."""

from collections.abc import Awaitable, Mapping
from typing import Final

from mantlet._internal.coroutines import start_eagerly
from mantlet.core.body import CONTENT_LENGTH
from mantlet.core.request import Request
from mantlet.guard.content_decoding import CONTENT_ENCODING, decoded, decoded_chunks
from mantlet.guard.errors import Fault, Invalid
from mantlet.guard.forms.fields import Form
from mantlet.guard.operation import Body
from mantlet.guard.options import Settings
from mantlet.guard.readers import BodyReader, StreamReader, WholeReader
from mantlet.guard.validated import Validated
from mantlet.http.headers import HeaderNames
from mantlet.http.media_types import MediaType, read_media_type

__all__ = ["Entity"]

_FIELDS: Final = HeaderNames("Content-Type", CONTENT_LENGTH, "Transfer-Encoding", CONTENT_ENCODING)
_MISSING: Final = Fault("body", "", "missing_body", "A body is required")
_UNDECLARED: Final = Fault("body", "", "undeclared_body", "This operation takes no body")
_NO_TYPE: Final = Fault("body", "", "media_type", "A body must have one well-formed Content-Type")

#: Of this type no bytes are a form without fields, as browsers send it.
_URLENCODED: Final = "application/x-www-form-urlencoded"
#: How many statements of types are kept for an operation.
_KNOWN: Final = 16
#: A type, and what reads a body of it: whole, or as a stream.
Readers = tuple[MediaType | None, WholeReader | None, StreamReader | None]


class Entity:
    """What an operation takes for a body.

    Args:
        body: as declared, or None.
        settings: how strictly it is dealt with.
    """

    __slots__ = (
        "_any_type",
        "_canonical",
        "_declared",
        "_exact",
        "_known",
        "_limits",
        "_open",
        "_ranges",
        "_required",
    )

    def __init__(self, body: Body | None, settings: Settings) -> None:
        readers = {} if body is None else body.readers
        self._exact = {kind: reader for kind, reader in readers.items() if "*" not in kind}
        # The most specific first: "image/*" before "*/*".
        self._ranges = sorted(
            ((kind, reader) for kind, reader in readers.items() if "*" in kind),
            key=lambda pair: pair[0].startswith("*"),
        )
        #: By what clients state, of which there are a few.
        self._known: dict[str, Readers] = {}
        self._required = body is not None and body.required
        self._declared = body is not None
        self._open = "body" in settings.allow
        self._any_type = "media_type" in settings.allow
        self._canonical = settings.forward == "canonical"
        self._limits = settings.limits

    def take(self, request: Request, validated: Validated) -> Awaitable[None] | None:
        """Read the body of a request, if it has one, into what the app gets.

        Returns:
            None where there was nothing to wait for.

        Raises:
            Invalid: there should be none, or another one.
            Problem: it can't be read.
        """
        fields = request.get_headers(_FIELDS)
        if not fields and _ends_with_its_head(request):
            self._take_none()
            if not (self._declared and request.is_async):
                return None
            # Gateways that hand events over as ASGI may tell of a body by the event alone; the
            # app would read it.
        if not self._declared:
            return None if self._open else self._refuse(request, fields)
        return start_eagerly(self._read(request, fields, validated))

    def _take_none(self) -> None:
        if self._required:
            raise Invalid(422, [_MISSING])

    def _refuse(self, request: Request, fields: Mapping[str, str]) -> Awaitable[None] | None:
        """Let a request pass only if it has no body."""
        length = fields.get(CONTENT_LENGTH)
        if "Transfer-Encoding" in fields or (length or "").strip("0"):
            raise Invalid(400, [_UNDECLARED])
        if not length and not _ends_with_its_head(request):
            return start_eagerly(self._find_none(request))
        return None

    async def _find_none(self, request: Request) -> None:
        if not await _is_empty(request):
            raise Invalid(400, [_UNDECLARED])

    async def _read(
        self, request: Request, fields: Mapping[str, str], validated: Validated
    ) -> None:
        stated = fields.get("Content-Type", "")
        media, whole, stream = self._known.get(stated) or self._readers(stated)
        if whole is not None and media is not None:
            body = await decoded(request, self._limits, fields)
            if not body and not (self._required and media.kind == _URLENCODED):
                self._take_none()
                return
            value = whole.read(body, media)
            if self._canonical:
                request.replace_body(whole.dump(value))
        elif stream is not None and media is not None:
            parse = stream.start(media)
            request.add_cleanup(parse.close)
            async for chunk in decoded_chunks(request, self._limits, fields):
                parse.feed(chunk)
            value = parse.finish()
        elif await _is_empty(request):
            self._take_none()
            return
        elif media is None or not self._any_type:
            raise self._unsupported(media)
        else:
            return
        if value.__class__ is Form:
            validated.body, validated.files = value
        else:
            validated.body = value

    def _readers(self, stated: str) -> Readers:
        """Return what reads a body of a type, as it is stated, and the type."""
        media = read_media_type(stated)
        reader = None if media is None else self._reader(media)
        found: Readers = media, None, None
        if reader is not None:
            found = (
                (media, None, reader) if isinstance(reader, StreamReader) else (media, reader, None)
            )
            if len(self._known) < _KNOWN:
                self._known[stated] = found
        return found

    def _reader(self, media: MediaType) -> BodyReader | None:
        reader = self._exact.get(media.kind)
        if reader is not None:
            return reader
        for kind, reader in self._ranges:
            if kind == "*/*" or media.kind.startswith(kind[:-1]):
                return reader
        return None

    def _unsupported(self, media: MediaType | None) -> Invalid:
        """Return the refusal of a body's type, with those that are taken (RFC 9110, 15.5.16)."""
        taken = ", ".join([*self._exact, *(kind for kind, _ in self._ranges)])
        fault = _NO_TYPE
        if media is not None:
            fault = Fault("body", "", "media_type", f"The body must be of type {taken}")
        return Invalid(415, [fault], {"Accept": taken})


async def _is_empty(request: Request) -> bool:
    async for chunk in request.chunks(1 << 40, memory=1 << 16):
        if chunk:
            return False
    return True


def _ends_with_its_head(request: Request) -> bool:
    """Return whether a request that has neither a length nor an encoding has no body for sure.

    In HTTP/1 it has none (RFC 9112, 6.3). In HTTP/2 and 3 a body may be told of by nothing in the
    head (RFC 9113, 8.1.1).
    """
    carrier = request.raw
    version: str = carrier.get("http_version") or carrier.get("SERVER_PROTOCOL", "")[5:]
    return version.startswith("1")

"""One field of a form or of a query, wherever all parsers read it alike.

Some frameworks parse a form of any media type (Litestar does where the handler declares
a form, Bottle always), so bodies of other types are searched for the field as well.
"""

import re
from itertools import chain, islice
from typing import Final

from mantlet.http.forms import (
    MalformedForm,
    MultipartParser,
    PartHead,
    decode_text,
    iter_urlencoded,
)
from mantlet.ratelimit.keys.content_type import URLENCODED, BodyType
from mantlet.ratelimit.keys.key import Ambiguous

__all__ = ["FormField"]

#: As many as Django and Starlette read.
_MAX_FIELDS: Final = 1000
#: Bytes of a form that are parsed at once, since the parser copies them.
_SLICE: Final = 64 * 1024
#: Bytes of the headers of one part.
_MAX_PART_HEADERS: Final = 8192


class FormField:
    """Reads one field.

    Args:
        name: the field's name, one that `mantlet.http.forms.is_field_name()` accepts.
    """

    __slots__ = ("_first", "_later", "_name")

    def __init__(self, name: str) -> None:
        self._name = name
        spelled = b"".join(map(_spellings, name.encode()))
        spelled += rb"(?:=[^&;]*)?(?=[&;]|\Z)"
        # Some parsers take a semicolon for an ampersand.
        self._later = re.compile(rb"[&;]" + spelled)
        self._first = re.compile(spelled)

    def in_form(self, body: bytes, body_type: BodyType) -> str | None:
        """Return the field's value in a form, or None if the form lacks it.

        Args:
            body: the request body.
            body_type: one of the two types of forms.

        Raises:
            Ambiguous: the form is malformed, not UTF-8, or has more than 1,000 fields; or it has
                the field more than once.
        """
        try:
            if body_type.kind == URLENCODED:
                value = self._in_urlencoded(body)
            else:
                self.check_absent(body)
                value = self._in_multipart(body, body_type)
        except MalformedForm:
            raise Ambiguous from None
        body_type.check_charset((self._name + (value or "")).isascii())
        return value

    def in_query(self, query: bytes) -> str | None:
        """Return the field's value in a query, or None if the query lacks it.

        Other fields of the query may be malformed.

        Raises:
            Ambiguous: it is there more than once, or malformed.
        """
        query = b"&" + query
        found = list(islice(self._later.finditer(query), 2))
        if not found:
            return None
        if len(found) > 1 or b";" in query[found[0].start() : found[0].end() + 1]:
            raise Ambiguous
        try:
            return self._in_urlencoded(found[0][0][1:])
        except MalformedForm:
            raise Ambiguous from None

    def check_absent(self, body: bytes) -> None:
        """Raise if a parser of urlencoded forms could find the field in a body of another type.

        Raises:
            Ambiguous: it could.
        """
        if self._first.match(body) or self._later.search(body):
            raise Ambiguous

    def _in_urlencoded(self, body: bytes) -> str | None:
        most = len(body)
        fields = iter_urlencoded(
            body, max_fields=_MAX_FIELDS, max_field_size=most, max_name_size=most
        )
        values = [value for name, value in fields if name == self._name]
        if len(values) > 1:
            raise Ambiguous
        return values[0] if values else None

    def _in_multipart(self, body: bytes, body_type: BodyType) -> str | None:
        parts = MultipartParser(
            body_type.boundary,
            max_head_size=_MAX_PART_HEADERS,
            max_name_size=_MAX_PART_HEADERS,
            lenient=True,
        )
        count = 0
        found: PartHead | None = None
        wanted = False
        content = bytearray()
        slices = (body[start : start + _SLICE] for start in range(0, len(body), _SLICE))
        for event in chain.from_iterable(map(parts.feed, slices)):
            if isinstance(event, PartHead):
                count += 1
                wanted = event.name == self._name
                if count > _MAX_FIELDS or (wanted and found is not None):
                    raise Ambiguous
                if wanted:
                    found = event
            elif event and wanted:
                content += event
        parts.finish()
        return None if found is None else _part_text(found, content)


def _part_text(head: PartHead, content: bytearray) -> str:
    """Return the text of a part that all parsers take for a field, not for a file."""
    text = decode_text(content)
    if text is None or head.filename is not None:
        raise Ambiguous
    if head.media is not None:
        # aiohttp decodes only text/*.
        if not head.media.kind.startswith("text/"):
            raise Ambiguous
        charset = head.media.get("charset")
        BodyType(head.media.kind, charset and charset.lower()).check_charset(text.isascii())
    return text


def _spellings(octet: int) -> bytes:
    """Return a pattern of the spellings of an octet of a name (WHATWG URL, 5.1)."""
    escaped = b"".join(
        b"[%c%c]" % (digit, digit - 32) if digit > 0x60 else b"%c" % digit
        for digit in b"%02x" % octet
    )
    literal = re.escape(bytes((octet,))) + (rb"|\+" if octet == 0x20 else b"")
    return b"(?:%s|%%%s)" % (literal, escaped)

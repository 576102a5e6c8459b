"""One field of a form, or one member of a JSON body, as the app behind may read it.

Parsers disagree about unusual bodies: which of two fields of one name counts, what an odd charset
or a part behind the end means. A client could use that to have one account seen here and another
one by the app. So what is not known to be read alike by all of them is `Ambiguous`. Of forms, that
is what `mantlet.http.forms` says is malformed, and what depends on which field is wanted.
"""

import json
import re
from typing import Any, Final

from mantlet.http.forms import (
    MalformedForm,
    MultipartParser,
    PartHead,
    decode_text,
    parse_urlencoded,
)
from mantlet.http.json_pointer import has_bad_escape, split_pointer
from mantlet.ratelimit.keys.texts import Ambiguous, parameters

__all__ = ["form_field", "json_member", "parse_pointer"]

_URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
#: As many as Django and Starlette read.
_MOST_FIELDS = 1000
#: Bytes of the header fields of one part.
_LONGEST_HEAD = 8192
#: Of a form. Of others, one quoted with a semicolon in it may look like several.
_PARAMETERS = frozenset({"boundary", "charset"})
_UTF8 = frozenset({"utf-8", "utf8"})
_ASCII = frozenset({"us-ascii", "ascii"})
# What may come before the first bracket of a JSON text, in any of its encodings.
_BEFORE_JSON = b" \t\r\n\0\xef\xbb\xbf\xfe\xff"
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
#: What a member is that has come more than once.
_REPEATED: Final = object()


def form_field(body: bytes, content_type: str, name: str) -> str | None:
    """Return a field of a form, or None where the body is no form or has no such field.

    Args:
        body: of the request.
        content_type: of the body.
        name: of the field, of which `mantlet.http.forms.is_field_name()` is true.

    Raises:
        Ambiguous: the form is malformed, not UTF-8, has more than 1,000 fields, or this one more
            than once.
    """
    kind, _, rest = content_type.partition(";")
    kind = kind.strip().lower()
    if kind not in (_URLENCODED, _MULTIPART):
        return None
    options = parameters(rest)
    if options is None or not options.keys() <= _PARAMETERS:
        raise Ambiguous
    try:
        value = (
            _urlencoded(body, name)
            if kind == _URLENCODED
            else _multipart(body, options.get("boundary"), name)
        )
    except MalformedForm:
        raise Ambiguous from None
    _check_charset(options.get("charset"), name + (value or ""))
    return value


def _check_charset(charset: str | None, text: str) -> None:
    """Check that a text is the same in the charset that is stated, which some don't look at."""
    if charset is None or charset.lower() in _UTF8:
        return
    if charset.lower() not in _ASCII or not text.isascii():
        raise Ambiguous


def _urlencoded(body: bytes, name: str) -> str | None:
    most = len(body)
    pairs = parse_urlencoded(body, max_fields=_MOST_FIELDS, max_field_size=most, max_name_size=most)
    values = [value for field, value in pairs if field == name]
    if len(values) > 1:
        raise Ambiguous
    return values[0] if values else None


def _multipart(body: bytes, boundary: str | None, name: str) -> str | None:
    parts = MultipartParser(
        boundary, max_head_size=_LONGEST_HEAD, max_name_size=_LONGEST_HEAD, lenient=True
    )
    count = 0
    found: PartHead | None = None
    wanted = False
    content = bytearray()
    for event in parts.feed(body):
        if isinstance(event, PartHead):
            count += 1
            wanted = event.name == name
            if count > _MOST_FIELDS or (wanted and found is not None):
                raise Ambiguous
            if wanted:
                found = event
        elif event and wanted:
            content += event
    parts.finish()
    return None if found is None else _text(found, content)


def _text(head: PartHead, content: bytearray) -> str:
    """Return the text of a part that is a field, and no file, to all."""
    text = decode_text(content)
    if text is None or head.filename is not None:
        raise Ambiguous
    if head.media is not None:
        # aiohttp leaves all but text as bytes.
        if not head.media.kind.startswith("text/"):
            raise Ambiguous
        _check_charset(head.media.get("charset"), text)
    return text


def json_member(body: bytes, path: tuple[str, ...]) -> str | None:
    """Return a member of a JSON body, or None where the body is no JSON or has no such member.

    The media type is not looked at, as many apps don't. A member that is ``null`` is missing.

    Args:
        body: of the request.
        path: the names that lead to the member; a number leads into an array as well.

    Returns:
        A string; of an integer its digits.

    Raises:
        Ambiguous: the JSON is malformed or nested too deeply, or the member is of another type, or
            one on the path has come more than once.
    """
    if body.lstrip(_BEFORE_JSON)[:1] not in (b"{", b"["):
        return None
    try:
        # Other parsers take control characters in strings, and integers of any length.
        value: Any = json.loads(body, strict=False, parse_int=str, object_pairs_hook=_members)
    except (ValueError, RecursionError):
        raise Ambiguous from None
    for name in path:
        if value is _REPEATED:
            raise Ambiguous
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and _INDEX.fullmatch(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    if value is None or isinstance(value, str):
        return value
    raise Ambiguous


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                members[name] = _REPEATED
            seen.add(name)
    return members


def parse_pointer(text: str) -> tuple[str, ...]:
    """Return the path that a JSON Pointer (RFC 6901) says, or the name of a top-level member.

    Raises:
        ValueError: it begins with a slash and has a ``~`` that is followed by neither 0 nor 1.
    """
    if not text.startswith("/"):
        return (text,)
    if has_bad_escape(text):
        raise ValueError(
            f'name must be a member such as "username" or a JSON Pointer such as '
            f'"/user/name~1alias" (RFC 6901), not {text!r}'
        )
    return split_pointer(text)

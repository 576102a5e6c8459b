"""One field of a form, or one member of a JSON body, as the app behind may read it.

Parsers disagree about unusual bodies: which of two fields of one name counts, what an odd charset
or a part behind the end means. A client could use that to have one account seen here and another
one by the app. So what is not known to be read alike by all of them is `Ambiguous`.
"""

import json
import re
from typing import Any, Final
from urllib.parse import parse_qsl

from multipart import (  # type: ignore[import-untyped]  # it comes without types
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
)

from mantlet.ratelimit.keys.texts import Ambiguous, parameters

__all__ = ["form_field", "json_member", "parse_pointer"]

_URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
#: As many as Django and Starlette read.
_MOST_FIELDS = 1000
#: RFC 2046, 5.1.1.
_LONGEST_BOUNDARY = 70
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_AS_IT_IS = frozenset({"7bit", "8bit", "binary"})
_DISPOSITION = frozenset({"name", "filename", "filename*"})
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
        name: of the field.

    Raises:
        Ambiguous: the form is malformed, not UTF-8, has more than 1,000 fields, or this one more
            than once.
    """
    kind, _, rest = content_type.partition(";")
    kind = kind.strip().lower()
    if kind not in (_URLENCODED, _MULTIPART):
        return None
    options = _utf8_options(rest)
    values = (
        _urlencoded(body, name)
        if kind == _URLENCODED
        else _multipart(body, options.get("boundary", ""), name)
    )
    if len(values) > 1:
        raise Ambiguous
    return values[0] if values else None


def _utf8_options(text: str) -> dict[str, str]:
    """Return the parameters of a media type whose charset, if it has one, is UTF-8."""
    options = parameters(text)
    if options is None or options.get("charset", "utf-8").lower() not in _UTF8:
        raise Ambiguous
    return options


def _urlencoded(body: bytes, name: str) -> list[str]:
    # Some parsers take a semicolon for an ampersand, and bytes as latin-1. A serializer that
    # follows the URL standard (WHATWG, 5.2) leaves neither of them as it is.
    if b";" in body or not body.isascii():
        raise Ambiguous
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise Ambiguous from None
    return [value for field, value in pairs if field == name]


def _multipart(body: bytes, boundary: str, name: str) -> list[str]:
    delimiter = f"--{boundary}".encode()
    end = delimiter + b"--"
    # Django reads parts before the first delimiter and behind the last one.
    if (
        not 0 < len(boundary) <= _LONGEST_BOUNDARY
        or not body.lstrip(b"\r\n").startswith(delimiter)
        or body.find(end) + len(end) != len(body.rstrip(b"\r\n"))
    ):
        raise Ambiguous
    parts = 0
    wanted = False
    values: list[bytearray] = []
    try:
        with PushMultipartParser(boundary, max_segment_count=_MOST_FIELDS, strict=True) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    parts += 1
                    wanted = _is_field(event.headerlist, name)
                    if wanted:
                        values.append(bytearray())
                elif event and wanted:
                    values[-1] += event
        texts = [value.decode() for value in values]
    except (MultipartError, UnicodeDecodeError):
        raise Ambiguous from None
    # Some parsers find delimiters in other places than between two line ends.
    if body.count(delimiter) != parts + 1:
        raise Ambiguous
    return texts


def _is_field(headers: list[tuple[str, str]], name: str) -> bool:
    """Return whether a part is the field of that name, as its header fields say."""
    fields = dict(headers)
    options = parameters(fields.get("Content-Disposition", "").partition(";")[2])
    if (
        len(fields) < len(headers)
        or options is None
        or "name" not in options
        or not options.keys() <= _DISPOSITION
    ):
        raise Ambiguous
    if options["name"].strip() != name:
        return False
    _utf8_options(fields.get("Content-Type", "").partition(";")[2])
    encoding = fields.get("Content-Transfer-Encoding", "binary").strip().lower()
    if len(options) > 1 or encoding not in _AS_IT_IS:
        raise Ambiguous
    return True


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
    if re.search(r"~(?![01])", text):
        raise ValueError(
            f'name must be a member such as "username" or a JSON Pointer such as '
            f'"/user/name~1alias" (RFC 6901), not {text!r}'
        )
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/"))

"""Keys by one field of a form, or one member of a JSON body.

Parsers disagree about unusual bodies: which of two fields of one name counts, how an unknown
charset is decoded, whether a part after the closing boundary exists. A client could exploit that to
have one account seen here and another by the app. So a body is `AMBIGUOUS` unless all parsers are
known to read it alike. Ambiguous forms are those that `mantlet.http.forms` calls malformed, and
some that depend on the wanted field.
"""

import re
from collections.abc import Callable
from json import loads
from typing import Any, Final

from mantlet._internal.options import check_int
from mantlet.core.request import Request
from mantlet.http.forms import (
    MalformedForm,
    MultipartParser,
    PartHead,
    decode_text,
    is_field_name,
    parse_urlencoded,
)
from mantlet.http.json_pointer import has_bad_escape, split_pointer
from mantlet.ratelimit.keys.credentials import SingleHeader
from mantlet.ratelimit.keys.key import (
    AMBIGUOUS,
    Ambiguous,
    Key,
    casefold_key,
    check_text,
    describe,
    hash_if_long,
    read_parameters,
)

__all__ = ["form", "form_field", "json", "json_member"]

Normalize = Callable[[str], str]

#: The default limit on the body, in bytes.
_LIMIT = 65_536
#: The largest limit that can be set.
_MAX_LIMIT = 2**31

_URLENCODED = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
#: As many as Django and Starlette read.
_MAX_FIELDS = 1000
#: Bytes of the headers of one part.
_MAX_PART_HEADERS = 8192
#: Known parameters of a form's media type. Others, quoted and containing a semicolon, may look like
#: several.
_PARAMETERS = frozenset({"boundary", "charset"})
_UTF8 = frozenset({"utf-8", "utf8"})
_ASCII = frozenset({"us-ascii", "ascii"})
# Bytes that may come before the first bracket of a JSON text, in any of its encodings.
_BEFORE_JSON = b" \t\r\n\0\xef\xbb\xbf\xfe\xff"
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
#: Stands for a member that occurs more than once.
_REPEATED: Final = object()


def form(name: str, limit: int = _LIMIT, *, normalize: Normalize | None = casefold_key) -> Key:
    """Return the key of a form field, urlencoded or multipart.

    It is None if the body is not a form, or the form lacks the field. The media type says whether a
    body is a form; an app that also parses other types as forms, as Bottle does, needs another key.
    The body is read before the app gets it; one larger than ``limit`` is refused with 413.

    Args:
        name: the field's name.
        limit: the largest body, in bytes.
        normalize: maps all spellings of an account to one text. By default, case, surrounding white
            space and Unicode compatibility variants (NFKC) make no difference. None to use the
            value as it is.

    Raises:
        ValueError: parsers read ``name`` differently: it contains a quote, a backslash, a semicolon
            or a percent-encoded quote, or begins with a slash or white space.
    """
    if not is_field_name(check_text("name", name, "username")):
        raise ValueError(
            f'name must be one that all forms spell alike, such as "username", not {name!r}'
        )
    media_type = SingleHeader("Content-Type")

    def read(request: Request, body: bytes) -> str | None:
        return form_field(body, media_type.value(request) or "", name)

    return _body_key("form", name, limit, normalize, read)


def json(name: str, limit: int = _LIMIT, *, normalize: Normalize | None = casefold_key) -> Key:
    """Return the key of a member of a JSON body: a string or an integer.

    It is None if the body is not a JSON object, or lacks the member. The body is read before the
    app gets it; one larger than ``limit`` is refused with 413. Like many apps, this ignores the
    media type.

    Args:
        name: the name of a top-level member, or a JSON Pointer (RFC 6901) such as ``"/user/name"``.
        limit: the largest body, in bytes.
        normalize: as in `form()`.

    Raises:
        ValueError: ``name`` is a malformed pointer.
    """
    path = _parse_pointer(check_text("name", name, "username"))

    def read(_request: Request, body: bytes) -> str | None:
        return json_member(body, path)

    return _body_key("json", name, limit, normalize, read)


def _body_key(
    factory: str,
    name: str,
    limit: int,
    normalize: Normalize | None,
    read: Callable[[Request, bytes], str | None],
) -> Key:
    check_int("limit", limit, most=_MAX_LIMIT, unit="bytes")
    if normalize is not None and not callable(normalize):
        raise TypeError(f"normalize must be a function of the text, or None, not {normalize!r}")
    encoding = SingleHeader("Content-Encoding")

    async def key(request: Request) -> str | None:
        body = await request.body(limit)
        if not body:
            return None
        try:
            # A compressed body is not decoded here, though the app may decode it.
            if (encoding.value(request) or "identity").lower() != "identity":
                return AMBIGUOUS
            value = read(request, body)
        except Ambiguous:
            return AMBIGUOUS
        if value is None:
            return None
        return hash_if_long(value if normalize is None else normalize(value))

    options: dict[str, object] = {}
    if limit != _LIMIT:
        options["limit"] = limit
    if normalize is not casefold_key:
        options["normalize"] = normalize
    return Key(key, describe(factory, name, **options))


# -- forms ----------------------------------------------------------------------------------------


def form_field(body: bytes, content_type: str, name: str) -> str | None:
    """Return the value of a form field, or None if the body is not a form or lacks the field.

    Args:
        body: the request body.
        content_type: the body's media type.
        name: the field's name, one that `mantlet.http.forms.is_field_name()` accepts.

    Raises:
        Ambiguous: the form is malformed, not UTF-8, or has more than 1,000 fields; or it has the
            field more than once.
    """
    kind, _, rest = content_type.partition(";")
    kind = kind.strip().lower()
    if kind not in (_URLENCODED, _MULTIPART):
        return None
    options = read_parameters(rest)
    if options is None or not options.keys() <= _PARAMETERS:
        raise Ambiguous
    try:
        value = (
            _urlencoded_field(body, name)
            if kind == _URLENCODED
            else _multipart_field(body, options.get("boundary"), name)
        )
    except MalformedForm:
        raise Ambiguous from None
    _check_charset(options.get("charset"), name + (value or ""))
    return value


def _check_charset(charset: str | None, text: str) -> None:
    """Raise unless a text is the same in the declared charset, which some parsers ignore."""
    if charset is None or charset.lower() in _UTF8:
        return
    if charset.lower() not in _ASCII or not text.isascii():
        raise Ambiguous


def _urlencoded_field(body: bytes, name: str) -> str | None:
    most = len(body)
    pairs = parse_urlencoded(body, max_fields=_MAX_FIELDS, max_field_size=most, max_name_size=most)
    values = [value for field, value in pairs if field == name]
    if len(values) > 1:
        raise Ambiguous
    return values[0] if values else None


def _multipart_field(body: bytes, boundary: str | None, name: str) -> str | None:
    parts = MultipartParser(
        boundary, max_head_size=_MAX_PART_HEADERS, max_name_size=_MAX_PART_HEADERS, lenient=True
    )
    count = 0
    found: PartHead | None = None
    wanted = False
    content = bytearray()
    for event in parts.feed(body):
        if isinstance(event, PartHead):
            count += 1
            wanted = event.name == name
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
        _check_charset(head.media.get("charset"), text)
    return text


# -- JSON -----------------------------------------------------------------------------------------


def json_member(body: bytes, path: tuple[str, ...]) -> str | None:
    """Return a member of a JSON body, or None if the body is not JSON or lacks the member.

    A member that is ``null`` counts as missing.

    Args:
        body: the request body.
        path: the names that lead to the member; a number may index an array.

    Returns:
        A string as it is; an integer as its digits.

    Raises:
        Ambiguous: the JSON is malformed or nested too deeply; or the member is of another type, or
            a member on the path occurs more than once.
    """
    if body.lstrip(_BEFORE_JSON)[:1] not in (b"{", b"["):
        return None
    try:
        # Other parsers accept control characters in strings, and integers of any length.
        value: Any = loads(body, strict=False, parse_int=str, object_pairs_hook=_members)
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


def _parse_pointer(text: str) -> tuple[str, ...]:
    """Return the path of a JSON Pointer (RFC 6901), or of a top-level member.

    Raises:
        ValueError: it begins with a slash and has a ``~`` that is not followed by 0 or 1.
    """
    if not text.startswith("/"):
        return (text,)
    if has_bad_escape(text):
        raise ValueError(
            f'name must be a member such as "username" or a JSON Pointer such as '
            f'"/user/name~1alias" (RFC 6901), not {text!r}'
        )
    return split_pointer(text)

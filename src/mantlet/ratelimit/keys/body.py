"""Keys by one field of a form, one member of a JSON body, or either of them.

Parsers disagree about unusual bodies: which of two fields of one name counts, how an unknown
charset is decoded, whether a part after the closing boundary exists, which media types are forms. A
client could exploit that to have one account seen here and another by the app. So a body is
`AMBIGUOUS` unless all parsers are known to read it alike.
"""

from collections.abc import Callable
from typing import Final

from mantlet._internal.options import check_int
from mantlet.core.request import Request
from mantlet.http.forms import is_field_name
from mantlet.ratelimit.keys.content_type import BodyType, read_body_type
from mantlet.ratelimit.keys.credentials import SingleHeader
from mantlet.ratelimit.keys.form_fields import FormField
from mantlet.ratelimit.keys.json_members import json_member, parse_pointer
from mantlet.ratelimit.keys.key import (
    AMBIGUOUS,
    MISSING,
    Ambiguous,
    Key,
    Missing,
    casefold_key,
    check_missing,
    check_text,
    describe,
    hash_if_long,
)

__all__ = ["field", "form", "json"]

Normalize = Callable[[str], str]
#: Returns every value that a parser could find.
Read = Callable[[Request, bytes], list[str | None]]

#: The default limit on the body, in bytes.
_LIMIT: Final = 65_536
#: The largest limit that can be set.
_MAX_LIMIT: Final = 2**31
_ENCODING: Final = SingleHeader("Content-Encoding")
_MEDIA_TYPE: Final = SingleHeader("Content-Type")


def field(
    name: str,
    limit: int = _LIMIT,
    *,
    pointer: str | None = None,
    missing: Missing = "skip",
    normalize: Normalize | None = casefold_key,
) -> Key:
    """Return the key of a field, wherever an app could read it: the query, a form, or JSON.

    For a login: a client can't leave its bucket by moving the name from a form to JSON, or to the
    query. The values of all places count, under any media type; if they differ, the request
    shares the bucket of all that frameworks read differently, and so does one whose body is neither
    a form nor JSON. The body is read before the app gets it; one larger than ``limit`` is refused
    with 413.

    Args:
        name: the field's name, and that of the top-level member of a JSON object.
        limit: the largest body, in bytes.
        pointer: a JSON Pointer (RFC 6901) such as ``"/user/name"``, if the member is another one.
        missing: ``"skip"``: a request without the field is not limited; ``"share"``: all of them
            share one bucket.
        normalize: maps all spellings of an account to one text. By default, case, surrounding white
            space and Unicode compatibility variants (NFKC) make no difference. None to use the
            value as it is. An app that compares names more loosely, for example with an
            accent-insensitive collation of its database, needs a function that does the same.

    Raises:
        ValueError: ``name`` is one that parsers read differently, as in `form()`; or ``pointer`` is
            malformed.
    """
    form_field = FormField(_check_field_name(name))
    path = parse_pointer("pointer", name if pointer is None else pointer)

    def read(request: Request, body: bytes) -> list[str | None]:
        found = [form_field.in_query(request.query)]
        if found[0] is not None:
            # Django decodes the query by the charset that the body declares.
            read_body_type(_MEDIA_TYPE.joined(request)).check_charset(found[0].isascii())
        if body:
            body_type = _body_type(request)
            if body_type.is_form:
                found.append(form_field.in_form(body, body_type))
            else:
                form_field.check_absent(body)
            found.append(json_member(body, body_type, path))
        return found

    options = {} if pointer is None else {"pointer": pointer}
    return _body_key(
        "field", name, read, limit=limit, missing=missing, normalize=normalize, **options
    )


def form(
    name: str,
    limit: int = _LIMIT,
    *,
    missing: Missing = "skip",
    normalize: Normalize | None = casefold_key,
) -> Key:
    """Return the key of a form field, urlencoded or multipart.

    It is None if the form lacks the field, or if the body is JSON. A body of any other type, or of
    none, shares the bucket of all that frameworks read differently: some parse it as a form. The
    body is read before the app gets it; one larger than ``limit`` is refused with 413.

    If the app reads the field from JSON or from the query as well, use `field()`.

    Args:
        name: the field's name.
        limit: the largest body, in bytes.
        missing: as in `field()`.
        normalize: as in `field()`.

    Raises:
        ValueError: parsers read ``name`` differently: it contains a quote, a backslash, a semicolon
            or a percent-encoded quote, or begins with a slash or white space.
    """
    form_field = FormField(_check_field_name(name))

    def read(request: Request, body: bytes) -> list[str | None]:
        if not body:
            return []
        body_type = _body_type(request)
        if body_type.is_form:
            return [form_field.in_form(body, body_type)]
        form_field.check_absent(body)
        if not body_type.is_json:
            raise Ambiguous
        return []

    return _body_key("form", name, read, limit=limit, missing=missing, normalize=normalize)


def json(
    name: str,
    limit: int = _LIMIT,
    *,
    missing: Missing = "skip",
    normalize: Normalize | None = casefold_key,
) -> Key:
    """Return the key of a member of a JSON body: a string or an integer.

    It is None if the body lacks the member, or is a form. Like many apps, this ignores the media
    type of JSON. The body is read before the app gets it; one larger than ``limit`` is refused with
    413.

    If the app reads the value from a form or from the query as well, use `field()`.

    Args:
        name: the name of a top-level member, or a JSON Pointer (RFC 6901) such as ``"/user/name"``.
        limit: the largest body, in bytes.
        missing: as in `field()`.
        normalize: as in `field()`.

    Raises:
        ValueError: ``name`` is a malformed pointer.
    """
    path = parse_pointer("name", name)

    def read(request: Request, body: bytes) -> list[str | None]:
        return [json_member(body, _body_type(request), path)] if body else []

    return _body_key("json", name, read, limit=limit, missing=missing, normalize=normalize)


def _check_field_name(name: str) -> str:
    if not is_field_name(check_text("name", name, "username")):
        raise ValueError(
            f'name must be one that all forms spell alike, such as "username", not {name!r}'
        )
    return name


def _body_key(
    factory: str,
    name: str,
    read: Read,
    *,
    limit: int,
    missing: Missing,
    normalize: Normalize | None,
    **options: object,
) -> Key:
    """Return the key of a value that ``read`` finds; ``options`` are those of one factory alone."""
    _check_options(limit, missing, normalize)
    absent = None if missing == "skip" else MISSING

    async def key(request: Request) -> str | None:
        body = await request.body(limit)
        try:
            values = {
                value if normalize is None else normalize(value)
                for value in read(request, body)
                if value is not None
            }
        except Ambiguous:
            return AMBIGUOUS
        if len(values) > 1:
            return AMBIGUOUS
        return hash_if_long(values.pop()) if values else absent

    if limit != _LIMIT:
        options["limit"] = limit
    if missing != "skip":
        options["missing"] = missing
    if normalize is not casefold_key:
        options["normalize"] = normalize
    return Key(key, describe(factory, name, **options), waits=True)


def _body_type(request: Request) -> BodyType:
    """Return the media type of a body that is not compressed.

    A compressed one is not decoded here, though the app may decode it, so that it is `Ambiguous`.
    """
    if (_ENCODING.value(request) or "identity").lower() != "identity":
        raise Ambiguous
    return read_body_type(_MEDIA_TYPE.joined(request))


def _check_options(limit: int, missing: Missing, normalize: Normalize | None) -> None:
    check_int("limit", limit, most=_MAX_LIMIT, unit="bytes")
    check_missing(missing)
    if normalize is not None and not callable(normalize):
        raise TypeError(f"normalize must be a function of the text, or None, not {normalize!r}")

"""Whose bucket a request is taken from.

A key is a function of the request that returns text, or None for a request that is not limited.
Your own ``def`` or ``async def`` will do; those made here are joined by ``&``::

    key=keys.client_address(trusted_proxies=["10.0.0.0/8"]) & keys.form("username")

What a request does not have makes its key None, so beside a limit by what clients send there
should be one by where they come from. What it has in such a way that the app may read it otherwise
(a field that comes twice, a malformed body) shares one key with all of that kind: nobody gets out
of a bucket by it, nor into a fresh one.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mantlet._internal.options import check_int
from mantlet.core.request import Request
from mantlet.http.forms import is_field_name
from mantlet.http.headers import is_token
from mantlet.ratelimit.keys.body import form_field, json_member, parse_pointer
from mantlet.ratelimit.keys.client_address import client_address
from mantlet.ratelimit.keys.credentials import SingleField, bearer_token, cookie_value, token_text
from mantlet.ratelimit.keys.key import Found, Key, KeyFunction, as_key, described
from mantlet.ratelimit.keys.texts import AMBIGUOUS, Ambiguous, bounded, digest, folded

__all__ = [
    "Key",
    "KeyFunction",
    "as_key",
    "bearer_subject",
    "bounded",
    "client_address",
    "constant",
    "cookie",
    "form",
    "header",
    "json",
    "path_parameter",
]

#: How many bytes of a body are read, unless another limit is given.
_LIMIT = 65_536
#: The largest such limit.
_LARGEST = 2**31

#: What a token says: its subject, or all of its claims, or None where it is not valid.
Verified = str | Mapping[str, Any] | None
Verify = Callable[[str], Verified | Awaitable[Verified]]
Normalize = Callable[[str], str]


def constant(text: str = "global") -> Key:
    """Return the key that is the same for every request: one bucket for all."""
    key = bounded(_check_text("text", text, "global"))
    return Key(lambda _request: key, described("constant", text))


def path_parameter(name: str) -> Key:
    """Return the key of a parameter of the path, as the rule's template names it.

    It is None where no rule with that parameter matches.

    Args:
        name: ``"kind"`` for the rule ``"GET /export/{kind}"``.
    """
    _check_text("name", name, "kind")

    def key(request: Request) -> str | None:
        value = (request.state._path_parameters or {}).get(name)
        return None if value is None else bounded(value)

    return Key(key, described("path_parameter", name))


def header(name: str) -> Key:
    """Return the key of a header field's value, hashed.

    It is None where the field is missing or empty. Nobody has checked the value, so it is of use
    where the app refuses those that it does not know, such as API keys.

    Args:
        name: of the field, in any case.

    Raises:
        ValueError: it is no token (RFC 9110, 5.6.2).
    """
    field = SingleField(_check_text("name", name, "X-API-Key"))

    def key(request: Request) -> str | None:
        value = field.value(request)
        return None if value is None else digest(value)

    return Key(_closed(key), described("header", name))


def cookie(name: str) -> Key:
    """Return the key of a cookie's value, hashed.

    It is None where the cookie is missing. Nobody has checked the value, so it is of use where the
    app refuses those that it does not know, such as session ids.

    Args:
        name: of the cookie.

    Raises:
        ValueError: it is no token (RFC 6265, 4.1.1).
    """
    if not is_token(_check_text("name", name, "session")):
        raise ValueError(f'name must be a token such as "session" (RFC 6265, 4.1.1), not {name!r}')
    field = SingleField("Cookie")

    def key(request: Request) -> str | None:
        value = cookie_value(field.lines(request), name)
        return None if value is None else digest(value)

    return Key(_closed(key), described("cookie", name))


def bearer_subject(verify: Verify | None = None) -> Key:
    """Return the key of whom a bearer token (RFC 6750, 2.1) stands for.

    It is None where there is no such token, or no valid one.

    Args:
        verify: takes the token, and returns its subject, or its claims, of which ``sub`` is taken,
            or None for a token that is not valid. A ``def`` or an ``async def``; it must not raise
            for a token that is not valid, since what it raises is raised on. Without it the whole
            token, hashed, stands for its subject: a claim that nobody has checked could name
            anyone. Then a subject has a bucket for each token that it can get.
    """
    if verify is not None and not callable(verify):
        raise TypeError(f"verify must be a function of the token, not {verify!r}")
    field = SingleField("Authorization")

    def key(request: Request) -> Found:
        value = field.value(request)
        token = value and bearer_token(value)
        if not token:
            return None
        if verify is None:
            return digest(token_text(token))
        verified = verify(token)
        if isinstance(verified, Awaitable):
            return _verified(verified, token)
        return _subject(verified, token)

    name = described("bearer_subject", **({} if verify is None else {"verify": verify}))
    return Key(_closed(key), name)


async def _verified(waiting: Awaitable[Verified], token: str) -> str | None:
    return _subject(await waiting, token)


def _subject(verified: Verified, token: str) -> str | None:
    """Return the key of a subject. A valid token that does not tell its own stands for it."""
    if verified is None:
        return None
    checked: object = verified
    if not isinstance(checked, str | Mapping):
        raise TypeError(
            f"verify must return a subject, claims or None, not {type(checked).__name__}"
        )
    subject = verified if isinstance(verified, str) else verified.get("sub")
    return digest(token_text(token)) if subject is None else bounded(str(subject))


def form(name: str, limit: int = _LIMIT, *, normalize: Normalize | None = folded) -> Key:
    """Return the key of a field of a form, urlencoded or multipart.

    It is None where the body is no form, or the form has no such field. What is a form, its media
    type says; an app that takes others for forms as well, as Bottle does, needs another key. The
    body is read before the app gets it, and one above the ``limit`` is refused with 413.

    Args:
        name: of the field.
        limit: in bytes.
        normalize: brings the spellings of one account to one text. By default white space around it
            and case do not count, nor what Unicode holds compatible (NFKC). None to take it as it
            comes.

    Raises:
        ValueError: ``name`` is one that parsers read differently: it has a quote, a backslash, a
            semicolon or a percent-encoded quote, or a slash or white space at its beginning.
    """
    if not is_field_name(_check_text("name", name, "username")):
        raise ValueError(
            f'name must be one that all forms spell alike, such as "username", not {name!r}'
        )
    media_type = SingleField("Content-Type")

    def read(request: Request, body: bytes) -> str | None:
        return form_field(body, media_type.value(request) or "", name)

    return _of_body("form", name, limit, normalize, read)


def json(name: str, limit: int = _LIMIT, *, normalize: Normalize | None = folded) -> Key:
    """Return the key of a member of a JSON body: a string or an integer.

    It is None where the body is no JSON object, or has no such member. The body is read before the
    app gets it, and one above the ``limit`` is refused with 413. Its media type is not looked at,
    as many apps don't.

    Args:
        name: of a top-level member, or a JSON Pointer (RFC 6901) such as ``"/user/name"``.
        limit: in bytes.
        normalize: as in `form()`.

    Raises:
        ValueError: ``name`` is a malformed pointer.
    """
    path = parse_pointer(_check_text("name", name, "username"))

    def read(_request: Request, body: bytes) -> str | None:
        return json_member(body, path)

    return _of_body("json", name, limit, normalize, read)


def _of_body(
    factory: str,
    name: str,
    limit: int,
    normalize: Normalize | None,
    read: Callable[[Request, bytes], str | None],
) -> Key:
    check_int("limit", limit, most=_LARGEST, unit="bytes")
    if normalize is not None and not callable(normalize):
        raise TypeError(f"normalize must be a function of the text, or None, not {normalize!r}")
    encoding = SingleField("Content-Encoding")

    async def key(request: Request) -> str | None:
        body = await request.body(limit)
        if not body:
            return None
        try:
            # What is compressed can't be read here, though it may be by the app.
            if (encoding.value(request) or "identity").lower() != "identity":
                return AMBIGUOUS
            value = read(request, body)
        except Ambiguous:
            return AMBIGUOUS
        if value is None:
            return None
        return bounded(value if normalize is None else normalize(value))

    options: dict[str, object] = {}
    if limit != _LIMIT:
        options["limit"] = limit
    if normalize is not folded:
        options["normalize"] = normalize
    return Key(key, described(factory, name, **options))


def _closed(key: KeyFunction) -> KeyFunction:
    """Return the key, with one text for all that may be read in more than one way."""

    def closed(request: Request) -> Found:
        try:
            return key(request)
        except Ambiguous:
            return AMBIGUOUS

    return closed


def _check_text(option: str, value: str, example: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f'{option} must be text such as "{example}", not {value!r}')
    if not value or not value.isprintable():
        raise ValueError(f'{option} must be printable text such as "{example}", not {value!r}')
    return value

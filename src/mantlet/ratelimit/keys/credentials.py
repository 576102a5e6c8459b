"""Keys by the credential that a client sends: a header, a cookie or a bearer token.

A client with one credential must not be able to spell it in several ways, each with a bucket of its
own. A credential that is sent twice with different values is `AMBIGUOUS`, since frameworks disagree
on which of them counts.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from mantlet._internal.coroutines import is_coroutine_function
from mantlet.core.request import Request
from mantlet.http.headers import OVERSIZED, HeaderNames, is_token
from mantlet.ratelimit.keys.key import (
    AMBIGUOUS,
    Ambiguous,
    Key,
    KeyFunction,
    KeyResult,
    check_text,
    describe,
    digest,
    hash_if_long,
)

__all__ = ["SingleHeader", "bearer_subject", "cookie", "header"]

#: The result of verifying a token: its subject, all of its claims, or None if it is invalid.
Verified = str | Mapping[str, Any] | None
Verify = Callable[[str], Verified | Awaitable[Verified]]

# RFC 6750, 2.1.
_B64TOKEN = re.compile(r"[0-9A-Za-z\-._~+/]+=*")
#: The dots of a JSON Web Token: an encrypted one has four (RFC 7516, 3.1).
_MAX_DOTS = 4
#: The most percent-encoded characters of a cookie: it takes long to decode them.
_MAX_ESCAPES = 256


class SingleHeader:
    """Reads a header that a request should have at most once.

    Args:
        name: the header's name, in any case.

    Raises:
        ValueError: the name is not a token (RFC 9110, 5.6.2).
    """

    __slots__ = ("_name", "_names")

    def __init__(self, name: str) -> None:
        self._name = name
        self._names = HeaderNames(name)

    def joined(self, request: Request) -> str | None:
        """Return the header's value, several lines joined by commas, or None if it is missing."""
        return request.get_headers(self._names).get(self._name)

    def lines(self, request: Request) -> list[str]:
        """Return the value of each line of the header. WSGI servers have joined them already.

        Raises:
            Ambiguous: it has too many lines or bytes to be read.
        """
        lines = request.headers.getall(self._name)
        if lines == [OVERSIZED]:
            raise Ambiguous
        return [line.strip() for line in lines]

    def value(self, request: Request) -> str | None:
        """Return the header's value, or None if it is missing or empty.

        Raises:
            Ambiguous: it has several values, of which some frameworks take the first and others the
                last; or see `lines()`.
        """
        value = self.joined(request)
        if value and ("," in value or value == OVERSIZED):
            value, *others = set(self.lines(request))
            if others:
                raise Ambiguous
        return (value and value.strip()) or None


def header(name: str) -> Key:
    """Return the key of a header's value, hashed.

    It is None if the header is missing or empty. The value is not verified, so use it only if the
    app rejects unknown values, as it does with API keys.

    Args:
        name: the header's name, in any case.

    Raises:
        ValueError: ``name`` is not a token (RFC 9110, 5.6.2).
    """
    reader = SingleHeader(check_text("name", name, "X-API-Key"))

    def key(request: Request) -> str | None:
        value = reader.value(request)
        return None if value is None else digest(value)

    return Key(_or_ambiguous(key), describe("header", name))


def cookie(name: str) -> Key:
    """Return the key of a cookie's value, hashed.

    It is None if the cookie is missing. The value is not verified, so use it only if the app
    rejects unknown values, as it does with session ids.

    Args:
        name: the cookie's name.

    Raises:
        ValueError: ``name`` is not a token (RFC 6265, 4.1.1).
    """
    if not is_token(check_text("name", name, "session")):
        raise ValueError(f'name must be a token such as "session" (RFC 6265, 4.1.1), not {name!r}')
    reader = SingleHeader("Cookie")
    pairs = re.compile(rf"(?:\A|;)\s*{re.escape(name)}\s*=([^;]*)")

    def key(request: Request) -> str | None:
        value = _cookie_value(reader.lines(request), pairs)
        return None if value is None else digest(value)

    return Key(_or_ambiguous(key), describe("cookie", name))


def bearer_subject(verify: Verify | None = None) -> Key:
    """Return the key of the subject of a bearer token (RFC 6750, 2.1).

    It is None if the token is missing or invalid.

    Args:
        verify: a function (``def`` or ``async def``) of the token. It returns the token's subject;
            its claims, of which ``sub`` is used; or None if the token is invalid. It must not raise
            for an invalid token: exceptions are not caught. Without ``verify`` the hash of the
            whole token stands for its subject, because unverified claims could name anyone; a
            subject then has one bucket for each token that it can obtain.
    """
    if verify is not None and not callable(verify):
        raise TypeError(f"verify must be a function of the token, not {verify!r}")
    reader = SingleHeader("Authorization")

    def key(request: Request) -> KeyResult:
        value = reader.value(request)
        token = value and _bearer_token(value)
        if not token:
            return None
        if verify is None:
            return digest(_canonical_token(token))
        verified = verify(token)
        if isinstance(verified, Awaitable):
            return _await_subject(verified, token)
        return _subject(verified, token)

    name = describe("bearer_subject", **({} if verify is None else {"verify": verify}))
    return Key(_or_ambiguous(key), name, waits=is_coroutine_function(verify))


def _or_ambiguous(key: KeyFunction) -> KeyFunction:
    """Return a key that is `AMBIGUOUS` for requests that may be read in more than one way."""

    def checked(request: Request) -> KeyResult:
        try:
            return key(request)
        except Ambiguous:
            return AMBIGUOUS

    return checked


def _cookie_value(lines: Iterable[str], pairs: re.Pattern[str]) -> str | None:
    """Return the value of a cookie, or None if it is missing.

    Args:
        lines: the lines of the ``Cookie`` header, of which HTTP/2 allows several (RFC 9113, 8.2.3).
        pairs: finds the cookies of that name, each with its value.

    Raises:
        Ambiguous: it has several values, of which some frameworks take the first and others the
            last; its quoted value contains a backslash, which some frameworks decode; or it has
            many percent-encoded characters.
    """
    found: set[str] = set()
    # The same text has the same value: most lines of a flood are read once.
    for text in {match for line in lines for match in pairs.findall(line)}:
        value = text.strip()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
            if "\\" in value:
                raise Ambiguous
        if value.count("%") > _MAX_ESCAPES:
            raise Ambiguous
        found.add(unquote(value))  # as Litestar does
        if len(found) > 1:
            raise Ambiguous
    return found.pop() if found else None


def _bearer_token(authorization: str) -> str | None:
    """Return the token of an ``Authorization`` header (RFC 6750, 2.1).

    Args:
        authorization: the header's value.

    Returns:
        None if the scheme is another, or the token is missing.

    Raises:
        Ambiguous: the text after the scheme is not a token.
    """
    scheme, *rest = authorization.split(maxsplit=1)
    if scheme.lower() != "bearer" or not rest:
        return None
    token = rest[0].strip()
    if not _B64TOKEN.fullmatch(token):
        raise Ambiguous
    return token


async def _await_subject(waiting: Awaitable[Verified], token: str) -> str | None:
    return _subject(await waiting, token)


def _subject(verified: Verified, token: str) -> str | None:
    """Return the key of a token's subject. A valid token without a subject stands for itself."""
    if verified is None:
        return None
    checked: object = verified
    if not isinstance(checked, str | Mapping):
        raise TypeError(
            f"verify must return a subject, claims or None, not {type(checked).__name__}"
        )
    subject = verified if isinstance(verified, str) else verified.get("sub")
    return digest(_canonical_token(token)) if subject is None else hash_if_long(str(subject))


def _canonical_token(token: str) -> str:
    """Return the one text that all spellings of a token share.

    The signature of a JSON Web Token has many spellings: Python's Base64 decoder skips characters
    such as ``~`` that are not in the alphabet, and checks neither the padding nor the last bits.
    """
    if not 0 < token.count(".") <= _MAX_DOTS:
        return token
    return ".".join(map(_decode_segment, token.split(".")))


def _decode_segment(segment: str) -> str:
    try:
        return urlsafe_b64decode(segment + "==").hex()
    except ValueError:
        return segment

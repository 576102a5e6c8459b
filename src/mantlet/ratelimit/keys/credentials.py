"""What a request carries to say who sent it: header fields, cookies and bearer tokens.

Whoever has one credential must not be able to spell it in many ways, each with a bucket of its own.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from urllib.parse import unquote

from mantlet.core.request import Request
from mantlet.http.headers import FieldNames
from mantlet.ratelimit.keys.texts import Ambiguous

__all__ = ["SingleField", "bearer_token", "cookie_value", "token_text"]

# RFC 6750, 2.1.
_B64TOKEN = re.compile(r"[0-9A-Za-z\-._~+/]+=*")


class SingleField:
    """A header field that a request has at most once.

    Args:
        name: in any case.

    Raises:
        ValueError: the name is no token (RFC 9110, 5.6.2).
    """

    __slots__ = ("_lower", "_name", "_names")

    def __init__(self, name: str) -> None:
        self._name = name
        self._lower = name.lower()
        self._names = FieldNames(name)

    def lines(self, request: Request) -> list[str]:
        """Return the value of each line of it. A WSGI server has joined them already."""
        return [value.strip() for name, value in request.headers if name == self._lower]

    def value(self, request: Request) -> str | None:
        """Return its value, or None where it is missing or empty.

        Raises:
            Ambiguous: it came with several values, of which frameworks take the first or the last.
        """
        value = request.get_headers(self._names).get(self._name)
        if value and "," in value:
            lines = set(self.lines(request))
            if len(lines) > 1:
                raise Ambiguous
            # Under WSGI a name with an underscore reads with a hyphen there.
            value = lines.pop() if lines else value
        return (value and value.strip()) or None


def cookie_value(lines: Iterable[str], name: str) -> str | None:
    """Return the value of a cookie, or None where it is missing.

    Args:
        lines: of the field ``Cookie``, of which HTTP/2 allows several (RFC 9113, 8.2.3).
        name: of the cookie.

    Raises:
        Ambiguous: it came with several values, of which frameworks take the first or the last; or
            it is quoted with a backslash in it, which some of them decode.
    """
    found: set[str] = set()
    for line in lines:
        for pair in line.split(";"):
            key, equals, value = pair.partition("=")
            if not equals or key.strip() != name:
                continue
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
                if "\\" in value:
                    raise Ambiguous
            found.add(unquote(value))  # as Litestar does
    if len(found) > 1:
        raise Ambiguous
    return found.pop() if found else None


def bearer_token(authorization: str) -> str | None:
    """Return the token of a field ``Authorization`` (RFC 6750, 2.1).

    Args:
        authorization: the field's value.

    Returns:
        None where the scheme is another, or there is no token.

    Raises:
        Ambiguous: what follows the scheme is no token.
    """
    scheme, *rest = authorization.split(maxsplit=1)
    if scheme.lower() != "bearer" or not rest:
        return None
    token = rest[0].strip()
    if not _B64TOKEN.fullmatch(token):
        raise Ambiguous
    return token


def token_text(token: str) -> str:
    """Return the one text for all spellings of a token.

    The signature of a JSON Web Token has many: Python's decoder of Base64 leaves out what does not
    belong there, such as ``~``, and looks neither at padding nor at the last bits.
    """
    if "." not in token:
        return token
    return ".".join(map(_decoded, token.split(".")))


def _decoded(segment: str) -> str:
    try:
        return urlsafe_b64decode(segment + "==").hex()
    except ValueError:
        return segment

"""`Session`: the app's own sessions, by their cookie."""

import re
from collections.abc import Awaitable, Callable
from typing import Final

from mantlet._internal.options import KnowsOptions
from mantlet.authentication.callbacks import as_identity, call, check_callback
from mantlet.authentication.errors import AmbiguousCredential, InvalidCredential
from mantlet.authentication.scheme import Scheme
from mantlet.core.identity import Identity
from mantlet.core.request import Request
from mantlet.http.headers import OVERSIZED, is_token

__all__ = ["Session"]

#: RFC 6265, 6.1: browsers keep cookies of at most 4,096 bytes.
_MAX_LENGTH: Final = 4096
# RFC 6265, 4.1.1: cookie-octet. Readers differ in how they take anything else.
_VALUE: Final = re.compile(r"[!#-+\--:<-\[\]-~]+")

Loaded = Identity | str | None


class Session(KnowsOptions, Scheme):
    """Take who is asking from the app's own session, by its cookie.

    Mantlet makes no sessions and no log-in page: the app does, and ``load`` reads them. Browsers
    add cookies to the requests of any site, so a session counts only where the request has no other
    credential, and needs protection against cross-site requests: `CrossOrigin`.

    Args:
        load: a function (``def`` or ``async def``) of the cookie's value that returns an
            `Identity`, a subject, or None where there is no such session, or it has expired.
        cookie: the cookie's name; with ``__Host-`` in front of it, browsers keep other hosts of the
            domain from setting it.

    Raises:
        TypeError: ``load`` is not a function, or ``cookie`` not text.
        ValueError: ``cookie`` is not a token (RFC 6265, 4.1.1).
    """

    name = "session"
    header = "cookie"
    is_ambient = True
    challenge = "Cookie"

    def __init__(
        self, load: Callable[[str], Loaded | Awaitable[Loaded]], *, cookie: str = "session"
    ) -> None:
        if not isinstance(cookie, str):
            raise TypeError(f'cookie must be a name such as "session", not {cookie!r}')
        if not is_token(cookie):
            raise ValueError(
                f'cookie must be a token such as "session" (RFC 6265, 4.1.1), not {cookie!r}'
            )
        self.source = f"cookie {cookie}"
        self._load = check_callback("load", load)
        self._pairs = re.compile(rf"(?:\A|;)\s*{re.escape(cookie)}\s*(?:=([^;]*)|(?=;|\Z))")

    def find(self, request: Request) -> str | None:
        """Return the cookie's value.

        Raises:
            InvalidCredential: it is too long, or has characters that readers take differently.
            AmbiguousCredential: the cookie was sent with several values, of which readers take
                different ones.
        """
        lines = request.headers.getall("Cookie")  # HTTP/2 allows several (RFC 9113, 8.2.3)
        if lines == [OVERSIZED]:
            raise InvalidCredential("the cookies are too long")
        values = {value.strip() for line in lines for value in self._pairs.findall(line)}
        if len(values) > 1:
            raise AmbiguousCredential("the session's cookie must be sent once")
        value = values.pop() if values else ""
        if not value:
            return None
        if len(value) > _MAX_LENGTH or not _VALUE.fullmatch(value):
            raise InvalidCredential("the session's cookie is malformed")
        return value

    async def verify(self, request: Request, credential: str) -> Identity:
        """Return whose session it is.

        Raises:
            InvalidCredential: there is none.
        """
        return as_identity(await call(request, self._load, credential), self.name, "load")

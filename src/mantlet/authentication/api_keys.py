"""`ApiKeys`: keys of the app's own making, in a request header."""

from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from mantlet._internal.options import KnowsOptions
from mantlet.authentication.callbacks import as_identity, call, check_callback, check_expiry
from mantlet.authentication.errors import AmbiguousCredential, InvalidCredential
from mantlet.authentication.scheme import Scheme
from mantlet.core.identity import Identity
from mantlet.core.request import Request
from mantlet.http.headers import OVERSIZED, HeaderNames, check_name

__all__ = ["ApiKeys"]

#: In characters; a random key of 256 bits has 43 in Base64.
_MAX_LENGTH: Final = 1024
#: The length of a SHA-256 digest in hexadecimal digits.
_DIGEST_LENGTH: Final = 64

Found = Identity | str | None


class ApiKeys(KnowsOptions, Scheme):
    """Verify API keys by their digests, so that no key is stored anywhere.

    A key is random: at least 128 bits of `secrets.token_urlsafe()`. So its plain SHA-256 digest
    can't be inverted, and needs neither salt nor stretching, as a password's would. Right and wrong
    keys take the same work: one digest and one look-up, whose time depends on the digest alone.

    Args:
        lookup: who a key belongs to, by its digest: the 64 lower-case hexadecimal digits of
            ``hashlib.sha256(key.encode()).hexdigest()``. A mapping of digests to identities or
            subjects, or a function (``def`` or ``async def``) of the digest that returns an
            `Identity`, a subject, or None for an unknown key.
        header: the request header that holds the key.

    Raises:
        TypeError: ``lookup`` is neither a mapping nor a function.
        ValueError: ``header`` is not a token (RFC 9110, 5.1), or ``Authorization`` or ``Cookie``; a
            key of the mapping is not a digest.
    """

    name = "api_key"
    challenge = "ApiKey"

    def __init__(
        self,
        lookup: Mapping[str, Identity | str] | Callable[[str], Found | Awaitable[Found]],
        *,
        header: str = "X-API-Key",
    ) -> None:
        if not isinstance(header, str):
            raise TypeError(f'header must be a name such as "X-API-Key", not {header!r}')
        if check_name(header).lower() in ("authorization", "cookie"):
            raise ValueError(
                f'header must be one of its own, such as "X-API-Key", not {header!r}, which other '
                f"schemes read"
            )
        self.source = header
        self.header = header.lower()
        self._names = HeaderNames(self.header)
        # Any: see `callbacks`.
        self._function: Callable[..., Any] | None = None
        self._known: Mapping[str, Identity] = {}
        if isinstance(lookup, Mapping):
            self._known = {
                _check_digest(digest): value
                if isinstance(value, Identity)
                else as_identity(value, self.name, "lookup")
                for digest, value in lookup.items()
            }
        else:
            self._function = check_callback("lookup", lookup)

    def find(self, request: Request) -> str | None:
        """Return the request's key.

        Raises:
            InvalidCredential: it is too long, or has characters that no key has.
            AmbiguousCredential: there are several.
        """
        key = request.declared_headers(self._names).get(self.header, "").strip(" \t")
        if not key:
            return None
        if "," in key:  # as servers join lines
            raise AmbiguousCredential(f"{self.source} must be sent once")
        if len(key) > _MAX_LENGTH or key == OVERSIZED:
            raise InvalidCredential("the key is too long")
        if not key.isascii() or not key.isprintable():
            raise InvalidCredential("the key has characters other than printable ASCII")
        return key

    def verify(self, request: Request, credential: str) -> Identity | Awaitable[Identity]:
        """Return who a key belongs to.

        Raises:
            InvalidCredential: it is unknown, or has expired.
        """
        digest = sha256(credential.encode()).hexdigest()
        if self._function is None:
            identity = self._known.get(digest)
            if identity is None:
                raise InvalidCredential("the key is unknown")
            return check_expiry(identity)
        return self._look_up(request, self._function, digest)

    async def _look_up(
        self, request: Request, function: Callable[..., Any], digest: str
    ) -> Identity:
        return as_identity(await call(request, function, digest), self.name, "lookup")


def _check_digest(digest: object) -> str:
    if not isinstance(digest, str):
        raise TypeError(f"lookup must have digests as text, not {type(digest).__name__}")
    if len(digest) != _DIGEST_LENGTH or not set(digest) <= set("0123456789abcdef"):
        # The text itself may be a key, so it is not shown.
        raise ValueError(
            "lookup must have digests of keys, 64 lower-case hexadecimal digits as of "
            "hashlib.sha256(key.encode()).hexdigest(), not the keys themselves"
        )
    return digest

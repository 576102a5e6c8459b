"""`Basic`: user names and passwords with every request (RFC 7617)."""

from base64 import b64decode
from binascii import Error
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from mantlet._internal.options import KnowsOptions
from mantlet.authentication.callbacks import as_identity, call, check_callback
from mantlet.authentication.errors import InvalidCredential
from mantlet.authentication.scheme import Scheme
from mantlet.core.identity import Identity
from mantlet.core.request import Request

__all__ = ["Basic"]

#: In characters of Base64: enough for 384 bytes of name and password.
_MAX_LENGTH: Final = 512

Verified = Identity | str | bool | None


class Basic(KnowsOptions, Scheme):
    """Verify a user name and a password with a function of the app.

    The password goes with every request, so use it with HTTPS alone, and for machines rather than
    people.

    Args:
        verify: a function (``def`` or ``async def``) of the user name and the password. It returns
            an `Identity`, a subject, or True for the user name itself; None or False if they are
            wrong. It has to compare hashes made for passwords, such as argon2 or scrypt, and to
            compute one for an unknown user as well: else its time tells which users exist. Under
            ASGI a ``def`` runs in a thread, as a hash takes long.

    Raises:
        TypeError: ``verify`` is not a function.
    """

    name = "basic"
    source = "Basic"
    authorization = ("Basic",)
    challenge = 'Basic charset="UTF-8"'

    def __init__(self, verify: Callable[[str, str], Verified | Awaitable[Verified]]) -> None:
        self._verify = check_callback("verify", verify)

    async def verify(self, request: Request, credential: str) -> Identity:
        """Return whose user name and password they are.

        Raises:
            InvalidCredential: they are malformed or wrong.
        """
        user, password = _decode(credential)
        result = await call(request, self._verify, user, password)
        if result is True:
            result = user
        return as_identity(None if result is False else result, self.name, "verify")


def _decode(credential: str) -> tuple[str, str]:
    """Return the user name and the password (RFC 7617, 2 and 2.1)."""
    if len(credential) > _MAX_LENGTH:
        raise InvalidCredential("the user name and the password are too long")
    text = None
    with suppress(Error, ValueError):  # a UnicodeDecodeError has the password
        text = b64decode(credential, validate=True).decode()
    if text is None:
        raise InvalidCredential("the user name and the password are not UTF-8 in Base64")
    user, colon, password = text.partition(":")
    if not colon or not user:
        raise InvalidCredential("there is no user name")
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in user + password):
        raise InvalidCredential("the user name or the password has control characters")
    return user, password

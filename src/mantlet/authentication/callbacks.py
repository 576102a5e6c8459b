"""The app's own functions that say who a credential belongs to.

An ``async def`` is awaited. A ``def`` may wait for a database, or compute a password's hash, so
under ASGI it runs in a thread of the event loop's own pool; under WSGI it is called at once.
"""

from collections.abc import Awaitable, Callable
from time import time
from typing import Any

from mantlet._internal.coroutines import is_coroutine_function
from mantlet.authentication.errors import InvalidCredential
from mantlet.core.identity import Identity
from mantlet.core.request import Request

__all__ = ["as_identity", "call", "check_callback", "check_expiry"]


# Any: the arguments and the result of the app's own function.
def check_callback(option: str, function: Any) -> Callable[..., Any]:
    """Return an option that is a function.

    Raises:
        TypeError: it can't be called. The message has nothing of it: it may be a credential.
    """
    if not callable(function):
        raise TypeError(
            f"{option} must be a function, def or async def, not {type(function).__name__}"
        )
    checked: Callable[..., Any] = function
    return checked


async def call(request: Request, function: Callable[..., Any], *args: object) -> Any:
    """Call a function of the app: see the module."""
    if is_coroutine_function(function):
        return await function(*args)
    result = await request.run_in_thread(function, *args)
    return await result if isinstance(result, Awaitable) else result


def as_identity(result: object, scheme: str, option: str) -> Identity:
    """Return the identity that a function of the app has returned.

    Args:
        result: an `Identity`, the subject's name, or None for an invalid credential.
        scheme: `Identity.scheme` of one that is made here.
        option: the function's name, for the error.

    Raises:
        InvalidCredential: the result is None, or has expired.
        TypeError: the result is of another type.
    """
    if isinstance(result, Identity):
        return check_expiry(result)
    if result is None:
        raise InvalidCredential(f"{option} knows no such credential")
    if not isinstance(result, str) or not result:
        raise TypeError(
            f"{option} must return a mantlet.Identity, the subject's name or None, "
            f"not {type(result).__name__}"
        )
    return Identity(result, scheme)


def check_expiry(identity: Identity) -> Identity:
    """Return an identity.

    Raises:
        InvalidCredential: it has expired.
    """
    if identity.expires is not None and identity.expires <= time():
        raise InvalidCredential("the credential has expired")
    return identity

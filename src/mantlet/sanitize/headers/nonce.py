"""The nonce of a page's Content-Security-Policy, as the app and its templates read it."""

import os
from base64 import b64encode
from typing import Any

from mantlet.core.context import KEY, current_scope
from mantlet.core.state import State, state

__all__ = ["csp_nonce", "csp_nonce_context", "new_nonce"]


def new_nonce() -> str:
    """Return 128 random bits (CSP Level 3, 7.1)."""
    return b64encode(os.urandom(16)).decode()


# Any: each framework's request is a class of its own, and none of them is imported here.
def csp_nonce(request: Any = None) -> str:
    """Return the nonce of the current response, for ``<script nonce="...">``.

    Without a policy, as in a test or with ``MANTLET_MODE=off``, it is empty, and no policy requires
    one.

    Args:
        request: as for `mantlet.state()`; None for the request that is being handled in this
            context.

    Returns:
        The nonce; empty if no `Csp` of the stack has one.

    Raises:
        TypeError: ``request`` has neither an environ nor a scope.
    """
    found: State | None = current_scope().get(KEY) if request is None else state(request)
    return (found and found._csp_nonce) or ""


# Any: as above.
def csp_nonce_context(request: Any = None) -> dict[str, str]:
    """Return ``{"csp_nonce": ...}``: a context processor for templates.

    It is one for Django's templates, for Starlette's ``Jinja2Templates``, for Flask and for Quart.

    Args:
        request: as for `csp_nonce()`.
    """
    return {"csp_nonce": csp_nonce(request)}

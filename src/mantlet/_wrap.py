"""`wrap()`: find out an app's protocol, and put policies around it."""

from collections.abc import Callable
from inspect import isclass, iscoroutinefunction, signature
from typing import Any, overload
from wsgiref.types import WSGIApplication

from mantlet import asgi, wsgi
from mantlet._internal.asgi_types import AsgiApp
from mantlet.core.policy import Policy

__all__ = ["wrap"]


@overload
def wrap(app: WSGIApplication, *policies: Policy) -> wsgi.Stack: ...
@overload
def wrap(app: AsgiApp, *policies: Policy) -> asgi.Stack: ...
def wrap(app: Any, *policies: Policy) -> asgi.Stack | wsgi.Stack:
    """Wrap a WSGI or ASGI app in policies, the outermost first.

    Without policies the app gets the baseline: what is safe for every app and needs no decision.
    A wrapped app that is wrapped again has all its policies in one stack.

    Args:
        app: the app. Its protocol is found by its signature; `mantlet.asgi.wrap` and
            `mantlet.wsgi.wrap` say it.
        policies: what goes around the app.

    Raises:
        TypeError: the app is neither WSGI nor ASGI, or could be both; or a policy is none.
    """
    if _is_asgi(app):
        return asgi.wrap(app, *policies)
    return wsgi.wrap(app, *policies)


def _is_asgi(app: Any) -> bool:
    if not callable(app) or isclass(app):
        raise TypeError(f"app must be a WSGI or ASGI app, not {app!r}{_REMEDY}")
    three = _takes(app, 3)
    if three and (_is_async(app) or not _takes(app, 2)):
        return True
    if not three and _takes(app, 2):
        return False
    nature = "could be WSGI or ASGI" if three else "is neither WSGI nor ASGI"
    raise TypeError(f"{app!r} {nature} by its signature{_REMEDY}")


_REMEDY = "; mantlet.wsgi.wrap() and mantlet.asgi.wrap() take an app as what they say"


def _is_async(app: Callable[..., Any]) -> bool:
    while hasattr(app, "func"):  # functools.partial
        app = app.func
    call = getattr(app, "__call__", None)  # noqa: B004  # its kind is asked for, not whether it is
    return iscoroutinefunction(app) or iscoroutinefunction(call)


def _takes(app: Callable[..., Any], count: int) -> bool:
    """Return whether ``app`` can be called with ``count`` positional arguments."""
    try:
        signature(app).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True

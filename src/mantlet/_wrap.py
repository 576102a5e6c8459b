"""`wrap()` and `install()`: from an app to a protected app."""

from collections.abc import Callable
from inspect import isclass, signature
from typing import TYPE_CHECKING, Any, TypeVar, overload

from mantlet._internal.coroutines import is_coroutine_function
from mantlet.core.lifecycle import Startup
from mantlet.core.policy import Policy

if TYPE_CHECKING:  # each adapter is loaded for the apps of its protocol
    from wsgiref.types import WSGIApplication

    from mantlet import asgi, wsgi
    from mantlet._internal.asgi_types import AsgiApp

__all__ = ["install", "wrap"]

FrameworkApp = TypeVar("FrameworkApp")


@overload
def wrap(
    app: "WSGIApplication", *policies: Policy, baseline: bool = True, startup: Startup = "eager"
) -> "wsgi.Stack": ...
@overload
def wrap(
    app: "AsgiApp", *policies: Policy, baseline: bool = True, startup: Startup = "eager"
) -> "asgi.Stack": ...
def wrap(
    app: Any, *policies: Policy, baseline: bool = True, startup: Startup = "eager"
) -> "asgi.Stack | wsgi.Stack":
    """Wrap a WSGI or ASGI app in policies and in the baseline, and return the new app.

    The baseline is safe for every app and needs no decision: an `OutputSanitizer` around an
    `ErrorEnvelope`, outside of the other policies. A policy that you pass takes the place of the
    baseline's of the same class. An app that is already wrapped keeps one stack and one baseline.

    An order of policies in which one of them cannot work, such as an `ErrorEnvelope` inside a
    `RateLimiter`, is a `UserWarning` that names both.

    Args:
        app: the app. Its protocol is detected by its signature; `mantlet.asgi.wrap` and
            `mantlet.wsgi.wrap` take it as given.
        policies: the policies to put around the app, the outermost first.
        baseline: False for these policies alone.
        startup: with ``"eager"``, policies start before the first request, and one that can't start
            stops the server: under ASGI by the lifespan, under WSGI by a `StartupError` of this
            function. With ``"lazy"``, a policy starts with the first request that needs it. Until
            it has started, these requests are refused with 503, and the start is attempted again
            every one to ten seconds.

    Raises:
        StartupError: a policy can't start, around a WSGI app.
        TypeError: the app is neither WSGI nor ASGI, or could be both; or an argument is not a
            `Policy`.
        ValueError: ``startup`` is unknown.
    """
    from mantlet.integrations.mistakes import warn_of_bare_app  # for wrap() alone

    wrap_it = _wrap_asgi if _is_asgi(app) else _wrap_wsgi
    warn_of_bare_app(app)
    return wrap_it(app, policies, baseline=baseline, startup=startup)


def install(
    app: FrameworkApp, *policies: Policy, baseline: bool = True, startup: Startup = "eager"
) -> FrameworkApp:
    """Put policies and the baseline into a framework's own app, and return that app.

    The app keeps its type, so ``flask run``, ``fastapi dev``, test clients and type checkers still
    work. The policies are outermost, also around middleware that is added later. The baseline and
    the order of policies are those of `wrap()`. Calling it again for the same app extends its
    stack.

    Args:
        app: an app of Flask, Quart, Starlette or FastAPI.
        policies: the policies to put around it, the outermost first.
        baseline: False for these policies alone.
        startup: when the policies start, as for `wrap()`.

    Raises:
        RuntimeError: the Starlette or FastAPI app has started already.
        StartupError: a policy can't start, around a Flask app.
        TypeError: the app is of another framework; `wrap()` takes it. Or an argument is not a
            `Policy`.
        ValueError: ``startup`` is unknown.
    """
    from mantlet.integrations.install import Wrappers, install_stack  # for install() alone

    install_stack(
        app,
        Wrappers(
            asgi=lambda inner: _wrap_asgi(inner, policies, baseline=baseline, startup=startup),
            wsgi=lambda inner: _wrap_wsgi(inner, policies, baseline=baseline, startup=startup),
        ),
    )
    return app


def _wrap_asgi(
    app: Any, policies: tuple[Policy, ...], *, baseline: bool, startup: Startup
) -> "asgi.Stack":
    from mantlet import asgi  # for apps of its protocol

    return asgi.wrap(app, *policies, baseline=baseline, startup=startup)


def _wrap_wsgi(
    app: Any, policies: tuple[Policy, ...], *, baseline: bool, startup: Startup
) -> "wsgi.Stack":
    from mantlet import wsgi  # for apps of its protocol

    return wsgi.wrap(app, *policies, baseline=baseline, startup=startup)


def _is_asgi(app: Any) -> bool:
    if isinstance(app, Policy):
        raise TypeError(f"the app comes before the policies: wrap(app, {type(app).__name__}(...))")
    if not callable(app):
        raise TypeError(f"app must be a WSGI or ASGI app, not {app!r}")
    if isclass(app):
        raise TypeError(f"app must be a WSGI or ASGI app, not {app!r}{_REMEDY}")
    found = _protocol(app)
    if found is None:
        from mantlet.integrations.mistakes import factory_hint  # for a mistake alone

        if _takes(app, 3):
            raise TypeError(f"{app!r} could be WSGI or ASGI by its signature{_REMEDY}")
        remedy = factory_hint(app) or _REMEDY
        raise TypeError(f"{app!r} is neither WSGI nor ASGI by its signature{remedy}")
    return found


_REMEDY = "; use mantlet.wsgi.wrap() or mantlet.asgi.wrap() to state its protocol"


def _protocol(app: Any, depth: int = 8) -> bool | None:
    """Return whether an app is ASGI, by its signature or else by that of the app that it wraps."""
    call = getattr(app, "__call__", app)  # noqa: B004  # Sentry's is an attribute of the instance
    for candidate in (app, call):
        three, two = _takes(candidate, 3), _takes(candidate, 2)
        if three and (is_coroutine_function(candidate) or not two):
            return True
        if two and not three:
            return False
        if two and three and (named := _by_parameters(candidate)) is not None:
            return named
    from mantlet.integrations.app_search import held_apps  # for wrappers alone

    found = {_protocol(one, depth - 1) for one in held_apps(app)} if depth else set()
    return found.pop() if len(found) == 1 else None


def _by_parameters(app: Callable[..., Any]) -> bool | None:
    """Return whether the first parameter has ASGI's name, or False for WSGI's."""
    first = next(iter(signature(app).parameters), None)
    return {"scope": True, "environ": False}.get(first or "")


def _takes(app: Callable[..., Any], count: int) -> bool:
    """Return whether ``app`` can be called with ``count`` positional arguments."""
    try:
        signature(app).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True

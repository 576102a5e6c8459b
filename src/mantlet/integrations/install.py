"""Put a stack into a framework's own app object, in the framework's own way.

Flask and Quart have an attribute that holds the inner app (``wsgi_app``, ``asgi_app``). Starlette,
and so FastAPI, build their middleware stack when the app starts: the policies go around its result,
and so stay outermost wherever middleware is added later.

No framework is imported: an app is recognised by the names of its classes.
"""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from mantlet.integrations.app_search import kinds_of
from mantlet.integrations.mistakes import factory_hint

__all__ = ["StackBuilder", "Wrappers", "install_stack"]


class Wrappers(NamedTuple):
    """Functions that put the policies around an app of each protocol, and return the stack."""

    asgi: Callable[[Any], Any]
    wsgi: Callable[[Any], Any]


# Any: the frameworks' own app classes, which are not imported here.
def install_stack(app: Any, wrappers: Wrappers) -> None:
    """Put a stack into a Flask, Quart, Starlette or FastAPI app.

    Raises:
        RuntimeError: the Starlette or FastAPI app has started already.
        TypeError: the app is of another framework.
    """
    kinds = kinds_of(app)
    if ("flask", "Flask") in kinds:
        app.wsgi_app = wrappers.wsgi(app.wsgi_app)
    elif ("quart", "Quart") in kinds:
        app.asgi_app = wrappers.asgi(app.asgi_app)
    elif ("starlette", "Starlette") in kinds:
        _install_in_starlette(app, wrappers.asgi)
    else:
        hint = factory_hint(app) or "; use app = mantlet.wrap(app, ...)"
        raise TypeError(
            f"install() supports apps of Flask, Quart, Starlette and FastAPI, not {app!r}{hint}"
        )


def _install_in_starlette(app: Any, wrap: Callable[[Any], Any]) -> None:
    if app.middleware_stack is not None:
        raise RuntimeError(
            f"{app!r} has already started; call mantlet.install() before its first request"
        )
    installed = app.build_middleware_stack
    if isinstance(installed, StackBuilder):
        installed.stack = wrap(installed.stack)
    else:
        app.build_middleware_stack = StackBuilder(installed, wrap(app))


class StackBuilder:
    """Build Starlette's middleware stack, and put the policies around it.

    Args:
        build: the app's own ``build_middleware_stack``.
        stack: the policies, checked, around the app itself as a placeholder.
    """

    def __init__(self, build: Callable[[], Any], stack: Any) -> None:
        self._build = build
        self.stack = stack

    def __call__(self) -> Any:
        """Return the built stack with the policies around it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # install() has given them
            return type(self.stack)(self._build(), self.stack.policies, startup=self.stack._startup)

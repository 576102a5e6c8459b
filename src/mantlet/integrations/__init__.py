"""Support for single frameworks, none of which is imported.

The apps of frameworks in the wrapped app are found when it is wrapped, and again before its first
request, since mounts and handlers may be added in between. Each gets handlers in its own way, which
do nothing outside of an exchange of a stack.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr
from mantlet.core.policy import Policy
from mantlet.integrations.app_root_paths import find_root_paths
from mantlet.integrations.app_search import find_apps
from mantlet.integrations.falcon import hook_falcon
from mantlet.integrations.flask import hook_flask, hook_quart
from mantlet.integrations.litestar import hook_litestar
from mantlet.integrations.route_search import report_routes
from mantlet.integrations.signals import connect_signals
from mantlet.integrations.starlette import (
    hook_exception_middleware,
    hook_server_error_middleware,
    hook_starlette,
)

__all__ = ["find_root_paths", "observe_exceptions", "report_routes"]

#: By the name of the app's class.
_HOOKS: Final[Mapping[str, Callable[[Any, Iterable[type]], None]]] = {
    "App": hook_falcon,
    "ExceptionMiddleware": hook_exception_middleware,
    "Flask": hook_flask,
    "Litestar": hook_litestar,
    "Quart": hook_quart,
    "ServerErrorMiddleware": hook_server_error_middleware,
    "Starlette": hook_starlette,
}


# Any: the frameworks' own app classes, which are not imported here.
def observe_exceptions(app: Any, policies: Iterable[Policy]) -> None:
    """Have the apps in ``app`` report the exceptions that they handle, and answer refusals.

    Args:
        app: the wrapped app.
        policies: the policies around it, among them those that say which exceptions are refusals.
    """
    connect_signals()
    refusals: set[type] = set()
    for policy in policies:
        classes = safe_getattr(policy, "refused_classes")
        if classes is not None:
            refusals |= classes()
    for name, found in find_apps(app):
        _HOOKS[name](found, refusals)

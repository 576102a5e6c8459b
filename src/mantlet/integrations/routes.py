"""The template of the route that a framework took a request by, as it leaves it behind."""

from collections.abc import Mapping
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr

__all__ = ["ROUTE", "route_template"]

#: Where a framework's signal leaves it, for those that keep it out of the environ and the scope.
ROUTE: Final = "mantlet.route"


def route_template(carrier: Mapping[str, Any]) -> str | None:
    """Return the template, such as ``/users/{id}``, or None where no framework has left one.

    Args:
        carrier: the environ or the scope.
    """
    route = carrier.get("route")  # Starlette, FastAPI
    found = (
        carrier.get(ROUTE)
        or carrier.get("path_template")  # Litestar
        or safe_getattr(route, "path_format")
        or safe_getattr(route, "path")
    )
    return found if isinstance(found, str) else None

"""The operations of apps, as their frameworks declare them.

FastAPI's routes are read as they are, so that a guard validates with the app's own types
(`fastapi`). Litestar, flask-smorest and apispec generate an OpenAPI document (`documents`).
"""

from importlib import import_module
from typing import Any, NamedTuple

from mantlet._internal.extras import import_extra
from mantlet.guard.apps.documents import AppDocument, app_document
from mantlet.guard.apps.fastapi import is_fastapi
from mantlet.guard.coverage import OperationSource
from mantlet.guard.limits import BodyLimits
from mantlet.guard.options import DocumentOptions

__all__ = ["AppDeclarations", "read_app"]


class AppDeclarations(NamedTuple):
    """A FastAPI app, whose routes declare its operations."""

    app: Any  # its class is not imported here

    def source(self, options: DocumentOptions, limits: BodyLimits) -> OperationSource:
        """Return its operations."""
        import_extra("pydantic", "guard")
        import_extra("jiter", "guard")
        module = import_module("mantlet.guard.apps.fastapi_source")
        source: OperationSource = module.FastApiSource(self.app, options, limits)
        return source


# Any: apps of frameworks that are not imported here.
def read_app(app: Any) -> AppDeclarations | AppDocument:
    """Return the declarations of an app.

    Raises:
        TypeError: the app has another type.
        ValueError: the document of the app is turned off.
    """
    return AppDeclarations(app) if is_fastapi(app) else app_document(app)

"""Run it from the repository's root: ``uvicorn examples.reference.asgi:app``."""

from examples.reference.adapters.web.fastapi_app import create_app
from examples.reference.composition import Backend
from examples.reference.config import Settings

_backend = Backend(Settings())
app = create_app(_backend.controllers, _backend.policies)

"""Run it from the repository's root: ``gunicorn --threads 8 examples.reference.wsgi:app``."""

from examples.reference.adapters.web.flask_app import create_app
from examples.reference.composition import Backend
from examples.reference.config import Settings

_backend = Backend(Settings())
app = create_app(_backend.controllers, _backend.policies)

"""The apps that the servers load: each framework's, bare and wrapped."""

import mantlet
from benchmarks.apps import fastapi_app, flask_app
from benchmarks.stacks import two
from benchmarks.traffic import Order
from mantlet import SchemaGuard

fastapi_bare = fastapi_app()
fastapi_wrapped = mantlet.wrap(fastapi_app(), *two(), baseline=False)
fastapi_guarded = mantlet.wrap(fastapi_app(), SchemaGuard({"POST /orders": Order}), baseline=False)

flask_bare = flask_app()
flask_wrapped = mantlet.wsgi.wrap(flask_app(), *two(), baseline=False)

"""A pytest plugin for test_apps.py: it wraps every app of a suite, and notes which tests passed.

``MANTLET_SUITE`` names the kind of app: where the suite's apps are made, or where its test client
calls them; without it the apps stay bare. ``MANTLET_RESULTS`` is the file for the results.
"""

import json
import os
import re
from functools import wraps
from io import BytesIO
from pathlib import Path
from typing import Any

import mantlet


def _wrap_flask() -> None:
    import flask

    _install_after(flask.Flask)


def _wrap_quart() -> None:
    import quart

    _install_after(quart.Quart)


# Any: the suites' own classes and functions, which are replaced.
def _install_after(kind: Any) -> None:
    """Install the baseline in each app that is made."""
    make = kind.__init__

    @wraps(make)
    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        mantlet.install(self)

    kind.__init__ = made


def _wrap_werkzeug() -> None:
    import werkzeug.test

    run = werkzeug.test.run_wsgi_app

    @wraps(run)
    def wrapped(app: Any, *args: Any, **kwargs: Any) -> Any:
        return run(mantlet.wsgi.wrap(app), *args, **kwargs)

    werkzeug.test.run_wsgi_app = wrapped


def _wrap_starlette() -> None:
    import starlette.testclient

    make = starlette.testclient.TestClient.__init__

    @wraps(make)
    def made(self: Any, app: Any, *args: Any, **kwargs: Any) -> None:
        if starlette.testclient._is_asgi3(app):
            app = mantlet.asgi.wrap(app)
        make(self, app, *args, **kwargs)

    starlette.testclient.TestClient.__init__ = made  # type: ignore[method-assign]  # for the suite


def _wrap_datasette() -> None:
    from datasette.app import Datasette

    make = Datasette.app

    @wraps(make)
    def made(self: Any) -> Any:
        return mantlet.asgi.wrap(make(self))

    Datasette.app = made


def _wrap_django() -> None:
    """Have Django's test client call its handler through WSGI, with the baseline around it."""
    from django.test.client import ClientHandler

    call = ClientHandler.__call__

    @wraps(call)
    def wrapped(self: Any, environ: dict[str, Any]) -> Any:
        responses = []

        def app(environ: dict[str, Any], start_response: Any) -> Any:
            response = call(self, environ)
            responses.append(response)
            status = f"{response.status_code} {response.reason_phrase}"
            cookies = [("Set-Cookie", one.OutputString()) for one in response.cookies.values()]
            start_response(status, [*response.items(), *cookies])
            return response.streaming_content if response.streaming else response

        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            head[:] = [int(status[:3]), headers]
            return BytesIO().write

        result = mantlet.wsgi.wrap(app)(environ, start_response)
        (response,) = responses
        if response.streaming:
            response.streaming_content = result
        else:
            response.content = b"".join(result)
        response.status_code = head[0]
        for name in list(response.headers):
            del response.headers[name]
        for name, value in head[1]:
            if name.lower() != "set-cookie":
                response.headers[name] = value
        return response

    ClientHandler.__call__ = wrapped


_KINDS = {
    "datasette": _wrap_datasette,
    "django": _wrap_django,
    "flask": _wrap_flask,
    "quart": _wrap_quart,
    "starlette": _wrap_starlette,
    "werkzeug": _wrap_werkzeug,
}

_results: dict[str, bool] = {}


# Any: pytest's report, whose type is not public.
def pytest_runtest_logreport(report: Any) -> None:
    """Note whether a test passed in all of its phases; those that are skipped are left out."""
    if not report.skipped:
        name = re.sub("0x[0-9a-f]+", "0x", report.nodeid)
        _results[name] = _results.get(name, True) and report.passed


def pytest_sessionfinish() -> None:
    """Write the results."""
    Path(os.environ["MANTLET_RESULTS"]).write_text(json.dumps(_results))


if os.environ.get("MANTLET_SUITE"):
    _KINDS[os.environ["MANTLET_SUITE"]]()

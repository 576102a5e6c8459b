"""Random apps of flask-smorest judge random requests as their guards do, or these are stricter."""

from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mantlet
from mantlet.guard import SchemaGuard
from tests.drive import Answer, drive_wsgi
from tests.guard.apps.document_requests import requests
from tests.guard.apps.document_verdicts import compare
from tests.guard.apps.fastapi_requests import Asked
from tests.guard.apps.smorest_apps import cases

pytestmark = pytest.mark.slow


def ask(app: Any, asked: Asked) -> Answer:
    """Send a request to an app."""
    return drive_wsgi(
        app,
        asked.method,
        unquote(asked.path),
        body=asked.body,
        headers=[pair for pair in asked.headers if pair[0] != "Content-Length"],
        environ={"QUERY_STRING": asked.query, "RAW_URI": f"{asked.path}?{asked.query}"},
    )


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_guard_lets_in_whom_flask_smorest_lets_in(data: st.DataObject) -> None:
    """A request that runs the view passes, or is refused in a way that is documented."""
    judge(data)


def judge(data: st.DataObject) -> None:
    """Compare the verdicts on one app."""
    case = data.draw(cases())
    guard = SchemaGuard.from_app(case.source)
    stack = mantlet.wsgi.wrap(case.app, guard, baseline=False)
    for _ in range(8):
        asked = data.draw(requests(case))
        compare(case, asked, ask(case.app, asked), ask(stack, asked))

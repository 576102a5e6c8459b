"""Random Litestar apps judge random requests as their guards do, or the guards are stricter."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mantlet
from mantlet.guard import SchemaGuard
from tests.guard.apps.document_requests import requests
from tests.guard.apps.document_verdicts import compare
from tests.guard.apps.litestar_apps import cases
from tests.guard.apps.test_fastapi_differential import ask

pytestmark = pytest.mark.slow


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_guard_lets_in_whom_litestar_lets_in(data: st.DataObject) -> None:
    """A request that runs the handler passes, or is refused in a way that is documented."""
    judge(data)


def judge(data: st.DataObject) -> None:
    """Compare the verdicts on one app."""
    case = data.draw(cases())
    guard = SchemaGuard.from_app(case.source)
    stack = mantlet.asgi.wrap(case.app, guard, baseline=False)
    for _ in range(8):
        asked = data.draw(requests(case))
        compare(case, asked, ask(case.app, asked), ask(stack, asked))

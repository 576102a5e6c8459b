"""No spelling of a path gets a forged request past an exemption of another route."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings

from mantlet import CrossOrigin, asgi, wsgi
from tests.drive import drive_asgi, drive_wsgi
from tests.ratelimit.routed_apps import variants
from tests.ratelimit.test_route_spellings import ROOTS, TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

APPS = {name: one for name, one in variants(Path()).items() if "login" in one[2]}
FORGED = [("Host", "app.example"), ("Cookie", "session=1"), ("Sec-Fetch-Site", "cross-site")]


@pytest.fixture(scope="module", params=APPS)
def ask(request: pytest.FixtureRequest) -> Iterator[Callable[[str, str], set[str]]]:
    """A function that sends a forged request; it returns the endpoints that this has reached."""
    protocol, build, rules = APPS[request.param]
    reached: list[str] = []
    policy = CrossOrigin(exempt=[rules["login"]])
    with build(reached) as inner:
        app = (asgi if protocol == "asgi" else wsgi).wrap(inner, policy, baseline=False)

        def send(path: str, root: str) -> set[str]:
            reached.clear()
            if protocol == "asgi":
                drive_asgi(app, "POST", path, headers=FORGED, scope={"root_path": root})
            else:
                environ = {"SCRIPT_NAME": root.rstrip("/")}
                drive_wsgi(app, "POST", path, headers=FORGED, environ=environ)
            return set(reached)

        yield send


@pytest.mark.breaks_rules("targets in any form")
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(TARGETS, ROOTS)
@example("/login/../users/7/reset", "")
@example("/users/7/reset", "/users/7/reset")
@example("//login", "")
@example("/api/login", "/api")
@example("/sub/login", "/sub")
def test_only_the_exempt_route_is_reached(
    ask: Callable[[str, str], set[str]], path: str, root: str
) -> None:
    """Whichever framework reads the path."""
    assert ask(path, root) <= {"login"}


@pytest.mark.parametrize("name", ["starlette", "quart", "litestar", "falcon-asgi", "flask"])
def test_the_exempt_route_is_reached(name: str) -> None:
    """Or else the test above would say nothing."""
    protocol, build, rules = APPS[name]
    reached: list[str] = []
    with build(reached) as inner:
        app = (asgi if protocol == "asgi" else wsgi).wrap(
            inner, CrossOrigin(exempt=[rules["login"]]), baseline=False
        )
        (drive_asgi if protocol == "asgi" else drive_wsgi)(app, "POST", "/login", headers=FORGED)
    assert reached == ["login"]

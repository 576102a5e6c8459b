"""Whatever path reaches an endpoint, its rule has been applied: over all frameworks and mounts.

Each framework dispatches the requests itself, and an endpoint reports that it was reached. The
client has the roles of all rules but one, so that endpoint must never be reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mantlet import Allow, Authorizer, Identity, Policy, asgi, wsgi
from tests.drive import drive_asgi, drive_wsgi
from tests.ratelimit.routed_apps import variants
from tests.ratelimit.test_route_spellings import ROOTS, TARGETS, VARIANTS, directory

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from mantlet import Request

pytestmark = pytest.mark.slow
__all__ = ["directory"]  # the fixture

_Unmatched = Literal["deny", "allow", "hide"]


class HasRoles(Policy):
    """Says that a client has some roles."""

    roles: Collection[str] = ()

    def on_request(self, request: Request) -> None:
        """Set the identity."""
        request.state.identity = Identity("me", "jwt", roles=frozenset(self.roles))


class Site:
    """An app with a rule for each of its endpoints, which needs a role of the endpoint's name."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.reached: list[str] = []
        self.protocol, self.build, self.rules = variants(directory)[name]
        self.client = HasRoles()

    def __enter__(self) -> Self:
        self._context = self.build(self.reached)
        app = self._context.__enter__()
        wrap = asgi.wrap if self.protocol == "asgi" else wsgi.wrap
        self.bare = app
        modes: tuple[_Unmatched, ...] = ("deny", "allow", "hide")
        self.apps = {
            unmatched: wrap(
                app,
                self.client,
                Authorizer(
                    rules=[
                        Allow(pattern, role=name, hide=name == "reset")
                        for name, pattern in self.rules.items()
                    ],
                    unmatched=unmatched,
                ),
                baseline=False,
            )
            for unmatched in modes
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._context.__exit__(None, None, None)

    def ask(
        self,
        unmatched: _Unmatched | None,
        roles: Collection[str],
        method: str,
        path: str,
        root: str = "",
    ) -> set[str]:
        """Send a request of a client with some roles; return the endpoints that it reached.

        Without an Authorizer, if no ``unmatched`` is given.
        """
        self.reached.clear()
        self.client.roles = roles
        app = self.bare if unmatched is None else self.apps[unmatched]
        if self.protocol == "asgi":
            answer = drive_asgi(app, method, path, scope={"root_path": root})
        else:
            answer = drive_wsgi(app, method, path, environ={"SCRIPT_NAME": root.rstrip("/")})
        reached = set(self.reached)
        if answer.status == 200 and answer.body == b"private":
            reached.add("private")
        return reached


@pytest.fixture(params=VARIANTS)
def site(request: pytest.FixtureRequest, directory: Path) -> Iterator[Site]:
    """An app of each framework, mounted in each way."""
    with Site(request.param, directory) as site:
        yield site


@pytest.mark.few_cases(5)
@pytest.mark.breaks_rules("targets that are not paths")
@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(["deny", "allow", "allow", "hide"]),
    st.integers(0, 4),
    st.sampled_from(["GET", "POST", "post", "HEAD"]),
    TARGETS,
    ROOTS,
)
@example("allow", 0, "POST", "/api/login", "")
@example("allow", 0, "POST", "/apilogin", "/api")
@example("allow", 0, "POST", "/sublogin", "")
@example("allow", 0, "POST", "/x/sub/login", "/sub")
@example("allow", 2, "POST", "/users//reset", "")
@example("allow", 1, "GET", "/users/", "")
@example("allow", 3, "GET", "/files/", "")
@example("allow", 0, "GET", "/static/a/../private/secret.txt", "")
@example("allow", 0, "POST", "/login\n", "/api")
def test_an_endpoint_is_not_reached_without_the_role_of_its_rule(  # noqa: PLR0917  # drawn
    site: Site, unmatched: _Unmatched, lacking: int, method: str, path: str, root: str
) -> None:
    """In every framework, under every root path, in every spelling."""
    names = sorted(site.rules)
    lacks = names[lacking % len(names)]
    roles = [name for name in names if name != lacks]
    assert lacks not in site.ask(unmatched, roles, method, path, root)


def test_an_endpoint_is_reached_with_the_role_of_its_rule(site: Site) -> None:
    for name, pattern in site.rules.items():
        method, path = pattern.split(" ")
        path = path.replace("{id}", "7").replace("{tenant}", "a").replace("{file:path}", "a/b")
        path = path.replace("{name}", "secret.txt")
        # All of them, as some mounts make paths ambiguous. Litestar's own add a slash at the end.
        reached = site.ask(None, (), method, path)
        assert reached == {name} or "litestar-mount" in site.name
        assert site.ask("deny", list(site.rules), method, path) == reached
        assert not site.ask("deny", [], method, path)

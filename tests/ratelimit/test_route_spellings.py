"""Whatever path reaches an endpoint is matched by that endpoint's rule.

Each framework dispatches the requests itself: an endpoint reports that it was reached, and the
response names the limits that were applied.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mantlet import Quota, RateLimiter, Rule, asgi, wsgi
from tests.drive import drive_asgi, drive_wsgi
from tests.ratelimit.routed_apps import variants
from tests.ratelimit.structured import limits_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

VARIANTS = tuple(variants(Path()))

SEGMENTS = st.sampled_from(
    [
        *[
            "login",
            "users",
            "files",
            "7",
            "reset",
            "a",
            "api",
            "sub",
            "static",
            "private",
            "secret.txt",
        ],
        *("apilogin", "sublogin", "login\n", "login;x", "LOGIN", "%6cogin"),
        *("", "", ".", ".."),
    ]
)
BEGINNINGS = st.sampled_from(["/", "/", "/", "//", "", "http://h/", "/api/", "/x/api/", "/api"])
TARGETS = st.one_of(
    st.builds(
        lambda beginning, segments: beginning + "/".join(segments),
        BEGINNINGS,
        st.lists(SEGMENTS, max_size=5),
    ),
    # One that an endpoint has, bent in one place.
    st.builds(
        lambda beginning, path, at, more: beginning + path[:at] + more + path[at:],
        BEGINNINGS,
        st.sampled_from(
            ["login", "users/7", "users/7/reset", "files/a", "a/login", "static/private/secret.txt"]
        ).flatmap(lambda path: st.sampled_from([path, f"sub/{path}", f"api/{path}"])),
        st.integers(0, 20),
        st.sampled_from(["", "", "/", "//", "/.", "/..", "/x/..", "\n", ";x", "/api", "/sub"]),
    ),
)
ROOTS = st.sampled_from(["", "", "/api", "/api/", "/", "/x", "/sub"])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of static files."""
    directory: Path = tmp_path_factory.mktemp("static")
    (directory / "private").mkdir()
    (directory / "private" / "secret.txt").write_text("private")
    return directory


class Site:
    """An app with a rule for each of its endpoints, each with a quota of the endpoint's name."""

    def __init__(self, name: str, directory: Path) -> None:
        self.reached: list[str] = []
        self.protocol, self.build, self.rules = variants(directory)[name]
        self.limiter = RateLimiter(
            rules=[
                Rule(pattern, Quota("1000000/second", name=name))
                for name, pattern in self.rules.items()
            ],
        )

    def __enter__(self) -> Self:
        self._context = self.build(self.reached)
        app = self._context.__enter__()
        wrap = asgi.wrap if self.protocol == "asgi" else wsgi.wrap
        self.app = wrap(app, self.limiter, baseline=False)
        return self

    def __exit__(self, *_: object) -> None:
        self._context.__exit__(None, None, None)

    def ask(self, method: str, path: str, root: str = "") -> tuple[set[str], set[str]]:
        """Send a request; return the endpoints that it reached and the limits that were applied."""
        self.reached.clear()
        if self.protocol == "asgi":
            answer = drive_asgi(self.app, method, path, scope={"root_path": root})
        else:
            answer = drive_wsgi(self.app, method, path, environ={"SCRIPT_NAME": root.rstrip("/")})
        reached = set(self.reached)
        if answer.status == 200 and answer.body == b"private":
            reached.add("private")
        applied = set()
        if answer.status is not None and answer.get("RateLimit-Policy"):
            applied = {policy.value for policy in limits_of(answer)[0]}
        return reached, applied


@pytest.fixture(params=VARIANTS)
def site(request: pytest.FixtureRequest, directory: Path) -> Iterator[Site]:
    """An app of each framework, mounted in each way."""
    with Site(request.param, directory) as site:
        yield site


@pytest.mark.few_cases(12)
@pytest.mark.breaks_rules("targets that are not paths")
@settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(["GET", "POST", "post", "HEAD"]), TARGETS, ROOTS)
@example("POST", "/api/login", "")
@example("POST", "/apilogin", "/api")
@example("POST", "/sublogin", "")
@example("POST", "/sub/login", "/api")
@example("POST", "/sub/login", "/sub")
@example("POST", "/x/sub/login", "/sub")
@example("POST", "/x/api/login", "/api")
@example("POST", "/users//reset", "")
@example("GET", "/users/", "")
@example("GET", "/files/", "")
@example("GET", "/static/a/../private/secret.txt", "")
@example("POST", "/login\n", "/api")
def test_whatever_reaches_an_endpoint_is_matched_by_its_rule(
    site: Site, method: str, path: str, root: str
) -> None:
    """In every framework, under every root path, in every spelling."""
    reached, applied = site.ask(method, path, root)
    assert reached <= applied

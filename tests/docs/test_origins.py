"""The examples of the pages on Cors, CrossOrigin and Hosts, and what their tables say."""

from __future__ import annotations

from typing import Any

import flask
import pytest

from mantlet import Cors, CrossOrigin, Hosts
from tests.docs.pages import blocks, run
from tests.drive import drive_wsgi

PAGES = ["cors.md", "cross-origin.md", "hosts.md"]
BLOCKS = [(page, block) for page in PAGES for block in blocks(page)]
NAMES: dict[str, Any] = {
    "Cors": Cors,
    "CrossOrigin": CrossOrigin,
    "Hosts": Hosts,
    "tenants": {"https://tenant.example"},
}


def app_of(page: str) -> Any:
    """Return the app that the first block of a page wraps."""
    app = flask.Flask(__name__)

    @app.route("/", methods=["GET", "POST"])
    def respond() -> str:
        return flask.request.host_url

    return run(page, blocks(page)[0], app=app)["app"]


@pytest.mark.parametrize(
    ("page", "block"), BLOCKS, ids=[f"{page}-{index}" for index, (page, _) in enumerate(BLOCKS)]
)
def test_a_block_runs(page: str, block: str) -> None:
    """With the names that the page imports."""
    assert run(page, block, app=flask.Flask(__name__), **NAMES)


def test_cors() -> None:
    """The first example, for an origin of its pattern."""
    app = app_of("cors.md")
    answer = drive_wsgi(app, headers=[("Origin", "https://a.example.com")])
    assert answer.get("access-control-allow-origin") == "https://a.example.com"
    assert "X-Total, X-Request-ID" in (answer.get("access-control-expose-headers") or "")


def test_cross_origin() -> None:
    """The one line, around an app without a protection of its own."""
    app = app_of("cross-origin.md")
    cookie = ("Cookie", "session=1")
    for site, expected in (("cross-site", 403), ("same-origin", 200)):
        answer = drive_wsgi(app, "POST", headers=[cookie, ("Sec-Fetch-Site", site)])
        assert answer.status == expected


def test_hosts() -> None:
    """The first example, behind its proxy and without one."""
    app = app_of("hosts.md")
    host = ("Host", "www.example.com")
    proto = ("X-Forwarded-Proto", "https")
    assert drive_wsgi(app, headers=[host, proto], client="10.0.0.1").status == 200
    assert drive_wsgi(app, headers=[host]).get("location") == "https://www.example.com/"
    assert drive_wsgi(app, headers=[("Host", "evil.example")]).status == 421

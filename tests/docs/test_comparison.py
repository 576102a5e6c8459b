"""The tables of docs/comparison.md are what each package does, in the versions that are here."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.metadata import version
from itertools import dropwhile, takewhile

import pytest

from tests.docs.clients import send
from tests.docs.pages import DOCS

#: Of the peers themselves.
pytestmark = [
    pytest.mark.filterwarnings("ignore:jsonschema:DeprecationWarning"),
]

PAGE = (DOCS / "comparison.md").read_text()
_VERSION = re.compile(r"([\w-]+) (\d+(?:\.\d+)+)")


def table(heading: str) -> dict[str, dict[str, str]]:
    """Return the cells of the first table below a heading, by row and column."""
    _, _, section = PAGE.partition(f"\n## {heading}\n")
    lines = takewhile(
        lambda line: line.startswith("|"),
        dropwhile(lambda line: not line.startswith("|"), section.splitlines()),
    )
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


@pytest.mark.slow
@pytest.mark.few_cases(1)
@pytest.mark.parametrize(
    ("heading", "module"),
    [
        ("At a glance", "glance"),
        ("Rate limits", "limits"),
        ("Security headers", "security_headers"),
    ],
)
def test_each_cell_is_measured(heading: str, module: str) -> None:
    """With the package itself, set up as its documentation says."""
    # Not imported above: the peers take seconds to import, in every worker of a test run.
    found = import_module(f"tests.docs.comparison.{module}").measure()
    assert table(heading) == found


def test_versions_are_those_here_or_older() -> None:
    """A newer release may do more: then a cell differs, and its test fails."""
    (line,) = [one for one in PAGE.splitlines() if one.startswith("Versions: ")]
    named = dict(_VERSION.findall(line))
    assert set(named) == {
        "mantlet",
        *("slowapi", "flask-limiter", "fastapi-guard", "flask-talisman", "secure", "connexion"),
        *("fastapi", "flask"),
    }
    for name, compared in named.items():
        here = [int(part) for part in version(name).split(".")[:3]]
        assert [int(part) for part in compared.split(".")] <= here, name


def test_slowapi_by_endpoint() -> None:
    """By an option, the items of a route share a limit."""
    from tests.docs.comparison import limited_apps, limits

    assert limits.together(limited_apps.with_slowapi(key_style="endpoint"))


def test_the_header_that_slowapi_reads() -> None:
    """Has underscores, which no proxy sends, and any client may."""
    from slowapi.util import get_ipaddr

    from tests.docs.comparison import limited_apps

    app = limited_apps.with_slowapi(key_func=get_ipaddr)
    client = "192.0.2.7"
    for name, expected in (("X_FORWARDED_FOR", 200), ("X-Forwarded-For", 429)):
        found = [
            send(app, client=client, headers={name: f"198.51.100.{one}"}).status_code
            for one in range(3)
        ]
        assert found[-1] == expected


def test_flask_limiter_behind_proxyfix() -> None:
    """Counts by the address that the proxy adds."""
    from werkzeug.middleware.proxy_fix import ProxyFix

    from tests.docs.comparison import limited_apps, limits

    app = limited_apps.with_flask_limiter()
    app.wsgi_app = ProxyFix(app.wsgi_app)
    assert limits.proxied(app)


def test_peers_while_redis_is_down() -> None:
    """By default, all requests of fastapi-guard are refused, and the others have an error."""
    from tests.docs.comparison import limited_apps, limits

    down = [
        limited_apps.with_slowapi(storage_uri=limits.DOWN),
        limited_apps.with_flask_limiter(storage_uri=limits.DOWN),
        limited_apps.with_guard(enable_redis=True, redis_url=limits.DOWN),
    ]
    found = [limits.statuses(app, "GET /") for app in down]
    assert found == [[500], [500], [503]]


def test_secure_around_flask() -> None:
    """Reaches the 500 of a crash."""
    from tests.docs.comparison import glance, security_headers

    assert security_headers.crash(glance.with_secure())

"""A hidden route is answered byte for byte as by the same app without it, in every framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from flask import Flask

from mantlet import Allow, Authorizer, asgi, wsgi
from tests.authorization.identities import TestAuthentication, user
from tests.authorization.sites import SITES
from tests.drive import Answer, drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from tests.drive import Fields

RULES = [
    Allow("GET,POST /orders", public=True),
    Allow("GET,POST /orders/{id}", public=True),
    Allow("* /admin/*", role="admin", hide=True),
    Allow("* /api/admin/{id}", role="admin", hide=True),
]
#: The last one has no rule, so it is not hidden if other paths are refused with 403.
PATHS = [
    *("/admin/users", "/admin/users/7", "/admin/users/", "/admin/users/a%b c", "/admin/é"),
    *(
        "//admin/users",
        "/admin//users/",
        "/admin/./users",
        "/admin/../admin/x",
        "/admin/x\n",
        "/admin//",
    ),
    *("/admin/pages/edit", "/api/admin/7", "/admin/<script>alert(1)</script>", "/admin"),
]


def ask(protocol: str, app: Any, method: str, path: str, headers: Fields) -> Answer:
    """Send a request to a site."""
    if protocol == "asgi":
        return drive_asgi(app, method, path, headers=headers, body=b"a=b" * (method == "POST"))
    return drive_wsgi(app, method, path, headers=headers, body=b"a=b" * (method == "POST"))


def stack(protocol: str, app: Any, **options: Any) -> Any:
    """Return a site in a stack."""
    wrap = asgi.wrap if protocol == "asgi" else wsgi.wrap
    return wrap(app, TestAuthentication(), Authorizer(rules=RULES, **options), baseline=False)


@pytest.mark.unmeasured
@pytest.mark.few_cases(5)
@pytest.mark.breaks_rules("paths that no checker accepts")
@pytest.mark.parametrize("unmatched", ["deny", "allow", "hide"])
@pytest.mark.parametrize("name", SITES)
def test_it_is_answered_as_by_the_app_without_it(name: str, unmatched: str) -> None:
    protocol, build = SITES[name]
    asked = [
        (method, path, accept)
        for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS")
        for path in (PATHS[:-1] if unmatched == "deny" else PATHS)
        for accept in ("*/*", "application/json", "text/html")
    ]

    def exchange(app: Any, who: str | None) -> list[Answer]:
        return [
            ask(
                protocol,
                app,
                method,
                path,
                [("Accept", accept), ("Accept-Encoding", "gzip"), *user(who)],
            )
            for method, path, accept in asked
        ]

    with build(False) as app:
        expected = exchange(app, "reader")
    with build(True) as app:
        hidden = exchange(stack(protocol, app, unmatched=unmatched), "reader")
        shown = ask(protocol, stack(protocol, app), "GET", "/admin/users", user("admin"))
    for (method, path, accept), own, other in zip(asked, hidden, expected, strict=True):
        if name == "flask-pages" and method == "HEAD":
            continue  # its length, for a page with the path, can't be known without the page
        place = f"{method} {path} {accept}"
        assert (own.status, own.headers, own.body) == (
            other.status,
            other.headers,
            other.body,
        ), place
        assert own.error is None, place
    assert shown.body.strip(b'"') == b"shown"


def staff_site(*, full: bool) -> Flask:
    """Return a site whose hidden routes have one method, and a slash at the end."""
    site = Flask("staff", static_folder=None)
    if full:
        site.add_url_rule("/staff/", "staff", lambda: "shown")
        site.add_url_rule("/users/<id>", "user", lambda **_: "shown")
        site.add_url_rule("/users/<id>", "login", lambda **_: "login", methods=["PUT"])
    return site


@pytest.mark.parametrize("unmatched", ["deny", "allow", "hide"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("OPTIONS", "/staff/"), ("OPTIONS", "/staff"), ("POST", "/staff"), ("GET", "/staff")),
        *(
            ("OPTIONS", "/users/7"),
            ("POST", "/users/7"),
            ("HEAD", "/Users/7"),
            ("PURGE", "/users/7"),
        ),
    ],
)
def test_neither_other_methods_nor_a_missing_slash_reveal_a_hidden_route(
    unmatched: Literal["deny", "allow", "hide"], method: str, path: str
) -> None:
    rules = [
        Allow("GET /staff/*", role="admin", hide=True),
        Allow("GET /users/{id}", role="admin", hide=True),
        Allow("PUT /users/{id}", public=True),
        Allow("* /*", public=True),
    ]

    def answers(full: bool, who: str | None) -> tuple[int | None, Fields, bytes]:
        authorizer = Authorizer(rules=rules, unmatched=unmatched)
        app = wsgi.wrap(staff_site(full=full), TestAuthentication(), authorizer, baseline=False)
        found = drive_wsgi(app, method, path, headers=user(who))
        return found.status, found.headers, found.body

    assert answers(True, None) == answers(False, None)
    assert answers(True, "reader") == answers(False, "reader")
    own = wsgi.wrap(
        staff_site(full=True),
        TestAuthentication(),
        Authorizer(rules=rules, unmatched=unmatched),
        baseline=False,
    )
    assert drive_wsgi(own, "PUT", "/users/7").body == b"login"
    assert drive_wsgi(own, "POST", "/users/7", headers=user("admin")).status == 405

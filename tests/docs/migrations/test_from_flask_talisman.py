"""docs/how-to/migrate-from-flask-talisman.md: what it says about both."""

from __future__ import annotations

import re
from typing import Any

import pytest

import mantlet
from mantlet import OutputSanitizer
from mantlet.sanitize import Csp, SecurityHeaders
from tests.docs.clients import send
from tests.docs.migrations.moving import apps, check_options, report
from tests.docs.pages import DOCS

#: Of flask-talisman's own.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:flask_talisman")
PAGE = "how-to/migrate-from-flask-talisman.md"
SHOP = "https://shop.example"


def directives(app: Any) -> dict[str, list[str]]:
    """Return the policy of the page, with N for its nonce."""
    answer = send(app, url=SHOP)
    (nonce,) = re.findall(r'nonce="([^"]+)"', answer.text)
    policy = answer.headers["content-security-policy"].replace(nonce, "N")
    return {name: sorted(rest) for name, *rest in (one.split() for one in policy.split(";"))}


def test_headers_are_alike() -> None:
    """The values of all that both send, and the attributes of the cookie."""
    before, after = (send(app, url=SHOP).headers for app in apps(PAGE))
    for name in (
        "strict-transport-security",
        "x-frame-options",
        "x-content-type-options",
        "referrer-policy",
        "permissions-policy",
    ):
        assert before[name] == after[name]
    both = [set(one["set-cookie"].split("; ")[1:]) for one in (before, after)]
    assert both[0] == both[1] == {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"}


def test_content_security_policies_are_alike() -> None:
    """With a nonce for scripts that the template knows."""
    before, after = (directives(app) for app in apps(PAGE))
    assert before == after == {"default-src": ["'self'"], "script-src": ["'nonce-N'", "'self'"]}


def test_redirects() -> None:
    """To https, of pages; and of what else only flask-talisman redirects."""
    before, after = apps(PAGE)
    plain = "http://shop.example"
    answers = [send(app, "GET /?a=b", url=plain) for app in (before, after)]
    assert {one.headers["location"] for one in answers} == {f"{SHOP}/?a=b"}
    assert [one.status_code for one in answers] == [302, 308]
    answers = [send(app, url="http://evil.example") for app in (before, after)]
    assert [one.headers.get("location") for one in answers] == ["https://evil.example/", None]
    assert [one.status_code for one in answers] == [302, 421]
    assert [send(app, "POST /", url=plain).status_code for app in (before, after)] == [302, 403]


def test_who_is_believed_about_the_scheme() -> None:
    """Everyone by flask-talisman, and nobody who is not named by Mantlet."""
    believed = [
        send(app, url="http://shop.example", headers={"X-Forwarded-Proto": "https"}).status_code
        for app in apps(PAGE)
    ]
    assert believed == [200, 308]


def test_headers_of_a_view() -> None:
    """Overwritten by flask-talisman, kept by Mantlet."""
    found = []
    for app in apps(PAGE):
        app.get("/own")(lambda: ("", {"X-Frame-Options": "SAMEORIGIN", "X-Powered-By": "Flask"}))
        answer = send(app, "GET /own", url=SHOP).headers
        found.append((answer["x-frame-options"], answer.get("x-powered-by")))
    assert found == [("DENY", "Flask"), ("SAMEORIGIN", None)]


def test_pages_with_a_nonce_are_not_stored() -> None:
    """By Mantlet."""
    before, after = (send(app, url=SHOP).headers for app in apps(PAGE))
    assert "cache-control" not in before
    assert after["cache-control"] == "private, no-store"


def test_options_exist() -> None:
    """On both sides; the directives of a policy are checked when it is made."""
    from flask_talisman import Talisman

    check_options(PAGE, Talisman.init_app, ours=("default_src", "script_src", "report_uri"))


def test_values_in_the_table() -> None:
    """Are taken."""
    table = (DOCS / PAGE).read_text()
    for text in (
        """strict_transport_security="max-age=31556926; includeSubDomains; preload\"""",
        """permissions_policy="camera=()\"""",
        """content_security_policy=Csp(default_src=["'self'"])""",
        """x_frame_options="DENY\"""",
    ):
        assert text in table
        assert eval(f"SecurityHeaders({text})", {"SecurityHeaders": SecurityHeaders, "Csp": Csp})
    Csp(report_uri=["/csp"])
    widget = {"GET /widget": SecurityHeaders(x_frame_options="SAMEORIGIN")}
    OutputSanitizer(routes=widget)


def test_report_mode_beside_flask_talisman() -> None:
    """Changes nothing."""
    alone, both = apps(PAGE)[0], apps(PAGE)[0]
    report(PAGE, both)
    found = [send(app, "GET /none", url=SHOP) for app in (alone, both)]
    for one in found:
        assert "nonce" in one.headers.pop("content-security-policy")
    assert found[0].headers == found[1].headers
    assert found[0].content == found[1].content


def test_a_policy_that_is_only_reported_beside_flask_talisman() -> None:
    """Goes out with the other one."""
    app, _ = apps(PAGE)
    headers = SecurityHeaders(content_security_policy_report_only="default-src 'none'")
    mantlet.install(app, OutputSanitizer(headers=headers))
    answer = send(app, url=SHOP).headers
    assert answer["content-security-policy"].startswith("default-src 'self'")
    assert answer["content-security-policy-report-only"] == "default-src 'none'"

"""Which headers each package sends, as it comes, and what else it does to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask
from flask_talisman import Talisman
from secure import Secure
from secure.middleware import SecureASGIMiddleware

import mantlet
from mantlet import Hosts, OutputSanitizer
from tests.docs.clients import PROXY, send
from tests.docs.comparison import glance, limited_apps
from tests.docs.comparison.apps import CLIENTS, fastapi_app, flask_app

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TALISMAN, SECURE, GUARD = ("flask-talisman", "secure", "fastapi-guard")
BASELINE, WEB = ("Mantlet: `wrap(app)`", 'Mantlet: `headers="web"`, `Hosts`')
PEERS = (BASELINE, WEB, TALISMAN, SECURE, GUARD)

HEADERS = (
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Strict-Transport-Security",
    "Content-Security-Policy",
    "X-Frame-Options",
    "Permissions-Policy",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Cross-Origin-Embedder-Policy",
    "X-XSS-Protection",
)


def talisman(app: flask.Flask | None = None, **options: Any) -> flask.Flask:
    """Return an app with flask-talisman; in debug mode it does not redirect."""
    app = app or flask_app()
    app.config["DEBUG"] = False
    Talisman(app, **options)
    return app


def guarded(**options: Any) -> Any:
    """Return an app with fastapi-guard, whose limit is out of the way."""
    return limited_apps.with_guard(rate_limit=100, **options)


def secured() -> Any:
    """Return the FastAPI app with the middleware of secure."""
    app = fastapi_app()
    app.add_middleware(SecureASGIMiddleware, secure=Secure.with_default_headers())
    return app


_web = OutputSanitizer(headers="web")
_plain: dict[str, Callable[[], Any]] = {
    BASELINE: lambda: mantlet.install(flask_app()),
    WEB: lambda: mantlet.install(flask_app(), _web),
    TALISMAN: talisman,
    SECURE: glance.with_secure,
    GUARD: guarded,
}
#: The same packages, but under FastAPI where they can be.
_asgi = _plain | {
    BASELINE: lambda: mantlet.wrap(fastapi_app()),
    WEB: lambda: mantlet.wrap(fastapi_app(), _web),
    SECURE: secured,
}


def crash(app: Any) -> bool:
    """Whether the response to a crash has the headers as well."""
    answer = send(app, "GET /crash", client=next(CLIENTS))
    assert answer.status_code == 500
    return "x-content-type-options" in answer.headers


def keeps(app: Any) -> bool:
    """Whether a view's own header counts."""
    return send(app, "GET /own", client=next(CLIENTS)).headers["x-frame-options"] == "DENY"


def hides(app: Any) -> bool:
    """Whether a header that names the software is removed."""
    return "x-powered-by" not in send(app, "GET /own", client=next(CLIENTS)).headers


def cookies(app: Any) -> bool:
    """Whether the session's cookie gets the attributes that it lacks."""
    found = send(app, client=next(CLIENTS)).headers["set-cookie"]
    return {"Secure", "HttpOnly", "SameSite=Lax"} <= set(found.split("; "))


def nonces(app: Any) -> bool:
    """Whether a script of a template has a nonce, another one for each response."""
    pages = [send(app, "GET /page", client=next(CLIENTS)) for _ in range(2)]
    assert pages[0].text != pages[1].text
    return all(
        f"'nonce-{page.text}'" in page.headers["content-security-policy"] and len(page.text) >= 16
        for page in pages
    )


def _page() -> flask.Flask:
    app = flask_app()
    app.get("/page")(lambda: flask.render_template_string("{{ nonce() }}"))
    return app


def mantlet_page() -> flask.Flask:
    """Return an app whose template asks Mantlet for the nonce."""
    app = _page()
    app.jinja_env.globals["nonce"] = mantlet.csp_nonce
    return mantlet.install(app, _web)


def talisman_page() -> flask.Flask:
    """Return an app whose template asks flask-talisman for the nonce."""
    csp = {"default-src": "'self'", "script-src": "'self'"}
    app = talisman(
        _page(), content_security_policy=csp, content_security_policy_nonce_in=["script-src"]
    )
    app.jinja_env.globals["nonce"] = app.jinja_env.globals["csp_nonce"]
    return app


def redirects(app: Any) -> bool:
    """Whether a page over http is redirected."""
    answer = send(app, client=next(CLIENTS), url="http://api.example")
    return bool(answer.headers.get("location") == "https://api.example/")


def own_names(app: Any) -> bool:
    """Whether it redirects to no other site, whatever the `Host` says."""
    answer = send(app, client=next(CLIENTS), url="http://evil.example")
    return "evil.example" not in answer.headers.get("location", "")


def posts(app: Any) -> bool:
    """Whether a form over http is refused, since its content has been sent in the clear."""
    answer = send(app, "POST /items", client=next(CLIENTS), url="http://api.example", json={})
    return 400 <= answer.status_code < 500


def schemes(app: Any) -> bool:
    """Whether a client can't say by itself that its request came over https."""
    headers = {"X-Forwarded-Proto": "https"}
    url = "http://api.example"
    own = send(app, client=next(CLIENTS), url=url, headers=headers)
    assert send(app, client=PROXY, url=url, headers=headers).status_code == 200
    return own.status_code != 200


def hosts() -> Any:
    """Return an app with Hosts."""
    policy = Hosts(allowed=["api.example"], https=True, trusted_proxies=[PROXY])
    return mantlet.install(flask_app(), _web, policy)


_https = {
    WEB: hosts,
    TALISMAN: talisman,
    GUARD: lambda: guarded(
        enforce_https=True, trusted_proxies=[PROXY], trust_x_forwarded_proto=True
    ),
}

#: By row: a probe, and the apps of the packages that have such a feature at all.
ROWS: dict[str, tuple[Callable[[Any], bool], Mapping[str, Callable[[], Any]]]] = {
    "the 500 of a crash has them too": (crash, _asgi),
    "a header that the view sets is kept": (keeps, _plain),
    "`X-Powered-By` of the app is removed": (hides, _plain),
    "session cookies get `Secure`, `HttpOnly` and `SameSite`": (
        cookies,
        {one: _plain[one] for one in (BASELINE, WEB, TALISMAN, SECURE)},
    ),
    "templates get a nonce for each response": (
        nonces,
        {WEB: mantlet_page, TALISMAN: talisman_page},
    ),
    "http is redirected to https, by an option": (redirects, _https),
    "to the app's own names only": (own_names, _https),
    "`POST` over http is refused, not redirected": (posts, _https),
    "`X-Forwarded-Proto` counts from named proxies only": (schemes, _https),
}


def sent(peer: str) -> set[str]:
    """Return the names of the headers of an ordinary response over https."""
    names = set(send(_plain[peer](), client=next(CLIENTS)).headers)
    return {name for name in HEADERS if name.lower() in names}


def measure() -> dict[str, dict[str, str]]:
    """Return the cells by row and package."""
    by_peer = {peer: sent(peer) for peer in PEERS}
    found = {
        f"sends `{name}`": {peer: "yes" if name in by_peer[peer] else "no" for peer in PEERS}
        for name in HEADERS
    }
    return found | {
        row: {peer: "yes" if peer in apps and probe(apps[peer]()) else "no" for peer in PEERS}
        for row, (probe, apps) in ROWS.items()
    }

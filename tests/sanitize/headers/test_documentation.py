"""Pages with an API's documentation work under "api", and nothing else passes for one."""

from __future__ import annotations

import gzip
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import OutputSanitizer
from tests.drive import Adapter, Answer, both_adapters, drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import MutableMapping

pytestmark = pytest.mark.breaks_rules("apps send fields in any case")

STRICT = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
SWAGGER = (
    b"\n    <!DOCTYPE html>\n    <html>\n    <head>\n    <title>x</title>\n"
    b'    <link type="text/css" rel="stylesheet" href="https://cdn.example/swagger-ui.css">\n'
    b'    </head><body><div id="swagger-ui"></div>\n'
    b'    <script src="https://cdn.example/swagger-ui-bundle.js"></script>'
    b"<script>const ui = SwaggerUIBundle({})</script></body></html>"
)


def policy_of(answer: Answer) -> dict[str, list[str]]:
    """Return the directives of an answer's Content-Security-Policy."""
    value = answer.get("content-security-policy") or ""
    return {name: sources for name, *sources in map(str.split, value.split(";"))}


def assert_works(answer: Answer) -> None:
    """Inline scripts, and libraries from other sites, may run."""
    assert answer.status == 200
    found = policy_of(answer)
    assert {"'self'", "'unsafe-inline'", "https:"} <= {*found["script-src"]}
    assert {"'self'", "'unsafe-inline'", "https:"} <= {*found["style-src"]}
    assert found["frame-ancestors"] == ["'none'"]
    assert answer.get("cross-origin-embedder-policy") is None
    assert answer.get("cross-origin-opener-policy") is None
    assert answer.get("x-frame-options") == "DENY"
    assert answer.get("cache-control") == "no-store"


# -- frameworks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/docs", "/docs/oauth2-redirect", "/redoc"])
@pytest.mark.parametrize("mounted", [False, True], ids=["alone", "mounted"])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_the_pages_of_fastapi_work(path: str, mounted: bool, compressed: bool) -> None:
    """As they come, mounted in another app, and compressed by the app."""
    from fastapi import FastAPI
    from starlette.middleware.gzip import GZipMiddleware

    app = FastAPI()
    if compressed:
        app.add_middleware(GZipMiddleware, minimum_size=10)
    if mounted:
        outer = FastAPI()
        outer.mount("/v1", app)
        app, path = outer, f"/v1{path}"
    wrapped = mantlet.wrap(app, OutputSanitizer(headers="api"))
    answer = drive_asgi(wrapped, path=path, headers=[("accept-encoding", "gzip")])
    assert (answer.get("content-encoding") == "gzip") is compressed
    assert_works(answer)
    document = drive_asgi(wrapped, path=path.split("/doc", maxsplit=1)[0].split("/redoc")[0]
                          + "/openapi.json")  # fmt: skip
    assert document.get("content-security-policy") == STRICT
    assert document.get("cross-origin-embedder-policy") == "require-corp"


@pytest.mark.parametrize("path", ["", "/swagger", "/redoc", "/elements", "/rapidoc", "/scalar"])
def test_the_pages_of_litestar_work(path: str) -> None:
    """All that it offers."""
    from litestar import Litestar, get
    from litestar.openapi import OpenAPIConfig
    from litestar.openapi.plugins import (
        RapidocRenderPlugin,
        RedocRenderPlugin,
        ScalarRenderPlugin,
        StoplightRenderPlugin,
        SwaggerRenderPlugin,
    )

    @get("/items")
    async def items() -> dict[str, int]:
        return {}

    plugins = [ScalarRenderPlugin(), RapidocRenderPlugin(), RedocRenderPlugin(),
               StoplightRenderPlugin(), SwaggerRenderPlugin()]  # fmt: skip
    config = OpenAPIConfig(title="x", version="1", render_plugins=plugins)
    app = Litestar([items], openapi_config=config)
    assert_works(
        drive_asgi(mantlet.wrap(app, OutputSanitizer(headers="api")), path=f"/schema{path}")
    )


@pytest.mark.parametrize("path", ["/swagger-ui", "/redoc", "/rapidoc"])
def test_the_pages_of_flask_smorest_work(path: str) -> None:
    """Under the paths of its documentation."""
    from flask import Flask
    from flask_smorest import Api

    app = Flask(__name__)
    app.config.update(
        API_TITLE="x",
        API_VERSION="1",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/api",
        OPENAPI_SWAGGER_UI_PATH="/swagger-ui",
        OPENAPI_SWAGGER_UI_URL="https://cdn.jsdelivr.net/npm/swagger-ui-dist/",
        OPENAPI_REDOC_PATH="/redoc",
        OPENAPI_REDOC_URL="https://cdn.jsdelivr.net/npm/redoc@next/bundles/redoc.standalone.js",
        OPENAPI_RAPIDOC_PATH="/rapidoc",
        OPENAPI_RAPIDOC_URL="https://unpkg.com/rapidoc/dist/rapidoc-min.js",
    )
    Api(app)
    assert_works(drive_wsgi(mantlet.wrap(app, OutputSanitizer(headers="api")), path=f"/api{path}"))


# -- what passes for one --------------------------------------------------------------------------


def page(
    adapter: Adapter,
    path: str = "/docs",
    body: bytes = SWAGGER,
    *,
    status: int = 200,
    method: str = "GET",
    query: str = "",
    media: str = "text/html; charset=utf-8",
    coding: str | None = None,
) -> Answer:
    """Return the answer of an app with one page."""
    fields = [("content-type", media)]
    if coding is not None:
        fields.append(("content-encoding", coding))

    def app(_carrier: MutableMapping[str, Any]) -> Any:
        return status, fields, body

    wrapped = adapter.wrap(app, OutputSanitizer(headers="api", leaks=None))
    raw: dict[str, Any] = (
        {"environ": {"QUERY_STRING": query}}
        if adapter.name == "wsgi"
        else {"scope": {"query_string": query.encode()}}
    )
    return adapter.drive(wrapped, method, path, **raw)


@both_adapters
@pytest.mark.parametrize(
    "path",
    [
        *("/", "/docs", "/docs/", "/api/docs", "/v1/redoc", "/apidocs/", "/swagger/", "/redocs"),
        *("/api/schema/swagger-ui/", "/api/schema/redoc/", "/ui/", "/v1/ui", "/openapi/swagger"),
        *("/schema/oauth2-redirect.html", "/apidocs/index.html", "/graphql", "/api", "/v1/"),
    ],
)
def test_pages_at_the_usual_paths_work(adapter: Adapter, path: str) -> None:
    """Of drf-spectacular, drf-yasg, flasgger, Connexion, Django Ninja and others."""
    assert_works(page(adapter, path))


@both_adapters
@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/uploads/evil.html", {}),
        ("/uploads/evil", {}),
        ("/files/docs.html", {}),
        ("/documents/5", {}),
        ("/docs/evil", {}),
        ("/docs<script>/docs", {}),
        ("/docs", {"query": "q=%3Cscript"}),
        ("/docs", {"query": "q=%253Cscript"}),
        ("/docs", {"query": "q='"}),
        ("/docs", {"status": 404}),
        ("/docs", {"status": 500}),
        ("/docs", {"method": "POST"}),
        ("/docs", {"body": b"hello <script src=swagger-ui.js></script>"}),
        ("/docs", {"body": b'{"a": "<html><script src=swagger-ui.js>"}'}),
        ("/docs", {"body": b"<!doctype html><p>swagger-ui</p><script>alert(1)</script>"}),
        ("/docs", {"body": b"<!doctype html>" + b" " * 70_000 + SWAGGER}),
        ("/docs", {"coding": "gzip"}),
        ("/docs", {"coding": "unknown"}),
        ("/docs", {"media": "application/json"}),
    ],
    ids=range(19),
)
def test_nothing_else_passes_for_documentation(
    adapter: Adapter, path: str, options: dict[str, Any]
) -> None:
    """Not what a client may have uploaded, written into a URL, or got an error with."""
    answer = page(adapter, path, **options)
    assert answer.get("content-security-policy") == STRICT


@both_adapters
@pytest.mark.parametrize(
    "body",
    [
        b"<!--\n * a license\n-->\n<!doctype html><script src=/graphiql.min.js></script>",
        b"\n<head>\n<link href=swagger-ui.css></head><body></body>",
        b'<html lang="en-US"><body><script src="oauth2-redirect.js"></script></body></html>',
        b"<HTML><script type='module' src='https://a.example/@scalar/api-reference'></script>",
        b"<!doctype html><title>x</title><script>opener.swaggerUIRedirectOauth2</script>",
    ],
    ids=range(5),
)
def test_pages_begin_in_several_ways(adapter: Adapter, body: bytes) -> None:
    """Those of Ariadne, Quart-Schema, drf-yasg, Litestar and Flask-RESTX."""
    assert_works(page(adapter, body=body))


@pytest.mark.parametrize("root_path", ["/api", "/files/x"])
def test_pages_under_a_root_path_work(root_path: str) -> None:
    """By each path that the app may take the request's for."""
    from fastapi import FastAPI

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # FastAPI advises against root_path
        wrapped = mantlet.wrap(FastAPI(root_path=root_path), OutputSanitizer(headers="api"))
    assert_works(drive_asgi(wrapped, path="/docs"))
    assert_works(drive_asgi(wrapped, path=f"{root_path}/docs"))


@both_adapters
def test_head_gets_the_policy_that_get_got(adapter: Adapter) -> None:
    """A cache takes over its headers for the page that it has (RFC 9111, 4.3.5)."""
    pages = {"/docs": SWAGGER, "/ui": b"<!doctype html><p>a</p>"}

    def app(carrier: MutableMapping[str, Any]) -> Any:
        path = carrier.get("path") or carrier["PATH_INFO"]
        return 200, [("content-type", "text/html")], pages[path]

    wrapped = adapter.wrap(app, OutputSanitizer(headers="api", leaks=None))
    assert adapter.drive(wrapped, "HEAD", "/docs").get("content-security-policy") == STRICT
    assert_works(adapter.drive(wrapped, "GET", "/docs"))
    for path in pages:
        got, head = (adapter.drive(wrapped, method, path) for method in ("GET", "HEAD"))
        for name in ("content-security-policy", "cross-origin-embedder-policy", "cache-control"):
            assert got.get(name) == head.get(name)
    pages["/docs"] = b"<!doctype html><p>now another page</p>"
    for method in ("GET", "HEAD"):
        assert adapter.drive(wrapped, method, "/docs").get("content-security-policy") == STRICT


@both_adapters
def test_a_compressed_page_is_looked_into(adapter: Adapter) -> None:
    """A bomb costs no more than its first piece."""
    assert_works(page(adapter, body=gzip.compress(SWAGGER), coding="gzip"))
    bomb = gzip.compress(b"<!doctype html>" + b" " * 50_000_000)
    assert page(adapter, body=bomb, coding="gzip").get("content-security-policy") == STRICT


@both_adapters
def test_the_app_s_own_policy_stays(adapter: Adapter) -> None:
    """Also on a page with documentation."""

    def app(_carrier: MutableMapping[str, Any]) -> Any:
        own = ("content-security-policy", "default-src 'self'")
        return 200, [("content-type", "text/html"), own], SWAGGER

    answer = adapter.drive(adapter.wrap(app, OutputSanitizer(headers="api")), path="/docs")
    assert answer.get("content-security-policy") == "default-src 'self'"


@both_adapters
def test_pages_elsewhere_are_named_by_route(adapter: Adapter) -> None:
    """The preset "docs" is for any page of a route; and no other preset has it by itself."""

    def app(_carrier: MutableMapping[str, Any]) -> Any:
        return 200, [("content-type", "text/html; charset=utf-8")], SWAGGER

    policy = OutputSanitizer(headers="api", routes={"GET /help": "docs", "* /v2/*": "api"})
    assert_works(adapter.drive(adapter.wrap(app, policy), path="/help"))
    assert_works(adapter.drive(adapter.wrap(app, policy), path="/v2/docs"))
    answer = adapter.drive(adapter.wrap(app, OutputSanitizer(headers="web")), path="/docs")
    assert "'unsafe-inline'" not in (answer.get("content-security-policy") or "")

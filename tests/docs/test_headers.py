"""docs/output-sanitizer/headers.md: every example runs, and its nonce is that of the policy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet import OutputSanitizer
from tests.docs.pages import block_with, blocks, run
from tests.drive import Answer, drive_asgi, drive_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

PAGE = "output-sanitizer/headers.md"
(SCRIPT,) = blocks(PAGE, "html")
CALL = SCRIPT.replace("csp_nonce", "csp_nonce()")
POLICY = OutputSanitizer(headers="web")


def check(answer: Answer) -> None:
    """The page has the nonce of its policy, and no cache stores it."""
    assert (answer.status, answer.error) == (200, None)
    (nonce,) = re.findall(r'<script nonce="([A-Za-z0-9+/]{22}==)">', answer.body.decode())
    assert f"'nonce-{nonce}'" in (answer.get("content-security-policy") or "")
    assert answer.get("cache-control") == "private, no-store"


def check_both(app: Any, drive: Callable[..., Answer]) -> None:
    """The page has its nonce behind the policy, alone and in the baseline, and works without."""
    for wrapped in (
        mantlet.wrap(app, POLICY),
        mantlet.wrap(app, POLICY, baseline=False),
    ):
        first, second = drive(wrapped), drive(wrapped)
        check(first)
        check(second)
        assert first.body != second.body
    assert b'nonce=""' in drive(mantlet.wrap(app, OutputSanitizer(headers="safe"))).body
    assert b'nonce=""' in drive(app).body
    off = mantlet.wrap(app, OutputSanitizer(headers="web", mode="off"))
    assert b'nonce=""' in drive(off).body


def block(needle: str) -> str:
    """Return the only example with a text in it."""
    return block_with(PAGE, needle)


@pytest.mark.parametrize("stream", [False, True])
def test_flask(stream: bool) -> None:
    """In a template, also while it streams, and in a macro by the global."""
    from flask import Flask, render_template_string, stream_template_string

    app = Flask(__name__)
    run(PAGE, block("Flask and Quart"), mantlet=mantlet, app=app)
    render = stream_template_string if stream else render_template_string
    app.add_url_rule("/", "index", lambda: render(SCRIPT))
    check_both(app, drive_wsgi)

    other = Flask(__name__)
    other.jinja_env.globals["csp_nonce"] = mantlet.csp_nonce
    macro = "{% macro tag() %}" + CALL + "{% endmacro %}{{ tag() }}"
    other.add_url_rule("/", "index", lambda: render(macro))
    check_both(other, drive_wsgi)


def test_quart() -> None:
    """The same example."""
    from quart import Quart, render_template_string

    app = Quart(__name__)
    run(PAGE, block("Flask and Quart"), mantlet=mantlet, app=app)

    @app.get("/")
    async def index() -> str:
        return await render_template_string(SCRIPT)

    check_both(app, drive_asgi)


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
def test_starlette(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, framework: str, is_async: bool
) -> None:
    """In endpoints in a thread too."""
    from fastapi import FastAPI
    from starlette.applications import Starlette
    from starlette.templating import Jinja2Templates

    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    names = run(
        PAGE, block("Starlette and FastAPI"), mantlet=mantlet, Jinja2Templates=Jinja2Templates
    )

    def page(request: Request) -> Response:
        response: Response = names["templates"].TemplateResponse(request, "page.html")
        return response

    async def async_page(request: Request) -> Response:
        return page(request)

    app = Starlette() if framework == "starlette" else FastAPI()
    # FastAPI reads the annotations of an endpoint by its module, which does not have these.
    app.router.add_route("/", async_page if is_async else page)
    check_both(app, drive_asgi)


@pytest.mark.breaks_rules("Django sends names with capitals")
@pytest.mark.parametrize("protocol", ["wsgi", "asgi"])
def test_django(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str) -> None:
    """By the settings of the page."""
    from django.conf import settings
    from django.shortcuts import render
    from django.test.utils import override_settings
    from django.urls import path

    if not settings.configured:
        settings.configure(SECRET_KEY="of a test", USE_TZ=True)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    templates = run(PAGE, block("Django, in settings.py"))["TEMPLATES"]

    class Urls:
        urlpatterns = (path("", lambda request: render(request, "page.html")),)

    with override_settings(TEMPLATES=templates, ROOT_URLCONF=Urls, ALLOWED_HOSTS=["*"]):
        from django.core.asgi import get_asgi_application
        from django.core.wsgi import get_wsgi_application

        if protocol == "wsgi":
            check_both(get_wsgi_application(), drive_wsgi)
        else:
            check_both(get_asgi_application(), drive_asgi)


def test_litestar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a global of its engine."""
    from litestar import Litestar, get
    from litestar.plugins.jinja import JinjaTemplateEngine
    from litestar.response import Template
    from litestar.template import TemplateConfig

    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text(CALL)
    monkeypatch.chdir(tmp_path)
    names = run(
        PAGE,
        block("# Litestar"),
        mantlet=mantlet,
        JinjaTemplateEngine=JinjaTemplateEngine,
        TemplateConfig=TemplateConfig,
    )

    async def page() -> Template:
        return Template("page.html")

    page.__annotations__["return"] = Template
    app = Litestar([get("/")(page)], template_config=names["templates"])
    check_both(app, drive_asgi)


def test_the_other_examples_run() -> None:
    """As they are written."""
    from mantlet.sanitize import SecurityHeaders

    code = block("clear_site_data(").replace("SecurityHeaders(...)", "SecurityHeaders()")
    names = run(PAGE, code, OutputSanitizer=OutputSanitizer)
    assert names["SecurityHeaders"] is SecurityHeaders
    run(PAGE, block('"GET /help": "docs"'), OutputSanitizer=OutputSanitizer)

"""Options that take the place of the app's own settings say so once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from mantlet import OutputSanitizer
from mantlet.sanitize import Cookies, SecurityHeaders
from tests.drive import Adapter, both_adapters, drive_wsgi
from tests.sanitize.headers.test_header_policy import HTTPS, said

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.breaks_rules("apps send fields in any case")


def records(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Return the messages of a level, and forget them all."""
    found = [record.getMessage() for record in caplog.records if record.levelno == level]
    caplog.clear()
    return found


def repeat(
    adapter: Adapter, fields: Sequence[tuple[str, str]], policy: OutputSanitizer, https: bool
) -> None:
    for _ in range(3):
        said(adapter, [*fields], policy, **(HTTPS[adapter.name] if https else {}))


@both_adapters
def test_an_attribute_that_is_added_is_named_once(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """A cookie without HttpOnly has been sent that way on purpose; the others need not be."""
    caplog.set_level(logging.INFO, "mantlet.sanitize")
    policy = OutputSanitizer()
    cookie = ("content-type", "text/plain"), ("set-cookie", "sessionid=1; Path=/")
    repeat(adapter, cookie, policy, https=True)
    (message,) = records(caplog, logging.WARNING)
    assert "cookies named like *session* come without Secure, HttpOnly, SameSite=Lax" in message
    assert "http_only=" in message
    repeat(adapter, [("set-cookie", "sid=1; HttpOnly")], OutputSanitizer(), https=False)
    (message,) = records(caplog, logging.INFO)
    assert "cookies named like sid come without SameSite=Lax" in message
    whole = [("set-cookie", "sessionid=1; HttpOnly; SameSite=None; Secure")]
    repeat(adapter, whole, OutputSanitizer(), https=True)
    repeat(adapter, cookie, OutputSanitizer(cookies=None), https=True)
    repeat(adapter, [("set-cookie", "theme=1")], OutputSanitizer(), https=True)
    assert "cookies named" not in " ".join(records(caplog, logging.WARNING))


@both_adapters
def test_a_name_that_a_client_may_have_chosen_is_not_logged(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """However many there are: a record for each pattern of the options."""
    policy = OutputSanitizer(cookies=Cookies(session_like=["*session*", "sid"]))
    for number in range(50):
        repeat(adapter, [("set-cookie", f"evil-session-{number}=1")], policy, https=True)
    messages = [one for one in records(caplog, logging.WARNING) if "cookies named" in one]
    assert len(messages) == 1
    assert "evil" not in messages[0]


@pytest.mark.parametrize("http_only", [True, False])
def test_flask_s_own_setting_is_overridden_and_named(
    caplog: pytest.LogCaptureFixture, http_only: bool
) -> None:
    """As with SESSION_COOKIE_HTTPONLY=False."""
    from flask import Flask, session

    import mantlet

    app = Flask(__name__)
    app.config.update(SECRET_KEY="x" * 16, SESSION_COOKIE_HTTPONLY=http_only)

    @app.get("/")
    def index() -> str:
        session["a"] = 1
        return "hello"

    wrapped = mantlet.wrap(app, OutputSanitizer())
    for _ in range(3):
        assert "HttpOnly" in (drive_wsgi(wrapped).get("set-cookie") or "")
    assert len(records(caplog, logging.WARNING)) == (not http_only)


@both_adapters
def test_a_header_that_is_replaced_is_named_once(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """By `override`; a header that the app does not set is not."""
    headers = SecurityHeaders(x_frame_options="DENY", override=["X-Frame-Options"])
    policy = OutputSanitizer(headers=headers, leaks=None)
    plain = [("content-type", "text/plain")]
    repeat(adapter, plain, policy, https=False)
    assert records(caplog, logging.WARNING) == []
    repeat(adapter, [*plain, ("X-Frame-Options", "SAMEORIGIN")], policy, https=False)
    (message,) = records(caplog, logging.WARNING)
    assert "the app sets x-frame-options" in message


@both_adapters
def test_a_page_that_caches_were_to_store_is_named_once(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """Since a nonce must not be stored."""
    page = [("content-type", "text/html"), ("cache-control", "public, max-age=60")]
    repeat(adapter, page, OutputSanitizer(headers="web"), https=False)
    (message,) = records(caplog, logging.WARNING)
    assert "SecurityHeaders(cache_nonces=True)" in message
    repeat(adapter, page[:1], OutputSanitizer(headers="web"), https=False)
    assert records(caplog, logging.WARNING) == []

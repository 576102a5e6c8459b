"""Configurations that cannot work say so when they are made, or with the first requests."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from mantlet import Concurrency, Quota, RateLimiter, Rule, asgi, keys, wsgi
from mantlet._internal.server_settings import visible_workers
from mantlet.ratelimit.keys import unnamed_proxies
from tests.drive import Adapter, both_adapters, drive_asgi, drive_wsgi, hello

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRUSTED = keys.client_address(trusted_proxies=["192.0.2.1"])


# -- several workers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "environ", "workers"),
    [
        ("/usr/bin/gunicorn -w 4 app:app", {}, 4),
        ("/usr/bin/gunicorn -w4 app:app", {}, 4),
        ("/usr/bin/gunicorn --workers=4 app:app", {}, 4),
        ("/usr/bin/gunicorn app:app", {"GUNICORN_CMD_ARGS": "--bind=:80 --workers 3"}, 3),
        ("/usr/bin/gunicorn -w 2 app:app", {"GUNICORN_CMD_ARGS": "--workers=3"}, 2),
        ("/usr/bin/gunicorn app:app", {"WEB_CONCURRENCY": "5"}, 5),
        ("/lib/uvicorn/__main__.py app:app --workers 4", {}, 4),
        ("/usr/bin/uvicorn app:app --ws none", {}, 1),
        ("/usr/bin/uvicorn app:app", {"UVICORN_WORKERS": "6"}, 6),
        ("/usr/bin/uvicorn --workers 1 app:app", {"WEB_CONCURRENCY": "8"}, 1),
        ("/usr/bin/fastapi run --workers 4", {}, 4),
        ("/usr/bin/hypercorn -w 3 app:app", {}, 3),
        ("/usr/bin/granian --workers 2 app:app", {"GRANIAN_WORKERS": "7"}, 2),
        ("/usr/bin/granian app:app", {"GRANIAN_WORKERS": "7"}, 7),
        ("/usr/bin/python", {"WEB_CONCURRENCY": "2"}, 2),
        ("/usr/bin/pytest --workers 9", {}, 1),
        ("/usr/bin/pytest", {"WEB_CONCURRENCY": "4"}, 1),
        ("/lib/pytest/__main__.py", {"WEB_CONCURRENCY": "4"}, 1),
        ("/usr/bin/flask run", {"WEB_CONCURRENCY": "4"}, 1),
        ("/lib/flask/__main__.py run", {"WEB_CONCURRENCY": "4"}, 1),
        ("manage.py runserver", {"WEB_CONCURRENCY": "4"}, 1),
        ("/usr/bin/fastapi dev app.py", {"WEB_CONCURRENCY": "4"}, 1),
        ("/usr/bin/uvicorn app:app --reload", {"WEB_CONCURRENCY": "4"}, 1),
        ("/usr/bin/uvicorn app:app --reload --workers 4", {}, 1),
        ("/usr/bin/gunicorn app:app --reload", {"WEB_CONCURRENCY": "4"}, 4),
        ("/usr/bin/granian app:app --reload --workers 4", {}, 4),
        ("/usr/bin/gunicorn --workers", {}, 1),
        ("/usr/bin/gunicorn --workers many", {}, 1),
        ("/usr/bin/gunicorn -c conf.py app:app", {"WEB_CONCURRENCY": "4"}, 4),
        ("/usr/bin/gunicorn -c conf.py app:app", {}, None),
        ("/usr/bin/gunicorn --config=conf.py app:app", {}, None),
        ("/usr/bin/hypercorn --config conf.toml app:app", {}, None),
        ("/usr/bin/hypercorn --certfile a.pem app:app", {}, 1),
        ("/usr/bin/python", {"WEB_CONCURRENCY": "0"}, None),
        ("/usr/bin/python main.py", {}, None),
        ("/usr/bin/uwsgi --processes 4", {}, None),
        ("", {}, None),
    ],
)
def test_the_number_of_workers_is_read_where_it_is_visible(
    monkeypatch: pytest.MonkeyPatch, argv: str, environ: dict[str, str], workers: int | None
) -> None:
    """From the command line, and from the environment; not from a configuration file."""
    for name in ("WEB_CONCURRENCY", "UVICORN_WORKERS", "GRANIAN_WORKERS", "GUNICORN_CMD_ARGS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", argv.split())
    assert visible_workers() == workers


def test_a_count_in_memory_with_several_workers_is_warned_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each worker counts on its own."""
    monkeypatch.setattr(sys, "argv", ["main.py"])
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    with pytest.warns(UserWarning, match=r"each of 4 workers counts on its own") as caught:
        RateLimiter("5/minute")
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RateLimiter("5/minute", workers=4)  # known, and meant
        monkeypatch.setenv("WEB_CONCURRENCY", "1")
        RateLimiter("5/minute")


def test_gunicorn_reads_a_configuration_file_without_being_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In the working directory."""
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/gunicorn", "app:app"])
    monkeypatch.chdir(tmp_path)
    assert visible_workers() == 1
    (tmp_path / "gunicorn.conf.py").write_text("workers = 4")
    assert visible_workers() is None


@pytest.mark.parametrize(
    ("store", "options", "warned"),
    [
        ("redis://127.0.0.1:1", {}, True),
        ("redis://127.0.0.1:1", {"workers": 1}, False),
        ("redis://127.0.0.1:1", {"on_outage": "allow"}, False),
        ("redis://127.0.0.1:1", {"on_outage": "refuse"}, False),
        ("memcached://127.0.0.1:1", {}, True),
        ("memory://", {}, False),
    ],
)
def test_a_number_of_workers_that_is_unknown_is_warned_about(
    monkeypatch: pytest.MonkeyPatch, store: str, options: dict[str, Any], *, warned: bool
) -> None:
    """Where it decides what is admitted in an outage; the warning tells the remedy."""
    for name in ("WEB_CONCURRENCY", "GUNICORN_CMD_ARGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "argv", ["main.py"])
    quota = Quota("5/minute", window="fixed" if store.startswith("memcached") else None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        RateLimiter(quota, store=store, **options)
    assert [str(one.message).count("workers=8") for one in caught] == [1] * warned


# -- a proxy that is not named --------------------------------------------------------------------


@pytest.fixture
def _unwarned() -> Iterator[None]:
    """A process that has not warned yet."""
    unnamed_proxies._warned.clear()
    yield
    unnamed_proxies._warned.clear()


@both_adapters
@pytest.mark.usefixtures("_unwarned")
@pytest.mark.parametrize(
    ("name", "value"), [("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9")]
)
def test_a_forwarded_request_without_a_named_proxy_is_logged_once(
    adapter: Adapter, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    """Else all clients of the proxy share one bucket, and nobody knows why."""
    app = adapter.wrap(hello, RateLimiter("100/minute"))
    other = adapter.wrap(hello, RateLimiter("100/minute"))
    adapter.drive(app)
    assert not caplog.records
    for each in (app, app, other):
        adapter.drive(each, headers=[(name, value)])
    (record,) = caplog.records
    assert record.name == "mantlet.ratelimit"
    assert name in record.getMessage()
    assert "trusted_proxies=['192.0.2.1']" in record.getMessage()


@both_adapters
@pytest.mark.usefixtures("_unwarned")
def test_a_server_that_has_put_the_client_in_place_of_the_proxy_is_not_warned_about(
    adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """As uvicorn does with ``--proxy-headers``, and Werkzeug's ``ProxyFix``."""
    app = adapter.wrap(hello, RateLimiter("100/minute"))
    adapter.drive(app, headers=[("X-Forwarded-For", "192.0.2.1")])
    named = adapter.wrap(hello, RateLimiter("100/minute", key=TRUSTED))
    adapter.drive(named, headers=[("X-Forwarded-For", "203.0.113.9")])
    assert not [record for record in caplog.records if record.name == "mantlet.ratelimit"]


@both_adapters
@pytest.mark.usefixtures("_unwarned")
def test_only_the_first_requests_are_looked_at(
    adapter: Adapter, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it costs nothing for long."""
    module = sys.modules["mantlet.ratelimit.keys.client_address"]  # hidden by the function
    monkeypatch.setattr(module, "_WATCHED", 3)
    app = adapter.wrap(hello, RateLimiter("100/minute"))
    for _ in range(3):
        adapter.drive(app)
    adapter.drive(app, headers=[("X-Forwarded-For", "203.0.113.9")])
    assert not caplog.records


# -- headers with underscores ---------------------------------------------------------------------


def app_of(environ: Any, start_response: Any) -> list[bytes]:
    """Answer with a greeting."""
    start_response("200 OK", [])
    return [b"hello"]


async def asgi_app(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer with a greeting."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.mark.parametrize(
    ("environ", "warned"),
    [
        ({"SERVER_SOFTWARE": "Granian"}, True),
        ({"SERVER_SOFTWARE": "WSGIServer/0.2"}, True),
        ({}, True),  # hypercorn
        ({"SERVER_SOFTWARE": "gunicorn/23.0"}, False),
        ({"SERVER_SOFTWARE": "Werkzeug/3.1"}, False),
        ({"SERVER_SOFTWARE": "waitress"}, False),
        ({"SERVER_SOFTWARE": "Apache", "mod_wsgi.version": (5, 0)}, False),
    ],
)
@pytest.mark.parametrize(
    "limiter",
    [
        RateLimiter("9/minute", key=TRUSTED & keys.header("X-Tenant")),
        RateLimiter(rules=[Rule("GET /", "9/minute", key=TRUSTED)]),
        RateLimiter(concurrency=Concurrency(9, key=TRUSTED)),
        RateLimiter(rules=[Rule("GET /", concurrency=Concurrency(9, key=TRUSTED))]),
    ],
    ids=["key", "rule", "concurrency", "concurrency of a rule"],
)
def test_a_server_that_mixes_up_underscores_is_warned_about(
    limiter: RateLimiter,
    environ: dict[str, Any],
    *,
    warned: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At the first request, if a policy trusts a header."""
    app = wsgi.wrap(app_of, limiter, baseline=False)
    for _ in range(2):
        drive_wsgi(app, environ={"SERVER_SOFTWARE": ..., **environ})
    messages = [record.getMessage() for record in caplog.records if record.name == "mantlet"]
    assert len(messages) == warned
    assert all("X_Forwarded_For" in message for message in messages)


def test_gunicorn_is_warned_about_if_it_is_told_to_mix_up_underscores(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--header-map dangerous``."""
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--header-map=dangerous")
    app = wsgi.wrap(app_of, RateLimiter("9/minute", key=TRUSTED), baseline=False)
    drive_wsgi(app, environ={"SERVER_SOFTWARE": "gunicorn/23.0"})
    assert [record.name for record in caplog.records] == ["mantlet"]


@pytest.mark.parametrize(
    "key", [None, keys.client_address(header="Forwarded", trusted_proxies=["192.0.2.1"])]
)
def test_nothing_is_said_where_no_header_with_a_hyphen_is_trusted(
    key: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """``Forwarded`` has no other spelling."""
    app = wsgi.wrap(app_of, RateLimiter("9/minute", key=key), baseline=False)
    drive_wsgi(app, environ={"SERVER_SOFTWARE": "Granian"})
    assert not caplog.records


def test_asgi_servers_tell_the_two_apart() -> None:
    """So the header with underscores is another header, whichever came first."""
    limiter = RateLimiter("1/minute", key=TRUSTED)
    app = asgi.wrap(asgi_app, limiter, baseline=False)
    statuses = []
    for number in range(2):
        forged = (b"x_forwarded_for", f"203.0.113.{number}".encode())
        pairs = [forged, (b"x-forwarded-for", b"198.51.100.1"), forged]
        statuses.append(drive_asgi(app, scope={"headers": pairs}).status)
    assert statuses == [200, 429]


@pytest.mark.breaks_rules("a server that keeps headers with underscores")
def test_a_content_type_with_an_underscore_is_not_the_content_type() -> None:
    """Granian and hypercorn give both to the app, under different names."""
    seen: list[Any] = []

    class See(RateLimiter):
        def on_request(self, request: Any) -> None:
            seen.append((request.headers.get("Content-Type"), list(request.headers)))

    app = wsgi.wrap(app_of, See("9/minute"), baseline=False)
    drive_wsgi(
        app,
        environ={"CONTENT_TYPE": "text/plain", "HTTP_CONTENT_TYPE": "text/html", "HTTP_HOST": "a"},
    )
    assert seen[0][0] == "text/plain"
    assert [value for name, value in seen[0][1] if name == "content-type"] == ["text/plain"]

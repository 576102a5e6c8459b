"""Each log handler gets one record of an exception that the framework logs as well."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import flask
import litestar
import pytest
import quart
from litestar.logging import LoggingConfig

import mantlet
from mantlet import ErrorEnvelope, Secret, SecretLoader, SecretModel
from mantlet.secrets import Environment
from tests.drive import Answer, drive_asgi, drive_wsgi
from tests.integrations.django_site import django_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "s3cr3t-pa55w0rd-7f3a9c"
LOCAL = [("Host", "localhost"), ("X-Request-ID", "mine")]


class CanaryError(Exception):
    """What the apps raise."""


def fail() -> str:
    raise CanaryError(SECRET)


class Secrets(SecretModel):
    token: Secret[str]


class Collector(logging.Handler):
    """Keeps records as they come."""

    def __init__(self, level: int = 0) -> None:
        super().__init__(level)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def names(self) -> list[str]:
        return [record.name for record in self.records if record.levelno >= logging.ERROR]


def flask_app() -> Any:
    app = flask.Flask("one_record_flask")
    app.get("/")(fail)
    return app


def quart_app() -> Any:
    app = quart.Quart("one_record_quart")

    @app.get("/")
    async def index() -> str:
        return fail()

    return app


def litestar_app() -> Any:
    @litestar.get("/")
    async def index() -> str:
        return fail()

    # Without handlers of its own, which would run in a thread.
    config = LoggingConfig(log_exceptions="always", configure_root_logger=False, loggers={})
    return litestar.Litestar([index], logging_config=config)


FRAMEWORKS: dict[str, tuple[str, Callable[..., Answer]]] = {
    "flask": ("one_record_flask", drive_wsgi),
    "quart": ("one_record_quart", drive_asgi),
    "django-wsgi": ("django.request", drive_wsgi),
    "django-asgi": ("django.request", drive_asgi),
    "litestar": ("litestar", drive_asgi),
}
frameworks = pytest.mark.parametrize("framework", FRAMEWORKS)


@contextmanager
def made(framework: str) -> Iterator[Any]:
    if framework.startswith("django"):
        with django_site(framework.removeprefix("django-"), index=lambda _: fail()) as app:
            yield app
    else:
        yield {"flask": flask_app, "quart": quart_app, "litestar": litestar_app}[framework]()


@contextmanager
def handling(name: str | None, handler: logging.Handler) -> Iterator[None]:
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def ask(framework: str, app: Any, *policies: Any) -> Answer:
    drive: Any = FRAMEWORKS[framework][1]
    module = mantlet.wsgi if drive is drive_wsgi else mantlet.asgi
    answer: Answer = drive(
        module.wrap(app, *policies, ErrorEnvelope(), baseline=False), headers=LOCAL
    )
    assert answer.status == 500
    return answer


@frameworks
@pytest.mark.breaks_rules("Django sends names in upper case under ASGI")
def test_a_handler_that_both_records_reach_gets_the_envelopes(framework: str) -> None:
    """It says more, and a burst is throttled."""
    root = Collector()
    with made(framework) as app, handling(None, root):
        ask(framework, app)
    assert root.names == ["mantlet.errors"]


@frameworks
@pytest.mark.breaks_rules("Django sends names in upper case under ASGI")
def test_a_handler_of_the_frameworks_logger_alone_gets_its_record(framework: str) -> None:
    """With the request's id, and without secrets."""
    root, own = Collector(), Collector()
    name = FRAMEWORKS[framework][0]
    with made(framework) as app, handling(None, root), handling(name, own):
        ask(framework, app, SecretLoader(Secrets, sources=[Environment({"TOKEN": SECRET})]))
    assert root.names == ["mantlet.errors"]
    assert own.names == [name]
    (record,) = [one for one in own.records if one.levelno >= logging.ERROR]
    assert record.__dict__["request_id"] == "mine"
    text = logging.Formatter().format(record)
    assert "CanaryError: ***" in text
    assert SECRET not in text


@frameworks
@pytest.mark.breaks_rules("Django sends names in upper case under ASGI")
def test_a_handler_above_the_level_gets_nothing(framework: str) -> None:
    """As without the stack."""
    own = Collector(logging.CRITICAL)
    with made(framework) as app, handling(FRAMEWORKS[framework][0], own):
        ask(framework, app)
    assert own.names == []


@frameworks
@pytest.mark.breaks_rules("Django sends names in upper case under ASGI")
def test_the_frameworks_record_stays_where_the_envelopes_log_is_off(framework: str) -> None:
    """So that the exception is not lost."""
    own = Collector()
    name = FRAMEWORKS[framework][0]
    log = logging.getLogger("mantlet.errors")
    log.setLevel(logging.CRITICAL)
    try:
        with made(framework) as app, handling(name, own):
            ask(framework, app)
    finally:
        log.setLevel(logging.NOTSET)
    assert own.names == [name]


def test_an_app_outside_of_an_envelope_logs_as_before() -> None:
    """Though its logger has a filter by then."""
    root = Collector()
    app = flask_app()
    with handling(None, root):
        ask("flask", app)
        assert drive_wsgi(app, headers=LOCAL).status == 500
    assert root.names == ["mantlet.errors", "one_record_flask"]


def test_a_listener_hears_of_an_exception_that_the_framework_logs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whichever record is written."""
    heard: list[str] = []
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    own = Collector()
    app = flask_app()
    envelope = ErrorEnvelope(on_exception=lambda error, _: heard.append(str(error)))
    with handling("one_record_flask", own):
        stack = mantlet.wrap(app, envelope, baseline=False)
        assert drive_wsgi(stack, headers=LOCAL).status == 500
    assert heard == [SECRET]
    assert own.names == ["one_record_flask"]


UNCONFIGURED = """
    import flask, logging, sys
    import mantlet
    from tests.drive import drive_wsgi

    app = flask.Flask("app")
    {setup}

    @app.get("/")
    def index():
        raise LookupError("the words")

    stack = mantlet.wrap(app)
    assert drive_wsgi(stack, headers=[("X-Request-ID", "mine")]).status == 500
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setup", "starts"),
    [
        ("", "Unhandled LookupError in request mine"),
        ("app.logger.addHandler(logging.StreamHandler())", "Exception on / [GET]"),
    ],
    ids=["no handler", "a handler of the app's"],
)
def test_without_logging_configured_one_record_is_written(setup: str, starts: str) -> None:
    """By the envelope, or as the framework does where the app has chosen a handler for that."""
    code = textwrap.dedent(UNCONFIGURED).replace("{setup}", setup)
    done = subprocess.run(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, check=True
    )
    assert done.stderr.count("LookupError: the words") == 1
    assert done.stderr.count(starts) == 1

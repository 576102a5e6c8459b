"""No log record shows a secret, in whatever format."""

import io
import json
import logging
import logging.config
import sys
from collections.abc import Callable, Iterator
from typing import Any

import flask.logging
import pytest
import pythonjsonlogger.json
import rich.console
import rich.logging
import structlog
import uvicorn.logging
from gunicorn.glogging import SafeAtoms

import mantlet
from mantlet.redact.variants import encoded_variants
from mantlet.secrets import (
    SECRET_NAMES,
    Environment,
    MaskingFilter,
    MaskingFormatter,
    MaskingProcessor,
    Secret,
    SecretLoader,
    SecretModel,
    SecretsError,
    mask_logging,
)
from mantlet.secrets.unread import without_values
from tests.drive import drive_wsgi

TOKEN, KEY = "kR7-vT2_qX9.mB4w", b"\x00\xffkey-\xc3\x28-4Kx8"
NEEDLES = [*encoded_variants(TOKEN.encode()), *encoded_variants(KEY)]


class App(SecretModel):
    token: Secret[str]
    key: Secret[bytes]


def _loader() -> SecretLoader[App]:
    class Bytes(App):
        pass

    environ = {"TOKEN": TOKEN, "KEY": KEY.decode("utf-8", "surrogateescape")}
    return SecretLoader(Bytes, sources=[Environment(environ)])


@pytest.fixture
def loader() -> SecretLoader[App]:
    return _loader()


class JsonFormatter(logging.Formatter):
    """A common formatter: every attribute of the record, and the exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON."""
        parts = {name: value for name, value in vars(record).items() if name != "exc_info"}
        if record.exc_info:
            parts["exception"] = self.formatException(record.exc_info)
        return json.dumps(parts, default=repr)


class LocalsFormatter(logging.Formatter):
    """The format of error trackers: every variable of every frame."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  # its name there
        """Return the frames with their variables."""
        console = rich.console.Console(file=io.StringIO(), width=200)
        console.print(rich.traceback.Traceback.from_exception(*ei, show_locals=True))
        file = console.file
        assert isinstance(file, io.StringIO)
        return file.getvalue()


FORMATTERS: dict[str, Callable[[], logging.Formatter]] = {
    "default": logging.Formatter,
    "percent": lambda: logging.Formatter("%(asctime)s %(name)s %(message)s %(args)s"),
    "brace": lambda: logging.Formatter("{levelname} {message} {args}", style="{"),
    "dollar": lambda: logging.Formatter("$levelname $message", style="$"),
    "json": JsonFormatter,
    "locals": LocalsFormatter,
    "structlog": lambda: structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ExtraAdder(),
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(default=repr),
        ]
    ),
}


def _with_exception(log: logging.Logger, loader: SecretLoader[App]) -> None:
    try:
        raise LookupError(f"no {loader.current.token.reveal()}")
    except LookupError:
        log.exception("failed")


def _with_locals(log: logging.Logger, loader: SecretLoader[App]) -> None:
    password = {"deep": [loader.current.token.reveal()]}
    try:
        password["missing"]
    except KeyError:
        log.exception("failed")


def _with_chain(log: logging.Logger, loader: SecretLoader[App]) -> None:
    try:
        try:
            raise LookupError(loader.current.key.reveal())
        except LookupError as error:
            raise RuntimeError("harmless") from error
    except RuntimeError:
        log.exception("failed")


def _with_group(log: logging.Logger, loader: SecretLoader[App]) -> None:
    one = LookupError(loader.current.token.reveal())
    log.error("failed", exc_info=ExceptionGroup("several", [one, ValueError("other")]))


def _with_stack(log: logging.Logger, loader: SecretLoader[App]) -> None:
    log.error("here", stack_info=True, extra={"x": loader.current.token.reveal()})


class Holder:
    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Holder({self.value})"


RECORDS: dict[str, Callable[[logging.Logger, SecretLoader[App]], object]] = {
    "message": lambda log, it: log.error(f"is {it.current.token.reveal()}"),  # tested
    "argument": lambda log, it: log.error("is %s", it.current.token.reveal()),
    "bytes": lambda log, it: log.error("is %s", it.current.key.reveal()),
    "hex": lambda log, it: log.error("is %s", it.current.key.reveal().hex()),
    "mapping": lambda log, it: log.error("is %(x)s", {"x": it.current.token.reveal()}),
    "object": lambda log, it: log.error("is %r", Holder(it.current.token.reveal())),
    "unused": lambda log, it: log.error("is %.3s", it.current.token.reveal()),
    "misfit": lambda log, it: log.error("is %d", it.current.token.reveal()),
    "extra": lambda log, it: log.error("x", extra={"it": it.current.token.reveal()}),
    "extra-deep": lambda log, it: log.error(
        "x", extra={"it": {"a": [(it.current.token.reveal(), {it.current.key.reveal()})]}}
    ),
    "extra-object": lambda log, it: log.error("x", extra={"it": Holder(it.current.token.reveal())}),
    "extra-key": lambda log, it: log.error("x", extra={"it": {it.current.token.reveal(): 1}}),
    "exception": _with_exception,
    "locals": _with_locals,
    "chain": _with_chain,
    "group": _with_group,
    "stack": _with_stack,
}


def written(
    log: Callable[[logging.Logger, SecretLoader[App]], object],
    loader: SecretLoader[App],
    formatter: logging.Formatter,
    *filters: logging.Filter,
) -> str:
    """Return the output of a handler."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    for one in filters:
        handler.addFilter(one)
    logger = logging.Logger("app")
    logger.addHandler(handler)
    log(logger, loader)
    return out.getvalue()


def clean(text: str) -> bool:
    """Return whether a text contains no encoding of a secret."""
    data = text.encode("utf-8", "surrogateescape")
    return not any(needle in data for needle in NEEDLES) and r"\x00\xffkey" not in text


@pytest.mark.parametrize("log", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("formatter", FORMATTERS.values(), ids=FORMATTERS)
def test_the_filter_masks_what_any_formatter_writes(
    loader: SecretLoader[App],
    log: Callable[[logging.Logger, SecretLoader[App]], object],
    formatter: Callable[[], logging.Formatter],
) -> None:
    """The rest of the record is kept."""
    text = written(log, loader, formatter(), MaskingFilter(loader))
    assert text.strip()
    assert clean(text)


@pytest.mark.parametrize("log", RECORDS.values(), ids=RECORDS)
@pytest.mark.parametrize("formatter", FORMATTERS.values(), ids=FORMATTERS)
def test_the_formatter_masks_what_another_one_writes(
    loader: SecretLoader[App],
    log: Callable[[logging.Logger, SecretLoader[App]], object],
    formatter: Callable[[], logging.Formatter],
) -> None:
    """The formatter works without the filter."""
    assert clean(written(log, loader, MaskingFormatter(loader, formatter())))


def test_these_records_would_show_secrets(loader: SecretLoader[App]) -> None:
    """Otherwise the tests above would prove nothing."""
    shown = [not clean(written(log, loader, JsonFormatter())) for log in RECORDS.values()]
    assert shown.count(False) == list(RECORDS).index("chain") - list(RECORDS).index("locals")


def test_a_record_without_secrets_stays_as_it_is(loader: SecretLoader[App]) -> None:
    """Its arguments, its exception and the extra objects are identical."""
    thing = Holder("nothing")
    error = ValueError("other")
    record = logging.makeLogRecord(
        {"msg": "is %s", "args": (thing,), "exc_info": (ValueError, error, None), "thing": thing}
    )
    assert MaskingFilter(loader).filter(record)
    assert record.args == (thing,)
    assert record.exc_info == (ValueError, error, None)
    assert record.thing is thing  # type: ignore[attr-defined]  # as it was added


def test_the_filter_follows_a_rotation(loader: SecretLoader[App]) -> None:
    """Current and replaced values are masked."""
    environ = {"TOKEN": TOKEN, "KEY": "first-4Kx8-Lw2q"}
    loader = SecretLoader(App, sources=[Environment(environ)])
    formatter = MaskingFormatter(loader)
    environ["TOKEN"] = "next-4Kx8-Lw2q"
    loader.reload()
    record = logging.makeLogRecord({"msg": f"{TOKEN} and next-4Kx8-Lw2q"})
    assert formatter.format(record) == "*** and ***"


def test_a_configuration_can_name_the_filter() -> None:
    """With the ``()`` key of ``logging.config.dictConfig()``."""
    out = io.StringIO()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"secrets": {"()": MaskingFilter, "secrets": [TOKEN]}},
            "handlers": {
                "out": {"class": "logging.StreamHandler", "stream": out, "filters": ["secrets"]}
            },
            "loggers": {"mantlet.tests.configured": {"handlers": ["out"], "propagate": False}},
        }
    )
    logging.getLogger("mantlet.tests.configured").error("is %s", TOKEN)
    assert out.getvalue() == "is ***\n"


RENDERERS: dict[str, Callable[[], list[Any]]] = {
    "json": lambda: [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(default=repr),
    ],
    "dict-tracebacks": lambda: [
        structlog.processors.dict_tracebacks,
        structlog.processors.JSONRenderer(default=repr),
    ],
    "logfmt": lambda: [structlog.processors.LogfmtRenderer()],
    "console": lambda: [structlog.dev.ConsoleRenderer(colors=False)],
    "console-locals": lambda: [
        structlog.dev.ConsoleRenderer(
            colors=False,
            exception_formatter=structlog.dev.RichTracebackFormatter(show_locals=True),
        )
    ],
}


@pytest.mark.parametrize("place", ["before", "behind"])
@pytest.mark.parametrize("render", RENDERERS.values(), ids=RENDERERS)
def test_structlog_shows_none(
    loader: SecretLoader[App], render: Callable[[], list[Any]], place: str
) -> None:
    """With the processor before or after the renderers."""
    out = io.StringIO()
    mask = MaskingProcessor(loader)
    processors = [mask, *render()] if place == "before" else [*render(), mask]
    log = structlog.wrap_logger(structlog.PrintLogger(out), processors=processors)
    token = loader.current.token.reveal()
    log.info(f"is {token}", deep={"a": [token, loader.current.key.reveal()]}, it=Holder(token))
    try:
        raise LookupError(token)
    except LookupError:
        log.exception("failed")
    assert clean(out.getvalue())
    assert "failed" in out.getvalue()
    assert "***" in out.getvalue()


def test_structlog_keeps_an_exception_without_secrets(loader: SecretLoader[App]) -> None:
    """The renderer and error trackers get it."""
    event = {"event": "x", "exc_info": ValueError("other")}
    assert MaskingProcessor(loader)(None, "error", event) == {
        "event": "x",
        "exc_info": event["exc_info"],
    }
    assert MaskingProcessor(loader)(None, "error", b"is " + KEY) == b"is ***"
    try:
        raise LookupError(TOKEN)
    except LookupError:
        masked = MaskingProcessor(loader)(None, "error", {"event": "x", "exc_info": True})
        assert sys.exc_info()[0] is LookupError
    assert masked["exception"].endswith("LookupError: ***")


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger that no other test uses."""
    logger = logging.getLogger("mantlet.tests.mask_logging")
    yield logger
    logger.handlers.clear()


def test_one_call_masks_every_handler(loader: SecretLoader[App], logger: logging.Logger) -> None:
    """The root logger's, those of other loggers, and the one of last resort."""
    out, child = io.StringIO(), io.StringIO()
    root = logging.StreamHandler(out)
    logging.getLogger().addHandler(root)
    logger.addHandler(logging.StreamHandler(child))
    mask_logging(loader)
    try:
        logging.getLogger("django.request").error("is %s", TOKEN)
        _with_exception(logging.getLogger("flask.app"), loader)
        logger.error("is %s", TOKEN)
    finally:
        logging.getLogger().removeHandler(root)
    assert child.getvalue() == "is ***\n"
    assert clean(out.getvalue())
    assert out.getvalue().count("is ***") == 2
    assert any(isinstance(one, MaskingFilter) for one in logging.lastResort.filters)  # type: ignore[union-attr]  # it is set


def test_a_second_call_adds_no_second_filter(
    loader: SecretLoader[App], logger: logging.Logger
) -> None:
    """But reaches handlers that were added since, and takes over the names."""
    first, second = logging.StreamHandler(io.StringIO()), logging.StreamHandler(io.StringIO())
    logger.addHandler(first)
    mask_logging(loader)
    logger.addHandler(second)
    masking = mask_logging(loader, names=["password"])
    assert first.filters == [masking] == second.filters
    mask_logging(["another-4Kx8-Lw2q"])
    assert len(first.filters) == 2


def test_handlers_that_flask_adds_later_are_masked(loader: SecretLoader[App]) -> None:
    """Its default handler, which ``app.logger`` gets at its first use."""
    masking = mask_logging(loader)
    assert masking in flask.logging.default_handler.filters


NAMED: dict[str, Callable[[logging.Logger], object]] = {
    "extra": lambda log: log.error("x", extra={"apiKey": "plain-text"}),
    "extra-deep": lambda log: log.error("x", extra={"it": [{"headers": {"Cookie": "plain-text"}}]}),
    "argument": lambda log: log.error("is %s", {"db_password": "plain-text"}),
    "mapping": lambda log: log.error("is %(Authorization)s", {"Authorization": "plain-text"}),
}


@pytest.mark.parametrize("log", NAMED.values(), ids=NAMED)
@pytest.mark.parametrize("formatter", FORMATTERS.values(), ids=FORMATTERS)
def test_fields_with_the_names_of_secrets_are_masked(
    loader: SecretLoader[App],
    log: Callable[[logging.Logger], object],
    formatter: Callable[[], logging.Formatter],
) -> None:
    """By option, whatever their values are."""
    by_name = MaskingFilter(loader, names=SECRET_NAMES)
    shown = written(lambda logger, _: log(logger), loader, JsonFormatter(), MaskingFilter(loader))
    assert "plain-text" in shown
    assert "plain-text" not in written(lambda logger, _: log(logger), loader, formatter(), by_name)


def test_variables_with_the_names_of_secrets_are_not_shown(loader: SecretLoader[App]) -> None:
    """By a formatter that shows the variables of frames."""

    def log(logger: logging.Logger, _: object) -> None:
        smtp_password = "plain-text"
        try:
            raise LookupError(f"{len(smtp_password)} letters")
        except LookupError:
            logger.exception("failed")

    by_name = MaskingFilter(loader, names=SECRET_NAMES)
    assert "plain-text" in written(log, loader, LocalsFormatter(), MaskingFilter(loader))
    text = written(log, loader, LocalsFormatter(), by_name)
    assert "plain-text" not in text
    assert "10 letters" in text


def test_other_fields_stay(loader: SecretLoader[App]) -> None:
    """Their values are the same objects."""
    thing = Holder("nothing")
    record = logging.makeLogRecord(
        {"msg": "%(max_tokens)s", "args": {"max_tokens": 5}, "thing": thing, "token": None}
    )
    MaskingFilter(loader, names=SECRET_NAMES).filter(record)
    assert record.getMessage() == "5"
    assert record.thing is thing  # type: ignore[attr-defined]  # as it was added
    assert record.token is None  # type: ignore[attr-defined]  # the same


def test_structlog_masks_fields_by_name(loader: SecretLoader[App]) -> None:
    """Of the event, and within its values."""
    mask = MaskingProcessor(loader, names=SECRET_NAMES)
    event = {"event": "login", "password": "x", "request": {"X-Api-Key": "y", "path": "/"}}
    assert mask(None, "info", event) == {
        "event": "login",
        "password": "***",
        "request": {"X-Api-Key": "***", "path": "/"},
    }


def test_the_formatter_shows_no_arguments_that_do_not_match(
    loader: SecretLoader[App], capsys: pytest.CaptureFixture[str]
) -> None:
    """`logging` would print them to the standard error stream."""
    text = written(RECORDS["misfit"], loader, MaskingFormatter(loader))
    assert text.startswith("is %d ('***',)")
    assert not capsys.readouterr().err


ACCESS: dict[str, tuple[logging.Formatter, str, Any]] = {
    "uvicorn": (
        uvicorn.logging.AccessFormatter('"%(request_line)s" %(status_code)s', use_colors=False),
        '%s - "%s %s HTTP/%s" %d',
        ("127.0.0.1:1", "GET", f"/a?token={TOKEN}", "1.1", 200),
    ),
    "gunicorn": (
        logging.Formatter("%(message)s"),
        '"%(r)s" 200 OK%({x-id}o)s',
        SafeAtoms({"r": f"GET /a?token={TOKEN} HTTP/1.1"}),
    ),
}


@pytest.mark.parametrize("names", [(), SECRET_NAMES], ids=["secrets", "names"])
@pytest.mark.parametrize(("formatter", "line", "args"), ACCESS.values(), ids=ACCESS)
def test_a_line_of_an_access_log_stays(
    loader: SecretLoader[App], formatter: logging.Formatter, line: str, args: Any, names: Any
) -> None:
    """Their formatters read the arguments one by one, and have a default for missing ones."""

    def log(logger: logging.Logger, _: object) -> None:
        logger.error(line, *(args if isinstance(args, tuple) else [args]))

    text = written(log, loader, formatter, MaskingFilter(loader, names=names))
    assert text.rstrip("-\n") == '"GET /a?token=*** HTTP/1.1" 200 OK'


@pytest.mark.parametrize("name", ["token", "harmless"])
def test_messages_of_fields_keep_them(loader: SecretLoader[App], name: str) -> None:
    """As formatters of JSON write them."""

    def log(logger: logging.Logger, loader: SecretLoader[App]) -> None:
        logger.error({"event": "x", name: "plain", "deep": [loader.current.token.reveal()]})

    masking = MaskingFilter(loader, names=SECRET_NAMES)
    text = written(log, loader, pythonjsonlogger.json.JsonFormatter(), masking)
    value = "***" if name == "token" else "plain"
    assert json.loads(text) == {"message": "", "event": "x", name: value, "deep": ["***"]}


@pytest.mark.parametrize("exc_info", [True, False], ids=["exception", "event"])
def test_structlog_within_logging_is_masked(loader: SecretLoader[App], exc_info: bool) -> None:
    """Where the handler's formatter renders what structlog's loggers pass on."""
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=True)
            ),
            structlog.processors.JSONRenderer(default=repr),
        ]
    )

    def log(logger: logging.Logger, loader: SecretLoader[App]) -> None:
        own = structlog.wrap_logger(
            logger,
            processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
            wrapper_class=structlog.stdlib.BoundLogger,
        )
        token = loader.current.token.reveal()
        own.error("x", deep={"a": [token]}, password="plain")
        try:
            raise LookupError(len(token))
        except LookupError:
            own.error("y", exc_info=exc_info)

    text = written(log, loader, formatter, MaskingFilter(loader, names=SECRET_NAMES))
    assert clean(text)
    shown, raised = map(json.loads, text.splitlines())
    assert shown == {"event": "x", "deep": {"a": ["***"]}, "password": "***"}
    assert ("LookupError: 16" in str(raised.get("exception"))) == exc_info


def test_handlers_of_a_later_configuration_are_masked(
    loader: SecretLoader[App], logger: logging.Logger
) -> None:
    """From the next request on: Django, and some servers, configure logging after the import."""
    out = io.StringIO()
    masking = mask_logging(loader, names=["password"])
    logging.config.dictConfig(
        {
            "version": 1,
            "incremental": False,
            "disable_existing_loggers": False,
            "handlers": {"late": {"class": "logging.StreamHandler", "stream": out}},
            "loggers": {logger.name: {"handlers": ["late"], "propagate": False}},
        }
    )
    app = mantlet.wrap(answering(logger), loader)
    assert drive_wsgi(app).status == 200
    assert drive_wsgi(app).status == 200
    assert out.getvalue() == "is ***\n" * 2
    assert logger.handlers[0].filters == [masking]
    logger.propagate = True


def test_a_handler_that_is_added_later_is_masked_at_the_next_poll(logger: logging.Logger) -> None:
    """However it was added."""
    now = 0.0
    source = Environment({"TOKEN": TOKEN, "KEY": "other-4Kx8-Lw2q"})
    loader = SecretLoader(App, sources=[source], clock=lambda: now)
    masking = mask_logging(loader)
    loader.current.token.reveal()
    handler = logging.StreamHandler(io.StringIO())
    logger.addHandler(handler)
    loader.current.token.reveal()
    assert masking not in handler.filters
    now = 10.0
    loader.current.token.reveal()
    assert masking in handler.filters


def test_a_loader_that_read_nothing_reads_nothing_later() -> None:
    """Although it is asked to mask logs."""
    with without_values():
        loader = SecretLoader(App, sources=[Environment({})])
    mask_logging(loader)
    with pytest.raises(SecretsError, match="no source has been read"):
        loader.current.token.reveal()


def answering(logger: logging.Logger) -> Any:
    """Return an app that logs a secret."""

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        logger.error("is %s", TOKEN)
        start_response("200 OK", [("Content-Length", "0")])
        return []

    return app

"""What the log and those who listen hear of an exception, and how often."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import os
import subprocess
import sys
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest
import starlette.exceptions
import werkzeug.exceptions
from flask import Flask
from starlette.applications import Starlette
from starlette.routing import Route

import mantlet
from mantlet import ClientDisconnected, ErrorEnvelope, Identity, Problem, RateLimiter
from mantlet._internal.error_kind import ErrorKind, fingerprint, kind_of
from mantlet._internal.log_throttle import _Burst
from mantlet.errors.reporting import ErrorReporter
from tests.conformance.exchanges import Script, play_asgi, play_wsgi
from tests.drive import (
    Adapter,
    AsgiAdapter,
    Said,
    WsgiAdapter,
    both_adapters,
    drive_asgi,
    drive_wsgi,
    hello,
)
from tests.errors.test_mapping import raising
from tests.ids import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mantlet import Request

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SECRET = "s3cr3t-pa55w0rd"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Collector(logging.Handler):
    """Keeps records as they come."""

    def __init__(self) -> None:
        super().__init__(0)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def only(self) -> Any:
        """The record, where there is one alone."""
        (record,) = self.records
        return record


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    """Mantlet's logger at its most talkative, alone, and as it was afterwards."""
    logger = logging.getLogger("mantlet.errors")
    before = logger.level, logger.parent, logger.filters[:], logger.handlers[:]
    logger.setLevel(logging.DEBUG)
    # pytest has a handler on every logger that propagates nothing, and it writes each record out.
    logger.parent = logging.Logger("apart")
    logger.parent.addHandler(logging.NullHandler())
    yield logger
    logger.setLevel(before[0])
    logger.disabled = False
    logger.parent, logger.filters, logger.handlers = before[1:]


@pytest.fixture
def heard(log: logging.Logger) -> Collector:
    """What is logged."""
    collector = Collector()
    log.addHandler(collector)
    return collector


class OrderError(Exception):
    """An error of an app's own."""


def failing(carrier: Any) -> Said:
    """Raise an exception anew for each request."""
    raise OrderError(SECRET)


def enveloped(clock: Clock | None = None, **options: Any) -> ErrorEnvelope:
    """Return an envelope with a clock of the test's own."""
    envelope = ErrorEnvelope(**options)
    envelope.reporter = ErrorReporter(clock or Clock())
    return envelope


def late(adapter: Adapter, *policies: mantlet.Policy, **options: Any) -> Any:
    """Return what becomes of an app that raises behind its first chunk."""
    script = Script(chunks=(b"a", b"b"), raises_at=1, **options)
    if adapter.name == "asgi":
        return play_asgi(lambda app: mantlet.asgi.Stack(app, policies), script, "GET")
    return play_wsgi(lambda app: mantlet.wsgi.Stack(app, policies), script, "GET")


# -- one record -----------------------------------------------------------------------------------


@both_adapters
def test_a_record_has_what_one_searches_for(
    adapter: Adapter, heard: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As attributes, for handlers that write them out."""
    clock, error = Clock(), OrderError(SECRET)
    monkeypatch.setattr("mantlet.errors.policy.perf_counter", clock)
    monkeypatch.setattr("mantlet.errors.reporting.perf_counter", clock)

    def handler(carrier: Any) -> Said:
        clock.now += 0.25
        raise error

    answer = adapter.drive(
        adapter.wrap(handler, enveloped()),
        "POST",
        "/orders/17",
        headers=[("X-Request-ID", "mine"), ("traceparent", f"00-{TRACE}-{'1' * 16}-01")],
    )
    record = heard.only
    assert record.name == "mantlet.errors"
    assert record.getMessage() == "Unhandled OrderError in request mine, answered with 500"
    assert record.exc_info[1] is error
    assert record.request_id == answer.get("X-Request-ID") == "mine"
    assert record.trace_id == TRACE
    assert record.method == "POST"
    assert record.route is None
    assert record.status == 500
    assert record.duration == 0.25
    assert record.fingerprint == fingerprint(error)
    assert record.repeats == 0


@both_adapters
def test_what_is_not_there_is_none(adapter: Adapter, heard: Collector) -> None:
    """A formatter can name every attribute of every record."""
    answer = adapter.drive(adapter.wrap(raising(OrderError()), enveloped()))
    record = heard.only
    assert record.request_id == answer.get("X-Request-ID")
    assert (record.trace_id, record.route, record.repeats) == (None, None, 0)
    assert record.duration >= 0
    names = ["request_id", "trace_id", "method", "route", "status", "duration", "fingerprint"]
    pattern = " ".join(f"%({name})s" for name in names)
    assert logging.Formatter(pattern).format(record).count(" None") == 2


def test_the_route_is_the_template_that_starlette_has_left(heard: Collector) -> None:
    """Not the path, which holds what the client sent."""

    async def view(request: Any) -> None:
        raise OrderError

    for path, template in (("/orders/zebra", "/orders/{name}"), ("/plain", "/plain")):
        app = Starlette(routes=[Route(template, view)])
        assert drive_asgi(mantlet.wrap(app, enveloped(), baseline=False), path=path).status == 500
        assert heard.records[-1].__dict__["route"] == template
    assert "zebra" not in heard.records[0].getMessage()


def test_the_route_is_the_template_that_flask_has_left(heard: Collector) -> None:
    """As for the other frameworks."""
    app = Flask(__name__)

    @app.get("/orders/<name>")
    def view(name: str) -> str:
        raise OrderError

    assert (
        drive_wsgi(mantlet.wrap(app, enveloped(), baseline=False), path="/orders/zebra").status
        == 500
    )
    assert heard.only.route == "/orders/<name>"


@both_adapters
def test_a_route_that_is_no_text_is_none(adapter: Adapter, heard: Collector) -> None:
    """Whatever an app keeps under the name."""

    def handler(carrier: Any) -> Said:
        carrier["route"] = 42
        carrier["werkzeug.request"] = object()
        raise OrderError

    assert adapter.drive(adapter.wrap(handler, enveloped())).status == 500
    assert heard.only.route is None


CASES: list[tuple[Any, int, int]] = [
    (OrderError(), 500, logging.ERROR),
    (ExceptionGroup("", [OrderError(), Problem(404)]), 500, logging.ERROR),
    (Problem(500), 500, logging.ERROR),
    (Problem(503), 503, logging.ERROR),
    (starlette.exceptions.HTTPException(502), 502, logging.ERROR),
    (KeyError(), 503, logging.ERROR),
    (LookupError(), 410, logging.WARNING),
    (ConnectionError(), 409, logging.WARNING),
    (Problem(404), 404, logging.INFO),
    (Problem(429), 429, logging.INFO),
    (starlette.exceptions.HTTPException(403), 403, logging.INFO),
    (werkzeug.exceptions.NotFound(), 404, logging.INFO),
    (starlette.exceptions.HTTPException(307, headers={"Location": "http://x/"}), 307, logging.INFO),
]
MAP: dict[Any, Any] = {KeyError: 503, LookupError: 410, ConnectionError: lambda _: Problem(409)}


@both_adapters
@pytest.mark.parametrize(("error", "status", "level"), CASES, ids=shown)
def test_the_level_says_whose_business_it_is(
    adapter: Adapter, error: BaseException, status: int, level: int, heard: Collector
) -> None:
    """ERROR for the server's failures, WARNING for what was not foreseen, INFO for answers."""
    answer = adapter.drive(adapter.wrap(raising(error), enveloped(exceptions=MAP)))
    assert answer.status == status
    record = heard.only
    assert (record.levelno, record.status) == (level, status)
    assert record.exc_info[1] is error
    assert record.getMessage().startswith("Unhandled ") == (level != logging.INFO)


@both_adapters
def test_a_databases_error_below_500_is_a_warning(adapter: Adapter, heard: Collector) -> None:
    """Nobody raised it for the client."""
    from sqlite3 import IntegrityError

    adapter.drive(adapter.wrap(raising(IntegrityError(SECRET)), enveloped()))
    assert (heard.only.levelno, heard.only.status) == (logging.WARNING, 409)


@both_adapters
def test_what_comes_late_is_an_error_without_a_status(adapter: Adapter, heard: Collector) -> None:
    """It could not be answered."""
    outcome = late(adapter, enveloped())
    assert outcome.error is not None
    record = heard.only
    assert record.levelno == logging.ERROR
    assert record.status is None
    assert record.exc_info[1] is outcome.error
    assert record.request_id == dict(outcome.headers)["x-request-id"]
    assert record.getMessage().endswith(", after the response had begun")


@both_adapters
def test_refusals_of_policies_are_not_logged(adapter: Adapter, heard: Collector) -> None:
    """A policy that answers has raised nothing."""
    stack = adapter.wrap(hello, enveloped(), RateLimiter("1/hour"))
    assert [adapter.drive(stack).status for _ in range(3)] == [200, 429, 429]
    assert heard.records == []


@both_adapters
def test_the_traceback_has_each_cause_once(adapter: Adapter, log: logging.Logger) -> None:
    """As a plain handler writes it."""
    stream = io.StringIO()
    log.addHandler(logging.StreamHandler(stream))

    def handler(carrier: Any) -> Said:
        try:
            try:
                raise KeyError("the root")
            except KeyError as inner:
                raise LookupError("the middle") from inner
        except LookupError:
            raise OrderError("the top")  # noqa: B904  # its context is what is tested

    adapter.drive(adapter.wrap(handler, enveloped()))
    written = stream.getvalue()
    for text in ("KeyError: 'the root'", "LookupError: the middle", "OrderError: the top"):
        assert written.count(text) == 1
    assert written.count("Traceback (most recent call last):") == 3
    assert written.count("was the direct cause of") == 1
    assert written.count("During handling of") == 1
    assert written.count("Unhandled ") == 1


@both_adapters
def test_several_envelopes_are_one_record(adapter: Adapter, heard: Collector) -> None:
    """Whichever answers, and whoever sees the error on its way."""
    stack = adapter.wrap(raising(OrderError()), enveloped(), enveloped())
    assert adapter.drive(stack).status == 500
    stack = adapter.module.wrap(
        adapter.wrap(raising(OrderError()), enveloped()), enveloped(), baseline=False
    )
    assert adapter.drive(stack).status == 500
    assert [type(record.exc_info[1]) for record in heard.records if record.exc_info] == [
        OrderError,
        OrderError,
    ]
    heard.records.clear()
    late(adapter, enveloped(), enveloped())
    assert len(heard.records) == 1


HOSTILE = "evil\r\nCRITICAL root: injected \x1b[31m${jndi:ldap://x} %s %(x)s {0}"


@both_adapters
@pytest.mark.breaks_rules("fields with line breaks in them, from a server that checks nothing")
def test_nothing_of_what_the_client_sent_is_in_the_message(
    adapter: Adapter, heard: Collector
) -> None:
    """Method, path, query and fields could forge lines of the log."""
    error = OrderError(HOSTILE)
    names = ["X-Request-ID", "traceparent", "User-Agent", "Accept", "Host", "X-Forwarded-For"]
    options: dict[str, Any] = {"headers": [(name, HOSTILE) for name in names]}
    if adapter.name == "asgi":
        options["scope"] = {"query_string": HOSTILE.encode()}
    else:
        options["environ"] = {"QUERY_STRING": HOSTILE}
    adapter.drive(adapter.wrap(raising(error), enveloped()), HOSTILE, f"/{HOSTILE}", **options)
    record = heard.only
    assert record.getMessage() == (
        f"Unhandled OrderError in request {record.request_id}, answered with 500"
    )
    assert record.request_id.isalnum()
    assert record.method == "-"
    assert record.trace_id is None
    values = [value for name, value in record.__dict__.items() if name[:4] != "exc_"]
    assert "injected" not in repr(values)
    assert "jndi" not in repr(values)
    assert "evil\\r\\nCRITICAL root: injected \\x1b[31m" in record.exc_text


@both_adapters
@pytest.mark.parametrize("method", ["GET", "PATCH", "BREW", "get", "G" * 10_000])
@pytest.mark.breaks_rules("a checker knows the usual methods only")
def test_only_methods_that_are_known_are_written(
    adapter: Adapter, method: str, heard: Collector
) -> None:
    """A method may be any token, of any length."""
    adapter.drive(adapter.wrap(raising(OrderError()), enveloped()), method)
    assert heard.only.method == (method if method in {"GET", "PATCH"} else "-")


@both_adapters
def test_what_the_exception_says_is_in_the_traceback_alone(
    adapter: Adapter, heard: Collector
) -> None:
    """A message that holds it could be cut off, and would be sorted under it."""
    adapter.drive(adapter.wrap(raising(OrderError(SECRET)), enveloped()))
    record = heard.only
    values = [value for name, value in record.__dict__.items() if name[:4] != "exc_"]
    assert SECRET not in repr(values)
    assert SECRET in logging.Formatter().format(record)


# -- fingerprints ---------------------------------------------------------------------------------

SOURCE = """
def place(kind, value):
    if value:
        raise kind(value)
    raise kind(value, 2)

def other(kind, value):
    if value:
        raise kind(value)
    raise kind(value, 2)

def through(kind, value):
    place(kind, value)

def caused(kind, value, cause):
    try:
        raise cause(value)
    except cause as error:
        raise kind(value) from error
"""


def module(file: str, *, name: str = "shop", before: str = "") -> dict[str, Any]:
    """Return the functions of `SOURCE`, as they are in some file."""
    found: dict[str, Any] = {"__name__": name}
    exec(compile(before + SOURCE, file, "exec"), found)
    return found


def printed(function: Callable[..., Any], *args: Any) -> str:
    """Return the fingerprint of what a function raises."""
    try:
        function(*args)
    except Exception as error:
        return fingerprint(error)
    raise AssertionError("it did not raise")


def test_a_fingerprint_is_the_same_at_the_same_place_with_other_values() -> None:
    """Also where the file is another one, or what stands before the function."""
    shop = module("/srv/app/shop.py")
    same = printed(shop["place"], OrderError, 1)
    assert len(same) == 12
    assert set(same) <= set("0123456789abcdef")
    assert printed(shop["place"], OrderError, "other value") == same
    assert printed(shop["place"], OrderError, [SECRET] * 1000) == same
    elsewhere = module("/home/me/checkout/shop.py", before="import os\n\n\n")
    assert printed(elsewhere["place"], OrderError, 1) == same


def test_a_fingerprint_differs_by_type_line_function_module_way_and_cause() -> None:
    """What is not the same error is not counted as one."""
    shop = module("shop.py")
    found = [
        printed(shop["place"], OrderError, 1),
        printed(shop["place"], LookupError, 1),
        printed(shop["place"], type("OrderError", (Exception,), {"__module__": "other"}), 1),
        printed(shop["place"], OrderError, 0),
        printed(shop["other"], OrderError, 1),
        printed(shop["through"], OrderError, 1),
        printed(module("shop.py", name="market")["place"], OrderError, 1),
        printed(shop["caused"], OrderError, 1, KeyError),
        printed(shop["caused"], OrderError, 1, IndexError),
    ]
    assert len(set(found)) == len(found)


def test_a_fingerprint_of_a_recursion_does_not_depend_on_its_depth() -> None:
    """How deep it was when it failed is chance."""

    def dive(depth: int) -> None:
        if depth:
            dive(depth - 1)
        raise OrderError

    assert printed(dive, 50) == printed(dive, 60)


def test_anything_that_can_be_raised_has_a_fingerprint() -> None:
    """Without a traceback, in cycles, in groups, and with names that no encoding has."""
    first, second = OrderError(), OrderError()
    first.__cause__, second.__cause__ = second, first
    strange = type("Strange", (Exception,), {"__module__": "\udfff\n"})()
    nested: Exception = OrderError()
    for _ in range(200):
        nested = ExceptionGroup("", [nested])
    errors = [first, strange, nested]
    found = [fingerprint(error) for error in errors]
    assert all(len(one) == 12 for one in found)
    assert len(set(found)) == len(found)
    # What is repeated counts once, in whatever order.
    assert fingerprint(OrderError()) == found[0]
    assert fingerprint(ExceptionGroup("", [OrderError()] * 1000)) == found[2]


PRINTING = """
import sys
from mantlet._internal.error_kind import fingerprint
import shop
try:
    shop.caused(LookupError, {"b", "a", "c"}, KeyError)
except LookupError as error:
    print(fingerprint(error))
"""


def test_a_fingerprint_is_the_same_on_every_machine(tmp_path: Path) -> None:
    """Whatever the seed of the process's hashes, and wherever the app is installed."""
    found = []
    for seed, name in (("0", "a"), ("1", "b c"), ("4711", "d/e/f")):
        place = tmp_path / name
        place.mkdir(parents=True)
        (place / "shop.py").write_text(SOURCE)
        (place / "main.py").write_text(PRINTING)
        run = subprocess.run(
            [sys.executable, "main.py"],
            cwd=place,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(run.stdout.strip())
    assert len(found[0]) == 12
    assert found == [found[0]] * 3


def test_no_path_and_no_value_goes_into_a_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does what could be found out from it by trying."""
    hashed: list[bytes] = []

    class Recorded:
        def __init__(self, data: bytes, **options: Any) -> None:
            hashed.append(data)

        def hexdigest(self) -> str:
            return "0" * 12

    monkeypatch.setattr("mantlet._internal.error_kind.blake2s", Recorded)
    printed(module("/srv/app/shop.py")["caused"], OrderError, SECRET, KeyError)
    (data,) = hashed
    assert b"/" not in data
    assert b"shop:caused:" in data
    assert SECRET.encode() not in data


# -- storms ---------------------------------------------------------------------------------------

#: How many were left out before each of the records in full.
IN_FULL = [0] * 10


@pytest.mark.unmeasured
@pytest.mark.few_cases(1)
@both_adapters
def test_a_storm_is_a_few_records_that_account_for_all(adapter: Adapter, heard: Collector) -> None:
    """Ten in full, then each power of ten, with how many were left out since."""
    stack = adapter.wrap(failing, enveloped())
    for _ in range(1000):
        assert adapter.drive(stack).status == 500
    records: list[Any] = heard.records
    assert [record.repeats for record in records] == [*IN_FULL, 89, 899]
    assert sum(record.repeats + 1 for record in records) == 1000
    assert not any("more like it" in record.getMessage() for record in records[:10])
    assert records[10].getMessage().endswith("answered with 500 (and 89 more like it)")
    assert records[11].getMessage().endswith("answered with 500 (and 899 more like it)")


def report(reporting: ErrorReporter, error: BaseException, *, status: int = 500) -> None:
    """Report an exception of some request."""
    for_client = status < 500
    reporting.report(REQUEST, error, "answered", status=status, for_client=for_client, began=None)


def _some_request() -> Request:
    found: list[Request] = []

    class Keep(mantlet.Policy):
        def on_request(self, request: Request) -> None:
            found.append(request)

    adapter = WsgiAdapter()
    adapter.drive(adapter.wrap(hello, Keep()))
    return found[0]


REQUEST = _some_request()


def test_errors_of_different_kinds_are_not_mixed(heard: Collector) -> None:
    """The storm of one hides nothing of another."""
    reporting = ErrorReporter(Clock())
    shop = module("shop.py")
    errors = []
    for function, kind in [("place", OrderError), ("other", OrderError), ("place", LookupError)]:
        try:
            shop[function](kind, 1)
        except Exception as error:
            errors.append(error)
    for _ in range(50):
        for one in errors:
            report(reporting, one)
    for one in errors:
        own: list[Any] = [
            told for told in heard.records if told.exc_info and told.exc_info[1] is one
        ]
        assert [record.repeats for record in own] == IN_FULL


def test_a_minute_later_errors_are_told_in_full_again(heard: Collector) -> None:
    """The first of them says how many were left out."""
    clock = Clock()
    reporting = ErrorReporter(clock)
    error = OrderError()
    for _ in range(30):
        report(reporting, error)
    clock.now += 59.9
    report(reporting, error)
    assert len(heard.records) == 10
    clock.now += 0.1
    for _ in range(30):
        report(reporting, error)
    records: list[Any] = heard.records
    assert [record.repeats for record in records[10:]] == [21, *IN_FULL[1:]]
    clock.now += 60
    report(reporting, error)
    assert sum(record.repeats + 1 for record in records) == 62


def test_errors_that_come_now_and_then_are_all_told(heard: Collector) -> None:
    """One each quarter of a minute is no storm."""
    clock = Clock()
    reporting = ErrorReporter(clock)
    for _ in range(100):
        report(reporting, OrderError())
        clock.now += 15
    assert len(heard.records) == 100
    assert {record.__dict__["repeats"] for record in heard.records} == {0}


def test_a_storm_that_goes_on_is_told_of_at_each_power_of_ten(heard: Collector) -> None:
    """And the silence between them grows with the storm."""
    reporting = ErrorReporter(Clock())
    error = OrderError()
    for _ in range(10_000):
        report(reporting, error)
    records: list[Any] = heard.records
    assert [record.repeats for record in records[10:]] == [89, 899, 8999]


def test_two_envelopes_count_for_themselves(heard: Collector) -> None:
    """Two apps of one process have nothing in common."""
    adapter = AsgiAdapter()
    for _ in range(2):
        stack = adapter.wrap(failing, enveloped())
        for _ in range(12):
            adapter.drive(stack)
    assert len(heard.records) == 20


@pytest.mark.exhaustive
def test_the_kinds_that_are_counted_are_bounded(log: logging.Logger) -> None:
    """The one not seen for longest is forgotten."""
    log.setLevel(logging.ERROR)
    log.addFilter(lambda _: False)
    reporting = ErrorReporter(Clock())
    error = OrderError()

    def storms() -> int:
        gc.collect()
        return sum(type(one) is _Burst for one in gc.get_objects())

    before = storms()
    for number in range(100_000):
        OrderError.__qualname__ = f"Order{number}Error"
        report(reporting, error)
    OrderError.__qualname__ = "OrderError"
    assert storms() - before <= 1024


def test_a_kind_that_is_seen_all_the_time_is_not_forgotten(heard: Collector) -> None:
    """However many others come between."""
    clock = Clock()
    reporting = ErrorReporter(clock)
    steady, other = LookupError(), OrderError()
    for number in range(3000):
        OrderError.__qualname__ = f"Order{number}Error"
        report(reporting, other)
        report(reporting, steady)
    OrderError.__qualname__ = "OrderError"
    clock.now += 60
    report(reporting, steady)
    own: list[Any] = [one for one in heard.records if one.exc_info and one.exc_info[1] is steady]
    # The 100th and the 1,000th would have been logged, had the budget not been spent by then.
    assert [record.repeats for record in own] == [*IN_FULL, 2988]
    assert "LookupError" in heard.records[-2].getMessage()
    assert ": 2" in heard.records[-2].getMessage()


def test_no_count_is_lost_between_threads(heard: Collector) -> None:
    """Each error is in a record, or in the count of one."""
    clock = Clock()
    reporting = ErrorReporter(clock)
    error = OrderError()
    barrier = Barrier(8)

    def many() -> None:
        barrier.wait()
        for _ in range(500):
            report(reporting, error)

    threads = [Thread(target=many) for _ in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    clock.now += 60
    report(reporting, error)
    records: list[Any] = heard.records
    assert len(records) == 13
    assert sum(record.repeats + 1 for record in records) == 4001


# -- who listens ----------------------------------------------------------------------------------


class Counting(Exception):
    """Counts how often it is looked at."""

    looks = 0

    def __str__(self) -> str:
        type(self).looks += 1
        return "seen"

    def __repr__(self) -> str:
        type(self).looks += 1
        return "seen"


def _disable(log: logging.Logger) -> None:
    log.disabled = True


def _raise_the_level(log: logging.Logger) -> None:
    log.setLevel(logging.CRITICAL)


@both_adapters
@pytest.mark.parametrize("quiet", [_disable, _raise_the_level], ids=["disabled", "level"])
def test_where_nobody_listens_nothing_is_computed(
    adapter: Adapter,
    quiet: Callable[[logging.Logger], None],
    log: logging.Logger,
    heard: Collector,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither a text nor a fingerprint."""

    def computed(*args: object) -> str:
        raise AssertionError("it was computed")

    monkeypatch.setattr("mantlet.core.error_log.kind_of", computed)
    monkeypatch.setattr("mantlet.errors.reporting.route_template", computed)
    monkeypatch.setattr(Counting, "looks", 0)
    quiet(log)
    heard_by_others: list[BaseException] = []
    envelope = enveloped(on_exception=lambda error, _: heard_by_others.append(error))
    error = Counting()
    assert adapter.drive(adapter.wrap(raising(error), envelope)).status == 500
    assert Counting.looks == 0
    assert heard.records == []
    assert heard_by_others == [error]


@both_adapters
def test_info_is_not_computed_for_a_log_of_warnings(
    adapter: Adapter, log: logging.Logger, heard: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As most logs are: a flood of refused requests costs nothing there."""
    log.setLevel(logging.WARNING)
    seen: list[BaseException] = []

    def counted(error: BaseException) -> ErrorKind:
        seen.append(error)
        return kind_of(error)

    monkeypatch.setattr("mantlet.core.error_log.kind_of", counted)
    for error in (Problem(404), OrderError(), starlette.exceptions.HTTPException(403)):
        adapter.drive(adapter.wrap(raising(error), enveloped()))
    assert [type(error) for error in seen] == [OrderError]
    assert len(heard.records) == 1


@both_adapters
def test_a_record_that_is_left_out_costs_no_text(
    adapter: Adapter, heard: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a storm an exception's text is not made either."""
    monkeypatch.setattr(Counting, "looks", 0)

    def handler(carrier: Any) -> Said:
        raise Counting

    stack = adapter.wrap(handler, enveloped())
    for _ in range(20):
        adapter.drive(stack)
    assert len(heard.records) == 10
    assert Counting.looks == 10


class Broken(logging.Handler):
    """A handler that is of no use."""

    def emit(self, record: logging.LogRecord) -> None:
        raise OSError(f"no disk {SECRET}")


def _broken_handler(log: logging.Logger) -> None:
    log.addHandler(Broken())


def _broken_filter(log: logging.Logger) -> None:
    def broken(record: logging.LogRecord) -> bool:
        raise LookupError(SECRET)

    log.addFilter(broken)


def _taken_attribute(log: logging.Logger) -> None:
    class Unwritable(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            record.status.no_such_attribute  # type: ignore[attr-defined]

    log.addHandler(Unwritable())


@both_adapters
@pytest.mark.parametrize(
    "spoil",
    [_broken_handler, _broken_filter, _taken_attribute],
    ids=["handler", "filter", "attribute"],
)
@pytest.mark.parametrize("error", [OrderError(), Problem(404)], ids=["unforeseen", "problem"])
def test_a_log_that_fails_leaves_a_clean_answer(
    adapter: Adapter, spoil: Callable[[logging.Logger], None], error: Exception, log: logging.Logger
) -> None:
    """And those who listen hear of the error all the same."""
    spoil(log)
    listened: list[BaseException] = []
    envelope = enveloped(on_exception=lambda one, _: listened.append(one))
    answer = adapter.drive(adapter.wrap(raising(error), envelope))
    assert answer.error is None
    assert answer.status == (404 if isinstance(error, Problem) else 500)
    assert SECRET not in answer.text()
    assert listened == ([] if isinstance(error, Problem) else [error])


@both_adapters
def test_a_handler_that_fails_once_is_told_of(adapter: Adapter, log: logging.Logger) -> None:
    """The log that works again says that it did not."""

    class Once(Collector):
        def emit(self, record: logging.LogRecord) -> None:
            super().emit(record)
            if len(self.records) == 1:
                raise OSError("no disk")

    handler = Once()
    log.addHandler(handler)
    assert adapter.drive(adapter.wrap(raising(OrderError()), enveloped())).status == 500
    _, failed = handler.records
    assert failed.levelno == logging.ERROR
    assert failed.getMessage() == "ErrorEnvelope: the log of OrderError failed with OSError"


@both_adapters
def test_a_log_that_fails_over_a_late_error_changes_nothing(
    adapter: Adapter, log: logging.Logger
) -> None:
    """What the server sees is the app's own exception."""
    log.addHandler(Broken())
    with_it = late(adapter, enveloped())
    assert with_it.error is not None
    assert SECRET not in str(with_it.error)


# -- on_exception ---------------------------------------------------------------------------------


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[BaseException, Request]] = []

    def __call__(self, error: BaseException, request: Request) -> None:
        self.heard.append((error, request))

    @property
    def errors(self) -> list[BaseException]:
        """The exceptions."""
        return [error for error, _ in self.heard]


@both_adapters
@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
@pytest.mark.usefixtures("log")
def test_who_listens_is_told_the_exception_and_its_request(
    adapter: Adapter, *, several: bool
) -> None:
    """With what it came of, and in the order that they were named in."""
    first, second = Listener(), Listener()
    options: dict[str, Any] = {"on_exception": [first, second] if several else first}

    def handler(carrier: Any) -> Said:
        try:
            raise KeyError("the root")
        except KeyError as inner:
            raise OrderError from inner

    answer = adapter.drive(
        adapter.wrap(handler, enveloped(**options)), "POST", "/orders", headers=[("X-A", "1")]
    )
    assert answer.status == 500
    ((error, request),) = first.heard
    assert isinstance(error, OrderError)
    assert isinstance(error.__cause__, KeyError)
    assert error.__traceback__ is not None
    assert (request.method, request.path) == ("POST", "/orders")
    assert request.headers.get("X-A") == "1"
    assert request.state.request_id == answer.get("X-Request-ID")
    assert second.heard == (first.heard if several else [])


@both_adapters
@pytest.mark.parametrize(("error", "status", "level"), CASES, ids=shown)
@pytest.mark.usefixtures("log")
def test_they_are_told_of_whatever_was_not_made_for_the_client(
    adapter: Adapter, error: BaseException, status: int, level: int
) -> None:
    """What is logged as INFO is not for them."""
    listener = Listener()
    adapter.drive(adapter.wrap(raising(error), enveloped(exceptions=MAP, on_exception=listener)))
    assert listener.errors == ([error] if level > logging.INFO else [])


@both_adapters
@pytest.mark.usefixtures("log")
def test_they_are_told_of_a_databases_error_and_of_a_late_one(adapter: Adapter) -> None:
    """And of the latter as the server sees it."""
    from sqlite3 import IntegrityError, OperationalError

    for error in (IntegrityError(), OperationalError()):
        listener = Listener()
        adapter.drive(adapter.wrap(raising(error), enveloped(on_exception=listener)))
        assert listener.errors == [error]
    listener = Listener()
    outcome = late(adapter, enveloped(on_exception=listener))
    assert listener.errors == [outcome.error]


@both_adapters
@pytest.mark.parametrize(
    "error",
    [
        ClientDisconnected(),
        ExceptionGroup("", [ClientDisconnected(), ClientDisconnected()]),
        asyncio.CancelledError(),
        KeyboardInterrupt(),
        SystemExit(),
        GeneratorExit(),
        BaseExceptionGroup("", [OrderError(), KeyboardInterrupt()]),
    ],
    ids=shown,
)
@pytest.mark.breaks_rules("a client that goes away while it has sent all")
def test_clients_that_went_away_and_exits_are_nobodys_errors(
    adapter: Adapter, error: BaseException, heard: Collector
) -> None:
    """Neither logged nor told; a server gets an empty response for a client that has gone."""
    listener = Listener()
    stack = adapter.wrap(raising(error), enveloped(on_exception=listener))
    answer = adapter.drive(stack)
    assert answer.status == (400 if isinstance(error, Exception) else None)
    assert answer.body == b""
    assert listener.errors == []
    assert [one for one in heard.records if one.levelno > logging.DEBUG] == []


@both_adapters
@pytest.mark.breaks_rules("an app that breaks off")
def test_nor_is_a_client_that_goes_away_while_it_is_answered(
    adapter: Adapter, heard: Collector
) -> None:
    """Late as it is, the app can't help it."""
    listener = Listener()
    envelope = enveloped(on_exception=listener)

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        raise ClientDisconnected

    def wsgi(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"a"
        raise ClientDisconnected

    app: Any = asgi if adapter.name == "asgi" else wsgi
    answer = adapter.drive(adapter.module.wrap(app, envelope, baseline=False))
    assert answer.body == b"a"
    assert answer.error is None or isinstance(answer.error, ClientDisconnected)
    assert listener.errors == []
    assert heard.records == []


@both_adapters
def test_many_requests_at_once_are_all_told_of(adapter: Adapter, heard: Collector) -> None:
    """Through the whole policy, from threads of a server's."""
    clock, listener = Clock(), Listener()
    stack = adapter.wrap(failing, enveloped(clock, on_exception=listener))
    barrier = Barrier(4)

    def serve() -> None:
        barrier.wait(120)
        for _ in range(50):
            adapter.drive(stack)

    threads = [Thread(target=serve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.now += 60
    threads = [Thread(target=adapter.drive, args=(stack,))]
    threads[0].start()
    threads[0].join()
    records: list[Any] = heard.records
    assert len(listener.errors) == 201
    assert len(records) == 12
    assert sum(record.repeats + 1 for record in records) == 201


@both_adapters
def test_one_that_raises_is_logged_and_changes_nothing(adapter: Adapter, heard: Collector) -> None:
    """The others are told too."""
    other = Listener()

    def broken(error: BaseException, request: Request) -> None:
        raise LookupError(SECRET)

    error = OrderError()
    envelope = enveloped(on_exception=[broken, other])
    answer = adapter.drive(adapter.wrap(raising(error), envelope), headers=[("X-Request-ID", "a")])
    plain = adapter.drive(
        adapter.wrap(raising(error), enveloped()), headers=[("X-Request-ID", "a")]
    )
    assert answer == plain
    assert other.errors == [error]
    unhandled, failed, _ = heard.records
    assert unhandled.getMessage().startswith("Unhandled OrderError")
    assert failed.levelno == logging.ERROR
    assert failed.getMessage() == "ErrorEnvelope: on_exception failed with LookupError"
    assert failed.exc_info


@both_adapters
def test_they_are_told_of_each_exception_also_in_a_storm(
    adapter: Adapter, heard: Collector
) -> None:
    """What the log leaves out is not left out of statistics."""
    listener = Listener()
    stack = adapter.wrap(failing, enveloped(on_exception=listener))
    for _ in range(50):
        adapter.drive(stack)
    assert len(listener.errors) == 50
    assert len(heard.records) == 10


@both_adapters
@pytest.mark.usefixtures("log")
def test_of_several_envelopes_the_same_one_tells_in_time_and_late(adapter: Adapter) -> None:
    """Every exception is reported in one way, whether it came in time or late."""
    outer, inner = Listener(), Listener()
    envelopes = [enveloped(on_exception=outer), enveloped(on_exception=inner)]
    assert adapter.drive(adapter.wrap(failing, *envelopes)).status == 500
    late(adapter, *envelopes)
    assert sorted([len(outer.errors), len(inner.errors)]) == [0, 2]


@both_adapters
@pytest.mark.usefixtures("log")
def test_what_they_do_to_the_request_does_not_change_the_answer(adapter: Adapter) -> None:
    """They come too late for its id, and see its state."""

    def meddle(error: BaseException, request: Request) -> None:
        request.state.identity = Identity("somebody else", "test")
        request.state.extra.clear()
        error.args = ("changed",)

    answer = adapter.drive(adapter.wrap(raising(OrderError()), enveloped(on_exception=meddle)))
    assert (answer.status, answer.error) == (500, None)
    assert answer.get("X-Request-ID")

"""The id that an exchange is known by: the caller's if it is harmless, else a new one."""

from __future__ import annotations

import re
import subprocess
import sys
from contextvars import copy_context
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import mantlet
from mantlet import ErrorEnvelope
from tests.drive import Said, WsgiAdapter, both_adapters, drive_asgi, drive_wsgi, hello

if TYPE_CHECKING:
    from tests.drive import Adapter

MADE = re.compile(r"[0-9a-f]{32}")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


class Seen:
    """Asks for the id of one exchange, as the app and the client see it."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.inside: list[str] = []
        self.app = adapter.wrap(self.handler, ErrorEnvelope())

    def handler(self, carrier: Any) -> Said:
        self.inside.append(mantlet.state(carrier).request_id)
        return hello(carrier)

    def ask(self, *fields: tuple[str, str]) -> str:
        answer = self.adapter.drive(self.app, headers=fields)
        assert answer.error is None
        assert answer.status == 200
        told = answer.get("X-Request-ID")
        assert told == self.inside[-1]
        return told


@both_adapters
@pytest.mark.parametrize(
    "given_id",
    [
        "a",
        "0",
        "x" * 128,
        "3f0d2a9c-7d1c-4d1e-9a52-7a4c1d8f8b1e",
        "3F0D2A9C-7D1C-4D1E-9A52-7A4C1D8F8B1E",
        "01J9ZC3F8Q1M6W5T2V7R4X0Y8B",
        "Root=1-67891233-abcdef012345678912345678",
        "req_abc.def~ghi+jkl/mno=pqr:stu@vwx-yz",
        "aGVsbG8gd29ybGQ=",
    ],
    ids=lambda value: value[:40],
)
def test_a_valid_id_of_the_caller_is_kept_as_it_is(adapter: Adapter, given_id: str) -> None:
    """The header, the app and, later, the log all have the caller's own id."""
    assert Seen(adapter).ask(("X-Request-ID", given_id)) == given_id


HARMFUL = [
    "",
    " ",
    "two words",
    " leading",
    "trailing ",
    "x" * 129,
    "x" * 100_000,
    "line\nfeed",
    "carriage\rreturn",
    "nul\x00",
    "tab\there",
    "escape\x1b[31m",
    "del\x7f",
    "trailing newline\n",
    "abc\n",
    "n\u00e9e",
    "\u00ff\u00fe",
    "<script>alert(1)</script>",
    "${jndi:ldap://example.org}",
    "a'b",
    'a"b',
    "a,b",
    "a;b",
    "a\\b",
    "%0d%0a",
]


@both_adapters
@pytest.mark.parametrize("given_id", HARMFUL, ids=lambda value: ascii(value[:30]))
def test_an_invalid_id_of_the_caller_is_replaced(adapter: Adapter, given_id: str) -> None:
    """What could break a log line, a header or a page does not get into them."""
    assert MADE.fullmatch(Seen(adapter).ask(("X-Request-ID", given_id)))


@pytest.mark.parametrize("given_id", ["\u0100", "\u2028", "\U0001f600", "\u0660\u0661"], ids=ascii)
def test_an_id_outside_latin_1_that_a_lenient_server_passes_on_is_replaced(given_id: str) -> None:
    """PEP 3333 forbids such an environ; where it comes all the same, nothing breaks."""
    app = WsgiAdapter().wrap(hello, ErrorEnvelope())
    answer = drive_wsgi(app, environ={"HTTP_X_REQUEST_ID": given_id})
    assert answer.status == 200
    assert MADE.fullmatch(answer.get("X-Request-ID") or "")


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"\xc3\xa9", b"a\x00b", b"\x80"], ids=repr)
def test_id_bytes_that_are_no_ascii_are_replaced(raw: bytes) -> None:
    """Whatever bytes an ASGI server passes on, nothing breaks."""
    app = mantlet.asgi.wrap(_asgi_hello(), ErrorEnvelope(), baseline=False)
    answer = drive_asgi(app, scope={"headers": [(b"x-request-id", raw)]})
    assert answer.status == 200
    assert MADE.fullmatch(answer.get("X-Request-ID") or "")


def _asgi_hello() -> Any:
    from tests.drive import AsgiAdapter

    return AsgiAdapter().app(hello)


@both_adapters
@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(max_codepoint=0xFF), max_size=140))
@example("ok")
def test_an_id_is_kept_just_when_it_is_made_of_harmless_characters(
    adapter: Adapter, given_id: str
) -> None:
    """No text of any kind comes out that the rule does not allow."""
    told = Seen(adapter).ask(("X-Request-ID", given_id))
    if re.fullmatch(r"[A-Za-z0-9._~+/=:@-]{1,128}", given_id, re.ASCII):
        assert told == given_id
    else:
        assert MADE.fullmatch(told)


@both_adapters
def test_two_ids_in_one_request_are_replaced_by_a_new_one(adapter: Adapter) -> None:
    """Neither of two contradicting ids is believed."""
    told = Seen(adapter).ask(("X-Request-ID", "one"), ("X-Request-ID", "two"))
    assert MADE.fullmatch(told)


# -- traceparent: W3C Trace Context, level 2, section 3.2 -----------------------------------------


@both_adapters
@pytest.mark.parametrize(
    "traceparent",
    [
        f"00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-00",
        f"00-{TRACE}-{PARENT}-ff",
        f"01-{TRACE}-{PARENT}-01",
        f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like",
        f"cc-{TRACE}-{PARENT}-01-",
        f"fe-{TRACE}-{PARENT}-01",
    ],
)
def test_a_valid_traceparent_gives_its_trace_id(adapter: Adapter, traceparent: str) -> None:
    """Later versions may have more fields behind the four of version 00."""
    assert Seen(adapter).ask(("traceparent", traceparent)) == TRACE


@both_adapters
@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT.upper()}-01",
        f"00-{TRACE}-{PARENT}-0A",
        f"0A-{TRACE}-{PARENT}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE}-{PARENT[1:]}-01",
        f"00-{TRACE}-{PARENT}0-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-011",
        f"0-{TRACE}-{PARENT}-01",
        f"000-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01-",
        f"cc-{TRACE}-{PARENT}-01.more",
        f"cc-{TRACE}-{PARENT}-01more",
        f"00-{TRACE}-{PARENT}",
        f"00_{TRACE}_{PARENT}_01",
        f" 00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01 ",
        f"00-{TRACE}-{PARENT}-01\n",
        f"00-{TRACE[:-1]}g-{PARENT}-01",
        f"00-{TRACE[:-1]}.-{PARENT}-01",
    ],
    ids=lambda value: ascii(value).replace(TRACE, "T").replace(PARENT, "P"),
)
def test_an_invalid_traceparent_is_ignored(adapter: Adapter, traceparent: str) -> None:
    """The request gets a new id, as if it had come without one."""
    told = Seen(adapter).ask(("traceparent", traceparent))
    assert MADE.fullmatch(told)
    assert told != TRACE


@both_adapters
def test_two_traceparents_are_ignored(adapter: Adapter) -> None:
    """A field that may come once is not believed when it comes twice."""
    value = f"00-{TRACE}-{PARENT}-01"
    assert Seen(adapter).ask(("traceparent", value), ("traceparent", value)) != TRACE


@both_adapters
def test_the_id_goes_before_the_trace(adapter: Adapter) -> None:
    """An explicit id says more than a trace does, unless it is invalid."""
    trace = ("traceparent", f"00-{TRACE}-{PARENT}-01")
    assert Seen(adapter).ask(("X-Request-ID", "mine"), trace) == "mine"
    assert Seen(adapter).ask(("X-Request-ID", "not valid"), trace) == TRACE


# -- new ids --------------------------------------------------------------------------------------


def _ids(count: int) -> list[str]:
    seen: list[str] = []

    def handler(carrier: Any) -> Said:
        seen.append(mantlet.state(carrier).request_id)
        return hello(carrier)

    app = WsgiAdapter().wrap(handler, ErrorEnvelope())
    for _ in range(count):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "http"}
        result: Any = app(environ, lambda *_: lambda _data: None)
        list(result)
        result.close()  # or the id would stay for what runs next
    return seen


@pytest.mark.exhaustive
@pytest.mark.breaks_rules("an environ with next to nothing in it")
def test_no_two_of_a_hundred_thousand_new_ids_are_alike() -> None:
    """Each is 128 bits, in 32 lower-case digits, and no bit of them is constant."""
    ids = copy_context().run(_ids, 100_000)  # the exchanges do not end
    assert len(set(ids)) == 100_000
    assert all(map(MADE.fullmatch, ids))
    numbers = [int(made, 16) for made in ids]
    ones = zeros = 0
    for number in numbers:
        ones |= number
        zeros |= ~number
    assert ones == 2**128 - 1
    assert zeros & (2**128 - 1) == 2**128 - 1


@pytest.mark.unmeasured
@pytest.mark.breaks_rules("an environ with next to nothing in it")
def test_no_two_new_ids_of_eight_threads_are_alike() -> None:
    """Threads that run out of ids at the same time do not get the same ones."""
    found: list[list[str]] = []
    threads = [Thread(target=lambda: found.append(_ids(2000))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [made for part in found for made in part]
    assert len(ids) == len(set(ids)) == 16_000


FORKING = """
import os
import sys
from mantlet import ErrorEnvelope, state, wsgi

def app(environ, start_response):
    os.write(1, state(environ).request_id.encode() + b"\\n")  # at once, so never torn
    start_response("200 OK", [])
    return []

stack = wsgi.wrap(app, ErrorEnvelope(), baseline=False)

def ask(count):
    for _ in range(count):
        list(stack({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None))

ask(10)
children = []
for _ in range(4):
    child = os.fork()
    if not child:
        if not os.fork():
            ask(100)
            os._exit(0)
        os.wait()
        ask(100)
        os._exit(0)
    children.append(child)
ask(100)
for child in children:
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="os.fork is of POSIX")
def test_no_two_new_ids_of_forked_processes_are_alike() -> None:
    """A server that forks after the first request gives its workers no common supply."""
    made = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(made) == 910
    assert len(set(made)) == 910

"""See what wrapping an app changes: the same requests to a bare and to a wrapped one.

Starts two careless apps (`demo_apps.py`), FastAPI under uvicorn and Flask under gunicorn, each bare
and wrapped, sends them ordinary, malformed, crashing and excessive requests, and tells what came
back. Ends with 1 if a wrapped app gave an answer that it should not. Run it with
``python examples/demo.py``.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

HOST = "127.0.0.1"
SECRET = "hunter2"
KEY = "demo-key-0cS9fjQmZ"
EXCESS = 40
#: The signals that end the demo.
ENDS = {signal.SIGINT, signal.SIGTERM}

# -- what is sent, and what came back -------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What came back for one request; of a broken one, what came before the break."""

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    body: str = ""
    broken: bool = False

    @property
    def request_id(self) -> str:
        """The exchange's id, empty where there is none."""
        return self.fields.get("x-request-id", "")

    @property
    def is_problem(self) -> bool:
        """Whether this is a problem (RFC 9457) that names its request and nothing internal."""
        kind = self.fields.get("content-type")
        named = len(self.request_id) == 32 and self.request_id in self.body
        return kind == "application/problem+json" and named and SECRET not in self.body

    def is_logged(self, log: str) -> bool:
        """Tell whether a log has the exception under this answer's id."""
        return SECRET in log.partition(f"in request {self.request_id}, ")[2]


@dataclass(frozen=True)
class App:
    """A running app."""

    name: str
    port: int
    output: IO[bytes]

    @property
    def log(self) -> str:
        """What its server has written so far."""
        size = os.fstat(self.output.fileno()).st_size
        return os.pread(self.output.fileno(), size, 0).decode(errors="replace")

    def send(self, request: bytes) -> Answer:
        """Send a request just as it is; return the answer."""
        with (
            socket.create_connection((HOST, self.port), timeout=10) as connection,
            HTTPResponse(connection) as answer,
        ):
            connection.sendall(request)
            try:
                answer.begin()
            except (HTTPException, ConnectionError):
                return Answer(broken=True)
            fields = {name.lower(): value for name, value in answer.getheaders()}
            try:
                return Answer(answer.status, fields, answer.read().decode())
            except IncompleteRead as error:
                return Answer(answer.status, fields, error.partial.decode(), broken=True)


def get(path: str, *fields: str) -> bytes:
    """Return a GET request."""
    lines = (f"GET {path} HTTP/1.1", f"Host: {HOST}", "Connection: close", *fields, "", "")
    return "\r\n".join(lines).encode()


def post(path: str, body: str, *, length: str = "", fields: tuple[str, ...] = ()) -> bytes:
    """Return a POST request of what may be JSON."""
    own = ("Content-Type: application/json", f"Content-Length: {length or len(body)}")
    return get(path, *own, *fields).replace(b"GET", b"POST", 1) + body.encode()


# -- what a wrapped app should answer -------------------------------------------------------------

Expectation = Callable[[Sequence[Answer], str], bool]


def the_apps_own(*statuses: int) -> Expectation:
    """Expect the app's own answer, with an id and what is left of the quota."""
    return lambda answers, _: all(
        answer.status in statuses
        and len(answer.request_id) == 32
        and answer.fields.get("ratelimit", "").startswith('"default";r=')
        for answer in answers
    )


def masked(answers: Sequence[Answer], _: str) -> bool:
    """Expect the app's answer, without its key, and no byte shorter."""
    return all(
        answer.status == 200 and KEY not in answer.body and "*" * len(KEY) in answer.body
        for answer in answers
    )


def escaped(answers: Sequence[Answer], _: str) -> bool:
    """Expect the same document, with nothing that a page would take for an element."""
    return all(
        "<" not in answer.body and json.loads(answer.body) == {"found": "nothing for </script>"}
        for answer in answers
    )


def refused_by_the_server(answers: Sequence[Answer], _: str) -> bool:
    """Expect the server to refuse what is no HTTP, before any app sees it."""
    return all(answer.status == 400 for answer in answers)


def told(*statuses: int) -> Expectation:
    """Expect a problem that says what the client has done wrong."""
    return lambda answers, _: all(
        answer.status in statuses and answer.is_problem for answer in answers
    )


def clean_problem(answers: Sequence[Answer], log: str) -> bool:
    """Expect a problem with nothing internal, and the exception in the log under its id."""
    return all(
        answer.status == 500 and answer.is_problem and answer.is_logged(log) for answer in answers
    )


def broken_off(answers: Sequence[Answer], log: str) -> bool:
    """Expect a transfer that the client can see is broken, and the exception in the log."""
    return all(
        answer.broken and SECRET not in answer.body and answer.is_logged(log) for answer in answers
    )


def held_to_the_quota(answers: Sequence[Answer], _: str) -> bool:
    """Expect the excess to be refused with a problem that says when to come back."""
    passed = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 429]
    told = all(answer.is_problem and answer.fields["retry-after"] == "1" for answer in refused)
    return told and 5 <= len(passed) <= 30 and len(passed) + len(refused) == EXCESS


@dataclass(frozen=True)
class Case:
    """One kind of request, and what the wrapped app should make of it."""

    sent: str
    request: bytes
    expected: Expectation
    times: int = 1


JUNK = "X-Request-ID: <script>"
JSON = "Accept: application/problem+json"
TWICE = '{"name":"lamp","name":"sofa"}'
MORE = '{"name":"lamp","admin":true}'
CASES = {
    "ordinary": (
        Case("GET /", get("/"), the_apps_own(200)),
        Case("POST /items", post("/items", '{"name":"lamp"}'), the_apps_own(201)),
    ),
    "malformed": (
        Case("POST /items, cut JSON", post("/items", '{"name', fields=(JSON,)), told(400, 422)),
        Case(JUNK, get("/", JUNK), the_apps_own(200)),
        Case("GET /nothing", get("/nothing"), the_apps_own(404)),
        Case("GET /%ff%00", get("/%ff%00", JSON), told(400)),
        Case("Content-Length: many", post("/items", "", length="many"), refused_by_the_server),
    ),
    "undeclared": (
        Case('{"name":5}', post("/items", '{"name":5}', fields=(JSON,)), told(422)),
        Case("a name twice", post("/items", TWICE, fields=(JSON,)), told(400)),
        Case("a member too many", post("/items", MORE, fields=(JSON,)), told(422)),
    ),
    "crashing": (
        Case("GET /crash", get("/crash"), clean_problem),
        Case("a name that is taken", get("/taken"), told(409)),
        Case("stream failing at once", get("/stream/0"), clean_problem),
        Case("stream failing midway", get("/stream/2"), broken_off),
    ),
    "leaking": (
        Case("GET /settings", get("/settings"), masked),
        Case("GET /search?q=</script>", get("/search?q=%3C/script%3E"), escaped),
    ),
    "excessive": (Case(f"GET /, {EXCESS} times", get("/"), held_to_the_quota, EXCESS),),
}

# -- the account ----------------------------------------------------------------------------------


def describe(answers: Sequence[Answer]) -> Text:
    """Say in a few words what came back."""
    if len(answers) > 1:
        counts = Counter(answer.status for answer in answers)
        words = Text(", ".join(f"{count} x {status}" for status, count in sorted(counts.items())))
        waits = {answer.fields.get("retry-after") for answer in answers} - {None}
        return words.append(f"\nRetry-After: {waits.pop()}", "dim") if waits else words
    (answer,) = answers
    if not answer.status:
        return Text("no answer at all", "red")
    words = Text(f"{answer.status} ", "bold")
    if answer.broken:
        words.append("and then breaks off")
    elif answer.is_problem:
        words.append("problem, no internals", "green")
    elif title := re.search(r"<title>(?:\d+ )?(.*)</title>", answer.body):
        words.append(f"page: {title[1]}")
    else:
        said = " ".join(answer.body.split())
        said = said if len(said) <= 60 else f"{said[:16]}..."
        leaks = any(bad in said for bad in (SECRET, KEY, "<"))
        words.append(said, "red" if leaks else "")
    if answer.request_id:
        failed = answer.broken or (answer.is_problem and answer.status >= 500)
        left = answer.fields.get("ratelimit", "r=?").partition("r=")[2].partition(";")[0]
        more = "in the log" if failed else f"{left} left"
        words.append(f"\nid {answer.request_id[:8]}, {more}", "dim")
    return words


def compare(title: str, bare: App, wrapped: App, console: Console) -> list[str]:
    """Send every case to both apps, print what came back; return what was wrong."""
    wrong = []
    table = Table(title=title, title_justify="left", title_style="bold", box=box.ROUNDED)
    table.add_column("", style="cyan", width=10)
    table.add_column("sent", width=21, overflow="fold")
    table.add_column("the bare app answers", width=24, overflow="fold")
    table.add_column("the wrapped app answers", width=26, overflow="fold")
    table.add_column("", width=2)
    for kind, cases in CASES.items():
        table.add_section()
        for case in cases:
            told = [bare.send(case.request) for _ in range(case.times)]
            answers = [wrapped.send(case.request) for _ in range(case.times)]
            right = case.expected(answers, wrapped.log)
            if not right:
                wrong.append(f"{title}, {case.sent}: {answers[-1]}")
            mark = Text("ok", "green") if right else Text("NO", "bold red")
            label = kind if case is cases[0] else ""
            table.add_row(label, Text(case.sent), describe(told), describe(answers), mark)
    console.print(table, "")
    return wrong


# -- the servers ----------------------------------------------------------------------------------


@contextmanager
def serve(server: str, app: str) -> Iterator[App]:
    """Start an app of `demo_apps` under its server on a free port; stop it in the end."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    options = {
        "uvicorn": ("--host", HOST, "--port", str(port)),
        "gunicorn": ("--bind", f"{HOST}:{port}", "--no-control-socket"),
    }
    with TemporaryFile() as output:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # or one just now would lose the process
        process = subprocess.Popen(  # noqa: S603  # nothing in it comes from outside
            [sys.executable, "-m", server, *options[server], f"demo_apps:{app}"],
            cwd=Path(__file__).parent,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that Ctrl-C comes to the demo alone
            # The demo has no threads, so that this is safe.
            preexec_fn=partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, ENDS),  # noqa: PLW1509
        )
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
            yield App(app, port, output)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # whoever of its workers is left
            process.wait()


def wait_for(app: App, seconds: float = 15) -> None:
    """Wait until an app answers."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection((HOST, app.port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"{app.name} did not start:\n{app.log}")


def main() -> int:
    """Run the demo; return 0 if every wrapped app answered as it should."""
    console = Console() if sys.stdout.isatty() else Console(width=100)
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end as well
    with ExitStack() as running:
        apps = [
            running.enter_context(serve(server, f"{framework}_{variant}"))
            for server, framework in (("uvicorn", "fastapi"), ("gunicorn", "flask"))
            for variant in ("bare", "wrapped")
        ]
        for app in apps:
            wait_for(app)
        wrong = compare("FastAPI under uvicorn", apps[0], apps[1], console)
        wrong += compare("Flask under gunicorn", apps[2], apps[3], console)
    if wrong:
        console.print("Not as it should be:", *wrong, sep="\n  ", style="bold red", markup=False)
        return 1
    seconds = time.monotonic() - started
    console.print(f"All answers of the wrapped apps are what they should be ({seconds:.1f} s).")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

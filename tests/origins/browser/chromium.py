"""A browser that visits pages of several sites, all on this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import uvicorn
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.servers.server import free_port, poll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["BROWSER", "Log", "Site", "serve_asgi", "serve_wsgi", "visit"]

BROWSER: Final = shutil.which("chromium") or shutil.which("google-chrome")


@dataclass
class Log:
    """The requests that have come, in order.

    Attributes:
        entries: their names, as in the parameter ``by``, and the status of the responses.
    """

    entries: list[tuple[str, int]] = field(default_factory=list)

    def statuses(self, name: str) -> list[int]:
        """Return the status of each response to requests of a name."""
        return [status for one, status in self.entries if one == name]


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Write nothing."""


@contextmanager
def serve_wsgi(app: Any, log: Log) -> Iterator[int]:
    """Serve a WSGI app in threads; yield its port."""

    def logged(environ: dict[str, Any], start_response: Any) -> Any:
        name = parse_qs(environ["QUERY_STRING"]).get("by", [""])[0]

        def start(status: str, *args: Any) -> Any:
            log.entries.append((name, int(status[:3])))
            return start_response(status, *args)

        return app(environ, start)

    server = make_server("127.0.0.1", 0, logged, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serve_asgi(app: Any) -> Iterator[int]:
    """Serve an ASGI app in a thread; yield its port."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(
            app, host="127.0.0.1", port=port, log_level="critical", ws="websockets-sansio"
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        poll(lambda: server.started, "a server")
        yield port
    finally:
        server.should_exit = True
        thread.join()


class Site:
    """A site of pages, which report what their scripts have found.

    Args:
        pages: the script of each path's page. ``report(value)`` ends it.
    """

    def __init__(self, pages: dict[str, str]) -> None:
        self.pages = pages
        self.reports: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Respond with a page, or take a report."""
        path = environ["PATH_INFO"]
        start_response("200 OK", [("Content-Type", "text/html")])
        if environ["REQUEST_METHOD"] == "POST":
            size = int(environ["CONTENT_LENGTH"])
            self.reports[path] = json.loads(environ["wsgi.input"].read(size))
            return [b""]
        return [page(self.pages.get(path, "")).encode()]


def page(script: str) -> str:
    """Return a page that runs a script."""
    return f"""<!doctype html><meta charset=utf-8><link rel=icon href="data:,"><script>
const report = value => fetch(location.pathname, {{method: 'POST', body: JSON.stringify(value)}});
const attempt = async (url, options) => {{
  try {{
    const response = await fetch(url, options);
    const headers = Object.fromEntries(response.headers);
    return {{status: response.status, type: response.type, headers, text: await response.text()}};
  }} catch (error) {{ return {{failed: error.name}}; }}
}};
const post = (url, target) => {{
  const form = document.createElement('form');
  Object.assign(form, {{method: 'post', action: url, target: target || ''}});
  document.body.append(form);
  form.submit();
}};
const socket = url => new Promise(done => {{
  const one = new WebSocket(url);
  one.onmessage = event => done(event.data);
  one.onerror = () => done('refused');
}});
addEventListener('load', async () => {{ {script} }});
</script><body>"""


@contextmanager
def _running(url: str, profile: Path) -> Iterator[None]:
    assert BROWSER is not None
    command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-dev-shm-usage", "--disable-background-networking"]
    command += ["--remote-debugging-port=0", f"--user-data-dir={profile}"]
    # Every name leads here; those below .localhost count as secure, others do not.
    command += ["--host-resolver-rules=MAP * 127.0.0.1", "--disable-features=HttpsUpgrades"]
    with ExitStack() as stack:
        process = subprocess.Popen(
            [*command, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        yield


def visit(url: str, profile: Path, until: Callable[[], bool]) -> None:
    """Have a browser visit a page until something has happened."""
    with _running(url, profile):
        poll(until, f"the end of {url}")

"""Policies that can't start, under every server: it ends and says why, or it refuses requests."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest

from tests.servers.server import COMMANDS, HOST, PATIENT, free_port, poll, serve, stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

pytestmark = pytest.mark.slow

DIRECTORY = Path(__file__).parent
ROOT = DIRECTORY.parents[1]
MESSAGE = "Vault can't start: the vault is sealed; unseal it"
REMEDY = 'Fix this and restart, or pass startup="lazy" to start the server without it'
GUNICORN = ("-m", "gunicorn", "--no-control-socket", "--bind", f"{HOST}:PORT")
GRANIAN = ("-m", "granian", "--host", HOST, "--port", "PORT", "--interface")
UVICORN = ("-m", "uvicorn", "--host", HOST, "--port", "PORT", *PATIENT)
HYPERCORN = ("-m", "hypercorn", "--bind", f"{HOST}:PORT")
WSGIREF = (
    "from starting import app; from wsgiref.simple_server import make_server; "
    f"make_server('{HOST}', PORT, app).serve_forever()"
)
WERKZEUG = (
    f"from starting import app; from werkzeug.serving import run_simple; "
    f"run_simple('{HOST}', PORT, app)"
)
#: Servers, as they are started, each with an app of `starting` and with its exit code. Hypercorn,
#: and uvicorn with several workers, end with 0 whatever made them end.
ENDING: Mapping[str, tuple[Sequence[str], str, int]] = {
    "gunicorn-sync": ((*GUNICORN, "starting:app"), "wsgi", 3),
    "gunicorn-gthread": ((*GUNICORN, "-k", "gthread", "--threads", "4", "starting:app"), "wsgi", 3),
    "gunicorn-preload": ((*GUNICORN, "--preload", "starting:app"), "wsgi", 1),
    "gunicorn-reload": ((*GUNICORN, "--reload", "starting:app"), "wsgi", 3),
    "gunicorn-asgi": ((*GUNICORN, "-k", "asgi", "starting:app"), "asgi", 3),
    "gunicorn-uvicorn": (
        (*GUNICORN, "-k", "uvicorn.workers.UvicornWorker", "starting:app"),
        "asgi",
        3,
    ),
    "gunicorn-django": ((*GUNICORN, "starting:app"), "django_wsgi", 3),
    "granian-wsgi": ((*GRANIAN, "wsgi", "starting:app"), "wsgi", 1),
    "granian-wsgi-workers": ((*GRANIAN, "wsgi", "--workers", "2", "starting:app"), "wsgi", 1),
    "granian-asgi": ((*GRANIAN, "asgi", "starting:app"), "asgi", 1),
    "granian-asgi-workers": ((*GRANIAN, "asgi", "--workers", "2", "starting:app"), "asgi", 1),
    "granian-without-lifespan": ((*GRANIAN, "asgi", "starting:app"), "bare", 1),
    "uvicorn": ((*UVICORN, "starting:app"), "asgi", 3),
    "uvicorn-workers": ((*UVICORN, "--workers", "2", "starting:app"), "asgi", 0),
    "uvicorn-wsgi": ((*UVICORN, "--interface", "wsgi", "starting:app"), "wsgi", 1),
    "uvicorn-without-lifespan": ((*UVICORN, "starting:app"), "bare", 3),
    "uvicorn-django": ((*UVICORN, "starting:app"), "django_asgi", 3),
    "hypercorn": ((*HYPERCORN, "starting:app"), "asgi", 0),
    "hypercorn-workers": ((*HYPERCORN, "--workers", "2", "starting:app"), "asgi", 0),
    "hypercorn-reload": ((*HYPERCORN, "--reload", "starting:app"), "asgi", 0),
    "hypercorn-wsgi": ((*HYPERCORN, "starting:app"), "wsgi", 0),
    "hypercorn-without-lifespan": ((*HYPERCORN, "starting:app"), "bare", 0),
    "quart-run": (("-m", "quart", "--app", "starting:app", "run", "--port", "PORT"), "quart", 1),
    "flask-run": (("-m", "flask", "--app", "starting:app", "run", "--port", "PORT"), "flask", 1),
    "werkzeug": (("-c", WERKZEUG), "flask", 1),
    "wsgiref": (("-c", WSGIREF), "wsgi", 1),
    "django-runserver": (
        ("-m", "django", "runserver", "--noreload", f"{HOST}:PORT"),
        "django_wsgi",
        1,
    ),
}
#: Development servers that wait for a change of the code.
WAITING: Mapping[str, Sequence[str]] = {
    "uvicorn-reload": (*UVICORN, "--reload", "--reload-dir", str(DIRECTORY), "starting:app"),
    "django-runserver-reload": ("-m", "django", "runserver", f"{HOST}:PORT"),
}
#: Servers that tell the app nothing of their start.
WITHOUT_LIFESPAN: Mapping[str, Sequence[str]] = {
    "uvicorn-lifespan-off": (*UVICORN, "--lifespan", "off", "starting:app"),
    "granian-asginl": (*GRANIAN, "asginl", "starting:app"),
}
SERVERS = [
    (name, "wsgi" if name.startswith(("gunicorn", "granian-wsgi")) else "asgi") for name in COMMANDS
]


class Running(NamedTuple):
    """A server's process, and what it has written."""

    process: subprocess.Popen[bytes]
    port: int
    output: int

    @property
    def log(self) -> str:
        """All that it has written."""
        size = os.fstat(self.output).st_size
        return os.pread(self.output, size, 0).decode(errors="replace")


def environment(app: str, allowed: Path, startup: str = "eager") -> dict[str, str]:
    """Return the environment of a server."""
    return {
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(DIRECTORY), str(ROOT), os.environ.get("PYTHONPATH")])
        ),
        "DJANGO_SETTINGS_MODULE": "starting_settings",
        "MANTLET_TEST_APP": app,
        "MANTLET_TEST_ALLOWED": str(allowed),
        "MANTLET_TEST_STARTUP": startup,
    }


@contextmanager
def run(arguments: Sequence[str], env: Mapping[str, str]) -> Iterator[Running]:
    """Run a server; stop it in the end."""
    with TemporaryFile() as output:
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, *(one.replace("PORT", str(port)) for one in arguments)],
            cwd=DIRECTORY,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Running(process, port, output.fileno())
        finally:
            stop(process)


@pytest.mark.few_cases(2)
@pytest.mark.parametrize("name", ENDING)
def test_the_server_ends_and_says_why(name: str, tmp_path: Path) -> None:
    """The policy, the reason and the remedy are among its last lines; some add how they end."""
    arguments, app, code = ENDING[name]
    with run(arguments, environment(app, tmp_path / "allowed")) as server:
        poll(lambda: server.process.poll() is not None, f"the end of {name}")
        # Other workers write while the first one fails.
        lines = 24 if "workers" in name else 8
        last = "\n".join(server.log.rstrip().splitlines()[-lines:])
        assert MESSAGE in last, server.log
        assert REMEDY in last, server.log
        assert server.process.returncode == code, server.log


def test_gunicorn_ends_with_several_workers(tmp_path: Path) -> None:
    """After the first of them, with 3; or with 1, where another one fails while it ends."""
    arguments = (*GUNICORN, "--workers", "3", "starting:app")
    with run(arguments, environment("wsgi", tmp_path / "allowed")) as server:
        poll(lambda: server.process.poll() is not None, "the end of gunicorn")
        assert MESSAGE in server.log
        assert server.process.returncode in {1, 3}, server.log


@pytest.mark.parametrize("name", WAITING)
def test_a_reloading_server_says_why_and_waits(name: str, tmp_path: Path) -> None:
    """For a change of the code; nobody is served."""
    app = "asgi" if name.startswith("uvicorn") else "django_wsgi"
    with run(WAITING[name], environment(app, tmp_path / "allowed")) as server:
        poll(lambda: REMEDY in server.log, f"the reason in the log of {name}")
        assert MESSAGE in server.log
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://{HOST}:{server.port}/", timeout=2)


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("name", WITHOUT_LIFESPAN)
def test_a_server_without_lifespan_refuses_requests(name: str, tmp_path: Path) -> None:
    """With an enveloped 503, until the policy has started; its log stays short."""
    allowed = tmp_path / "allowed"
    with run(WITHOUT_LIFESPAN[name], environment("asgi", allowed)) as server:
        url = f"http://{HOST}:{server.port}"
        poll(lambda: _status(url) == 503, f"a refusal of {name}")
        for _ in range(30):
            refused = httpx.get(url)
            assert refused.status_code == 503
            assert refused.headers["content-type"] == "application/problem+json"
        assert server.log.count("can't start yet") == 1
        assert "Traceback" not in server.log
        allowed.touch()
        poll(lambda: _status(url) == 200, f"a response of {name}")


@pytest.mark.few_cases(2)
@pytest.mark.parametrize(("name", "app"), SERVERS, ids=COMMANDS)
def test_a_lazy_start_serves_what_it_can(name: str, app: str, tmp_path: Path) -> None:
    """The server starts; exempt requests and health checks are answered, and the rest later."""
    allowed = tmp_path / "allowed"
    env = environment(app, allowed, "lazy")
    with serve(name, "starting:app", directory=DIRECTORY, env=env) as server:
        with httpx.Client(base_url=server.url) as client:
            for _ in range(10):
                refused = client.get("/")
                assert refused.status_code == 503
                assert refused.headers["content-type"] == "application/problem+json"
                assert 1 <= int(refused.headers["retry-after"]) <= 10
            assert client.get("/open").status_code == 200
            assert client.get("/-/health").json() == {"status": "live"}
            ready = client.get("/-/ready")
            assert ready.status_code == 503
            assert ready.json()["checks"] == {"Vault": {"startup": "down"}}
            allowed.touch()
            poll(lambda: client.get("/-/ready").status_code == 200, "readiness")
            assert client.get("/").status_code == 200
        log = server.wait_for_log("Vault has started, after all")
        assert log.count("Vault can't start yet") == 1
        assert log.count("has started") == 1
        assert "Traceback" not in log


@pytest.mark.few_cases(1)
@pytest.mark.parametrize("name", ["gunicorn-sync", "gunicorn-gthread"])
def test_policies_start_again_in_workers_of_a_preloaded_app(name: str, tmp_path: Path) -> None:
    """Their first start was in the parent process."""
    allowed = tmp_path / "allowed"
    allowed.touch()
    env = environment("wsgi", allowed) | {"GUNICORN_CMD_ARGS": "--preload"}
    with serve(name, "starting:app", directory=DIRECTORY, env=env, workers=2) as server:
        bodies = {httpx.get(server.url).text for _ in range(20)}
    assert bodies == {"True"}


def _status(url: str) -> int:
    try:
        return httpx.get(url, timeout=120).status_code
    except httpx.TransportError:
        return 0

"""Mantlet without the modules and functions that only Unix has, as on Windows.

A fresh interpreter loads the libraries, hides these modules and functions, and then imports every
module of Mantlet and uses it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

SCRIPT = r"""
import asyncio, importlib, io, json, os, pkgutil, signal, socket, sys, time, warnings
import dotenv.parser, hiredis, pydantic, redis

loop = asyncio.new_event_loop()

def modules():
    import mantlet
    for found in pkgutil.walk_packages(mantlet.__path__, "mantlet.", onerror=lambda name: None):
        if found.name != "mantlet.__main__":
            yield found.name

for name in list(modules()):
    importlib.import_module(name)  # with the libraries that it needs
for name in [name for name in sys.modules if name.partition(".")[0] == "mantlet"]:
    del sys.modules[name]

for name in ("fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog"):
    sys.modules[name] = None
for name in '''
    fork register_at_fork geteuid getuid getegid getgid getgroups getxattr killpg setsid pread
    pwrite posix_fallocate chown fchown fchmod mkfifo uname O_NOFOLLOW O_DIRECTORY O_CLOEXEC
    O_NONBLOCK O_NOCTTY O_PATH O_TMPFILE sched_getaffinity
'''.split():
    if hasattr(os, name):
        delattr(os, name)
for name in "SIGHUP SIGKILL SIGUSR1 SIGUSR2 SIGCHLD SIGALRM".split():
    delattr(signal, name)
for name in [name for name in dir(time) if name.startswith("CLOCK_") or name == "clock_gettime_ns"]:
    delattr(time, name)
del socket.AF_UNIX

failed = {}
for name in list(modules()):
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed[name] = str(error)

import mantlet

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]

def wsgi():
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_PROTOCOL": "HTTP/1.1",
               "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http", "REMOTE_ADDR": "127.0.0.1"}
    got = []
    wrapped = mantlet.wrap(app, mantlet.RateLimiter("5/second"))
    list(wrapped(environ, lambda *args: got.extend(args)))
    return got[0], sorted(name.lower() for name, _ in got[1])

async def file_app(scope, receive, send):
    file = os.open(sys.argv[1], os.O_RDONLY)
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.zerocopysend", "file": file, "offset": 6, "count": 10})
    os.close(file)

async def asgi():
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
             "path": "/", "raw_path": b"/", "root_path": "", "scheme": "http", "query_string": b"",
             "headers": [], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
             "extensions": {"http.response.zerocopysend": {}}}
    got = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        got.append(message)
    await mantlet.wrap(file_app, mantlet.OutputSanitizer(secrets=["no-such-text-in-it"]))(
        scope, receive, send)
    return b"".join(message.get("body", b"") for message in got).decode()

class Settings(mantlet.SecretModel):
    token: mantlet.Secret[str]

def load(*sources, **options):
    try:
        loaded = mantlet.SecretLoader(Settings, sources=sources, **options)
        return loaded.current.token.reveal()
    except (ValueError, mantlet.MantletError) as error:
        return f"{type(error).__name__}: {error}"

def age():
    from mantlet.secrets import AgeFile
    try:
        AgeFile("x.age", identity="y", command=sys.executable)
    except ValueError as error:
        return str(error)

def lmdb():
    try:
        mantlet.RateLimiter("5/second", store="lmdb:///tmp/x")
    except ImportError as error:
        return str(error)

def unix_socket():
    try:
        mantlet.RateLimiter("5/second", store="redis+unix:///tmp/x")
    except ValueError as error:
        return str(error)

from mantlet.secrets import DotEnv, SecretFiles

print(json.dumps({
    "failed": failed,
    "wsgi": wsgi(),
    "asgi": loop.run_until_complete(asgi()),
    "dotenv": load(DotEnv(sys.argv[1])),
    "missing directory": load(SecretFiles(sys.argv[1] + "-missing"), DotEnv(sys.argv[1])),
    "directory": load(SecretFiles(os.path.dirname(sys.argv[1]))),
    "sighup": load(DotEnv(sys.argv[1]), reload_on_sighup=True),
    "age": age(),
    "lmdb": lmdb(),
    "unix socket": unix_socket(),
}))
loop.close()
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the script has seen."""
    env = tmp_path_factory.mktemp("windows") / "settings.env"
    env.write_text("TOKEN=a-value-for-tests\n")
    env.chmod(0o666)  # as every file looks there
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, env],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def test_every_module_but_those_of_lmdb_can_be_imported(seen: dict[str, Any]) -> None:
    """LMDB files are locked with `fcntl`; the error says which systems have it."""
    assert all(".stores.lmdb" in name for name in seen["failed"]), seen["failed"]
    assert "needs Linux or another Unix" in seen["lmdb"]


def test_both_protocols_are_served(seen: dict[str, Any]) -> None:
    """With policies, and with a part of an open file."""
    status, headers = seen["wsgi"]
    assert status == "200 OK"
    assert {"ratelimit", "x-request-id", "x-content-type-options"} <= set(headers)
    assert seen["asgi"] == "a-value-fo"


def test_a_dotenv_file_is_read_without_a_check_of_its_owner(seen: dict[str, Any]) -> None:
    """Its access control list can't be read there."""
    assert seen["dotenv"] == seen["missing directory"] == "a-value-for-tests"


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ("directory", "directories of secrets need Linux, macOS or another Unix"),
        ("sighup", "reload_on_sighup=True needs a system that has SIGHUP, such as Linux or macOS"),
        ("age", "encrypted files need Linux, macOS or another Unix"),
        ("unix socket", "Unix"),
    ],
    ids=["directory", "sighup", "age", "unix-socket"],
)
def test_a_feature_that_needs_unix_says_so(
    seen: dict[str, Any], feature: str, message: str
) -> None:
    """In one error, when it is configured or read."""
    assert message in seen[feature]

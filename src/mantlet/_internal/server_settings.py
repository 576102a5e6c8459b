"""What the environment, the command line and a request tell about the server."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Final

__all__ = ["drops_underscores", "running_program", "visible_workers"]

#: How the names of servers that drop headers with underscores begin, in lower case.
_DROPPING: Final = ("gunicorn", "werkzeug", "waitress", "cheroot", "cherrypy")

#: The servers that have the option, each with the environment variables that set it.
_SERVERS: Final = {
    "gunicorn": (),
    "uvicorn": ("UVICORN_WORKERS",),
    "fastapi": (),
    "hypercorn": (),
    "granian": ("GRANIAN_WORKERS",),
}
#: Programs that serve from one process, if at all, whatever the environment says. Those of
#: pytest-xdist are started by ``python -c``.
_SINGLE: Final = frozenset(("flask", "django-admin", "manage", "pytest", "py.test", "-c"))
_MOST: Final = 10_000


# Any: the values of an environ.
def drops_underscores(environ: Mapping[str, Any]) -> bool:
    """Return whether a WSGI server drops headers such as ``X_Forwarded_For``.

    If it does not, they look like ``X-Forwarded-For`` in an environ (RFC 3875, 4.1.18).

    Args:
        environ: of a request.
    """
    software = str(environ.get("SERVER_SOFTWARE") or "").lower()
    if software.startswith("gunicorn"):
        arguments = [os.environ.get("GUNICORN_CMD_ARGS", ""), *sys.argv[1:]]
        return "dangerous" not in " ".join(arguments)
    if software.startswith("wsgiserver"):  # wsgiref's name, and that of Django's runserver
        return "runserver" in sys.argv
    return software.startswith(_DROPPING) or any(key.startswith("mod_wsgi.") for key in environ)


def running_program() -> tuple[str, list[str]]:
    """Return the program of the command line, such as ``uvicorn``, and its arguments."""
    path = PurePath(sys.argv[0]) if sys.argv else PurePath()
    return path.parent.name if path.name == "__main__.py" else path.stem, sys.argv[1:]


def visible_workers() -> int | None:
    """Return the number of worker processes of the server that runs this one; None if unknown.

    Read from ``WEB_CONCURRENCY``, which gunicorn, uvicorn and hosting platforms know, from the
    servers' own variables and from their command lines. A server's configuration file is not read:
    if it may have one, the number is unknown.
    Development servers have one worker, and so has uvicorn where it reloads on changes.
    """
    program, arguments = running_program()
    server = program if program in _SERVERS else None
    if program in _SINGLE or (program == "fastapi" and arguments[:1] == ["dev"]):
        return 1
    if server is None:
        return _number(os.environ.get("WEB_CONCURRENCY", ""))
    if server in ("uvicorn", "fastapi") and "--reload" in arguments:
        return 1  # they ignore the number of workers then
    if server == "gunicorn":
        arguments = [*shlex.split(os.environ.get("GUNICORN_CMD_ARGS", "")), *arguments]
    found = _option(arguments, "--workers", "-w" if server in ("gunicorn", "hypercorn") else None)
    for name in (*_SERVERS[server], "WEB_CONCURRENCY"):
        found = found or _number(os.environ.get(name, ""))
    return found or (None if _may_be_configured(server, arguments) else 1)


def _may_be_configured(server: str, arguments: Sequence[str]) -> bool:
    """Return whether a server may have read a configuration file."""
    if server == "gunicorn" and Path("gunicorn.conf.py").exists():
        return True
    return server in ("gunicorn", "hypercorn") and any(
        argument.startswith(("-c", "--config")) for argument in arguments
    )


def _option(arguments: Sequence[str], long: str, short: str | None) -> int | None:
    """Return the number that an option has; of several, the last."""
    found = None
    for index, argument in enumerate(arguments):
        value = None
        if argument in (long, short):
            value = arguments[index + 1] if index + 1 < len(arguments) else None
        elif argument.startswith(f"{long}="):
            value = argument.partition("=")[2]
        elif short is not None and argument.startswith(short) and not argument.startswith("--"):
            value = argument.removeprefix(short)
        found = _number(value or "") or found
    return found


def _number(text: str) -> int | None:
    valid = text.isascii() and text.isdigit() and 0 < int(text[:6]) <= _MOST
    return int(text) if valid else None

"""Likely mistakes when an app is wrapped: an uncalled factory, a command that misses the stack.

``flask run``, ``quart run``, ``fastapi run``, ``fastapi dev`` and ``litestar run`` look for an app
of their own framework. A stack is not one: if the module has a name for the bare app too, they
serve that, without any policy. ``litestar run`` else calls ``create_app()``, which may return any
ASGI app.
"""

from inspect import isfunction, signature
from typing import Any

from mantlet._internal.server_settings import running_program
from mantlet._internal.user_warnings import is_called_by_module, warn_user
from mantlet.integrations.app_search import kinds_of

__all__ = ["factory_hint", "warn_of_bare_app"]

_INSTALL = "use mantlet.install(app, ...)"
#: The programs that look for an app, each with its commands, the class of the app and what to do.
_FINDERS = {
    "fastapi": (frozenset({"dev", "run"}), "FastAPI", _INSTALL),
    "flask": (frozenset({"run"}), "Flask", _INSTALL),
    "litestar": (frozenset({"run"}), "Litestar", "let create_app() return the result"),
    "quart": (frozenset({"run"}), "Quart", _INSTALL),
}
#: Options of ``fastapi`` that name the app, of whatever class.
_ENTRYPOINT = ("-e", "--entrypoint")


# Any: what the user took for an app.
def factory_hint(app: Any) -> str:
    """Return the end of an error message if an object may be a factory of apps, else no text."""
    if not isfunction(app):
        return ""
    try:
        signature(app).bind()
    except TypeError:
        return ""
    return f"; if it returns the app, call it: {app.__name__}()"


def warn_of_bare_app(app: Any) -> None:
    """Warn if the running command looks for this app, and not for the stack around it."""
    program, arguments = running_program()
    commands, name, remedy = _FINDERS.get(program, (frozenset(), "", ""))
    command = next((one for one in arguments if one in commands), None)
    if command is None or (program, name) not in kinds_of(app):
        return
    if program == "fastapi" and any(one.startswith(_ENTRYPOINT) for one in arguments):
        return
    if program == "litestar" and not is_called_by_module():
        return
    warn_user(
        f"`{program} {command}` looks for a {name} app, which the result of wrap() is not, so it "
        f"may serve the app without its policies; {remedy}"
    )

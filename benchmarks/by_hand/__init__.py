"""The floor of pure Python: what some stacks do for the usual request, written by hand.

Each middleware is one closure without any abstraction, and does the work of Mantlet's policies for
the request and the response of `benchmarks.hot_path`: the same headers and body come out, which a
test compares. Patterns, constants and C code, such as the scanner and pydantic's validator, are
Mantlet's own. Every condition that makes a request or a response an unusual one is looked at, but
what follows then is left out: `Unusual` is raised. So these are no middlewares to use; they show
how much of a policy's cost is the work itself.
"""

from collections.abc import Callable
from typing import Any

from benchmarks.by_hand import asgi, wsgi
from benchmarks.by_hand.work import KEY, Unusual
from mantlet import OutputSanitizer, SecretLoader

__all__ = ["KEY", "Unusual", "wrap"]

_WRAPPERS: dict[str, dict[str, Callable[..., Any]]] = {
    protocol: {
        "response-hook": module.look_only,
        "two": module.two,
        "five": module.five,
        "refusal": module.refusal,
    }
    for protocol, module in (("ASGI", asgi), ("WSGI", wsgi))
}


def wrap(protocol: str, case: str, app: Any, secrets: SecretLoader[Any] | None = None) -> Any:
    """Return an app in the middleware that does the work of a case.

    Args:
        protocol: ``"ASGI"`` or ``"WSGI"``.
        case: of `benchmarks.hot_path`.
        app: the app.
        secrets: for the case of all five policies.
    """
    make = _WRAPPERS[protocol][case]
    if secrets is None:
        return make(app)
    return make(app, secrets, OutputSanitizer(headers="api", secrets=secrets))

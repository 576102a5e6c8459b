"""The ASGI adapter: `wrap()` and `Stack`."""

from mantlet._internal.asgi_types import AsgiApp
from mantlet.asgi.stack import Stack
from mantlet.core.lifecycle import Startup
from mantlet.core.policy import Policy
from mantlet.defaults import make_stack

__all__ = ["Stack", "wrap"]


def wrap(
    app: AsgiApp, *policies: Policy, baseline: bool = True, startup: Startup = "eager"
) -> Stack:
    """Wrap an ASGI app in policies, as `mantlet.wrap()` does, without looking at its signature.

    Args:
        app: the app.
        policies: the policies to put around it, the outermost first.
        baseline: whether to add an `OutputSanitizer` and an `ErrorEnvelope`, where none is passed.
        startup: when the policies start, as for `mantlet.wrap()`.

    Raises:
        TypeError: one of the policies is not a `Policy`.
        ValueError: ``startup`` is unknown.
    """
    return make_stack(Stack, app, policies, baseline=baseline, startup=startup)

"""Hear the exceptions that frameworks turn into responses; no framework is imported.

One module for frameworks with signals, one for those with hooks on the app object.
"""

from typing import Any

from mantlet.integrations.exception_hooks import connect_signals, install_exception_hook

__all__ = ["observe_exceptions"]


# Any: the frameworks' own app classes, which are not imported here.
def observe_exceptions(app: Any) -> None:
    """Have the frameworks that are loaded, and ``app``, report exceptions that they handle."""
    connect_signals()
    install_exception_hook(app)

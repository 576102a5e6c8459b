"""Support for single frameworks, none of which is imported."""

from typing import Any

from mantlet.integrations.exception_hooks import connect_signals, install_exception_hook

__all__ = ["observe_exceptions"]


# Any: the frameworks' own app classes, which are not imported here.
def observe_exceptions(app: Any) -> None:
    """Have the frameworks that are loaded, and ``app``, report the exceptions that they handle."""
    connect_signals()
    install_exception_hook(app)

"""Import the libraries of optional extras."""

from importlib import import_module
from typing import Any

__all__ = ["import_extra"]


def import_extra(module: str, extra: str) -> Any:
    """Import a module of an extra.

    Args:
        module: the module.
        extra: the name of the extra that installs it.

    Raises:
        ImportError: it is not installed; the message names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        missing = f'{module} is needed for this: pip install "mantlet[{extra}]"'
        raise ImportError(missing) from error

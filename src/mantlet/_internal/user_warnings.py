"""Warn about a configuration that cannot work, at the line of the user's own code."""

import sys
import warnings
from pathlib import Path
from typing import Final

__all__ = ["warn_user"]

_PACKAGE: Final = str(Path(__file__).parents[1])


def warn_user(message: str) -> None:
    """Give a `UserWarning` whose place is the first frame outside of Mantlet."""
    frame = sys._getframe(1)
    level = 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
        level += 1
    warnings.warn(message, UserWarning, stacklevel=level)

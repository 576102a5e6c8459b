"""Warn about a configuration that cannot work, at the line of the user's own code."""

import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import Final

__all__ = ["is_called_by_module", "warn_user"]

_PACKAGE: Final = str(Path(__file__).parents[1])


def warn_user(message: str) -> None:
    """Give a `UserWarning` whose place is the first frame outside of Mantlet."""
    warnings.warn(message, UserWarning, stacklevel=_user_frame()[1])


def is_called_by_module() -> bool:
    """Return whether the user's own code is that of a module, not of a function."""
    return _user_frame()[0].f_code.co_name == "<module>"


def _user_frame() -> tuple[FrameType, int]:
    """Return the first frame outside of Mantlet, and its ``stacklevel`` for the caller."""
    frame = sys._getframe(1)
    level = 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
        level += 1
    return frame, level

"""Call functions in child processes, where processes can fork."""

import os
from collections.abc import Callable

__all__ = ["after_fork_in_child"]


def after_fork_in_child(call: Callable[[], object]) -> None:
    """Call a function in each child process after a fork; on Windows there are none."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)

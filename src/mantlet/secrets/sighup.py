"""Call functions after a SIGHUP, in each process of a server.

A process has one handler for a signal, so all functions share one, which calls the handler that it
replaces. gunicorn's workers reset their handlers after the fork. So a function that was added
before it, as with ``--preload``, is called once in each worker, and its handler is restored at the
next poll in the worker's main thread. The main process keeps the handler that gunicorn sets.
"""

import signal
import threading
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakMethod

from mantlet._internal.fork import after_fork_in_child

__all__ = ["hangups"]


class _Hangups:
    """The functions to call after a SIGHUP."""

    def __init__(self) -> None:
        # Replaced as a whole: a signal may arrive at any time.
        self._calls: tuple[WeakMethod[Callable[[], object]], ...] = ()
        self._handler: object = None
        self._is_forked = False

    def add(self, call: Callable[[], object]) -> None:
        """Call a method after each SIGHUP and in each forked process, while its object lives.

        Raises:
            ValueError: this thread can't set a signal handler, or the system has no SIGHUP.
        """
        if not hasattr(signal, "SIGHUP"):
            raise ValueError(
                "reload_on_sighup=True needs a system that has SIGHUP, such as Linux or macOS: "
                "call reload() yourself"
            )
        if signal.getsignal(signal.SIGHUP) is not self._handler:
            self._install()
        self._calls = (*(one for one in self._calls if one() is not None), WeakMethod(call))

    def restore(self) -> None:
        """Handle SIGHUP again if a forked process has reset it, and this is its main thread."""
        if self._is_forked and threading.current_thread() is threading.main_thread():
            self._is_forked = False
            if not callable(signal.getsignal(signal.SIGHUP)):
                self._install()

    def after_fork(self) -> None:
        """Call the functions in a child process, which may replace one that got the signal."""
        self._is_forked = bool(self._calls)
        self._call()

    def _install(self) -> None:
        before = signal.getsignal(signal.SIGHUP)

        def handle(number: int, frame: Any) -> None:
            self._call()
            if callable(before):
                before(number, frame)

        try:
            signal.signal(signal.SIGHUP, handle)
        except ValueError:
            raise ValueError(
                "reload_on_sighup=True needs a loader that is made in the main thread, not in "
                f"{threading.current_thread().name!r}: signals can't be handled there. Make it in "
                "a module that the main thread imports, or call reload() yourself"
            ) from None
        self._handler = handle

    def _call(self) -> None:
        for reference in self._calls:
            call = reference()
            if call is not None:
                call()


hangups: Final = _Hangups()

after_fork_in_child(hangups.after_fork)

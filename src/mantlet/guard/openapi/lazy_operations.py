"""Compile operations at their first requests, one at a time."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mantlet._internal.locks import ForkSafeLock
from mantlet.guard.operation import Operation, PendingOperation

__all__ = ["LazyOperations"]

_log: Final = logging.getLogger("mantlet.guard")


class LazyOperations:
    """Compiles operations when they are needed, and each once.

    One operation is compiled at a time, since they share the schemas of their document. A compiled
    operation waits for nothing.

    Args:
        reset: called in a child process that was forked while an operation was compiled, since the
            shared schemas may be incomplete.
    """

    def __init__(self, reset: Callable[[], object]) -> None:
        self.lock = ForkSafeLock(on_fork=reset)

    def pending(
        self, declared: Operation, compile_now: Callable[[], Operation], *, has_matrix: bool
    ) -> Operation:
        """Return an operation that is compiled at its first request.

        Args:
            declared: the operation as declared, before it is compiled.
            compile_now: compiles it.
            has_matrix: whether a path parameter has the style ``matrix``.
        """
        found: list[Operation] = []

        def compile_once() -> Operation:
            if not found:
                with self.lock.hold():
                    if not found:
                        found.append(_compile(declared, compile_now))
            return found[0]

        return PendingOperation(
            method=declared.method,
            template=declared.template,
            security=declared.security,
            pointer=declared.pointer,
            operation_id=declared.operation_id,
            compile=compile_once,
            has_matrix=has_matrix,
        )


def _compile(declared: Operation, compile_now: Callable[[], Operation]) -> Operation:
    try:
        operation = compile_now()
    except Exception:  # noqa: BLE001  # whatever it is, requests must not pass
        _log.exception(
            "SchemaGuard: the operation %s can't be compiled, so it is closed (501)", declared.name
        )
        return replace(declared, faults=((declared.pointer, "can't be compiled"),))
    if operation.faults:
        _log.warning(
            "SchemaGuard: the declaration of %s in the OpenAPI document is invalid, so it is %s: "
            "%s",
            declared.name,
            "open" if operation.is_open else "closed (501)",
            "; ".join(f"{pointer}: {message}" for pointer, message in operation.faults[:3]),
        )
    return operation

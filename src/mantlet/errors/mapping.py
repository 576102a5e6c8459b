"""From an exception to the answer that it gets."""

import builtins
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

from mantlet._internal.exception_chain import class_names, flatten_group, walk_chain
from mantlet.core.problem import Problem
from mantlet.errors.database import database_problem
from mantlet.errors.framework_exceptions import (
    HTTP_EXCEPTIONS,
    INVALID_INPUT,
    Fields,
    declared,
    validation_problem,
    words,
)

__all__ = ["ErrorMap", "Target", "Verdict"]

# Any: each function takes exceptions of the class that it is given for.
Target = int | Problem | Callable[[Any], Problem | int | None]

INTERNAL: Final = Problem(500)


class Verdict(NamedTuple):
    """The answer that an exception gets.

    Attributes:
        status: its status.
        problem: what it states; None for a redirection.
        fields: header fields beside the problem's own.
        meant: whether the exception was made for the client, as a raised `Problem` is.
    """

    status: int
    problem: Problem | None
    fields: Fields = ()
    meant: bool = False


UNKNOWN: Final = Verdict(500, INTERNAL)


class ErrorMap:
    """Which problem an exception is: as a user has said, else as its framework or database says.

    An entry holds for a class and those derived from it; of several the one for the most derived
    class counts. Where there is none for an exception, what it wraps and came of is asked, within
    bounds. One for `Exception` itself holds where nothing else does. A group is as bad as its worst
    member.

    Args:
        entries: by exception class, or by its dotted name, which is not imported: a status, a
            `Problem`, or a function that takes the exception and returns one of these, or None to
            leave it to the next entry.
        expose_details: keep the words of frameworks' HTTP exceptions below 500.

    Raises:
        ValueError: a key names no exception, or a value is no answer to one.
    """

    def __init__(
        self, entries: Mapping[type[Exception] | str, Target], *, expose_details: bool
    ) -> None:
        self._classes: dict[type, Problem | Callable[[Any], Any]] = {}
        self._names: dict[str, Problem | Callable[[Any], Any]] = {}
        self._expose_details = expose_details
        for key, target in entries.items():
            checked = _checked_target(key, target)
            if isinstance(key, str):
                _check_name(key)
                self._names[key if "." in key else f"builtins.{key}"] = checked
            elif _is_exception(key):
                self._classes[key] = checked
            else:
                raise ValueError(
                    f"a key of exceptions must be an exception class or its name, not {key!r}"
                )

    def judge(self, error: BaseException) -> Verdict:
        """Return the answer that an exception gets.

        Raises:
            Exception: what a function of the map raised.
        """
        if not isinstance(error, BaseExceptionGroup):
            return self._judge(error) or UNKNOWN
        own = self._look_up(error)
        if own is not None:
            return own
        verdicts = [self._judge(one) or UNKNOWN for one in flatten_group(error)]
        if UNKNOWN in verdicts:
            return UNKNOWN
        return max(verdicts, key=lambda verdict: verdict.status)

    def _judge(self, error: BaseException) -> Verdict | None:
        for one in walk_chain(error):
            verdict = self._look_up(one)
            if verdict is None and one is error:
                verdict = self._made_for_clients(error)
            if verdict is None:
                problem = database_problem(one)
                verdict = None if problem is None else Verdict(problem.status, problem)
            if verdict is not None:
                return verdict
        return self._said_for(Exception, error) if isinstance(error, Exception) else None

    def _look_up(self, error: BaseException) -> Verdict | None:
        """Return what the user's entries say, up to the class that a built-in entry is for."""
        if not self._classes and not self._names:
            return None
        kinds = type(error).__mro__
        for kind, name in zip(kinds, class_names(type(error)), strict=True):
            if kind is Exception:
                return None
            verdict = self._said_for(kind, error)
            if verdict is not None:
                return verdict
            if kind is Problem or name in HTTP_EXCEPTIONS or name in INVALID_INPUT:
                return None
        return None

    def _said_for(self, kind: type, error: BaseException) -> Verdict | None:
        """Return what the user's entry for one class makes of an exception."""
        target = self._target(kind)
        if target is None:
            return None
        problem = target if isinstance(target, Problem) else _called(target, error)
        if problem is None:
            return None
        return Verdict(problem.status, problem, meant=isinstance(error, Problem))

    def _target(self, kind: type) -> Problem | Callable[[Any], Any] | None:
        found = self._classes.get(kind)
        if found is None and self._names:
            found = self._names.get(class_names(kind)[0])
            if found is None:  # a name may be that of an import, not of the definition
                aliases = (name for name in self._names if _loaded(name) is kind)
                found = self._names.get(next(aliases, ""))
        return found

    def _made_for_clients(self, error: BaseException) -> Verdict | None:
        if isinstance(error, Problem):
            return Verdict(error.status, error, meant=True)
        for name in class_names(type(error)):
            if name in INVALID_INPUT:
                return Verdict(422, validation_problem(error))
            if name in HTTP_EXCEPTIONS:
                status, fields = declared(error, HTTP_EXCEPTIONS[name])
                if status < 400:
                    return Verdict(status, None, fields, meant=True)
                detail = words(error, status) if self._expose_details else None
                return Verdict(status, Problem(status, detail=detail), fields, meant=True)
        return None


def _called(target: Callable[[Any], Any], error: BaseException) -> Problem | None:
    """Return what a user's function makes of an exception."""
    made = target(error)
    if made is None or isinstance(made, Problem):
        return made
    if isinstance(made, int):
        return Problem(made)
    raise TypeError(
        f"a function in exceptions must return a Problem, a status or None, not {made!r}"
    )


def _checked_target(key: object, target: object) -> Problem | Callable[[Any], Any]:
    if isinstance(target, int):
        try:
            return Problem(target)
        except ValueError as error:
            raise ValueError(f"exceptions[{key!r}]: {error}") from None
    if isinstance(target, Problem) or (callable(target) and not isinstance(target, type)):
        return target
    raise ValueError(
        f"exceptions[{key!r}] must be a status, a Problem or a function, not {target!r}"
    )


def _check_name(name: str) -> None:
    """Raise a ValueError if a dotted name is known to name no exception; import nothing new."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        raise ValueError(f"a key of exceptions must be a dotted name, not {name!r}")
    if len(parts) == 1:
        found: object = getattr(builtins, name, None)
        if not _is_exception(found):
            raise ValueError(f"exceptions names {name!r}, which is no exception of Python's own")
        return
    if find_spec(parts[0]) is None:
        raise ValueError(f"exceptions names {name!r}, but no package {parts[0]!r} is installed")
    module = ".".join(parts[:-1])
    if module in sys.modules and not _is_exception(_loaded(name)):
        raise ValueError(f"exceptions names {name!r}, but {module} has no exception of that name")


def _is_exception(found: object) -> bool:
    """Return whether this is a class of exceptions that are answered; an exit is not."""
    return isinstance(found, type) and issubclass(found, Exception)


def _loaded(name: str) -> object:
    """Return what a dotted name stands for, if its module is loaded."""
    module, _, last = name.rpartition(".")
    return getattr(sys.modules.get(module), last, None)

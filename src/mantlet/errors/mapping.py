"""Map exceptions to problems."""

import builtins
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

from mantlet._internal.exception_chain import class_names, flatten_group, walk_chain
from mantlet.core.problem import FixedProblem, Problem
from mantlet.errors.database import database_problem
from mantlet.errors.framework_exceptions import (
    HTTP_EXCEPTIONS,
    INVALID_INPUT,
    HeaderPairs,
    declared_response,
    public_detail,
    validation_problem,
)

__all__ = ["INTERNAL", "UNKNOWN", "ErrorMap", "ErrorTarget", "MappedError"]

# Any: each function takes exceptions of the class that it is registered for.
ErrorTarget = int | Problem | Callable[[Any], Problem | int | None]

INTERNAL: Final = FixedProblem(500)


class MappedError(NamedTuple):
    """The response to an exception.

    Attributes:
        status: the status code.
        problem: the problem; None for a redirection.
        headers: headers beside the problem's own.
        for_client: whether the exception was raised for the client, like a `Problem`.
        by_user: whether an entry of the user's applies.
    """

    status: int
    problem: Problem | None
    headers: HeaderPairs = ()
    for_client: bool = False
    by_user: bool = False


UNKNOWN: Final = MappedError(500, INTERNAL)


class ErrorMap:
    """Find the problem for an exception: by the user's entries, its framework or its database.

    An entry applies to a class and its subclasses; the entry for the most derived class wins. If an
    exception has no entry, the exceptions that it wraps or was raised from are tried, within
    limits. An entry for `Exception` itself applies where nothing else does. A group maps to its
    most severe member.

    Args:
        entries: by exception class, or by its dotted name, which is not imported: a status, a
            `Problem`, or a function that takes the exception and returns one of these, or None to
            leave it to the next entry.
        expose_details: keep the messages of frameworks' HTTP exceptions below 500.

    Raises:
        TypeError: the entries are not a mapping.
        ValueError: a key is not an exception, or a value is not one of the above.
    """

    def __init__(
        self, entries: Mapping[type[Exception] | str, ErrorTarget], *, expose_details: bool
    ) -> None:
        self._classes: dict[type, Problem | Callable[[Any], Any]] = {}
        self._names: dict[str, Problem | Callable[[Any], Any]] = {}
        self._expose_details = expose_details
        if not isinstance(entries, Mapping):
            raise TypeError(
                f"exceptions must be a mapping such as {{OrderNotFound: 404}}, not {entries!r}"
            )
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
        self._has_entries = bool(entries)

    def find(self, error: BaseException) -> MappedError:
        """Return the response to an exception.

        Raises:
            Exception: a user's function raised it.
        """
        if not isinstance(error, BaseExceptionGroup):
            return self._find(error) or UNKNOWN
        own = self._look_up(error)
        if own is not None:
            return own
        members = [self._find(member) or UNKNOWN for member in flatten_group(error)]
        if UNKNOWN in members:
            return UNKNOWN
        return max(members, key=lambda mapped: mapped.status)

    def refuses(self, error: BaseException) -> bool:
        """Return whether an exception is a `Problem` or has an entry, and a status below 500.

        Raises:
            Exception: a user's function raised it.
        """
        mapped = self._look_up(error)
        if mapped is None:
            return isinstance(error, Problem) and error.status < 500
        return mapped.status < 500

    def refused_classes(self) -> set[type]:
        """Return `Problem` and the classes whose entries may give a status below 500.

        Without `Exception` itself, and without names whose classes are not loaded yet.
        """
        found: set[type] = {Problem}
        named = [(_loaded(name), target) for name, target in self._names.items()]
        for kind, target in [*self._classes.items(), *named]:
            refuses = not isinstance(target, Problem) or target.status < 500
            if refuses and isinstance(kind, type) and issubclass(kind, Exception):
                found.add(kind)
        found.discard(Exception)
        return found

    def _find(self, error: BaseException) -> MappedError | None:
        for one in walk_chain(error):
            mapped = self._look_up(one)
            if mapped is None and one is error:
                mapped = self._raised_for_client(error)
            if mapped is None:
                problem = database_problem(one)
                mapped = None if problem is None else MappedError(problem.status, problem)
            if mapped is not None:
                return mapped
        if self._has_entries and isinstance(error, Exception):
            return self._by_entry(Exception, error)
        return None

    def _look_up(self, error: BaseException) -> MappedError | None:
        """Apply the user's entries, up to the class that has a built-in entry."""
        if not self._has_entries:
            return None
        kinds = type(error).__mro__
        for kind, name in zip(kinds, class_names(type(error)), strict=True):
            if kind is Exception:
                return None
            mapped = self._by_entry(kind, error)
            if mapped is not None:
                return mapped
            if kind is Problem or name in HTTP_EXCEPTIONS or name in INVALID_INPUT:
                return None
        return None

    def _by_entry(self, kind: type, error: BaseException) -> MappedError | None:
        """Apply the user's entry for one class to an exception."""
        target = self._target(kind)
        if target is None:
            return None
        problem = target if isinstance(target, Problem) else _call(target, error)
        if problem is None:
            return None
        for_client = isinstance(error, Problem)
        return MappedError(problem.status, problem, for_client=for_client, by_user=True)

    def _target(self, kind: type) -> Problem | Callable[[Any], Any] | None:
        found = self._classes.get(kind)
        if found is None and self._names:
            found = self._names.get(class_names(kind)[0])
            if found is None:  # a name may be where the class is imported, not defined
                aliases = (name for name in self._names if _loaded(name) is kind)
                found = self._names.get(next(aliases, ""))
        return found

    def _raised_for_client(self, error: BaseException) -> MappedError | None:
        if isinstance(error, Problem):
            return MappedError(error.status, error, for_client=True)
        name = _name_for_client(type(error))
        if name is None:
            return None
        if name in INVALID_INPUT:
            return MappedError(422, validation_problem(error))
        status, headers = declared_response(error, HTTP_EXCEPTIONS[name])
        if status < 400:
            return MappedError(status, None, headers, for_client=True)
        detail = public_detail(error, status) if self._expose_details else None
        problem = Problem(status, detail=detail)
        return MappedError(status, problem, headers, for_client=True)


def _find_name_for_client(kind: type) -> str | None:
    names = class_names(kind)
    return next((name for name in names if name in INVALID_INPUT or name in HTTP_EXCEPTIONS), None)


#: Returns the name of a framework's class by which a class of exceptions is one for the client.
_name_for_client: Callable[[type], str | None] = lru_cache(maxsize=1024)(_find_name_for_client)


def _call(target: Callable[[Any], Any], error: BaseException) -> Problem | None:
    """Return the result of a user's function as a problem."""
    result = target(error)
    if result is None or isinstance(result, Problem):
        return result
    if isinstance(result, int):
        return Problem(result)
    raise TypeError(f"a function of exceptions must return a Problem, a status or None: {result!r}")


def _checked_target(key: object, target: object) -> Problem | Callable[[Any], Any]:
    if isinstance(target, int):
        try:
            return FixedProblem(target)
        except ValueError as error:
            raise ValueError(f"exceptions[{key!r}]: {error}") from None
    if isinstance(target, Problem) or (callable(target) and not isinstance(target, type)):
        return target
    raise ValueError(f"exceptions[{key!r}] must be a status, a Problem or a function: {target!r}")


def _check_name(name: str) -> None:
    """Raise a ValueError if a dotted name cannot name an exception; import nothing new."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        raise ValueError(f"a key of exceptions must be a dotted name, not {name!r}")
    if len(parts) == 1:
        found: object = getattr(builtins, name, None)
        if not _is_exception(found):
            raise ValueError(f"exceptions names {name!r}, which is not a built-in exception")
        return
    if find_spec(parts[0]) is None:
        raise ValueError(f"exceptions names {name!r}, but the package {parts[0]!r} is missing")
    module = ".".join(parts[:-1])
    if module in sys.modules and not _is_exception(_loaded(name)):
        raise ValueError(f"exceptions names {name!r}, but {module} has no such exception")


def _is_exception(found: object) -> bool:
    """Return whether this is an exception class that can be answered; `SystemExit` is not."""
    return isinstance(found, type) and issubclass(found, Exception)


def _loaded(name: str) -> object:
    """Return the object with a dotted name, if its module is loaded."""
    module, _, last = name.rpartition(".")
    return getattr(sys.modules.get(module), last, None)

"""Walk the causes of an exception and the members of groups, within limits.

Exceptions may form cycles, be nested without end, and have attributes that raise when read.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import count
from typing import Any, Final

__all__ = ["class_names", "flatten_group", "safe_getattr", "walk_chain"]

#: The most exceptions that are visited; further ones are ignored.
LIMIT: Final = 64


def walk_chain(error: BaseException, most: int = LIMIT) -> Iterator[BaseException]:
    """Yield an exception, then those that it wraps or was raised from, nearest first, each once.

    These are the ``orig`` of a database wrapper, the cause, or else the context, and the members of
    a group.

    Args:
        error: the exception.
        most: the most exceptions to yield.
    """
    yield error
    linked = _next(error, most)
    if not linked:
        return  # the usual case
    found = [error]
    seen = {id(error)}
    for index in count(1):
        for other in linked:
            if id(other) not in seen and len(found) < most:
                seen.add(id(other))
                found.append(other)
        if index == len(found):
            return
        yield found[index]
        linked = _next(found[index], most)


def _next(error: BaseException, most: int) -> list[BaseException]:
    try:
        linked = _linked(error, getattr)
    except Exception:  # noqa: BLE001  # raised by a property of the exception's own
        linked = _linked(error, safe_getattr)
    if isinstance(error, BaseExceptionGroup):
        linked += [one for one in error.exceptions[:most] if isinstance(one, BaseException)]
    return linked


def _linked(error: BaseException, read: Callable[[object, str, None], Any]) -> list[BaseException]:
    wrapped, cause = read(error, "orig", None), read(error, "__cause__", None)
    context = read(error, "__context__", None)
    if wrapped is cause is context is None:
        return []  # the usual case
    if read(error, "__suppress_context__", None):
        context = None
    return [one for one in (wrapped, cause, context) if isinstance(one, BaseException)]


def flatten_group(error: BaseException) -> list[BaseException]:
    """Return the exceptions of a group and its nested groups; for any other exception, itself.

    Beyond `LIMIT` exceptions, or as many groups, the remaining groups are returned as they are.
    """
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    found: list[BaseException] = []
    groups: list[BaseException] = [error]
    for _ in range(LIMIT):
        if not groups or len(found) >= LIMIT:
            break
        for one in groups.pop(0).exceptions:  # type: ignore[attr-defined]  # they are groups
            (groups if isinstance(one, BaseExceptionGroup) else found).append(one)
    return found + groups


def _class_names(kind: type) -> tuple[str, ...]:
    return tuple(f"{one.__module__}.{one.__qualname__}" for one in kind.__mro__)


#: Returns the dotted names of a class and its bases, in the order of its MRO.
class_names: Callable[[type], tuple[str, ...]] = lru_cache(maxsize=1024)(_class_names)


def safe_getattr(error: object, name: str, default: None = None) -> Any:
    """Return an attribute of a foreign object, or None if it is missing or raises."""
    try:
        return getattr(error, name, default)
    except Exception:  # noqa: BLE001  # a foreign property may raise anything
        return default

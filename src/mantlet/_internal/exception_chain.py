"""What an exception came of, and what a group of them holds, walked within bounds.

Exceptions may form cycles, be nested without end, and have attributes that raise when looked at.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

__all__ = ["class_names", "flatten_group", "safe_getattr", "walk_chain"]

#: How many exceptions are looked at. What lies behind them is as if it were not there.
LIMIT: Final = 64


def walk_chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, then what it wraps and came of, the nearest first, and no one twice.

    That is what a database wrapper has in ``orig``, the cause that it was raised ``from``, else its
    context, and the members of a group.
    """
    found = [error]
    seen = {id(error)}
    index = 0
    while index < len(found):
        one = found[index]
        index += 1
        yield one
        for other in _next(one):
            if id(other) not in seen and len(found) < LIMIT:
                seen.add(id(other))
                found.append(other)


def _next(error: BaseException) -> Iterator[BaseException]:
    near = [safe_getattr(error, "orig"), safe_getattr(error, "__cause__")]
    if not safe_getattr(error, "__suppress_context__"):
        near.append(safe_getattr(error, "__context__"))
    if isinstance(error, BaseExceptionGroup):
        near += error.exceptions[:LIMIT]
    return (one for one in near if isinstance(one, BaseException))


def flatten_group(error: BaseException) -> list[BaseException]:
    """Return the members of a group that are none themselves; of any other exception, itself.

    Where there are more than `LIMIT`, or groups nested as deep, those beyond are left in their
    group, which then is among what is returned.
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


#: Returns the dotted names of a class and of those that it is derived from, as in its MRO.
class_names: Callable[[type], tuple[str, ...]] = lru_cache(maxsize=1024)(_class_names)


def safe_getattr(error: object, name: str) -> Any:
    """Return an attribute of a foreign object, or None where it has none, or raises over it."""
    try:
        return getattr(error, name, None)
    except Exception:  # noqa: BLE001  # a property of somebody else's: it says nothing
        return None

"""A document that is given as Python's values, made plain JSON."""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

__all__ = ["plain"]

_DEEPEST: Final = 200
_MOST: Final = 2_000_000


def plain(value: Any) -> Any:  # Any: plain JSON
    """Return a copy with dicts, lists, texts, numbers, booleans and None only.

    Keys that are whole numbers, as YAML's readers make of a status, become texts; tuples become
    lists; what has its own string type becomes text.

    Raises:
        ValueError: something else is in it, or it is nested too deep, endless or too large,
            in words that go behind "the document".
    """
    return _Copy().of(value, 0)


class _Copy:
    def __init__(self) -> None:
        self._left = _MOST

    def of(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise ValueError(f"has more than {_MOST} values")
        if depth > _DEEPEST:
            raise ValueError(f"is nested deeper than {_DEEPEST}, or in itself")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return str.__str__(value)  # that of an enum has words of its own
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float) and isfinite(value):
            return float(value)
        if isinstance(value, Mapping):
            return self._object(value, depth + 1)
        if isinstance(value, list | tuple):
            return [self.of(item, depth + 1) for item in value]
        raise ValueError(f"has a {type(value).__name__} in it, which JSON has not: {value!r}")

    def _object(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, member in value.items():
            name = _name(key)
            if name is None or name in made:
                raise ValueError(f"has the key {key!r}, which is no text, or twice")
            made[name] = self.of(member, depth)
        return made


def _name(key: object) -> str | None:
    if isinstance(key, str):
        return str.__str__(key)
    return str(int(key)) if isinstance(key, int) and not isinstance(key, bool) else None

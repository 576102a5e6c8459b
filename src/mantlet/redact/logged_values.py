"""Take apart the values that an app logs: collections, objects with fields, and other objects."""

from collections import UserList, deque
from collections.abc import Mapping
from types import MemberDescriptorType, SimpleNamespace
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr

__all__ = [
    "COLLECTIONS",
    "MAPPINGS",
    "MAX_ITEMS",
    "NUMBERS",
    "TEXTS",
    "attributes_of",
    "fields_of",
    "text_of",
    "texts_within",
    "to_bytes",
]

#: Maximum number of values that are searched at once.
MAX_ITEMS: Final = 100_000
TEXTS: Final = (str, bytes, bytearray, memoryview)
_BUILT_IN: Final = (dict, list, tuple, set, frozenset)
COLLECTIONS: Final = (*_BUILT_IN, deque, UserList, Mapping)
MAPPINGS: Final = (dict, Mapping)
NUMBERS: Final = (type(None), bool, int, float, complex)
#: Attributes of classes whose objects encoders write field by field: data classes, and classes of
#: attrs, msgspec and pydantic.
_FIELDS: Final = (
    "__dataclass_fields__", "__attrs_attrs__", "__struct_fields__", "__pydantic_fields__"
)  # fmt: skip


def to_bytes(text: str | bytes | bytearray | memoryview) -> bytes:
    """Return the bytes of a text, in UTF-8; also of one that is not valid Unicode."""
    return str.encode(text, errors="surrogatepass") if isinstance(text, str) else bytes(text)


def fields_of(value: Any) -> Any:
    """Return the fields of an object of such a class; any other value as it is."""
    kind = type(value)
    if kind in _BUILT_IN or isinstance(value, COLLECTIONS):
        return value
    if kind is SimpleNamespace:
        return vars(value)
    marks = [getattr(kind, mark, None) for mark in _FIELDS]
    if isinstance(value, type) or not any(marks):
        return value
    names = next(filter(None, marks))
    names = [one if isinstance(one, str) else getattr(one, "name", one) for one in names]
    return {name: safe_getattr(value, name) for name in names}


def attributes_of(value: object) -> list[object]:
    """Return the attributes of an object, and the arguments of an exception."""
    own = safe_getattr(value, "__dict__")
    found = list(own.values()) if isinstance(own, dict) else []
    for kind in type(value).__mro__:
        if "__slots__" in vars(kind):
            slots = (n for n, one in vars(kind).items() if isinstance(one, MemberDescriptorType))
            found += (safe_getattr(value, name) for name in slots)
    return [*found, *value.args] if isinstance(value, BaseException) else found


def texts_within(values: list[object]) -> list[object]:
    """Return the texts in values and in collections of these, such as the headers of a request.

    Args:
        values: the values; the list is emptied.

    Raises:
        ValueError: there are more than `MAX_ITEMS` values.
    """
    found: list[object] = []
    seen: dict[int, object] = {}
    waiting = values
    while waiting:
        one = waiting.pop()
        if isinstance(one, TEXTS):
            found.append(one)
        elif isinstance(one, _BUILT_IN) and id(one) not in seen:
            seen[id(one)] = one
            waiting += one
            waiting += one.values() if isinstance(one, dict) else ()
        if len(found) + len(seen) + len(waiting) > MAX_ITEMS:
            raise ValueError("too many values")
    return found


def text_of(value: object, template: str = "{0!s} {0!r}") -> str:
    """Return the text of a value, or the name of its type if it cannot be converted."""
    try:
        return template.format(value)
    except Exception:  # noqa: BLE001  # raised by a user-defined class
        return f"<{type(value).__qualname__}>"

"""Return the message of an exception, of bounded length and at a bounded cost."""

from collections.abc import Callable, Iterable
from reprlib import Repr
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr

__all__ = ["OVERLAP", "bounded_message"]

#: An exception with more values, or more text in them, is not asked for its own message.
_MAX_ITEMS: Final = 5_000
_MAX_CHARACTERS: Final = 256 * 1024
#: A pydantic exception with more errors is not: each repeats names that the client chose.
_MAX_ERRORS: Final = 100
#: Read beyond a limit, so that a secret that straddles it is still masked as a whole.
OVERLAP: Final = 16 * 1024

_repr = Repr()
_repr.maxlevel = 4
_repr.maxlist = _repr.maxtuple = _repr.maxdict = _repr.maxset = _repr.maxfrozenset = 10
_repr.maxstring = _repr.maxother = 500


def bounded_message(
    error: BaseException, most: int, mask: Callable[[str], str]
) -> tuple[str, bool]:
    """Return the masked text of an exception, and whether that is all of it.

    An exception that holds much, such as 100,000 errors of validation, is not converted by itself,
    since that costs as much: its arguments are abridged instead.

    Args:
        error: the exception.
        most: the most characters; as many as `OVERLAP` more are returned.
        mask: masks secrets in a text.
    """
    try:
        text, is_whole = _text(error)
    except Exception:  # noqa: BLE001  # of the exception's own class
        return "<its text cannot be made>", True
    is_whole = is_whole and len(text) <= most
    return mask(text[: most + OVERLAP]), is_whole


def _text(error: BaseException) -> tuple[str, bool]:
    args = error.args
    if type(error).__str__ is BaseException.__str__ and len(args) == 1 and type(args[0]) is str:
        return args[0], True
    count = _count_of_errors(error)
    if count is not None and count > _MAX_ERRORS:
        return (
            f"{count} validation errors for {safe_getattr(error, 'title')}, too many to list",
            False,
        )
    if _is_large([args, safe_getattr(error, "__dict__")]):
        return f"{_abridged(args)} (abridged)", False
    return str(error), True


def _count_of_errors(error: BaseException) -> int | None:
    """Return the number of errors in a pydantic exception, which shows it in no attribute."""
    if not type(error).__module__.startswith("pydantic_core"):
        return None
    count = safe_getattr(error, "error_count")
    return int(count()) if callable(count) else None


def _abridged(value: object) -> str:
    """Return the short representation of a value whose own could be of any size."""
    if isinstance(value, (str, bytes, int, float, list, tuple, dict, set, frozenset)):
        parts = value if isinstance(value, (list, tuple)) else ()
        if not any(map(_has_fields, parts)):
            return _repr.repr(value)
        return f"({', '.join(map(_abridged, parts[: _repr.maxlist]))})"
    return f"<{type(value).__qualname__}>"


def _is_large(value: object) -> bool:
    """Return whether a value holds many values, or much text."""
    items, characters = 0, 0
    waiting: list[Any] = [value]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        items += 1
        if isinstance(one, (str, bytes, bytearray)):
            characters += len(one)
        elif id(one) not in seen and (inner := _inner(one)) is not None:
            seen.add(id(one))
            items += len(one) if isinstance(one, (list, tuple, set, frozenset, dict)) else 0
            if items <= _MAX_ITEMS:
                waiting.extend(inner)
        if items > _MAX_ITEMS or characters > _MAX_CHARACTERS:
            return True
    return False


def _inner(value: Any) -> Iterable[Any] | None:
    """Return the values in a value that are part of its representation."""
    if isinstance(value, dict):
        return [*value, *value.values()] if len(value) <= _MAX_ITEMS else ()
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    if _has_fields(value):
        fields = safe_getattr(value, "__dict__")
        return fields.values() if isinstance(fields, dict) else None
    return None


def _has_fields(value: object) -> bool:
    """Return whether a value is an instance of a dataclass, or of a model of pydantic or attrs."""
    kind = type(value)
    return any(
        hasattr(kind, name)
        for name in ("__dataclass_fields__", "__pydantic_fields__", "__attrs_attrs__")
    )

"""What a value consists of, also where it does not show it: models, data classes, collections."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from typing import Any

from mantlet.secrets.sealed import Sealed

__all__ = ["identified", "nested"]


def nested(value: object) -> Iterator[str | bytes]:
    """Yield the texts that a value consists of."""
    inner = _opened(value)
    if isinstance(inner, (str, bytes)):
        yield inner
    elif isinstance(inner, (dict, list)):
        for one in inner.values() if isinstance(inner, dict) else inner:
            yield from nested(one)
    elif inner is not None and not isinstance(inner, (bool, int, float)):
        yield str(inner)


def identified(value: object) -> str:
    """Return a text that two values have in common if they are alike in all that they consist of.

    Their own texts would not do: those of pydantic's secrets are all the same.
    """
    inner = _opened(value)
    if isinstance(inner, dict):
        pairs = ((identified(key), identified(one)) for key, one in inner.items())
        return f"{{{', '.join(sorted(': '.join(pair) for pair in pairs))}}}"
    if isinstance(inner, list):
        parts = [identified(one) for one in inner]
        # The order of a set is that in which it was made.
        return f"[{', '.join(sorted(parts) if isinstance(value, AbstractSet) else parts)}]"
    plain = inner is None or isinstance(inner, (str, bytes, bool, int, float))
    return repr(inner) if plain else repr((type(inner).__qualname__, str(inner)))


def _opened(value: Any) -> object:
    """Return what is within a value, in a dict or a list; the value where nothing is."""
    value = _shown(value)
    if isinstance(value, (str, bytes)):
        return value
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: getattr(value, one.name, None) for one in fields(value)}
    if hasattr(value, "model_dump"):
        return dict(value)  # as every model of pydantic's can be made
    return list(value) if isinstance(value, (Sequence, AbstractSet)) else value


def _shown(value: Any) -> Any:
    """Return what a secret hides, pydantic's own too; the value where it is none."""
    if isinstance(value, Sealed) and hasattr(value, "reveal"):
        return _shown(value.reveal())
    return _shown(value.get_secret_value()) if hasattr(value, "get_secret_value") else value

"""Write the value of a query parameter, or of a field of a form, in its style."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote_plus

from mantlet.guard.parameters.parameter import Parameter

__all__ = ["field_pairs", "write_field"]

_DELIMITERS: Final = {"form": ",", "spaceDelimited": " ", "pipeDelimited": "|"}


# Any: a value of JSON.
def write_field(parameter: Parameter, value: Any) -> list[str]:
    """Return the encoded pairs of a value (WHATWG URL, 5.2), from which the same is read.

    Args:
        parameter: the parameter.
        value: its value. None is left out, since no style can express it.
    """
    pairs = field_pairs(parameter, value, quote_plus)
    return [f"{quote_plus(name)}={text}" for name, text in pairs]


def field_pairs(
    parameter: Parameter, value: Any, encode: Callable[[str], str] = str
) -> Iterator[tuple[str, str]]:
    """Yield the names of a value, and its texts.

    Args:
        parameter: the parameter.
        value: its value.
        encode: encodes a text, but for raw commas between items.
    """
    name = parameter.name
    if value is None:
        return
    if parameter.decode is not None:
        yield name, encode(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    elif parameter.style == "deepObject":
        for where, text in _deep(name, value):
            yield where, encode(text)
    elif isinstance(value, Mapping) and parameter.explode:
        for key, item in value.items():
            yield key, encode(_text(item))
    else:
        items = value if isinstance(value, list) else [value]
        if isinstance(value, Mapping):
            items = [part for member in value.items() for part in member]
        texts = [encode(_text(item)) for item in items]
        if not parameter.explode:
            delimiter = _DELIMITERS[str(parameter.style)]
            texts = [(delimiter if delimiter == "," else encode(delimiter)).join(texts)]
        for text in texts:
            yield name, text


def _deep(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _deep(f"{name}[{key}]", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _deep(f"{name}[{index}]", item)
    elif value is not None:
        yield name, _text(value)


def _text(value: object) -> str:
    """Return the text of a scalar; of an object, which only an item of a form is, its JSON."""
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)

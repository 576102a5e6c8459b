"""Write the value of a query parameter, or of a field of an urlencoded form, in its style."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote_plus

from mantlet.guard.parameters.parameter import Parameter

__all__ = ["write_field"]

_DELIMITERS: Final = {"form": ",", "spaceDelimited": "+", "pipeDelimited": "%7C"}


# Any: a value of JSON.
def write_field(parameter: Parameter, value: Any) -> list[str]:
    """Return the encoded pairs of a value (WHATWG URL, 5.2), from which the same is read.

    Args:
        parameter: the parameter.
        value: its value. None is left out, since no style can express it.
    """
    name = quote_plus(parameter.name)
    if value is None:
        return []
    if parameter.decode is not None:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return [f"{name}={quote_plus(text)}"]
    if parameter.style == "deepObject":
        return [f"{quote_plus(where)}={text}" for where, text in _deep(parameter.name, value)]
    if isinstance(value, Mapping):
        members = [(quote_plus(key), _text(item)) for key, item in value.items()]
        if parameter.explode:
            return [f"{key}={text}" for key, text in members]
        texts = [text for member in members for text in member]
    else:
        texts = [_text(item) for item in (value if isinstance(value, list) else [value])]
        if parameter.explode:
            return [f"{name}={text}" for text in texts]
    return [f"{name}={_DELIMITERS[str(parameter.style)].join(texts)}"]


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
    """Return the encoded text of a scalar."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return quote_plus("" if value is None else str(value))

"""A writer of parameters, as RFC 6570 and OpenAPI 3.2.0 ("Style Examples") have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable

_AROUND = {"label": (".", "."), "matrix": (";", ";")}
_EXPLODED = {"form": "&", "cookie": "; "}
_DELIMITERS = {"spaceDelimited": "%20", "pipeDelimited": "%7C"}


def text_of(value: Any) -> str:
    """Return a scalar as JSON writes it, and a string as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def percent(value: Any) -> str:
    """Return a scalar with all but RFC 3986's unreserved characters encoded."""
    return quote(text_of(value), safe="")


def serialize(
    name: str, value: Any, style: str, explode: bool, encode: Callable[[Any], str] = percent
) -> str:
    """Return what stands in a request for a parameter."""
    before, joiner = _AROUND.get(style, ("", ","))
    if explode:
        joiner = _EXPLODED.get(style, joiner)
    elif style in _AROUND or style in _EXPLODED:
        joiner = ","
    joiner = _DELIMITERS.get(style, joiner)
    key = quote(name, safe="")
    named = style in ("matrix", "form", "cookie", "spaceDelimited", "pipeDelimited")

    def pair(one: str, two: str) -> str:
        return one if style == "matrix" and not two else f"{one}={two}"

    if style == "deepObject" and isinstance(value, list):
        return "&".join(f"{key}%5B%5D={encode(item)}" for item in value)
    if style == "deepObject":
        return "&".join(f"{key}%5B{percent(one)}%5D={encode(two)}" for one, two in value.items())
    if isinstance(value, dict):
        if explode:
            return before + joiner.join(pair(encode(k), encode(v)) for k, v in value.items())
        text = joiner.join(encode(part) for item in value.items() for part in item)
    elif isinstance(value, list):
        if explode and named:
            return before + joiner.join(pair(key, encode(item)) for item in value)
        text = joiner.join(map(encode, value))
    else:
        text = encode(value)
    return before + (pair(key, text) if named else text)

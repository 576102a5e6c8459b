"""Describe requests without their values: patterns of paths and pointers, shapes of values."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote_plus

from mantlet._internal.printable import printable
from mantlet.core.error_log import logged_method
from mantlet.core.request import Request
from mantlet.guard.errors import ErrorItem
from mantlet.http.media_types import read_media_type

__all__ = ["mask_name", "mask_pointer", "request_pattern", "sample"]

#: Stands for a name that looks like a value.
MASKED: Final = "{}"

_MAX_NAME: Final = 40
_NAME: Final = re.compile(r"[\w.$\[\]-]+")
_HEX: Final = re.compile(r"[0-9a-fA-F-]{8,}")
_LETTER: Final = re.compile(r"[^\W\d_]")
_DIGIT: Final = re.compile(r"\d")
#: The most bytes of a path's pattern.
_MAX_PATH: Final = 300
#: Pointers and paths up to this length are cached: an API has few of them.
_MAX_CACHED: Final = 200
#: A name with more digits than this looks like an id.
_MAX_DIGITS: Final = 3
_MAX_SEGMENTS: Final = 12
_MAX_TOKENS: Final = 16

_SCALARS: Final = {type(None): "null", bool: "boolean", int: "integer", float: "number"}
#: How much of a value a shape shows.
_MAX_DEPTH: Final = 2
_MAX_MEMBERS: Final = 12
#: Pairs of a query, and bytes of it, that are searched for a parameter.
_MAX_PAIRS: Final = 200
_MAX_QUERY: Final = 16_384


def mask_name(name: str) -> str:
    """Return the name of a member or a segment of a path, or ``{}`` if it looks like a value.

    A name has letters, at most three digits, and at most 40 characters.
    """
    return _mask_name(name) if len(name) <= _MAX_NAME else MASKED


@lru_cache(maxsize=1024)  # an API has few names; a longer one is not kept
def _mask_name(name: str) -> str:
    if (
        _NAME.fullmatch(name)
        and _LETTER.search(name)
        and len(_DIGIT.findall(name)) <= _MAX_DIGITS
        and not _HEX.fullmatch(name)
    ):
        return name
    return MASKED


def mask_pointer(pointer: str) -> str:
    """Return a JSON Pointer with ``{}`` for indexes, and for names that look like values.

    It is in one line, as `printable()` makes it.
    """
    return _mask_pointer(pointer) if len(pointer) <= _MAX_CACHED else _masked_pointer(pointer)


def _masked_pointer(pointer: str) -> str:
    return printable(_mask_segments(pointer, _MAX_TOKENS)) if pointer else ""


_mask_pointer: Final = lru_cache(maxsize=1024)(_masked_pointer)


def request_pattern(request: Request) -> str:
    """Return the method of a request, and the pattern of its path, in one line of few bytes."""
    method = "WS" if request.protocol == "websocket" else logged_method(request)
    path = request.route_paths[0]
    masked = _mask_path(path) if len(path) <= _MAX_CACHED else _masked_path(path)
    return f"{method} {masked}"


def _masked_path(path: str) -> str:
    return printable(_mask_segments(path, _MAX_SEGMENTS), _MAX_PATH)


_mask_path: Final = lru_cache(maxsize=1024)(_masked_path)


def _mask_segments(path: str, most: int) -> str:
    segments = path.split("/", most)
    rest = ["..."] if len(segments) > most else []
    return "/".join([mask_name(segment) if segment else "" for segment in segments[:most]] + rest)


# -- samples --------------------------------------------------------------------------------------


# Any: values of JSON, or models of them.
def sample(request: Request, error: ErrorItem, values: Mapping[str, Any]) -> str:
    """Return the shape of the value that an error is about; empty if it is not known.

    Args:
        request: the request.
        error: the error.
        values: values by their place, as far as they were read.
    """
    if error.place in values:
        return _shape_at(values[error.place], error.pointer)
    if error.place == "query":
        pairs = _query_pairs(request)
        name = error.pointer[1:]
        return _shape(pairs[name]) if name in pairs else _shape(pairs)
    if error.place == "header" and error.pointer:
        value = request.headers.get(error.pointer[1:])
        return "" if value is None else f"string({len(value)})"
    if error.place == "body":
        return ", ".join(_body_heads(request))
    return ""


def _shape_at(value: Any, pointer: str) -> str:
    """Return the shape of a value at a pointer, and of the object or array that holds it."""
    holder: Any = None
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and name in value:
            holder, value = value, value[name]
        elif isinstance(value, list) and name.isdigit() and len(name) < 10:
            if int(name) >= len(value):
                break
            holder, value = value, value[int(name)]
        else:
            break  # a missing member: the shape is that of its holder
    return _shape(value) if holder is None else f"{_shape(value)} in {_shape(holder, 1)}"


def _shape(value: Any, depth: int = _MAX_DEPTH) -> str:
    if isinstance(value, (str, bytes)):
        return f"string({len(value)})"
    if isinstance(value, Mapping):
        return _object_shape(value, depth)
    if isinstance(value, list):
        inner = f"[{_shape(value[0], depth - 1)}, ...]" if value and depth > 1 else ""
        return f"array({len(value)}){inner}"
    return _SCALARS.get(type(value), "value")


def _object_shape(value: Mapping[Any, Any], depth: int) -> str:
    if not depth:
        return f"object({len(value)})"
    shown: list[str] = []
    for name in value:
        if len(shown) == _MAX_MEMBERS:
            shown.append("...")
            break
        shown.append(f"{mask_name(str(name))}: {_shape(value[name], depth - 1)}")
    return f"{{{', '.join(shown)}}}"


def _query_pairs(request: Request) -> dict[str, str]:
    """Return the parameters of a query, or its first ones, by name."""
    pairs = request.query[:_MAX_QUERY].decode("latin-1").split("&", _MAX_PAIRS)[:_MAX_PAIRS]
    split = (pair.partition("=") for pair in pairs if pair)
    return {unquote_plus(name): unquote_plus(value) for name, _, value in split}


def _body_heads(request: Request) -> Iterator[str]:
    stated = request.headers.get("content-type")
    media = None if stated is None or len(stated) > _MAX_QUERY else read_media_type(stated)
    if media is not None:
        yield "/".join(map(mask_name, media.kind.replace("+", ".").split("/")))
    elif stated is not None:
        yield "malformed Content-Type"
    length = request.headers.get("content-length")
    if length and length.isdecimal() and len(length) < 16:
        yield f"{int(length)} bytes"

"""`TargetUri`: whether a proof's ``htu`` is the URI of a request (RFC 9449, 4.3, check 9).

The scheme and the host of a request are what the ``Host`` header says, which anyone may write: a
server that was sent a proof for itself could pass it on under its own name. So they are an option.
Paths are compared after syntax-based and scheme-based normalization (RFC 3986, 6.2.2 and 6.2.3).
"""

import re
from collections.abc import Iterable
from typing import Final

from mantlet.core.request import Request

__all__ = ["TargetUri"]

#: The most characters of an ``htu`` that is normalized, and bytes of a path.
_MAX_LENGTH: Final = 4096
_URI: Final = re.compile(
    r"([A-Za-z][A-Za-z0-9+.\-]{0,15})://"  # RFC 3986, 3.1
    r"([A-Za-z0-9\-._~!$&'()*+,;=]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])"  # 3.2.2, without escapes
    r"(?::([0-9]{0,5}))?"
    r"(/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*)?"  # 3.3
    r"(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)?"
    r"(?:#[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*)?"
)
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
#: A path is sent as it is, apart from these bytes, which some clients do not escape.
_NOT_PATH: Final = re.compile(rb"[^A-Za-z0-9\-._~!$&'()*+,;=:@%/]")
_PORTS: Final = {"http": 80, "https": 443}
_OF_WEBSOCKETS: Final = {"ws": "http", "wss": "https"}


class TargetUri:
    """Compares the URIs of proofs with those of requests.

    Args:
        origins: the scheme and host of the app as its clients see them, such as
            ``"https://api.example"``; with a path if a proxy removes that from the beginning of
            each path. A list if the app has several.

    Raises:
        TypeError: an origin is not text.
        ValueError: an origin is malformed, or there is none.
    """

    __slots__ = ("_bases",)

    def __init__(self, origins: str | Iterable[str]) -> None:
        several = (origins,) if isinstance(origins, str) else tuple(origins)
        self._bases = tuple(_base(one) for one in several)
        if not self._bases:
            raise ValueError("origin must name at least one origin")

    def matches(self, htu: str, request: Request) -> bool:
        """Return whether an ``htu`` is the URI of a request.

        A path with dot segments (``/a/../b``) is only matched by itself: what it stands for is up
        to the app.
        """
        sent = request.raw_path
        if len(sent) > _MAX_LENGTH or len(htu) > _MAX_LENGTH:
            return False
        path = _NOT_PATH.sub(lambda byte: b"%%%02X" % byte[0][0], sent).decode("ascii")
        if not path.startswith("/"):
            return False
        if any(htu == base + path for base in self._bases):
            return True
        claimed = _normalized(htu, is_websocket=request.protocol == "websocket")
        normal = _unescaped(path)
        if claimed is None or normal is None:
            return False
        # Without its dot segments, so that it equals no path that has one.
        return any(claimed == base + normal for base in self._bases)


def _base(origin: str) -> str:
    if not isinstance(origin, str):
        raise TypeError(f'origin must be text such as "https://api.example", not {origin!r}')
    normal = _normalized(origin)
    is_web = normal is not None and normal.startswith(("http://", "https://"))
    if normal is None or not is_web or "?" in origin or "#" in origin:
        raise ValueError(
            f'origin must be a scheme and a host such as "https://api.example", not {origin!r}'
        )
    return normal.rstrip("/")


def _normalized(uri: str, *, is_websocket: bool = False) -> str | None:
    """Return a URI without its query and fragment, normalized; None if it is malformed."""
    match = _URI.fullmatch(uri)
    if match is None:
        return None
    scheme, host, port, path = match.groups()
    scheme = scheme.lower()
    if is_websocket:
        scheme = _OF_WEBSOCKETS.get(scheme, scheme)
    unescaped = _unescaped(path or "/")
    if unescaped is None:
        return None
    authority = host.lower()
    if port and int(port) != _PORTS.get(scheme):
        authority = f"{authority}:{int(port)}"
    return f"{scheme}://{authority}{_without_dots(unescaped)}"


def _unescaped(path: str) -> str | None:
    """Return a path with its escapes normalized (RFC 3986, 6.2.2.2); None if one is malformed."""
    if "%" not in path:
        return path
    is_malformed = False

    def normal(match: re.Match[str]) -> str:
        nonlocal is_malformed
        if match[1] is None:
            is_malformed = True
            return ""
        byte = int(match[1], 16)
        return chr(byte) if byte in _UNRESERVED else match[0].upper()

    unescaped = _ESCAPE.sub(normal, path)
    return None if is_malformed else unescaped


def _without_dots(path: str) -> str:
    """Return a path without dot segments (RFC 3986, 5.2.4)."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)

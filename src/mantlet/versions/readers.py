"""Where a request names its version: in the path, a header, its media types, or the query.

Readers are values for the options of `Versions`. A version is compared as it is configured. A text
that is none of the versions makes the request one for an unknown version, and is not kept.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol
from urllib.parse import unquote_plus

from mantlet.core.request import Request
from mantlet.http.headers import is_token
from mantlet.http.media_types import read_media_type, split_unquoted

__all__ = [
    "CONFLICT",
    "UNKNOWN",
    "HeaderReader",
    "Labels",
    "MediaTypeReader",
    "PathReader",
    "QueryReader",
    "Reader",
    "header",
    "media_type",
    "path",
    "query",
]

#: In place of a version: the request has several, or one that cannot be told for sure; and one that
#: is no version in any case. Neither is the label of a version.
CONFLICT: Final = "\x00 several"
UNKNOWN: Final = ""

_PLACEHOLDER: Final = "{version}"
_PATTERN: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/[A-Za-z0-9._~-]*\{version\}")
_QUERY_NAME: Final = re.compile(r"[A-Za-z0-9._~-]{1,64}")
#: A longer ``Accept`` that names a version, or one of more ranges, is refused.
_MAX_ACCEPT: Final = 1024
_MAX_RANGES: Final = 32
# RFC 9110, 12.4.2.
_WEIGHT: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


class Labels(Protocol):
    """The versions that there are now."""

    @property
    def known(self) -> Collection[str]:
        """All of them."""
        ...

    @property
    def folded(self) -> Collection[str]:
        """All of them, in lower case."""
        ...

    @property
    def served(self) -> Collection[str]:
        """Those that are not past their sunset."""
        ...


class Reader(Protocol):
    """Finds the version in one part of a request."""

    @property
    def status(self) -> int:
        """The status of the response to an unknown version."""
        ...

    @property
    def place(self) -> str:
        """The part of the request, for messages."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The request headers that it reads."""
        ...

    def read(self, request: Request, headers: Mapping[str, str], labels: Labels) -> str | None:
        """Return the version that a request names, known or not.

        Args:
            request: the request.
            headers: those of its headers that are named in `names`.
            labels: the versions.

        Returns:
            A text, `UNKNOWN` or `CONFLICT`; None if the request names no version here.
        """
        ...


def path(pattern: str) -> "PathReader":
    """Read the version at the beginning of the path.

    A path without a version may begin alike: with ``"/v{version}"``, the ``ideos`` of ``/videos``
    is not taken for a version. One is, whether it is known or not, if it begins with a digit or an
    escape, or has the letters of a known one in any case.

    Args:
        pattern: the beginning of paths, with ``{version}`` at its end: ``"/v{version}"``,
            ``"/api/{version}"``.

    Raises:
        TypeError: the pattern is not text.
        ValueError: it does not end with ``{version}``, or has characters that need an escape.
    """
    if not isinstance(pattern, str):
        raise TypeError(f'path() takes a pattern such as "/v{_PLACEHOLDER}", not {pattern!r}')
    if not _PATTERN.fullmatch(pattern) or "/." in pattern:
        raise ValueError(
            f'path() takes a pattern that begins with "/" and ends with "{_PLACEHOLDER}", such as '
            f'"/v{_PLACEHOLDER}", not {pattern!r}'
        )
    return PathReader(pattern)


def header(name: str) -> "HeaderReader":
    """Read the version in a header of its own, such as ``API-Version``.

    Args:
        name: the header's name.

    Raises:
        TypeError: the name is not text.
        ValueError: it is not a token (RFC 9110, 5.6.2), or it is that of a media type.
    """
    if not isinstance(name, str):
        raise TypeError(f'header() takes a name such as "API-Version", not {name!r}')
    if not is_token(name):
        raise ValueError(f"header(): {name!r} is not a token (RFC 9110, 5.6.2)")
    if name.lower() in ("accept", "content-type"):
        raise ValueError(f'header(): read {name} by media_type("version")')
    return HeaderReader(name)


def media_type(parameter: str) -> "MediaTypeReader":
    """Read the version in a parameter of the media types of ``Accept`` and ``Content-Type``.

    Of several ranges in ``Accept``, the one with the highest weight counts whose version is served
    (RFC 9110, 12.5.1).

    Args:
        parameter: its name, such as ``"version"`` for ``application/json; version=2``.

    Raises:
        TypeError: the name is not text.
        ValueError: it is not a token (RFC 9110, 5.6.2), or it is ``"q"``, the weight.
    """
    if not isinstance(parameter, str):
        raise TypeError(f'media_type() takes a name such as "version", not {parameter!r}')
    if not is_token(parameter) or parameter.lower() == "q":
        raise ValueError(
            f'media_type() takes the name of a parameter such as "version", not {parameter!r}'
        )
    return MediaTypeReader(parameter.lower())


def query(name: str) -> "QueryReader":
    """Read the version in a parameter of the query.

    Args:
        name: its name, such as ``"api-version"``.

    Raises:
        TypeError: the name is not text.
        ValueError: it has characters that need an escape.
    """
    if not isinstance(name, str):
        raise TypeError(f'query() takes a name such as "api-version", not {name!r}')
    if not _QUERY_NAME.fullmatch(name):
        raise ValueError(
            f'query() takes at most 64 letters, digits and "-", ".", "_", "~", not {name!r}'
        )
    return QueryReader(name)


@dataclass(frozen=True, slots=True)
class PathReader:
    """Finds the version at the beginning of the path; see `path()`.

    Attributes:
        pattern: the pattern.
        head: the part of it before the version.
    """

    pattern: str
    head: str = field(init=False, repr=False, compare=False)
    _folded: str = field(init=False, repr=False, compare=False)

    status = 404
    place = "The path"
    names = ()

    def __post_init__(self) -> None:
        head = self.pattern.removesuffix(_PLACEHOLDER)
        object.__setattr__(self, "head", head)
        object.__setattr__(self, "_folded", head.lower())

    def read(self, request: Request, headers: Mapping[str, str], labels: Labels) -> str | None:
        """Return the version, `CONFLICT` if the path has readings that differ in it, or None."""
        found = request.literal_path
        if found is not None and found[:1] == "/" and "//" not in found and "/." not in found:
            return self.find(found, labels)
        return self.find_in_all(request.route_paths, labels)

    def find_in_all(self, paths: Iterable[str], labels: Labels) -> str | None:
        """Return the version of a path with several readings, or `CONFLICT`.

        Apps differ in whether they ignore empty segments, so without them it is another reading.
        """
        every = [*paths]
        every += ["/" + "/".join(filter(None, one.split("/"))) for one in every if "//" in one]
        found = {self.find(one, labels) for one in every}
        return found.pop() if len(found) == 1 else CONFLICT

    def find(self, one: str, labels: Labels) -> str | None:
        """Return the version of one reading of a path, or None."""
        head = self.head
        start = len(head)
        is_alike = one.startswith(head)
        if not is_alike and one[:start].lower() != self._folded:
            return None
        end = one.find("/", start)
        label = one[start:] if end < 0 else one[start:end]
        if is_alike and label in labels.known:
            return label
        first = label[:1]
        if first.isdigit() or first == "%" or label.lower() in labels.folded:
            return label if is_alike else UNKNOWN
        return None


@dataclass(frozen=True, slots=True)
class HeaderReader:
    """Finds the version in a header; see `header()`. One that is repeated names no version."""

    name: str

    status = 400

    @property
    def place(self) -> str:
        """The part of the request, for messages."""
        return f"The header {self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """The header."""
        return (self.name,)

    def read(self, request: Request, headers: Mapping[str, str], labels: Labels) -> str | None:
        """Return the header's value, or None."""
        value = headers.get(self.name)
        return value if value is None or value in labels.known else value.strip(" \t")


@dataclass(frozen=True, slots=True)
class QueryReader:
    """Finds the version in the query; see `query()`. A parameter that is repeated is a conflict."""

    name: str
    _raw: bytes = field(init=False, repr=False, compare=False)

    status = 400
    names = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "_raw", self.name.encode())

    @property
    def place(self) -> str:
        """The part of the request, for messages."""
        return f"The query parameter {self.name}"

    def read(self, request: Request, headers: Mapping[str, str], labels: Labels) -> str | None:
        """Return the parameter's value, `CONFLICT` if it comes twice, or None."""
        sent = request.query
        if not sent or (self._raw not in sent and b"%" not in sent):
            return None
        found: str | None = None
        for part in sent.split(b"&"):
            name, _, value = part.partition(b"=")
            if name == self._raw or (b"%" in name and _decode(name) == self.name):
                if found is not None:
                    return CONFLICT
                found = _decode(value)
        return found


def _decode(text: bytes) -> str:
    return unquote_plus(text.decode("latin-1"))


@dataclass(frozen=True, slots=True)
class MediaTypeReader:
    """Finds the version in the media types of a request; see `media_type()`."""

    parameter: str


@dataclass(frozen=True, slots=True)
class AcceptReader:
    """Finds the version that a client prefers in the response."""

    parameter: str

    status = 406
    place = "The header Accept"
    names = ("Accept",)

    def read(self, request: Request, headers: Mapping[str, str], labels: Labels) -> str | None:
        """Return the preferred version; `CONFLICT` if it prefers two alike; or None."""
        accept = headers.get("Accept")
        if accept is None or self.parameter not in accept.lower():
            return None
        named = _accepted(accept, self.parameter) if len(accept) <= _MAX_ACCEPT else None
        if named is None:
            return UNKNOWN
        if not named:
            return None
        for labels_alike in (labels.served, labels.known):
            weights = {label: weight for label, weight in named if label in labels_alike}
            if weights:
                best = max(weights.values())
                preferred = [label for label, weight in weights.items() if weight == best]
                return preferred[0] if len(preferred) == 1 else CONFLICT
        return UNKNOWN


@lru_cache(maxsize=128)
def _accepted(accept: str, parameter: str) -> tuple[tuple[str, float], ...] | None:
    """Return the versions in ``Accept`` with their weights, the lowest first; None if malformed."""
    ranges = split_unquoted(accept, ",")
    if len(ranges) > _MAX_RANGES:
        return None
    named: list[tuple[str, float]] = []
    for one in ranges:
        if parameter not in one.lower():
            continue
        media = read_media_type(one)
        if media is None:
            return None
        label, weight = media.get(parameter), media.get("q") or "1"
        if not _WEIGHT.fullmatch(weight):
            return None
        if label is not None and float(weight) > 0:
            named.append((label, float(weight)))
    return tuple(sorted(named, key=lambda pair: pair[1]))


@dataclass(frozen=True, slots=True)
class ContentTypeReader:
    """Finds the version of the request's own body."""

    parameter: str

    status = 415
    place = "The header Content-Type"
    names = ("Content-Type",)

    def read(self, request: Request, headers: Mapping[str, str], labels: Labels) -> str | None:
        """Return the version, `UNKNOWN` if the type is malformed, or None."""
        sent = headers.get("Content-Type")
        if sent is None or self.parameter not in sent.lower():
            return None
        media = read_media_type(sent)
        return UNKNOWN if media is None else media.get(self.parameter)

"""Read the version of a request from its path, a header, its media types, or its query.

Readers are values for the options of `Versions`. A version is compared exactly as it is configured.
Any other text is an unknown version, and is not cached.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import unquote_plus

from mantlet.core.problem import FixedProblem
from mantlet.core.request import Request
from mantlet.http.headers import OVERSIZED, is_token
from mantlet.http.media_types import read_media_type, split_unquoted
from mantlet.versions.table import Entry, Outcome, Read, VersionTable

__all__ = [
    "AcceptReader",
    "ContentTypeReader",
    "HeaderReader",
    "MediaTypeReader",
    "PathReader",
    "QueryReader",
    "Reader",
    "check_readers",
    "header",
    "media_type",
    "path",
    "query",
]

_PLACEHOLDER: Final = "{version}"
_PATTERN: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*/[A-Za-z0-9._~-]*\{version\}")
_QUERY_NAME: Final = re.compile(r"[A-Za-z0-9._~-]{1,64}")
#: An ``Accept`` that names a version is refused if it is longer or has more ranges.
_MAX_ACCEPT: Final = 1024
_MAX_RANGES: Final = 32
# RFC 9110, 12.4.2.
_WEIGHT: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


class Reader(Protocol):
    """Find the version in one part of a request."""

    @property
    def names(self) -> tuple[str, ...]:
        """The request headers that it reads."""
        ...

    def bind(self, table: VersionTable) -> Read:
        """Return the function that finds one of these versions."""
        ...


def path(pattern: str) -> "PathReader":
    """Read the version at the beginning of the path.

    A path without a version may have the same beginning: with ``"/v{version}"``, the ``ideos`` of
    ``/videos`` does not count as a version. A text counts as a version, known or not, if it begins
    with a digit or an escape, or if it equals a known version regardless of case.

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
        ValueError: it is not a token (RFC 9110, 5.6.2), or it is ``Accept`` or ``Content-Type``.
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

    If ``Accept`` has several ranges, the range with the highest weight counts, among those whose
    version is served (RFC 9110, 12.5.1).

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
    """Find the version at the beginning of the path; see `path()`.

    Attributes:
        pattern: the pattern.
        head: the part of the pattern before the version.
    """

    pattern: str
    head: str = field(init=False, repr=False, compare=False)

    names = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "head", self.pattern.removesuffix(_PLACEHOLDER))

    def bind(self, table: VersionTable) -> Read:
        """Return the function that finds one of these versions."""
        unknown = table.unknown(404, "The path")

        def read(request: Request, _headers: Mapping[str, str]) -> Outcome:
            return self._read_all(request.route_paths, table, unknown)

        return read

    def is_left(self, paths: Sequence[str], entry: Entry, table: VersionTable) -> bool:
        """Return whether a path that begins with a version leaves it by dot segments."""
        return len(paths) > 1 and self._read_all(paths, table, table.missing) is not entry

    def _read_all(
        self, paths: Sequence[str], table: VersionTable, unknown: FixedProblem
    ) -> Outcome:
        """Return the version of a path, which apps may read in several ways.

        Some apps ignore empty segments, so the path without them is another reading.
        """
        every = [*paths]
        every += ["/" + "/".join(filter(None, one.split("/"))) for one in every if "//" in one]
        found = {self._find(one, table, unknown) for one in every}
        return found.pop() if len(found) == 1 else table.conflict

    def _find(self, path: str, table: VersionTable, unknown: FixedProblem) -> Outcome:
        """Return the version of one reading of a path."""
        head = self.head
        start = len(head)
        is_alike = path.startswith(head)
        if not is_alike and path[:start].lower() != head.lower():
            return None
        end = path.find("/", start)
        label = path[start:] if end < 0 else path[start:end]
        entry = table.known.get(label) if is_alike else None
        if entry is not None:
            return entry
        first = label[:1]
        return unknown if first.isdigit() or first == "%" or label.lower() in table.folded else None


@dataclass(frozen=True, slots=True)
class HeaderReader:
    """Find the version in a header; see `header()`. A repeated header is an unknown version."""

    name: str

    @property
    def names(self) -> tuple[str, ...]:
        """The header."""
        return (self.name,)

    def bind(self, table: VersionTable) -> Read:
        """Return the function that finds one of these versions."""
        name, known = self.name, table.known
        unknown = table.unknown(400, f"The header {name}")

        def read(_request: Request, headers: Mapping[str, str]) -> Outcome:
            value = headers.get(name)
            if value is None:
                return None
            return known.get(value) or known.get(value.strip(" \t"), unknown)

        return read


@dataclass(frozen=True, slots=True)
class QueryReader:
    """Find the version in the query; see `query()`. A repeated parameter is a conflict."""

    name: str

    names = ()

    def bind(self, table: VersionTable) -> Read:
        """Return the function that finds one of these versions."""
        raw, known = self.name.encode(), table.known
        unknown = table.unknown(400, f"The query parameter {self.name}")

        def read(request: Request, _headers: Mapping[str, str]) -> Outcome:
            query = request.query
            if not query or (raw not in query and b"%" not in query):
                return None
            values = self._values(query)
            if len(values) > 1:
                return table.conflict
            return known.get(values[0], unknown) if values else None

        return read

    def _values(self, query: bytes) -> list[str]:
        raw, name = self.name.encode(), self.name
        pairs = (part.partition(b"=") for part in query.split(b"&"))
        return [
            _decode(value)
            for key, _, value in pairs
            if key == raw or (b"%" in key and _decode(key) == name)
        ]


def _decode(text: bytes) -> str:
    return unquote_plus(text.decode("latin-1"))


@dataclass(frozen=True, slots=True)
class MediaTypeReader:
    """Find the version in the media types of a request; see `media_type()`."""

    parameter: str


@dataclass(frozen=True, slots=True)
class AcceptReader:
    """Find the version that a client prefers for the response, in ``Accept``."""

    parameter: str

    names = ("Accept",)

    def bind(self, table: VersionTable) -> Read:
        """Return the function that finds one of these versions."""
        parameter = self.parameter
        unknown = table.unknown(406, "The header Accept")

        def read(_request: Request, headers: Mapping[str, str]) -> Outcome:
            accept = headers.get("Accept")
            if accept is None or (parameter not in accept.lower() and accept != OVERSIZED):
                return None
            named = _accepted(accept, parameter) if len(accept) <= _MAX_ACCEPT else None
            return unknown if named is None else _prefer(named, table, unknown)

        return read


#: The versions in ``Accept``, with their weights.
_Named = Mapping[str, float]


def _prefer(named: _Named, table: VersionTable, unknown: FixedProblem) -> Outcome:
    """Return the version that a client prefers, among the served ones if it names any."""
    if not named:
        return None
    entries = {label: table.known[label] for label in named if label in table.known}
    served = {label for label, entry in entries.items() if entry.refusal is None}
    candidates = served or entries.keys()
    best = max((named[label] for label in candidates), default=0.0)
    preferred = [entries[label] for label in candidates if named[label] == best]
    if len(preferred) > 1:
        return table.conflict
    return preferred[0] if preferred else unknown


def _accepted(accept: str, parameter: str) -> _Named | None:
    """Return the versions in ``Accept`` with their weights; None if it is malformed."""
    ranges = split_unquoted(accept, ",")
    if len(ranges) > _MAX_RANGES:
        return None
    named: dict[str, float] = {}
    for one in ranges:
        if parameter not in one.lower() and one != OVERSIZED:
            continue
        media = read_media_type(one)
        if media is None:
            return None
        label, weight = media.get(parameter), media.get("q") or "1"
        if not _WEIGHT.fullmatch(weight):
            return None
        if label is not None and float(weight) > 0:
            named[label] = max(float(weight), named.get(label, 0.0))
    return named


@dataclass(frozen=True, slots=True)
class ContentTypeReader:
    """Find the version of the request's body, in ``Content-Type``."""

    parameter: str

    names = ("Content-Type",)

    def bind(self, table: VersionTable) -> Read:
        """Return the function that finds one of these versions."""
        parameter, known = self.parameter, table.known
        unknown = table.unknown(415, "The header Content-Type")

        def read(_request: Request, headers: Mapping[str, str]) -> Outcome:
            sent = headers.get("Content-Type")
            if sent is None or (parameter not in sent.lower() and sent != OVERSIZED):
                return None
            media = read_media_type(sent)
            label = "" if media is None else media.get(parameter)
            return None if label is None else known.get(label, unknown)

        return read


def check_readers(read: object) -> Sequence[Reader]:
    """Return the readers of the option, each for one part of a request.

    Raises:
        TypeError: the option is not a list of readers.
        ValueError: the list is empty, or has a reader twice.
    """
    example = 'such as [path("/v{version}"), header("API-Version")]'
    if isinstance(read, str | bytes) or not isinstance(read, Iterable):
        raise TypeError(f"read must be a list of readers {example}, not {read!r}")
    readers: list[Reader] = []
    for one in read:
        if isinstance(one, MediaTypeReader):
            readers += [AcceptReader(one.parameter), ContentTypeReader(one.parameter)]
        elif isinstance(one, PathReader | HeaderReader | QueryReader):
            readers.append(one)
        else:
            raise TypeError(f"read must be a list of readers {example}, not of {one!r}")
    if not readers:
        raise ValueError(f"read must have a reader, {example}")
    names = [repr(one).lower() if isinstance(one, HeaderReader) else repr(one) for one in readers]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ValueError(f"read has {readers[index]!r} twice")
    return readers

"""HTTP headers, in the protocol's own list, decoded only where a policy reads them.

WSGI keeps headers as a list of ``(str, str)``, ASGI as pairs of bytes with lower-case names.
Policies see text under both. Names and values are validated (RFC 9110, 5).
"""

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

from mantlet.http.cors import (
    ALLOW_ORIGIN_LENGTH,
    SHORTEST_NAME,
    expose,
    expose_added,
    is_cors_header,
)

__all__ = [
    "MAX_LINES",
    "MAX_SIZE",
    "OVERSIZED",
    "TOKEN",
    "HeaderNames",
    "Headers",
    "MutableHeaders",
    "is_token",
    "is_valid_value",
]

Native = TypeVar("Native", str, bytes)

#: A token (RFC 9110, 5.6.2), for regular expressions.
TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105  # not a secret
_TOKEN: Final = re.compile(TOKEN)
# RFC 9110, 5.5: values have no CR, LF or NUL, and no other control character but HTAB.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
#: The two headers that CGI names without a prefix (RFC 3875, 4.1).
UNPREFIXED = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}
#: The most names that are cached. Only policies use names, so a few dozen are usual.
_KNOWN_NAMES = 512

#: The most lines of one request header that are joined. No client sends as many; a browser may send
#: each of its 180 cookies in a line of its own (RFC 9113, 8.2.3).
MAX_LINES: Final = 256
#: The most bytes of one request header. Servers accept 8 to 64 KiB by default.
MAX_SIZE: Final = 64 * 1024
#: The value of a request header that exceeds these bounds: a text that no syntax allows (RFC 9110,
#: 5.5), so that a policy sees an invalid header, and neither a missing one nor a part of it.
OVERSIZED: Final = "\x00"


class _LowerNames(dict[str, Native], Generic[Native]):
    """Header names in lower case, by the names as given; each is validated once.

    Looking up a name that is not a token (RFC 9110, 5.6.2) raises a ValueError.
    """

    def __init__(self, native: Callable[[str], Native]) -> None:
        self._native: Callable[[str], Native] = native

    def __missing__(self, name: str) -> Native:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"a header name must be a token (RFC 9110, 5.6.2), not {name!r}")
        lower = self._native(name.lower())
        if len(self) < _KNOWN_NAMES:
            self[name] = lower
        return lower


class _DefaultText(str):
    """The name of a response header that is set unless the response has one of that name."""

    __slots__ = ()


class _DefaultBytes(bytes):
    """The same for ASGI."""

    __slots__ = ()


LOWER_TEXT = _LowerNames(str)
LOWER_BYTES = _LowerNames(str.encode)
DEFAULT_TEXT = _LowerNames[str](_DefaultText)
DEFAULT_BYTES = _LowerNames[bytes](lambda name: _DefaultBytes(name.encode()))


def is_token(text: str) -> bool:
    """Return whether a text is a token (RFC 9110, 5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def check_name(name: str) -> str:
    """Return ``name`` if it is a valid header name.

    Raises:
        ValueError: it is not a token (RFC 9110, 5.6.2).
    """
    LOWER_TEXT[name]
    return name


def environ_key(name: str) -> str:
    """Return the key of a request header in an environ (RFC 3875, 4.1.18)."""
    key = name.upper().replace("-", "_")
    return key if key in UNPREFIXED else f"HTTP_{key}"


#: By this key a policy says, among the headers that it adds to a response, that it decides which
#: origins may read it. There is no header: the value is `EXPOSED` if the headers that policies add
#: are to be readable, else `UNEXPOSED`. Both are false.
DECIDES_CORS: Final = None
EXPOSED: Final[Any] = ""
UNEXPOSED: Final[Any] = ()
_VARY: Final = ("vary", b"vary")
#: Headers of which each party adds lines of its own (RFC 8288, 3).
_LINES: Final = ("link", b"link")

#: The keys of request headers in an environ, by their names as given.
ENVIRON_KEYS = _LowerNames(environ_key)


class HeaderNames:
    """Names of request headers, prepared for lookups under both protocols.

    Args:
        names: in any case.

    Attributes:
        lower: the names in ASGI's form, each with the name as given.
        keys: the keys in an environ, each with the name as given.
    """

    __slots__ = ("keys", "lower")

    def __init__(self, *names: str) -> None:
        self.lower = {LOWER_BYTES[name]: name for name in names}
        self.keys = {environ_key(name): name for name in names}


class DeclaredNames(HeaderNames):
    """The names of request headers that the policies of a stack declare, to be read in one pass.

    Args:
        declared: those of each policy.

    Attributes:
        members: the declarations that this one includes: those whose names all others spell alike,
            so that there is one entry for a header.
    """

    __slots__ = ("members",)

    def __init__(self, declared: Iterable[HeaderNames]) -> None:
        every = tuple(declared)
        spellings: dict[bytes, set[str]] = {}
        for names in every:
            for lower, name in names.lower.items():
                spellings.setdefault(lower, set()).add(name)
        alike = [one for one in every if all(len(spellings[lower]) == 1 for lower in one.lower)]
        self.members = frozenset(alike)
        self.lower = {lower: name for one in alike for lower, name in one.lower.items()}
        self.keys = {key: name for one in alike for key, name in one.keys.items()}


def is_valid_value(value: str) -> bool:
    """Return whether a text may be a header's value (RFC 9110, 5.5)."""
    return not _FORBIDDEN.search(value)


def check_value(name: str, value: str) -> str:
    """Return ``value`` if it is a valid header value.

    Raises:
        ValueError: ``value`` has a control character or one outside latin-1 (RFC 9110, 5.5).
    """
    if _FORBIDDEN.search(value):
        raise ValueError(
            f"the value of the header {name} has a control character, or one outside of latin-1 "
            f"(RFC 9110, 5.5)"
        )
    return value


def bytes_header(name: str, value: str) -> tuple[bytes, bytes]:
    """Return a header in ASGI's form.

    Raises:
        ValueError: the name or the value is invalid (RFC 9110, 5).
    """
    if value.isascii() and value.isprintable():
        return LOWER_BYTES[name], value.encode()
    return LOWER_BYTES[name], check_value(name, value).encode("latin-1")


def text_header(name: str, value: str) -> tuple[str, str]:
    """Return a header in WSGI's form.

    Raises:
        ValueError: the name or the value is invalid (RFC 9110, 5).
    """
    if not (value.isascii() and value.isprintable()):
        check_value(name, value)
    return check_name(name), value


def replace_headers(
    raw: Iterable[Any],
    headers: Mapping[Any, tuple[Any, Any]],
    keys: frozenset[Any] | None = None,
) -> list[Any]:
    """Return native pairs with others appended, which replace those of the same names.

    The members of ``Vary`` are joined, since each party knows only what its own part depends on
    (RFC 9110, 12.5.5), and the lines of ``Link`` stay. If the response allows other origins to read
    it (CORS), the others are exposed to them.

    Args:
        raw: the pairs.
        headers: the others, by their names in lower case; one whose name is of `DEFAULT_TEXT` or
            `DEFAULT_BYTES` is only added if that name is missing. With `DECIDES_CORS`, a policy
            decides which origins may read the response, so the CORS headers of ``raw`` are dropped.
        keys: the names of the pairs in lower case, if they are known and are not those of CORS.
    """
    if DECIDES_CORS in headers:
        return _replace_with_cors(raw, headers, keys)
    if keys is not None and keys.isdisjoint(headers):
        return [*raw, *headers.values()]
    pairs = raw if type(raw) is list else list(raw)
    for name, _ in pairs:
        if name.lower() in headers or len(name) == ALLOW_ORIGIN_LENGTH:
            return _replace(pairs, headers)
    return [*pairs, *headers.values()]  # the usual case


def _replace_with_cors(
    raw: Iterable[Any], headers: Mapping[Any, tuple[Any, Any]], keys: frozenset[Any] | None
) -> list[Any]:
    """Do the same where a policy decides which origins may read the response."""
    pairs = raw if type(raw) is list else list(raw)
    if keys is None or not keys.isdisjoint(headers):
        for name, _ in pairs:
            if name.lower() in headers or (len(name) >= SHORTEST_NAME and is_cors_header(name)):
                pairs = [pair for pair in pairs if not is_cors_header(pair[0])]
                return _replace(pairs, headers)
    if headers[DECIDES_CORS] is EXPOSED:
        return [*pairs, *expose_added(headers, pairs)]
    return [*pairs, *filter(None, headers.values())]


def _replace(pairs: list[Any], headers: Mapping[Any, tuple[Any, Any]]) -> list[Any]:
    own = {name.lower() for name, _ in pairs}
    added = {
        key: pair
        for key, pair in headers.items()
        if key is not DECIDES_CORS
        and (key not in own or not isinstance(key, (_DefaultText, _DefaultBytes)))
    }
    kept = []
    for pair in pairs:
        key = pair[0].lower()
        if key not in added or key in _LINES:
            kept.append(pair)
        elif key in _VARY:
            added[key] = _join_vary(pair, added[key])
    if headers.get(DECIDES_CORS) is EXPOSED:
        return [*kept, *expose_added(added, kept)]
    if DECIDES_CORS in headers:
        return [*kept, *added.values()]
    return [*expose(kept, added), *added.values()]


# Any: native pairs.
def _join_vary(one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return a ``Vary`` with the members of two, each once."""
    members: dict[str, str] = {}
    for _, value in (one, other):
        text = value if isinstance(value, str) else value.decode("latin-1")
        for member in filter(None, map(_strip, text.split(","))):
            members.setdefault(member.lower(), member)
    joined = "*" if "*" in members else ", ".join(members.values())
    name, value = other
    return name, joined if isinstance(value, str) else joined.encode("latin-1")


def _strip(text: str) -> str:
    return text.strip(" \t")


_first = itemgetter(0)


class Headers:
    """A read-only view of the headers of a message. Names match in any case."""

    __slots__ = ()

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a header's value, or ``default``.

        Several values of one header are joined by commas (RFC 9110, 5.3). A request header of more
        than 256 lines or 64 KiB has the value of a single NUL, which no header can have.
        """
        values = self.getall(name)
        return ", ".join(values) if values else default

    @abstractmethod
    def getall(self, name: str) -> list[str]:
        """Return the values of every header of that name, in order.

        Under WSGI the server has joined those of a request to one.
        """
        raise NotImplementedError

    @abstractmethod
    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Iterate over all headers as ``(name, value)``, in order."""
        raise NotImplementedError

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __repr__(self) -> str:
        # Values may be credentials: names only.
        return f"{type(self).__name__}({', '.join(name for name, _ in self)})"


class MutableHeaders(Headers):
    """The headers of a response, editable; the list that they came from is never changed.

    Args:
        raw: the native pairs, as the app gave them. Order and case are preserved.

    Attributes:
        raw: the native pairs: the app's own object until the first edit.
    """

    __slots__ = ("_names", "raw")

    # Any: the app's own iterable, of bytes under ASGI and str under WSGI; then our list.
    def __init__(self, raw: Any = ()) -> None:
        self.raw = raw
        # The lower-case names of the list, once the list is ours to change.
        self._names: list[Any] | None = None

    @property
    def edited(self) -> bool:
        """Whether a header was set, added or removed."""
        return self._names is not None

    #: Returns a validated header in the protocol's form.
    _encode: Callable[[str, str], tuple[Any, Any]]
    #: Returns a header name in lower case, in that form.
    _key: Callable[[str], Any]
    #: The same for a name in that form.
    _lower: Callable[[Any], Any]

    @abstractmethod
    def _text(self, value: Any) -> str:
        raise NotImplementedError

    def getall(self, name: str) -> list[str]:
        """Return the values of every header of that name, in order."""
        key = self._key(name)
        return [self._text(value) for own, value in self.raw if own.lower() == key]

    def set(self, name: str, value: str) -> None:
        """Set a header: the first of that name is replaced, others of that name are removed.

        Raises:
            ValueError: the name or the value is invalid (RFC 9110, 5).
        """
        header = self._encode(name, value)
        key = self._key(name)
        names = self._names or self._own()
        if key not in names:
            names.append(key)
            self.raw.append(header)
            return
        first = names.index(key)
        self.raw[first] = header
        if names.count(key) > 1:
            kept = [i for i, name in enumerate(names) if name != key or i == first]
            self.raw = [self.raw[i] for i in kept]
            self._names = [names[i] for i in kept]

    def append(self, name: str, value: str) -> None:
        """Append a header, even if one of that name exists.

        Raises:
            ValueError: the name or the value is invalid (RFC 9110, 5).
        """
        header = self._encode(name, value)
        names = self._names or self._own()
        names.append(self._key(name))
        self.raw.append(header)

    def _own(self) -> list[Any]:
        """Copy the headers into our own list, at the first edit; return their names."""
        self.raw = headers = list(self.raw)
        self._names = names = list(map(self._lower, map(_first, headers)))
        return names

    def setdefault(self, name: str, value: str) -> None:
        """Append a header unless one of that name exists."""
        if not self.getall(name):
            self.append(name, value)

    def remove(self, *names: str) -> None:
        """Remove every header of these names; missing ones are ignored."""
        keys = {self._key(name) for name in names}
        kept = [pair for pair in self.raw if pair[0].lower() not in keys]
        if len(kept) != len(self):
            self.raw = kept
            self._names = list(map(self._lower, map(_first, kept)))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((self._text(name), self._text(value)) for name, value in self.raw)

    def __len__(self) -> int:
        return sum(1 for _ in self.raw)


def _bytes_key(name: str) -> bytes:
    return name.lower().encode("latin-1", "replace")


class BytesHeaders(MutableHeaders):
    """Headers in ASGI's form: pairs of bytes, names in lower case."""

    __slots__ = ()

    _key = staticmethod(_bytes_key)
    _lower = staticmethod(bytes.lower)

    _encode = staticmethod(bytes_header)

    def _text(self, value: Any) -> str:
        text: str = value.decode("latin-1")
        return text


class TextHeaders(MutableHeaders):
    """Headers in WSGI's form: pairs of latin-1 text, names in their original case."""

    __slots__ = ()

    _key = staticmethod(str.lower)
    _lower = staticmethod(str.lower)

    _encode = staticmethod(text_header)

    def _text(self, value: Any) -> str:
        text: str = value
        return text

"""Header fields in the protocol's own list, encoded and decoded only where a policy looks.

WSGI keeps fields as a list of ``(str, str)``, ASGI as pairs of bytes. Policies see text under both.
"""

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Generic, TypeVar

__all__ = ["Headers", "MutableHeaders"]

Native = TypeVar("Native", str, bytes)

# RFC 9110, 5.6.2: token; 5.5: field values hold no CR, LF or NUL, and no other control but HTAB.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")


@lru_cache(maxsize=512)
def _checked_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"a header field's name must be a token (RFC 9110, 5.6.2), not {name!r}")
    return name


@lru_cache(maxsize=512)
def _lower_bytes(name: str) -> bytes:
    return _checked_name(name).lower().encode("ascii")


def check_value(name: str, value: str) -> str:
    """Return ``value`` if it may stand in a header field, else raise.

    Raises:
        ValueError: ``value`` has a control character or one outside latin-1 (RFC 9110, 5.5).
    """
    if not (value.isascii() and value.isprintable()) and _FORBIDDEN.search(value):
        raise ValueError(
            f"the value of the header field {name} has a character that must not stand there "
            f"(RFC 9110, 5.5)"
        )
    return value


class Headers:
    """A read-only view of a message's header fields. Names match in any case."""

    __slots__ = ()

    @abstractmethod
    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a field's value, or ``default``.

        A field that came several times gives its values joined by a comma (RFC 9110, 5.3).
        """
        raise NotImplementedError

    @abstractmethod
    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Iterate over all fields as ``(name, value)``, in order."""
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


class MutableHeaders(Headers, Generic[Native]):
    """An answer's header fields, editable; the list it was made from is never changed.

    Args:
        fields: the native pairs, as the app gave them. Order and case are kept.
    """

    __slots__ = ("_mine", "_raw")

    def __init__(self, fields: Iterable[tuple[Native, Native]] = ()) -> None:
        self._raw = fields
        self._mine = False

    @abstractmethod
    def _native(self, name: str, value: str) -> tuple[Native, Native]:
        """Return a checked field in the protocol's form."""
        raise NotImplementedError

    @abstractmethod
    def _key(self, name: str) -> Native:
        """Return a field's name in lower case, in the protocol's form."""
        raise NotImplementedError

    @staticmethod
    @abstractmethod
    def _text(value: Native) -> str:
        raise NotImplementedError

    @property
    def raw(self) -> Iterable[tuple[Native, Native]]:
        """The native pairs: the app's own object as long as nothing was edited."""
        return self._raw

    @property
    def edited(self) -> bool:
        """Whether a field was set, added or removed."""
        return self._mine

    def _own(self) -> list[tuple[Native, Native]]:
        """Return a list of ours, copied from the app's at the first edit."""
        raw = self._raw
        if self._mine:
            assert isinstance(raw, list)  # noqa: S101  # for the type checker: _mine says so
            return raw
        copy = self._raw = list(raw)
        self._mine = True
        return copy

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a field's value, several values joined by a comma, or ``default``."""
        values = self.getall(name)
        return ", ".join(values) if values else default

    def getall(self, name: str) -> list[str]:
        """Return the values of every field of that name, in order."""
        key = self._key(name)
        return [self._text(value) for field, value in self._raw if field.lower() == key]

    def append(self, name: str, value: str) -> None:
        """Add a field behind the others, also where one of that name exists."""
        self._own().append(self._native(name, value))

    def set(self, name: str, value: str) -> None:
        """Set a field: the first of that name is replaced, others of that name are removed."""
        field = self._native(name, value)
        key = self._key(name)
        raw = self._own()
        found = [index for index, (other, _) in enumerate(raw) if other.lower() == key]
        if not found:
            raw.append(field)
            return
        raw[found[0]] = field
        for index in reversed(found[1:]):
            del raw[index]

    def setdefault(self, name: str, value: str) -> None:
        """Add a field unless one of that name exists."""
        if not self.getall(name):
            self.append(name, value)

    def remove(self, *names: str) -> None:
        """Remove every field of these names; one that is not there is no error."""
        keys = {self._key(name) for name in names}
        if any(field.lower() in keys for field, _ in self._raw):
            raw = self._own()
            raw[:] = [pair for pair in raw if pair[0].lower() not in keys]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((self._text(name), self._text(value)) for name, value in self._raw)

    def __len__(self) -> int:
        return sum(1 for _ in self._raw)


class BytesHeaders(MutableHeaders[bytes]):
    """Fields in ASGI's form: pairs of bytes, names in lower case."""

    __slots__ = ()

    def _native(self, name: str, value: str) -> tuple[bytes, bytes]:
        return _lower_bytes(name), check_value(name, value).encode("latin-1")

    def _key(self, name: str) -> bytes:
        return _lower_bytes(name)

    @staticmethod
    def _text(value: bytes) -> str:
        return value.decode("latin-1")


class TextHeaders(MutableHeaders[str]):
    """Fields in WSGI's form: pairs of latin-1 text, names in the case they were given in."""

    __slots__ = ()

    def _native(self, name: str, value: str) -> tuple[str, str]:
        return _checked_name(name), check_value(name, value)

    def _key(self, name: str) -> str:
        return name.lower()

    @staticmethod
    def _text(value: str) -> str:
        return value

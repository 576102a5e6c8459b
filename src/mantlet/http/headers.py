"""Header fields in the protocol's own list, encoded and decoded only where a policy looks.

WSGI keeps fields as a list of ``(str, str)``, ASGI as pairs of bytes. Policies see text under both.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any

from mantlet.http.fields import bytes_field, text_field

__all__ = ["Headers", "MutableHeaders"]

_first = itemgetter(0)


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


class MutableHeaders(Headers):
    """An answer's header fields, editable; the list it was made from is never changed.

    Args:
        raw: the native pairs, as the app gave them. Order and case are kept.

    Attributes:
        raw: the native pairs: the app's own object as long as nothing was edited.
    """

    __slots__ = ("_names", "raw")

    # Any: any iterable as the app gave it, of bytes under ASGI and str under WSGI; then our list.
    def __init__(self, raw: Any = ()) -> None:
        self.raw = raw
        # The names of the list's fields in lower case, once the list is ours to change.
        self._names: list[Any] | None = None

    @property
    def edited(self) -> bool:
        """Whether a field was set, added or removed."""
        return self._names is not None

    #: Returns a checked field in the protocol's form.
    _field: Callable[[str, str], tuple[Any, Any]]
    #: Returns a field's name in lower case, in that form.
    _key: Callable[[str], Any]
    #: The same for a name that is in that form already.
    _lower: Callable[[Any], Any]

    @abstractmethod
    def _text(self, value: Any) -> str:
        raise NotImplementedError

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a field's value, several values joined by a comma, or ``default``."""
        values = self.getall(name)
        return ", ".join(values) if values else default

    def getall(self, name: str) -> list[str]:
        """Return the values of every field of that name, in order."""
        key = self._key(name)
        return [self._text(value) for field, value in self.raw if field.lower() == key]

    def set(self, name: str, value: str) -> None:
        """Set a field: the first of that name is replaced, others of that name are removed.

        Raises:
            ValueError: the name or the value must not stand in a header field (RFC 9110, 5).
        """
        field = self._field(name, value)
        key = self._key(name)
        names = self._names or self._own()
        if key not in names:
            names.append(key)
            self.raw.append(field)
            return
        fields = self.raw
        first = names.index(key)
        fields[first] = field
        for index in range(len(names) - 1, first, -1):
            if names[index] == key:
                del fields[index], names[index]

    def append(self, name: str, value: str) -> None:
        """Add a field behind the others, also where one of that name exists.

        Raises:
            ValueError: the name or the value must not stand in a header field (RFC 9110, 5).
        """
        field = self._field(name, value)
        names = self._names or self._own()
        names.append(self._key(name))
        self.raw.append(field)

    def _own(self) -> list[Any]:
        """Copy the fields, at the first edit, into a list of ours; return their names."""
        self.raw = fields = list(self.raw)
        self._names = names = list(map(self._lower, map(_first, fields)))
        return names

    def setdefault(self, name: str, value: str) -> None:
        """Add a field unless one of that name exists."""
        if not self.getall(name):
            self.append(name, value)

    def remove(self, *names: str) -> None:
        """Remove every field of these names; one that is not there is no error."""
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
    """Fields in ASGI's form: pairs of bytes, names in lower case."""

    __slots__ = ()

    _key = staticmethod(_bytes_key)
    _lower = staticmethod(bytes.lower)

    _field = staticmethod(bytes_field)

    def _text(self, value: Any) -> str:
        text: str = value.decode("latin-1")
        return text


class TextHeaders(MutableHeaders):
    """Fields in WSGI's form: pairs of latin-1 text, names in the case they were given in."""

    __slots__ = ()

    _key = staticmethod(str.lower)
    _lower = staticmethod(str.lower)

    _field = staticmethod(text_field)

    def _text(self, value: Any) -> str:
        text: str = value
        return text

"""Headers that a policy sets in every exchange, in each protocol's own form."""

from collections.abc import Collection, Mapping
from itertools import product
from typing import Any, Final

from mantlet.http.headers import (
    DECIDES_CORS,
    DEFAULT_BYTES,
    DEFAULT_TEXT,
    ENVIRON_KEYS,
    LOWER_BYTES,
    LOWER_TEXT,
    bytes_header,
    text_header,
)

__all__ = ["FixedHeaders", "HeaderName", "spellings"]


def spellings(*names: str) -> tuple[str, ...]:
    """Return the names with each of their hyphens as an underscore or as it is; as given last.

    To an app of WSGI inside of one of ASGI, they are all the same header.
    """
    return tuple(
        "".join(letters)
        for name in names
        for letters in product(*("_-" if letter == "-" else letter for letter in name))
    )


class HeaderName:
    """A header's name, prepared once for both protocols.

    Args:
        text: the name.
        unless_set: whether a header of that name that the app sets in its response stays.

    Attributes:
        text: the name as given, as WSGI has it.
        lower: the name in lower case, as ASGI has it.
        environ_key: the key of the request's header in an environ.
        text_key, bytes_key: under which the response's header is kept; see `replace_headers()`.

    Raises:
        ValueError: the name is not a token (RFC 9110, 5.6.2).
    """

    __slots__ = ("bytes_key", "environ_key", "lower", "text", "text_key", "unless_set")

    def __init__(self, text: str, *, unless_set: bool = False) -> None:
        self.text: Final = text
        self.unless_set: Final = unless_set
        self.lower: Final = LOWER_BYTES[text]
        self.environ_key: Final = ENVIRON_KEYS[text]
        self.text_key: Final = (DEFAULT_TEXT if unless_set else LOWER_TEXT)[text]
        self.bytes_key: Final = (DEFAULT_BYTES if unless_set else LOWER_BYTES)[text]


class FixedHeaders:
    """Headers that are the same in every response, prepared once for both protocols.

    Args:
        headers: the values by the names.
        cors: for a policy that decides which origins may read the response, in place of the app:
            `EXPOSED` or `UNEXPOSED`; see `DECIDES_CORS`.
        unless_set: the names of those headers that leave a header of the app's own as it is.

    Attributes:
        values: the values by the names.
        unless_set: those names.
        native: the headers as `replace_headers()` takes them: those of WSGI, and those of ASGI.

    Raises:
        ValueError: a name or a value is not allowed in a header (RFC 9110, 5).
    """

    __slots__ = ("native", "unless_set", "values")

    def __init__(
        self,
        headers: Mapping[str, str],
        *,
        cors: Any = None,
        unless_set: Collection[str] = (),
    ) -> None:
        self.values: Final = dict(headers)
        self.unless_set: Final = frozenset(unless_set)
        # Any: pairs of str and of bytes.
        text: dict[Any, Any] = {} if cors is None else {DECIDES_CORS: cors}
        raw: dict[Any, Any] = text.copy()
        for name, value in headers.items():
            key = HeaderName(name, unless_set=name in self.unless_set)
            text[key.text_key] = text_header(name, value)
            raw[key.bytes_key] = bytes_header(name, value)
        self.native: Final = text, raw

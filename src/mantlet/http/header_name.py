"""The name of a header that a policy sets in every exchange, in each protocol's own form."""

from typing import Final

from mantlet.http.headers import (
    DEFAULT_BYTES,
    DEFAULT_TEXT,
    ENVIRON_KEYS,
    LOWER_BYTES,
    LOWER_TEXT,
)

__all__ = ["HeaderName"]


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

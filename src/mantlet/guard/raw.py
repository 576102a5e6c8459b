"""Bodies that are bounded in size and not looked into: text, images, what a guard can't read."""

from typing import Any

from mantlet.guard.errors import Fault, Invalid
from mantlet.http.media_types import UTF_8, MediaType

__all__ = ["RawBody"]


class RawBody:
    """A body of which the size alone is bounded; a `WholeReader`.

    Text that says to be UTF-8, or says nothing, must be that.
    """

    __slots__ = ()

    # Any: the interface's; it is bytes.
    def read(self, body: bytes, media: MediaType) -> Any:
        """Return the bytes.

        Raises:
            Invalid: they are said to be text in UTF-8, and are not.
        """
        charset = (media.get("charset") or "utf-8").lower()
        if media.kind.startswith("text/") and charset in UTF_8:
            try:
                body.decode()
            except UnicodeDecodeError:
                fault = Fault("body", "", "text_encoding", "The text is not UTF-8")
                raise Invalid(400, [fault]) from None
        return body

    def dump(self, value: Any) -> bytes:
        """Return the bytes."""
        body: bytes = value
        return body

"""A body of JSON."""

from typing import Any, Final

from mantlet.guard.errors import Fault, Invalid
from mantlet.guard.limits import BodyLimits
from mantlet.guard.schemas import Schema
from mantlet.guard.strict_json import Structure
from mantlet.http.media_types import UTF_8, MediaType

__all__ = ["JsonBody", "check_parameters"]

#: Parameters that types with the suffix +json are registered with and that change nothing of how
#: they are read: RFC 6906 (profile), JSON:API 1.1 (ext), versions in content negotiation.
_HARMLESS: Final = frozenset({"profile", "ext", "version", "v"})


class JsonBody:
    """Reads a body of JSON; a `WholeReader`.

    Args:
        schema: what it must be.
        limits: bounds on its structure.
    """

    __slots__ = ("_read", "_schema")

    def __init__(self, schema: Schema, limits: BodyLimits) -> None:
        self._schema = schema
        self._read = Structure(limits).read

    # Any: whatever the schema makes of it.
    def read(self, body: bytes, media: MediaType) -> Any:
        """Return what the schema makes of a body.

        Raises:
            Invalid: with 400 for what is no JSON, 415 for a type with other parameters, 422 for
                what the schema does not allow.
        """
        if media.parameters:
            check_parameters(media)
        return self._schema.load(body, self._read(body, "body"), "body")

    def dump(self, value: Any) -> bytes:
        """Return what `read()` has returned in its canonical form."""
        return self._schema.dump(value)


def check_parameters(media: MediaType) -> None:
    """See to it that the parameters of a JSON type mean nothing.

    ``charset`` has no meaning there (RFC 8259, 11), yet many clients send it, and a parser that
    honours it would read another text: so it must be UTF-8.

    Raises:
        Invalid: with 415.
    """
    harmless = _HARMLESS if media.kind.endswith("+json") else ()
    for name, value in media.parameters:
        if name == "charset" and value.lower() in UTF_8:
            continue
        if name not in harmless:
            words = "The type must have no other parameters than a charset of utf-8"
            raise Invalid(415, [Fault("header", "/Content-Type", "media_parameter", words)])

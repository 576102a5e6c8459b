"""What a schema is to the guard, whoever wrote it: a model or an OpenAPI document."""

from typing import Any, Protocol

from mantlet.guard.errors import Place

__all__ = ["Schema"]


class Schema(Protocol):
    """One schema, compiled.

    Both methods return the value that the app gets: a model's instance, or the plain value with the
    schema's defaults.
    """

    # Any: plain JSON values in, whatever the schema makes of them out.
    def load(self, text: bytes, value: Any, place: Place) -> Any:
        """Check a JSON text.

        Args:
            text: the text, which is well-formed and within the limits.
            value: what has been read of it already.
            place: where it stands, for the faults.

        Raises:
            Invalid: with 422.
        """
        ...

    def check(self, value: Any, place: Place) -> Any:
        """Check a value that has been read of something else than JSON, such as a query.

        A model makes numbers and the like of text itself; for JSON Schema that has been done.

        Raises:
            Invalid: with 422.
        """
        ...

    def dump(self, value: Any) -> bytes:
        """Return a value that `load()` or `check()` has returned as JSON in its canonical form."""
        ...

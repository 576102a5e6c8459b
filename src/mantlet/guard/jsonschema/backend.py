"""The library that schemas are compiled by, and the only ways in which it is asked."""

from collections.abc import Callable, Mapping
from typing import Any, Final

try:
    import jsonschema_rs
except ImportError:
    raise ImportError(
        "schemas of OpenAPI need jsonschema-rs: pip install 'mantlet[openapi]'"
    ) from None

__all__ = ["BACKTRACKS", "DRAFT", "Build", "Validator", "meta_faults"]

Validator = jsonschema_rs.Validator
#: The dialect that everything is converted to.
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
#: Steps back that a pattern with lookaround or back-references may take.
BACKTRACKS: Final = 10_000

_META: Final = jsonschema_rs.Draft202012Validator({"$ref": DRAFT}, offline=True)


class Build:
    """How each validator is made: without a network, with patterns that end.

    Args:
        formats: the formats of strings that are asserted besides the library's own; None asserts
            none at all.
        bounded: whether patterns may have lookaround and back-references, with a bound on
            backtracking; else they are matched in linear time.
    """

    __slots__ = ("_formats", "_patterns")

    def __init__(self, formats: Mapping[str, Callable[[str], bool]] | None, bounded: bool) -> None:
        self._formats = None if formats is None else dict(formats)
        self._patterns = (
            jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACKS)
            if bounded
            else jsonschema_rs.RegexOptions()
        )

    @property
    def holds_formats(self) -> bool:
        """Whether formats of strings are asserted."""
        return self._formats is not None

    # Any: a schema is plain JSON.
    def validator(
        self, schema: dict[str, Any] | bool, registry: jsonschema_rs.Registry | None = None
    ) -> Validator:
        """Compile a schema.

        Raises:
            ValueError: it is no schema, or refers to what isn't there.
        """
        return jsonschema_rs.validator_for(
            schema,
            validate_formats=self._formats is not None,
            formats=self._formats,
            pattern_options=self._patterns,
            registry=registry,
            offline=True,
        )

    def reads(self, pattern: str) -> bool:
        """Whether a pattern is one that is matched in bounded time."""
        try:
            jsonschema_rs.Draft202012Validator(
                {"pattern": pattern}, pattern_options=self._patterns, offline=True
            )
        except ValueError:
            return False
        return True


def meta_faults(schema: dict[str, Any]) -> list[tuple[list[str | int], str]]:
    """Return what is wrong with a schema of 2020-12 by its meta-schema: paths, with words."""
    if _META.is_valid(schema):
        return []
    return [
        (error.instance_path, error.message)
        for error in _META.iter_errors(schema)
        if error.kind.name != "format"  # a pattern's, which is tried with the engine that runs it
    ]

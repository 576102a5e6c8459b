"""Adapter to jsonschema-rs, which compiles and runs the schemas and their regular expressions."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

try:
    import jsonschema_rs
except ImportError:
    raise ImportError(
        "OpenAPI schemas need jsonschema-rs: pip install 'mantlet[openapi]'"
    ) from None

from mantlet.guard.jsonschema.backtracking import bound_text
from mantlet.guard.jsonschema.ecma262 import EcmaPattern, read_pattern

__all__ = [
    "BACKTRACK_LIMIT",
    "DRAFT_2020_12",
    "PatternChecker",
    "RegexLookaround",
    "Validator",
    "ValidatorBuilder",
    "metaschema_errors",
]

Validator = jsonschema_rs.Validator
#: The dialect that all schemas are converted to.
DRAFT_2020_12: Final = "https://json-schema.org/draft/2020-12/schema"
#: Backtracking steps that a pattern with lookaround or back-references may take.
BACKTRACK_LIMIT: Final = 10_000

#: How to treat patterns with lookaround or back-references, which cannot be matched in linear time:
#: reject the schema, or run them with a limit on backtracking.
RegexLookaround = Literal["refuse", "bounded"]

_METASCHEMA: Final = jsonschema_rs.Draft202012Validator({"$ref": DRAFT_2020_12}, offline=True)


class ValidatorBuilder:
    """Builds validators that use no network and match patterns in bounded time.

    Args:
        formats: formats of strings to assert besides the built-in ones; None asserts no formats.
        bounded: whether patterns may have lookaround and back-references, with a limit on
            backtracking. Otherwise all patterns are matched in linear time.
    """

    __slots__ = ("_formats", "_pattern_options")

    def __init__(self, formats: Mapping[str, Callable[[str], bool]] | None, bounded: bool) -> None:
        self._formats = None if formats is None else dict(formats)
        self._pattern_options = (
            jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT)
            if bounded
            else jsonschema_rs.RegexOptions()
        )

    @property
    def asserts_formats(self) -> bool:
        """Whether formats of strings are asserted."""
        return self._formats is not None

    # Any: a schema is plain JSON.
    def build(
        self,
        schema: dict[str, Any] | bool,
        registry: jsonschema_rs.Registry | None = None,
        keywords: dict[str, Any] | None = None,
    ) -> Validator:
        """Compile a schema.

        Args:
            schema: the schema.
            registry: the other documents that it refers to.
            keywords: the classes of keywords besides those of JSON Schema, by name.

        Raises:
            ValueError: the schema is invalid, or a reference in it cannot be resolved.
        """
        return jsonschema_rs.validator_for(
            schema,
            validate_formats=self._formats is not None,
            formats=self._formats,
            pattern_options=self._pattern_options,
            registry=registry,
            keywords=keywords,
            offline=True,
        )

    def supports_pattern(self, pattern: str) -> bool:
        """Return whether the regex engine can compile a pattern."""
        try:
            jsonschema_rs.Draft202012Validator(
                {"pattern": pattern}, pattern_options=self._pattern_options, offline=True
            )
        except ValueError:
            return False
        return True


class PatternChecker:
    """Reads patterns, and checks that they are matched in bounded time; each once.

    Args:
        lookaround: how to treat patterns with lookaround or back-references.

    Attributes:
        is_bounded: whether they are matched with a limit on backtracking.

    Raises:
        ValueError: ``lookaround`` is invalid.
    """

    __slots__ = ("_backtracking", "_known", "_linear", "is_bounded")

    def __init__(self, lookaround: RegexLookaround) -> None:
        if lookaround not in ("refuse", "bounded"):
            raise ValueError(f'regex_lookaround must be "refuse" or "bounded", not {lookaround!r}')
        self.is_bounded = lookaround == "bounded"
        self._linear = ValidatorBuilder(None, bounded=False)
        self._backtracking = ValidatorBuilder(None, bounded=True)
        self._known: dict[str, tuple[str, EcmaPattern]] = {}

    def read(self, pattern: str) -> EcmaPattern:
        """Return a pattern as the engine reads it; one that has a problem is as it was."""
        return self._read(pattern)[1]

    def problem(self, pattern: str, *, exact: bool) -> str | None:
        """Return why a pattern is not allowed, or None if it is.

        Args:
            pattern: a regular expression of ECMA-262.
            exact: whether a value may be accepted because the pattern does *not* match. A pattern
                that reaches the backtracking limit counts as not matching, so it is unsafe there.
        """
        kind = self._read(pattern)[0]
        if kind == "linear":
            return None
        if kind != "backtracking":
            return f"the pattern {pattern!r} is not a valid regular expression{kind}"
        if not self.is_bounded:
            return (
                f"the pattern {pattern!r} has lookaround or a back-reference, which cannot be "
                'matched in linear time: rewrite it, or set regex_lookaround="bounded"'
            )
        if exact:
            return (
                f"the pattern {pattern!r} has lookaround or a back-reference, and is used where a "
                "failed match may accept a value: under not, if, oneOf, contains or "
                "patternProperties"
            )
        return None

    def _read(self, pattern: str) -> tuple[str, EcmaPattern]:
        """Return the kind of a pattern, or why it has none, and the pattern as it is read."""
        known = self._known.get(pattern)
        if known is None:
            try:
                linear, kind = read_pattern(pattern), ""
                read = read_pattern(pattern, "bounded") if self.is_bounded else linear
            except ValueError as error:
                read, kind = EcmaPattern(pattern, is_lenient=False), f": it has {error}"
            else:
                if self._linear.supports_pattern(linear.text):
                    kind = "linear"
                elif self._backtracking.supports_pattern(read.text):
                    kind = "backtracking"
                    read = read._replace(text=bound_text(read.text))
            known = self._known[pattern] = kind, read
        return known


def metaschema_errors(schema: dict[str, Any]) -> list[tuple[list[str | int], str]]:
    """Return the violations of the 2020-12 meta-schema by a schema: paths and messages."""
    if _METASCHEMA.is_valid(schema):
        return []
    return [
        (error.instance_path, error.message)
        for error in _METASCHEMA.iter_errors(schema)
        if error.kind.name != "format"  # patterns are checked with the engine that runs them
    ]

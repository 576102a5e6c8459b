"""What is wrong with a value that a schema does not allow, found within a bound of work.

The library's own list of errors is no use here: it is made whole before it is looked at, a second
and more for a large array, and of nested ``anyOf`` it takes time that doubles with each level. So
the schema is walked side by side with the value. What a schema says of a value itself is asked of a
validator that knows no more than that; the forms of ``anyOf``, and the items of a long array, are
asked whether they hold before any is looked into; and there is a bound on how many are.
"""

from collections.abc import Mapping
from typing import Any, Final

from mantlet.guard.errors import ErrorItem, Place, pointer
from mantlet.guard.jsonschema.convert import CODE
from mantlet.guard.jsonschema.discriminators import DISCRIMINATOR
from mantlet.guard.jsonschema.forms import explain_forms
from mantlet.guard.jsonschema.members import explain_items, explain_members
from mantlet.guard.jsonschema.messages import tell
from mantlet.guard.jsonschema.number_formats import CODE as RANGE
from mantlet.guard.jsonschema.validators import Validators

__all__ = ["Explanation", "explain"]

#: How many pairs of a schema and a value are looked at.
_VISITS: Final = 2_000
#: How deep, so that Python's own stack is never at its end.
_DEEPEST: Final = 48
_BY_VALUE: Final = frozenset({"const", "enum", "uniqueItems"})
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")

#: How long a pointer may be, as the names in it are the client's.
_LONGEST: Final = 1_000

#: The way from the root to a value.
Path = tuple[str | int, ...]


# Any: schemas and values are plain JSON.
def explain(
    schema: Any, value: Any, place: Place, validators: Validators, limit: int
) -> list[ErrorItem]:
    """Return what is wrong with a value that a converted schema does not allow.

    Args:
        schema: the schema.
        value: the value.
        place: where it stands.
        validators: of parts of the schema.
        limit: how many faults are enough.

    Returns:
        At least one fault.
    """
    explanation = Explanation(place, validators, limit)
    explanation.visit(schema, value, ())
    if not explanation.faults:
        explanation.add((), "schema")
    return list(explanation.faults)[:limit]


class Explanation:
    """The search for what is wrong with one value.

    Args:
        place: where the value stands.
        validators: of parts of the schema.
        limit: how many faults are enough.

    Attributes:
        faults: what has been found; a dict, as some is found on several ways.
        visits: how many pairs may still be looked at.
    """

    __slots__ = ("_limit", "_place", "_stack", "faults", "validators", "visits")

    def __init__(self, place: Place, validators: Validators, limit: int) -> None:
        self._place = place
        self._limit = limit
        self._stack = 0
        self.validators = validators
        self.faults: dict[ErrorItem, None] = {}
        self.visits = _VISITS

    def aside(self) -> "Explanation":
        """Return a search of its own within the same bounds, to see what one form would say."""
        other = Explanation(self._place, self.validators, self._limit)
        other._stack = self._stack
        other.visits = self.visits // 2
        return other

    def is_over(self) -> bool:
        """Whether enough has been found, or looked at."""
        return self.visits <= 0 or len(self.faults) >= self._limit

    def add(self, path: Path, code: str, said: Any = None, *, words: str | None = None) -> None:
        """Note a fault; ``words`` names the words where they are not the code's own."""
        if len(self.faults) < self._limit:
            detail = tell(words or code, said)
            self.faults[ErrorItem(self._place, _bounded_pointer(path), code, detail)] = None

    def allows(self, schema: Any, value: Any) -> bool:
        """Whether a part of the schema allows a value."""
        return schema if isinstance(schema, bool) else self.validators.whole(schema).is_valid(value)

    def visit(self, schema: Any, value: Any, path: Path) -> None:
        """Find what is wrong with a value by one schema, which may be nothing."""
        self.visits -= 1
        if schema is True or self.is_over():
            return
        if schema is False:
            self.add(path, "false")
        elif CODE in schema:
            self.add(path, schema[CODE])
        elif self._stack >= _DEEPEST:
            if not self.allows(schema, value):
                self.add(path, "schema")
        else:
            self._stack += 1
            self._visit(schema, value, path)
            self._stack -= 1

    def _visit(self, schema: Mapping[str, Any], value: Any, path: Path) -> None:
        self._itself(schema, value, path)
        if "$ref" in schema:
            self.visit(self.validators.follow(schema["$ref"]), value, path)
        if DISCRIMINATOR in schema:
            self._discriminated(schema, value, path)
            return
        if isinstance(value, dict):
            explain_members(self, schema, value, path)
        elif isinstance(value, list):
            explain_items(self, schema, value, path)
        for part in schema.get("allOf", ()):
            self.visit(part, value, path)
        explain_forms(self, schema, value, path)

    def _itself(self, schema: Mapping[str, Any], value: Any, path: Path) -> None:
        """Find what is wrong with a value, whatever is in it."""
        if not _BY_VALUE & schema.keys():
            if isinstance(value, dict):
                value = dict.fromkeys(value)
            elif isinstance(value, list):
                value = [None] * len(value)
        validator = self.validators.shallow(schema)
        if validator.is_valid(value):
            return
        for error in validator.iter_errors(value):
            self._note(schema, error.kind, path)

    def _note(self, schema: Mapping[str, Any], kind: Any, path: Path) -> None:
        code = kind.name
        if code == "required":
            self.add((*path, kind.property), code)
        elif code in ("additionalProperties", "falseSchema"):
            pass  # told of member by member, and item by item
        elif code in _BOUNDS and RANGE in schema:
            self.add(path, schema[RANGE], schema[code], words=code)
        else:
            self.add(path, code, schema.get(code))

    def _discriminated(self, form: Mapping[str, Any], value: Any, path: Path) -> None:
        """Find what is wrong with an object by the form that it says it has."""
        name, branches, fallback = form[DISCRIMINATOR]
        said = value.get(name)
        branch = branches.get(said) if isinstance(said, str) else None
        branch = fallback if branch is None else branch
        if branch is None:
            if name in value:
                self.add((*path, name), "discriminator", list(branches))
        elif self.allows(branch, value):
            if not self.allows(form, value):
                self.add(path, "oneOf", words="oneOf_several")
        else:
            self.visit(branch, value, path)


def _bounded_pointer(path: Path) -> str:
    """Return a pointer that can be written, to what is around a value whose own is too long."""
    while True:
        text = pointer(path)
        if len(text) <= _LONGEST:
            return text.encode(errors="replace").decode()
        path = path[:-1]

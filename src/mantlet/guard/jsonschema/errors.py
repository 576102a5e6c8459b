"""Find the errors of a value that a schema does not allow, with a bounded amount of work.

The list of errors of jsonschema-rs does not serve: it is built in full before the first error can
be read, which takes a second and more for a large array, and time exponential in the depth of
nested ``anyOf``. So the schema and the value are walked side by side. The value itself is checked
with a validator that ignores its properties and items. Branches of ``anyOf`` and items of long
arrays are validated as a whole first, and searched only if they fail. Budgets bound the search: one
for the pairs of a schema and a value that it visits, and one for the validations of large values.

Messages are built from the schema and never from the client's values.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from mantlet.guard.errors import ErrorItem, Place
from mantlet.guard.jsonschema.keywords import (
    CODE_ANNOTATION,
    DISCRIMINATOR_ANNOTATION,
    PATTERN_ANNOTATION,
    RANGE_ANNOTATION,
)
from mantlet.guard.jsonschema.messages import KINDS, describe_kinds, message_for
from mantlet.guard.jsonschema.validators import ValidatorCache
from mantlet.http.json_pointer import join_pointer

__all__ = ["ErrorSearch", "find_errors", "message_for"]

#: How many pairs of a schema and a value a search visits: at least, at most, and the bytes of the
#: text for each.
_MIN_VISITS: Final = 300
_MAX_VISITS: Final = 2_000
_BYTES_PER_VISIT: Final = 20
#: The cost of validating a small value, in visits.
_PROBE: Final = 0.1
#: A large value has more items and members than this, at any depth, or a longer text.
_LARGE: Final = 64
_LONG_TEXT: Final = 1_000
#: How many bytes of large values a search validates, and how many large values at least.
_MAX_BYTES: Final = 300_000
_MIN_LARGE: Final = 10
#: How deep a search goes, well within Python's recursion limit.
_MAX_DEPTH: Final = 48
#: How deep references and combinations are followed to collect property names.
_MAX_NAMES_DEPTH: Final = 16
#: The longest pointer; the names in it are the client's.
_MAX_POINTER: Final = 1_000
#: From this length on, items are validated as a whole before they are searched.
_LONG_ARRAY: Final = 16
#: Keywords that need the properties and items of a value.
_WHOLE_VALUE: Final = frozenset({"const", "enum", "uniqueItems"})
#: Codes of errors of a value that a branch is not meant for.
_OTHER_KINDS: Final = frozenset({"const", "enum", "type"})
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")

#: The path from the root to a value.
_Path = tuple[str | int, ...]


# Any: schemas and values are plain JSON.
def find_errors(
    schema: Any,
    value: Any,
    place: Place,
    validators: ValidatorCache,
    limit: int,
    *,
    size: int = _LONG_TEXT,
) -> list[ErrorItem]:
    """Return the errors of a value that a converted schema does not allow.

    Args:
        schema: the schema.
        value: the value.
        place: the part of the message that holds the value.
        validators: validators for parts of the schema.
        limit: the maximum number of errors.
        size: bytes of the value's text, which bound the work.

    Returns:
        At least one error.
    """
    search = ErrorSearch(place, validators, limit)
    search.budget = min(_MIN_VISITS + size // _BYTES_PER_VISIT, _MAX_VISITS)
    search.large = max(_MIN_LARGE, min(_MAX_BYTES // max(size, 1), _MAX_VISITS))
    search.visit(schema, value, ())
    if not search.errors:
        search.add((), "schema")
    return list(search.errors)[:limit]


class ErrorSearch:
    """A search for the errors of one value.

    Args:
        place: the part of the message that holds the value.
        validators: validators for parts of the schema.
        limit: the maximum number of errors.

    Attributes:
        errors: the errors found; a dict, since one may be found on several paths.
        budget: how many pairs of a schema and a value may still be visited.
        large: how many large values may still be validated.
    """

    __slots__ = ("_depth", "_limit", "_place", "_validators", "budget", "errors", "large")

    def __init__(self, place: Place, validators: ValidatorCache, limit: int) -> None:
        self._place = place
        self._limit = limit
        self._depth = 0
        self._validators = validators
        self.errors: dict[ErrorItem, None] = {}
        self.budget = float(_MAX_VISITS)
        self.large = _MAX_VISITS

    def add(
        self, path: _Path, code: str, operand: Any = None, *, message_code: str | None = None
    ) -> None:
        """Add an error; ``message_code`` selects the message if it differs from the code's."""
        if len(self.errors) < self._limit:
            message = message_for(message_code or code, operand)
            self.errors[ErrorItem(self._place, _bounded_pointer(path), code, message)] = None

    def visit(self, schema: Any, value: Any, path: _Path) -> None:
        """Add the errors of a value by one schema, if there are any."""
        self.budget -= 1
        if schema is True or self._is_finished():
            return
        if schema is False:
            self.add(path, "false")
        elif CODE_ANNOTATION in schema:
            self.add(path, schema[CODE_ANNOTATION])
        elif self._depth >= _MAX_DEPTH:
            if not self._is_valid(schema, value):
                self.add(path, "schema")
        else:
            self._depth += 1
            self._visit(schema, value, path)
            self._depth -= 1

    def _visit(self, schema: Mapping[str, Any], value: Any, path: _Path) -> None:
        self._check_shallow(schema, value, path)
        if "$ref" in schema:
            self.visit(self._validators.resolve(schema["$ref"]), value, path)
        if DISCRIMINATOR_ANNOTATION in schema:
            self._check_discriminated(schema, value, path)
            return
        if isinstance(value, dict):
            self._check_properties(schema, value, path)
        elif isinstance(value, list):
            self._check_items(schema, value, path)
        for part in schema.get("allOf", ()):
            self.visit(part, value, path)
        self._check_branches(schema, value, path)

    def _is_finished(self) -> bool:
        return self.budget <= 0 or self.large <= 0 or len(self.errors) >= self._limit

    def _is_valid(self, schema: Any, value: Any) -> bool:
        if isinstance(schema, bool):
            return schema
        if _is_large(value):
            self.large -= 1
        self.budget -= _PROBE
        return self._validators.full(schema).is_valid(value)

    def _visit_if_invalid(self, schema: Any, value: Any, path: _Path) -> None:
        if not self._is_valid(schema, value):
            self.visit(schema, value, path)

    # -- the value itself -------------------------------------------------------------------------

    def _check_shallow(self, schema: Mapping[str, Any], value: Any, path: _Path) -> None:
        """Check a value apart from its properties and items."""
        if not _WHOLE_VALUE.isdisjoint(schema):
            self.large -= _is_large(value)
        elif isinstance(value, (dict, list)):
            self.large -= len(value) >= _LARGE
            value = dict.fromkeys(value) if isinstance(value, dict) else [None] * len(value)
        elif isinstance(value, str):
            self.large -= len(value) > _LONG_TEXT
        validator = self._validators.shallow(schema)
        if validator.is_valid(value):
            return
        for error in validator.iter_errors(value):
            kind: Any = error.kind
            code = kind.name
            if code == "required":
                self.add((*path, kind.property), code)
            elif code in ("additionalProperties", "falseSchema"):
                pass  # reported for each property and item
            elif code in _BOUNDS and RANGE_ANNOTATION in schema:
                self.add(path, schema[RANGE_ANNOTATION], schema[code], message_code=code)
            elif code == "pattern":
                self.add(path, code, schema.get(PATTERN_ANNOTATION, schema.get(code)))
            else:
                self.add(path, code, schema.get(code))

    # -- objects ----------------------------------------------------------------------------------

    def _check_properties(
        self, schema: Mapping[str, Any], value: dict[str, Any], path: _Path
    ) -> None:
        properties = schema.get("properties", {})
        for name in properties if len(properties) < len(value) else value:
            if name in properties and name in value:
                self.visit(properties[name], value[name], (*path, name))
        for name, part in schema.get("dependentSchemas", {}).items():
            if name in value:
                self.visit(part, value, path)
        if "propertyNames" in schema:
            for name in value:
                if self._is_finished():
                    break
                if not self._is_valid(schema["propertyNames"], name):
                    self.add((*path, name), "propertyNames")
        self._check_additional(schema, value, path)
        if "unevaluatedProperties" in schema:
            self._check_unevaluated(schema, value, path)

    def _check_additional(
        self, schema: Mapping[str, Any], value: dict[str, Any], path: _Path
    ) -> None:
        properties = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        additional = schema.get("additionalProperties", True)
        if additional is True and not patterns:
            return
        for name, member in value.items():
            if self._is_finished():
                return
            is_matched = False
            for pattern, part in patterns.items():
                if self._validators.matches_pattern(pattern, name):
                    is_matched = True
                    self._visit_if_invalid(part, member, (*path, name))
            if is_matched or name in properties:
                continue
            if additional is False:
                self.add((*path, name), "additionalProperties")
            else:
                self._visit_if_invalid(additional, member, (*path, name))

    def _check_unevaluated(
        self, schema: Mapping[str, Any], value: dict[str, Any], path: _Path
    ) -> None:
        """Report unevaluated properties.

        Which properties are evaluated depends on the branches that match, so only those are
        reported that no branch mentions.
        """
        if self._is_valid(schema, value):
            return
        known: set[str] = set()
        if not self._collect_names(schema, known, 0):
            known.update(value)
        for name in [name for name in value if name not in known]:
            if schema["unevaluatedProperties"] is False:
                self.add((*path, name), "unevaluatedProperties")
            else:
                self._visit_if_invalid(schema["unevaluatedProperties"], value[name], (*path, name))
        if not self.errors:
            self.add(path, "unevaluatedProperties")

    def _collect_names(self, schema: Any, known: set[str], depth: int) -> bool:
        """Collect the property names in a schema; return False if it allows others as well."""
        if not isinstance(schema, Mapping):
            return True
        if (
            depth > _MAX_NAMES_DEPTH
            or "patternProperties" in schema
            or "additionalProperties" in schema
        ):
            return False
        known.update(schema.get("properties", {}))
        parts = [part for key in ("allOf", "anyOf", "oneOf") for part in schema.get(key, ())]
        parts += [schema[key] for key in ("if", "then", "else") if key in schema]
        parts += schema.get("dependentSchemas", {}).values()
        if "$ref" in schema:
            parts.append(self._validators.resolve(schema["$ref"]))
        return all(self._collect_names(part, known, depth + 1) for part in parts)

    # -- arrays -----------------------------------------------------------------------------------

    def _check_items(self, schema: Mapping[str, Any], value: list[Any], path: _Path) -> None:
        prefix = schema.get("prefixItems", [])
        for index, (part, item) in enumerate(zip(prefix, value, strict=False)):
            self.visit(part, item, (*path, index))
        items = schema.get("items", True)
        if items is False and len(value) > len(prefix):
            self.add((*path, len(prefix)), "items")
        elif items is not True:
            is_long = len(value) > _LONG_ARRAY
            for index in range(len(prefix), len(value)):
                if self._is_finished():
                    return
                if not is_long or not self._is_valid(items, value[index]):
                    self.visit(items, value[index], (*path, index))
        if "contains" in schema:
            self._check_contains(schema, value, path)
        if "unevaluatedItems" in schema and not self._is_valid(schema, value):
            self.add(path, "unevaluatedItems")

    def _check_contains(self, schema: Mapping[str, Any], value: list[Any], path: _Path) -> None:
        # Without its maximum, the keyword is checked in one call.
        least = self._validators.part(schema, ("contains", "minContains"))
        self.large -= _is_large(value)
        if not least.is_valid(value):
            code = "minContains" if "minContains" in schema else "contains"
            self.add(path, code, schema.get(code))
        elif "maxContains" in schema:
            most = self._validators.part(schema, ("contains", "minContains", "maxContains"))
            if not most.is_valid(value):
                self.add(path, "maxContains", schema["maxContains"])

    # -- branches ---------------------------------------------------------------------------------

    def _check_branches(self, schema: Mapping[str, Any], value: Any, path: _Path) -> None:
        """Check ``anyOf``, ``oneOf``, ``not`` and ``if``."""
        if "anyOf" in schema:
            self._check_alternatives("anyOf", schema["anyOf"], value, path)
        if "oneOf" in schema:
            self._check_alternatives("oneOf", schema["oneOf"], value, path)
        if "not" in schema and self._is_valid(schema["not"], value):
            self.add(path, "not")
        if "if" in schema:
            part = "then" if self._is_valid(schema["if"], value) else "else"
            self.visit(schema.get(part, True), value, path)

    def _check_alternatives(
        self, keyword: Literal["anyOf", "oneOf"], branches: list[Any], value: Any, path: _Path
    ) -> None:
        if self._is_finished():
            return
        count = sum(self._is_valid(branch, value) for branch in branches)
        if count > 1 and keyword == "oneOf":
            self.add(path, keyword, message_code="oneOf_several")
        if count:
            return
        if len(branches) == 1:
            self.visit(branches[0], value, path)
            return
        closest = self._closest_errors(branches, value, path)
        if closest:
            self.errors.update(dict.fromkeys(closest))
            return
        kinds = describe_kinds(branches, self._validators.resolve) if closest is None else ""
        self.add(path, keyword, kinds, message_code="kinds" if kinds else keyword)

    def _closest_errors(
        self, branches: list[Any], value: Any, path: _Path
    ) -> list[ErrorItem] | None:
        """Return the errors by the branch that matches best; none if two match equally well.

        A branch of another type or constant does not match at all: None, if there is no other. The
        best match is the one whose errors are deepest.
        """
        found: list[tuple[int, list[ErrorItem]]] = []
        where = _bounded_pointer(path)
        for branch in branches:
            search = ErrorSearch(self._place, self._validators, self._limit)
            search._depth = self._depth
            search.budget = budget = self.budget / 2
            search.large = large = self.large
            search.visit(branch, value, path)
            self.budget -= budget - search.budget
            self.large -= large - search.large
            errors = list(search.errors)
            is_other = any(error.pointer == where and _is_of_kind(error) for error in errors)
            if errors and not is_other:
                found.append((min(error.pointer.count("/") for error in errors), errors))
        found.sort(key=lambda branch_errors: -branch_errors[0])
        if not found:
            return None
        if len(found) > 1 and found[0][0] == found[1][0]:
            return []
        return found[0][1]

    def _check_discriminated(self, schema: Mapping[str, Any], value: Any, path: _Path) -> None:
        """Check an object by the branch that its discriminator picks."""
        name, branches, fallback = schema[DISCRIMINATOR_ANNOTATION]
        actual = value.get(name)
        branch = branches.get(actual) if isinstance(actual, str) else None
        branch = fallback if branch is None else branch
        if branch is None:
            if name in value:
                self.add((*path, name), "discriminator", list(branches))
        elif self._is_valid(branch, value):
            if not self._is_valid(schema, value):
                self.add(path, "oneOf", message_code="oneOf_several")
        else:
            self.visit(branch, value, path)


def _is_large(value: Any) -> bool:
    """Return whether a value has many items and members, at any depth, or is a long text."""
    if isinstance(value, str):
        return len(value) > _LONG_TEXT
    if not isinstance(value, (dict, list)):
        return False
    count, later = 0, [value]
    while later:
        one = later.pop()
        count += len(one) + 1
        if count > _LARGE:
            return True
        inner = one.values() if isinstance(one, dict) else one
        later += [part for part in inner if isinstance(part, (dict, list))]
    return False


def _is_of_kind(error: ErrorItem) -> bool:
    """Return whether an error says that the value is of another type or constant."""
    return error.code in _OTHER_KINDS or (
        error.code in ("anyOf", "oneOf") and error.detail.startswith(KINDS)
    )


def _bounded_pointer(path: _Path) -> str:
    """Return the pointer to a value, or to the closest ancestor whose pointer is short enough."""
    while True:
        text = join_pointer(path)
        if len(text) <= _MAX_POINTER:
            return text.encode(errors="replace").decode()
        path = path[:-1]

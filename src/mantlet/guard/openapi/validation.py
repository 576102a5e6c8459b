"""Whether a document is one: each of its objects is held against the specification.

Objects that are referred to are checked where they are referred from, so files of bare schemas or
parameters are as good as documents. Examples are not looked into: they are of no consequence.
"""

from collections.abc import Mapping
from typing import Any, Final

from mantlet.guard.openapi.diagnostics import Problems
from mantlet.guard.openapi.locations import Location
from mantlet.guard.openapi.notes import Notes
from mantlet.guard.openapi.object_rules import RULES
from mantlet.guard.openapi.object_types import KINDS, SCALARS, Field, Kind
from mantlet.guard.openapi.paths import check_paths
from mantlet.guard.openapi.references import References
from mantlet.guard.openapi.schema_objects import SchemaWalk
from mantlet.guard.openapi.subject import Found, Subject

__all__ = ["check"]

_WORDS: Final[Mapping[str, str]] = {"text": "a string", "flag": "true or false"}
#: Fields that have no say in what a request may bring, some of them of one kind of object only.
_NOTED: Final[Mapping[str, str]] = {
    "webhooks": "webhooks are requests that the app sends: they are not checked",
    "callbacks": "callbacks are requests that the app sends: they are not checked",
    "links": "links say nothing that could be checked",
    "example": "examples are not held against their schemas",
    "examples": "examples are not held against their schemas",
    "encoding headers": "header fields of parts are not looked at",
    "encoding encoding": "encodings within encodings are not read",
    "prefixEncoding": "encodings by position are not read",
    "itemEncoding": "encodings by position are not read",
}
_NOT_LOOKED_INTO: Final = frozenset({"any", "example"})


def check(
    references: References, version: str, problems: Problems, notes: Notes
) -> Mapping[str, Location]:
    """Find all that is wrong with a document, and with what it refers to.

    Args:
        references: the document and the files beside it.
        version: ``"3.0"``, ``"3.1"`` or ``"3.2"``.
        problems: takes what is wrong.
        notes: takes what is of no consequence.

    Returns:
        The keywords of its schemas, each with where it stands first.
    """
    keywords = _Check(references, version, problems, notes).run()
    check_paths(references, version, problems)
    return keywords


class _Check:
    def __init__(
        self, references: References, version: str, problems: Problems, notes: Notes
    ) -> None:
        self._references = references
        self._version = version
        self._problems = problems
        self._notes = notes
        #: Objects that are checked already, by identity and as what.
        self._seen: set[tuple[int, str]] = set()
        #: References that are still to be followed: the kind, the text and where it stands.
        self._pending: list[tuple[str, str, Location]] = []
        self._schemas = SchemaWalk(references, version, problems, notes)

    def run(self) -> Mapping[str, Location]:
        self._visit("document", self._references.documents[""], Location())
        while self._pending:
            self._follow(*self._pending.pop())
        # The schemas' own come last: all names that a reference could lead to are known by then.
        self._schemas.follow_all()
        return self._schemas.keywords

    def _follow(self, kind: str, reference: str, location: Location) -> None:
        try:
            target = self._references.find(reference, location.document)
            self._references.follow(target)
        except ValueError as error:
            self._problems.add(location, f"the reference {reference!r} {error}")
            return
        self._value(kind, target.value, target.location)

    # -- one object -------------------------------------------------------------------------------

    def _value(self, kind: str, value: Any, location: Location) -> None:
        if kind == "schema":
            self._schemas.visit(value, location)
        elif kind in KINDS:
            self._visit(kind, value, location)
        elif kind in SCALARS:
            if not isinstance(value, SCALARS[kind]):
                self._problems.add(location, f"must be {_WORDS[kind]}")
        elif kind == "scopes" and not _is_texts(value):
            self._problems.add(location, "must be an array of strings, the scopes")

    def _visit(self, kind: str, value: Any, location: Location) -> None:
        known = KINDS[kind]
        if not isinstance(value, dict):
            self._problems.add(location, f"must be an object, the {known.name}")
            return
        key = (id(value), kind)
        if key in self._seen:
            return
        self._seen.add(key)
        if "$ref" in value and (known.referable or kind == "item"):
            self._refer(kind, value, location)
            if known.referable:
                return
        self._members(kind, value, location)
        for name in known.required:
            if name not in value:
                self._problems.add(location, f"must have {name!r} ({known.name})")
        for tokens, words in RULES.get(kind, _no_rule)(Subject(value, self._version)):
            self._problems.add(location.child(*tokens), words)

    def _members(self, kind: str, value: dict[str, Any], location: Location) -> None:
        known = KINDS[kind]
        for name, member in value.items():
            field = known.fields.get(name)
            if field is None:
                self._other(known, name, member, location)
            elif not (isinstance(member, field.scalars) and self._has(field)):
                # Most fields are texts, which need no location: there is nothing in them.
                self._member(f"{kind} {name}", field, member, location.child(name))

    def _has(self, field: Field) -> bool:
        return field.since <= self._version < field.until

    def _member(self, what: str, field: Field, member: Any, location: Location) -> None:
        """Look at a fixed field, unless it is of another version."""
        if not self._has(field):
            when = f"since {field.since}" if field.since > self._version else "no more"
            self._problems.add(
                location, f"is a field {when}, and the document is of {self._version}"
            )
            return
        words = _NOTED.get(what) or _NOTED.get(what.partition(" ")[2])
        if words is not None:
            self._notes.add(location, words)
        self._field(field, member, location)

    def _field(self, field: Field, value: Any, location: Location) -> None:
        if field.kind in _NOT_LOOKED_INTO:
            return
        if field.shape == "one":
            self._value(field.kind, value, location)
        elif field.shape == "list":
            if not isinstance(value, list):
                self._problems.add(location, "must be an array")
                return
            for index, item in enumerate(value):
                self._value(field.kind, item, location.child(index))
        elif not isinstance(value, dict):
            self._problems.add(location, "must be an object")
        else:
            for name, member in value.items():
                self._value(field.kind, member, location.child(name))

    def _other(self, known: Kind, name: str, member: Any, location: Location) -> None:
        """Look at a field that is not one of the fixed ones."""
        if known.extensible and name.startswith("x-"):
            self._notes.add(location.child(name), f"the extension {name!r} is not known")
        elif known.patterned is not None:
            self._value(known.patterned, member, location.child(name))
        else:
            self._problems.add(location.child(name), f"is no field of the {known.name}")

    def _refer(self, kind: str, value: dict[str, Any], location: Location) -> None:
        reference = value["$ref"]
        if not isinstance(reference, str):
            self._problems.add(location.child("$ref"), "must be a string, a URI reference")
            return
        self._pending.append((kind, reference, location.child("$ref")))
        if kind != "item":
            for name in value:
                if name not in {"$ref", "summary", "description"} and not name.startswith("x-"):
                    self._notes.add(
                        location.child(name), f"{name!r} beside $ref is ignored (Reference Object)"
                    )


def _no_rule(_: Subject) -> Found:
    return iter(())


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)

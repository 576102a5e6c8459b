"""Find breaking changes between two documents: requests that are no longer accepted."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import jsonschema_rs

from mantlet.guard.jsonschema import JsonSchema
from mantlet.guard.jsonschema.formats import NUMBER_FORMATS
from mantlet.guard.jsonschema.keywords import iter_subschemas
from mantlet.guard.openapi.diagnostics import LocatedValue
from mantlet.guard.openapi.model import (
    BodyDescription,
    EncodingDescription,
    MediaDescription,
    OperationDescription,
    ParameterDescription,
    RequirementDescription,
    SchemeDescription,
)
from mantlet.guard.openapi.schema_registry import SchemaRegistry
from mantlet.guard.openapi.validation.path_rules import template_names
from mantlet.http.media_types import read_media_type

__all__ = ["ComparedDocument", "accepts_all", "breaking_changes"]

_PARAMETER: Final = re.compile(r"\{[^{}:]+(:path)?\}")
_FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


class ComparedDocument(NamedTuple):
    """One side of a comparison: the operations, security schemes and schemas of a document.

    Attributes:
        closed: the locations of faulty operations that are closed.
        unvalidated: those of faulty operations that are open.
    """

    operations: tuple[OperationDescription, ...]
    schemes: Mapping[str, SchemeDescription]
    schemas: SchemaRegistry
    closed: frozenset[str] = frozenset()
    unvalidated: frozenset[str] = frozenset()


def breaking_changes(
    old: ComparedDocument, new: ComparedDocument, *, use_servers: bool
) -> Iterator[str]:
    """Iterate over the breaking changes from an old document to a new one.

    Schemas that cannot be compared are reported as well. Without breaking changes, the new document
    accepts every request that the old one accepts.

    Args:
        old: the old document.
        new: the new document.
        use_servers: whether paths begin with those of the servers.

    Yields:
        Messages that begin with the name of the operation.
    """
    successors = {(one.method, _anonymous(one.template)): one for one in new.operations}
    known = {_anonymous(one.template) for one in old.operations}
    added = {one.template for one in new.operations if _anonymous(one.template) not in known}
    for before in old.operations:
        name = f"{before.method} {before.template}"
        after = successors.get((before.method, _anonymous(before.template)))
        if after is None:
            yield f"{name} was removed"
            continue
        change = _change_of_faults(old, new, before, after)
        if change is not None:
            if change:
                yield f"{name}: {change}"
            continue
        if use_servers and set(before.base_paths) - set(after.base_paths):
            yield f"{name}: some paths of the servers were removed"
        if _requires_more((before.security, old.schemes), (after.security, new.schemes)):
            yield f"{name}: different credentials are required"
        for message in _OperationDiff(old.schemas, new.schemas).changes(before, after):
            yield f"{name}: {message}"
        for template in sorted(added):
            if _takes_precedence(template, before.template):
                yield f"{name}: {template!r} takes precedence for some of its paths"


def _change_of_faults(
    old: ComparedDocument,
    new: ComparedDocument,
    before: OperationDescription,
    after: OperationDescription,
) -> str | None:
    """Return the change if one of the operations is faulty, ``""`` for none; else None."""
    if before.pointer in old.closed or after.pointer in new.unvalidated:
        return ""  # the new document accepts as much, or more
    if after.pointer in new.closed:
        return "its declaration is invalid, so it is closed"
    return "it was open without validation" if before.pointer in old.unvalidated else None


def _anonymous(template: str) -> str:
    """Return a template without the names of its parameters."""
    return _PARAMETER.sub(r"{\1}", template)


def _takes_precedence(new: str, old: str) -> bool:
    """Return whether a template is more specific than another for some of its paths."""
    segments, others = new.split("/"), _anonymous(old).split("/")
    return len(segments) == len(others) and all(
        segment == other
        or (other == "{}" and _anonymous(segment) != "{}")
        or _anonymous(segment) == other
        for segment, other in zip(segments, others, strict=True)
    )


class _OperationDiff:
    """Compares two versions of an operation."""

    def __init__(self, old: SchemaRegistry, new: SchemaRegistry) -> None:
        self._old = old
        self._new = new

    def changes(self, before: OperationDescription, after: OperationDescription) -> Iterator[str]:
        renamed = dict(
            zip(template_names(before.template), template_names(after.template), strict=False)
        )
        successors = {(one.place, one.name): one for one in after.parameters}
        known = set()
        for parameter in before.parameters:
            place, name = parameter.place, parameter.name
            key = (place, renamed.get(name, name) if place == "path" else name)
            known.add(key)
            yield from self._parameter(parameter, successors.get(key))
        for key, parameter in successors.items():
            if key not in known:
                yield from self._added_parameter(parameter)
        yield from self._body(before.body, after.body)

    def _added_parameter(self, parameter: ParameterDescription) -> Iterator[str]:
        name = f"the {parameter.place} parameter {parameter.name!r}"
        if parameter.required:
            yield f"{name} was added and is required"
        elif parameter.place in ("header", "cookie"):
            # Undeclared headers and cookies are accepted with any value.
            yield f"{name} was added and is now checked"

    def _parameter(
        self, before: ParameterDescription, after: ParameterDescription | None
    ) -> Iterator[str]:
        name = f"the {before.place} parameter {before.name!r}"
        if after is None:
            # Undeclared headers and cookies are accepted.
            if before.place in ("query", "querystring", "path"):
                yield f"{name} was removed"
            return
        if after.required and not before.required:
            yield f"{name} became required"
        old, new = ((one.style, one.explode, one.content) for one in (before, after))
        if old != new:
            yield f"{name} is serialized differently"
        elif (before.allow_empty and not after.allow_empty) or (
            before.allow_reserved and not after.allow_reserved
        ):
            yield f"{name} no longer allows empty values or reserved characters"
        yield from self._schema(name, before.schema, after.schema)

    def _body(self, before: BodyDescription | None, after: BodyDescription | None) -> Iterator[str]:
        if before is None or after is None:
            if before is not None:
                yield "the body was removed"
            elif after is not None and after.required:
                yield "a required body was added"
            return
        if after.required and not before.required:
            yield "the body became required"
        old, new = _by_kind(before), _by_kind(after)
        for kind, media in old.items():
            found = _find_media(kind, new)
            if found is None:
                yield f"the body can no longer be {kind}"
            else:
                yield from self._media(kind, media, found)
        for kind, media in new.items():
            # A media type that was part of a range, and now has its own schema.
            covering = None if kind in old else _find_media(kind, old)
            if covering is not None:
                yield from self._media(kind, covering, media)

    def _media(self, kind: str, before: MediaDescription, after: MediaDescription) -> Iterator[str]:
        name = f"the {kind} body"
        if kind in _FORMS and _serialization(before.encoding) != _serialization(after.encoding):
            yield f"{name} is serialized differently"
        media_type = read_media_type(kind)
        if kind in _FORMS or "*" in kind or (media_type is not None and media_type.is_json):
            yield from self._schema(name, before.schema, after.schema)
        yield from self._schema(f"an item of {name}", before.item_schema, after.item_schema)

    def _schema(
        self, name: str, before: LocatedValue | None, after: LocatedValue | None
    ) -> Iterator[str]:
        if after is None:
            return
        old = self._old.any_schema("") if before is None else self._old.schema(before)
        new = self._new.schema(after)
        if old is None or new is None:
            return
        accepted = accepts_all(old, new)
        if accepted is False:
            yield f"{name} allows fewer values"
        elif accepted is None:
            yield f"{name} may allow fewer values: its schemas cannot be compared"


def _by_kind(body: BodyDescription) -> Mapping[str, MediaDescription]:
    content = [(read_media_type(media.media), media) for media in body.content]
    return {media_type.kind: media for media_type, media in content if media_type is not None}


def _find_media(kind: str, content: Mapping[str, MediaDescription]) -> MediaDescription | None:
    """Return the declaration that applies to a media type or range."""
    for declared in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if declared in content:
            return content[declared]
    return None


def _serialization(encoding: Mapping[str, EncodingDescription]) -> object:
    """Return the serialization of a form's fields."""
    return {
        name: (one.content_types, one.style, one.explode, one.allow_reserved)
        for name, one in encoding.items()
    }


# -- schemas --------------------------------------------------------------------------------------

_COVERS: Final = {"yes": True, "no": False}


def accepts_all(old: JsonSchema, new: JsonSchema) -> bool | None:
    """Return whether a schema allows every value that another schema allows.

    Formats with the same name count as equal, even if different functions check them.

    Args:
        old: the schema whose values are considered.
        new: the schema that should allow them.

    Returns:
        None if it cannot be decided.
    """
    try:
        answer = _canonical(new).covers(_canonical(old))
    except ValueError:
        return None
    return _COVERS.get(answer.value)


def _canonical(schema: JsonSchema) -> jsonschema_rs.CanonicalSchema:
    # Any: a schema is plain JSON.
    bundled: Any = jsonschema_rs.canonical.schema.clone(schema.bundled())
    for _, part in iter_subschemas(bundled):
        # Number formats have been converted to bounds.
        if not schema.validators.asserts_formats or part.get("format") in NUMBER_FORMATS:
            part.pop("format", None)
    return jsonschema_rs.canonicalize(
        bundled, validate_formats=True, pattern_options=jsonschema_rs.RegexOptions(), offline=True
    )


# -- security -------------------------------------------------------------------------------------

#: Alternative requirements, and the schemes that they name.
_Security = tuple[tuple[RequirementDescription, ...], Mapping[str, SchemeDescription]]
#: Credentials required together: the scheme of each, and its scopes.
_Credentials = Mapping[tuple[str | None, ...], frozenset[str]]


def _requires_more(before: _Security, after: _Security) -> bool:
    """Return whether credentials that were sufficient may no longer be."""
    old, new = _alternatives(before), _alternatives(after)
    return not all(any(_satisfies(given, required) for required in new) for given in old)


def _alternatives(security: _Security) -> list[_Credentials]:
    requirements, schemes = security
    # Without requirements there is one alternative that requires no credentials.
    return [
        {_identity(schemes[name]): frozenset(scopes) for name, scopes in requirement}
        for requirement in requirements or ((),)
    ]


def _identity(scheme: SchemeDescription) -> tuple[str | None, ...]:
    return scheme.name, scheme.kind, scheme.place, scheme.parameter, scheme.scheme


def _satisfies(given: _Credentials, required: _Credentials) -> bool:
    return all(
        identity in given and scopes <= given[identity] for identity, scopes in required.items()
    )

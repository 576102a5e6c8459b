"""What one document accepts and another does not: requests that would be refused from now on."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from mantlet.guard.jsonschema import accepts_all
from mantlet.guard.openapi.comparing_security import asks_more
from mantlet.guard.openapi.document import Document
from mantlet.guard.openapi.locations import Located
from mantlet.guard.openapi.model import (
    BodyDescription,
    EncodingDescription,
    MediaDescription,
    OperationDescription,
    ParameterDescription,
)
from mantlet.guard.openapi.paths import names_in
from mantlet.guard.openapi.schema_registry import Parts
from mantlet.http.media_types import read_media_type

__all__ = ["narrower"]

_NAME: Final = re.compile(r"\{[^{}:]+(:path)?\}")
_FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


def narrower(
    old: Document, old_parts: Parts, new: Document, new_parts: Parts, *, servers: bool
) -> Iterator[str]:
    """Yield what the old document accepts and the new one does not, or may not.

    Each begins with the name of the operation. Where two schemas can't be compared that is said
    too; where nothing is yielded, every request that the old one accepts the new one does.

    Args:
        old: the old document.
        old_parts: its schemas.
        new: the new document.
        new_parts: its schemas.
        servers: whether paths begin with those of the servers.
    """
    now = {(one.method, _shape(one.template)): one for one in new.operations}
    known = {_shape(one.template) for one in old.operations}
    added = {one.template for one in new.operations if _shape(one.template) not in known}
    for before in old.operations:
        name = f"{before.method} {before.template}"
        after = now.get((before.method, _shape(before.template)))
        if after is None:
            yield f"{name} is gone"
            continue
        comparison = _Comparison(old_parts, new_parts)
        if servers and set(before.base_paths) - set(after.base_paths):
            yield f"{name}: some of the servers' paths are gone"
        if asks_more((before.security, old.schemes), (after.security, new.schemes)):
            yield f"{name}: requires other credentials"
        for words in comparison.operation(before, after):
            yield f"{name}: {words}"
        for template in sorted(added):
            if _takes_from(template, before.template):
                yield f"{name}: some of its paths are those of {template!r} now"


def _shape(template: str) -> str:
    """Return a template without the names of its parameters."""
    return _NAME.sub(r"{\1}", template)


def _takes_from(new: str, old: str) -> bool:
    """Return whether a template is a more specific one of another one's paths."""
    segments, others = new.split("/"), _shape(old).split("/")
    return len(segments) == len(others) and all(
        segment == other or (other == "{}" and _shape(segment) != "{}") or _shape(segment) == other
        for segment, other in zip(segments, others, strict=True)
    )


class _Comparison:
    """Compares two operations, the new one by what the old one accepts."""

    def __init__(self, old: Parts, new: Parts) -> None:
        self._old = old
        self._new = new

    def operation(self, before: OperationDescription, after: OperationDescription) -> Iterator[str]:
        names = dict(zip(names_in(before.template), names_in(after.template), strict=False))
        has = {(one.place, one.name): one for one in after.parameters}
        known = set()
        for parameter in before.parameters:
            place, name = parameter.place, parameter.name
            key = (place, names.get(name, name) if place == "path" else name)
            known.add(key)
            yield from self._parameter(parameter, has.get(key))
        for key, parameter in has.items():
            if key not in known:
                yield from self._added(parameter)
        yield from self._body(before.body, after.body)

    def _added(self, parameter: ParameterDescription) -> Iterator[str]:
        what = f"the {parameter.place} parameter {parameter.name!r}"
        if parameter.required:
            yield f"requires {what}"
        elif parameter.place in ("header", "cookie"):
            # One that is not declared passes, whatever it is.
            yield f"{what} is checked now"

    def _parameter(
        self, before: ParameterDescription, after: ParameterDescription | None
    ) -> Iterator[str]:
        what = f"the {before.place} parameter {before.name!r}"
        if after is None:
            # Header fields and cookies that are not declared pass.
            if before.place in ("query", "querystring", "path"):
                yield f"{what} is gone"
            return
        if after.required and not before.required:
            yield f"{what} is required now"
        ways = [(one.style, one.explode, one.content) for one in (before, after)]
        if ways[0] != ways[1]:
            yield f"{what} is written in another way"
        elif (before.allow_empty and not after.allow_empty) or (
            before.allow_reserved and not after.allow_reserved
        ):
            yield f"{what} may not be empty, or have reserved characters, any more"
        yield from self._schema(what, before.schema, after.schema)

    def _body(self, before: BodyDescription | None, after: BodyDescription | None) -> Iterator[str]:
        if before is None or after is None:
            if before is not None:
                yield "the body is gone"
            elif after is not None and after.required:
                yield "requires a body"
            return
        if after.required and not before.required:
            yield "the body is required now"
        was, has = _by_kind(before), _by_kind(after)
        for kind, media in was.items():
            found = _covering(kind, has)
            if found is None:
                yield f"the body may not be {kind} any more"
            else:
                yield from self._media(kind, media, found)
        for kind, media in has.items():
            # One of a range that has a schema of its own now.
            old = None if kind in was else _covering(kind, was)
            if old is not None:
                yield from self._media(kind, old, media)

    def _media(self, kind: str, before: MediaDescription, after: MediaDescription) -> Iterator[str]:
        what = f"the body as {kind}"
        if kind in _FORMS and _ways(before.encoding) != _ways(after.encoding):
            yield f"{what} is written in another way"
        read = read_media_type(kind)
        if kind in _FORMS or "*" in kind or (read is not None and read.is_json):
            yield from self._schema(what, before.schema, after.schema)
        yield from self._schema(f"an item of {what}", before.item_schema, after.item_schema)

    def _schema(self, what: str, before: Located | None, after: Located | None) -> Iterator[str]:
        if after is None:
            return
        old = self._old.anything("") if before is None else self._old.schema(before)
        new = self._new.schema(after)
        if old is None or new is None:
            return
        accepted = accepts_all(old, new)
        if accepted is False:
            yield f"{what} accepts less"
        elif accepted is None:
            yield f"{what} may accept less: its schemas can't be compared"


def _by_kind(body: BodyDescription) -> Mapping[str, MediaDescription]:
    read = [(read_media_type(media.media), media) for media in body.content]
    return {kind.kind: media for kind, media in read if kind is not None}


def _covering(kind: str, content: Mapping[str, MediaDescription]) -> MediaDescription | None:
    """Return what a body of a media type, or range of them, is read as."""
    for declared in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if declared in content:
            return content[declared]
    return None


def _ways(encoding: Mapping[str, EncodingDescription]) -> object:
    """Return how the fields of a form are written."""
    return {
        name: (one.content_types, one.style, one.explode, one.allow_reserved)
        for name, one in encoding.items()
    }

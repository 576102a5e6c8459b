"""What the specification asks of a Parameter Object and a Header Object."""

from collections.abc import Mapping
from typing import Final

from mantlet.guard.openapi.content_rules import content_faults
from mantlet.guard.openapi.subject import Found, Subject

__all__ = ["header_faults", "parameter_faults"]

#: The styles of each place, the default first, and the version that each is from.
_STYLES: Final[Mapping[str, Mapping[str, str]]] = {
    "path": {"simple": "3.0", "label": "3.0", "matrix": "3.0"},
    "query": {"form": "3.0", "spaceDelimited": "3.0", "pipeDelimited": "3.0", "deepObject": "3.0"},
    "header": {"simple": "3.0"},
    "cookie": {"form": "3.0", "cookie": "3.2"},
    "querystring": {},
}
#: The types of values that the table of style values has no dash for ("Style Examples").
_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "spaceDelimited": ("array", "object"),
    "pipeDelimited": ("array", "object"),
    "deepObject": ("object",),
}
#: Fields that only go with a schema.
_OF_SCHEMAS: Final = ("style", "explode", "allowReserved")


def parameter_faults(subject: Subject) -> Found:
    """Yield what is wrong with a Parameter Object."""
    value, version = subject
    place = value.get("in")
    if value.get("name") == "":
        yield ("name",), "must not be empty"
    places = [known for known in _STYLES if known != "querystring" or version >= "3.2"]
    if place not in places:
        if "in" in value:
            yield ("in",), f"must be one of {', '.join(places)}, not {place!r}"
        return
    if place == "path" and value.get("required") is not True:
        yield (), "must have required: true, being in the path"
    if "allowEmptyValue" in value and place != "query":
        yield ("allowEmptyValue",), "is for the query only"
    yield from _value_faults(subject)
    if place == "querystring":
        if "schema" in value:
            yield ("schema",), "must be 'content' for a querystring"
    elif "schema" in value:
        yield from _style_faults(subject, place)


def header_faults(subject: Subject) -> Found:
    """Yield what is wrong with a Header Object."""
    yield from _value_faults(subject)
    if subject.value.get("style", "simple") != "simple":
        yield ("style",), "must be simple for a header"


def _value_faults(subject: Subject) -> Found:
    value = subject.value
    content = value.get("content")
    yield from content_faults(subject)
    if "schema" in value:
        if "content" in value:
            yield (), "must not have both 'schema' and 'content'"
    elif "content" not in value:
        yield (), "must have either 'schema' or 'content'"
    elif isinstance(content, dict):
        if len(content) != 1:
            yield ("content",), "must have exactly one media type"
        for field in _OF_SCHEMAS:
            if field in value:
                yield (field,), "does not go with 'content'"


def _style_faults(subject: Subject, place: str) -> Found:
    value, version = subject
    styles = [style for style, since in _STYLES[place].items() if since <= version]
    style, explode = value.get("style", styles[0]), value.get("explode")
    if style not in styles:
        yield ("style",), f"must be one of {', '.join(styles)} in the {place}, not {style!r}"
        return
    schema = value["schema"]
    kind = schema.get("type") if isinstance(schema, dict) else None
    types = _TYPES.get(style)
    if types is not None and isinstance(kind, str) and kind not in types:
        yield (
            ("style",),
            f"has no meaning for the type {kind!r}: {style} is of {'s, '.join(types)}s",
        )
    if style == "deepObject" and explode is False:
        yield ("explode",), "has no meaning for deepObject when false"
    if style.endswith("Delimited") and explode is True:
        yield ("explode",), f"has no meaning for {style} when true"

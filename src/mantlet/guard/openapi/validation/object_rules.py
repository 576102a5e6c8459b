"""Rules of the OpenAPI specification for single objects, beyond the types of their fields.

A violation is a fault, or only a `Note` if the meaning is plain or no request can meet it. Where
the meaning is plain, the object is repaired, so that readers need not know of the violation.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from mantlet.guard.openapi.validation.object_types import FIXED_METHODS
from mantlet.http.headers import is_token
from mantlet.http.media_types import read_media_type

__all__ = ["OBJECT_RULES", "Note", "SpecObject", "Violations"]


class Note(NamedTuple):
    """A violation that changes nothing: the path from the object, and a message."""

    path: tuple[str | int, ...]
    message: str


#: Violations of a rule: the path from the object, and a message about the value there.
Violations = Iterator[tuple[tuple[str | int, ...], str] | Note]


class SpecObject(NamedTuple):
    """An object of a document, and the document's version of OpenAPI.

    The types of its fields are checked elsewhere, and may be wrong.
    """

    value: dict[str, Any]  # plain JSON
    version: str


_NAME: Final = re.compile(r"[a-zA-Z0-9._-]+")
_STATUS: Final = re.compile(r"default|[1-5](?:[0-9]{2}|XX)")
_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_FORM_STYLES: Final = ("form", "spaceDelimited", "pipeDelimited", "deepObject")
_DIALECTS: Final = (
    "https://spec.openapis.org/oas/3.1/dialect/",
    "https://spec.openapis.org/oas/3.2/dialect/",
    "https://json-schema.org/draft/2020-12/schema",
)
#: The required fields of each type of security scheme, and the version that introduced the type.
_SCHEMES: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "apiKey": (("name", "in"), "3.0"),
    "http": (("scheme",), "3.0"),
    "mutualTLS": ((), "3.1"),
    "oauth2": (("flows",), "3.0"),
    "openIdConnect": (("openIdConnectUrl",), "3.0"),
}
#: Fields of security schemes that tell clients where to get a token, which no request shows.
_INERT_FIELDS: Final = frozenset({"flows", "openIdConnectUrl"})
_FLOWS: Final[Mapping[str, tuple[str, ...]]] = {
    "implicit": ("authorizationUrl",),
    "password": ("tokenUrl",),
    "clientCredentials": ("tokenUrl",),
    "authorizationCode": ("authorizationUrl", "tokenUrl"),
    "deviceAuthorization": ("deviceAuthorizationUrl", "tokenUrl"),
}


def _check_document(subject: SpecObject) -> Violations:
    value, version = subject
    if version == "3.0":
        if "paths" not in value:
            yield (), "must have 'paths' (OpenAPI Object)"
    elif not value.keys() & {"paths", "components", "webhooks"}:
        yield (), "must have 'paths', 'components' or 'webhooks' (OpenAPI Object)"
    dialect = value.get("jsonSchemaDialect")
    if version > "3.0" and isinstance(dialect, str) and not dialect.startswith(_DIALECTS):
        message = "must be OpenAPI's dialect or JSON Schema 2020-12: no others are supported"
        yield ("jsonSchemaDialect",), message


def _check_components(subject: SpecObject) -> Violations:
    for kind, named in subject.value.items():
        if isinstance(named, dict) and not kind.startswith("x-"):
            for name in named:
                if not _NAME.fullmatch(name):
                    message = "must be named with letters, digits, dots, underscores and hyphens"
                    yield Note((kind, name), message)


def _check_server(subject: SpecObject) -> Violations:
    url, variables = subject.value.get("url"), subject.value.get("variables", {})
    if not isinstance(url, str) or not isinstance(variables, dict):
        return
    if "?" in url or "#" in url:
        yield ("url",), "must have no query or fragment"
    for name in _VARIABLE.findall(url):
        if name not in variables:
            yield ("url",), f"uses the undefined variable {name!r}"


def _check_server_variable(subject: SpecObject) -> Violations:
    values = subject.value.get("enum")
    if isinstance(values, list) and subject.value.get("default") not in values:
        yield ("default",), "must be in the enum, which must not be empty"


def _check_path_item(subject: SpecObject) -> Violations:
    methods = subject.value.get("additionalOperations")
    for method in methods if isinstance(methods, dict) else ():
        if not is_token(method):
            yield ("additionalOperations", method), "must be a method (RFC 9110, 9.1)"
        elif method.lower() in FIXED_METHODS:
            message = f"must not be a method that has the field {method.lower()!r}"
            yield ("additionalOperations", method), message


def _check_operation(subject: SpecObject) -> Violations:
    if subject.version == "3.0" and "responses" not in subject.value:
        yield Note((), "must have 'responses' (Operation Object)")


def _check_responses(subject: SpecObject) -> Violations:
    statuses = [status for status in subject.value if not status.startswith("x-")]
    for status in statuses:
        if not _STATUS.fullmatch(status):
            yield (status,), 'must be a status such as "200", "2XX" or "default"'
    if not statuses:
        yield Note((), "must have at least one response")


def _check_response(subject: SpecObject) -> Violations:
    if subject.version < "3.2" and "description" not in subject.value:
        yield Note((), "must have 'description' (Response Object)")
    yield from _check_content(subject)


def _check_content(subject: SpecObject) -> Violations:
    """Check the media types of an object with ``content``."""
    content = subject.value.get("content")
    known: dict[Any, str] = {}
    for name in content if isinstance(content, dict) else ():
        media = read_media_type(name)
        if media is None or (media.kind.startswith("*/") and media.kind != "*/*"):
            yield ("content", name), "must be a media type or range (RFC 9110, 8.3.1 and 12.5.1)"
            continue
        other = known.setdefault((media.kind, frozenset(media.parameters)), name)
        if other != name:
            yield Note(("content", name), f"must not be the same media type as {other!r}")


def _check_media_type(subject: SpecObject) -> Violations:
    if "encoding" in subject.value and subject.value.keys() & {"prefixEncoding", "itemEncoding"}:
        yield (), "must not have 'encoding' together with 'prefixEncoding' or 'itemEncoding'"


def _check_encoding(subject: SpecObject) -> Violations:
    yield from _check_media_type(subject)
    style, types = subject.value.get("style", "form"), subject.value.get("contentType")
    if style not in _FORM_STYLES:
        yield ("style",), f"must be one of {', '.join(_FORM_STYLES)}"
    if isinstance(types, str) and None in map(read_media_type, types.split(",")):
        yield ("contentType",), "must be a media type, or a comma-separated list of them"


def _check_security_scheme(subject: SpecObject) -> Violations:
    value, version = subject
    kind = value.get("type")
    known = {name: fields for name, (fields, since) in _SCHEMES.items() if since <= version}
    if not isinstance(kind, str) or kind not in known:
        yield ("type",), f"must be one of {', '.join(known)}"
        return
    for field in known[kind]:
        if field not in value:
            message = f"must have {field!r} (Security Scheme Object of type {kind})"
            yield Note((), message) if field in _INERT_FIELDS else ((), message)
    if kind == "apiKey" and value.get("in") not in ("query", "header", "cookie"):
        yield ("in",), "must be query, header or cookie"


def _check_oauth_flows(subject: SpecObject) -> Violations:
    for name, flow in subject.value.items():
        for field in _FLOWS.get(name, ()):
            if isinstance(flow, dict) and field not in flow:
                yield Note((name,), f"must have {field!r} (OAuth Flow Object)")


# -- parameters and headers -----------------------------------------------------------------------

#: The styles of each place, the default first, and the version that introduced each.
_STYLES: Final[Mapping[str, Mapping[str, str]]] = {
    "path": {"simple": "3.0", "label": "3.0", "matrix": "3.0"},
    "query": {"form": "3.0", "spaceDelimited": "3.0", "pipeDelimited": "3.0", "deepObject": "3.0"},
    "header": {"simple": "3.0"},
    "cookie": {"form": "3.0", "cookie": "3.2"},
    "querystring": {},
}
#: The types of values that a style can serialize, if not all ("Style Examples").
_STYLE_TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "spaceDelimited": ("array", "object"),
    "pipeDelimited": ("array", "object"),
    "deepObject": ("object", "array"),  # by its clients' convention: a[]=1 and a[0]=1
}
#: Keywords of a schema that a parameter of Swagger 2.0 has itself.
_SWAGGER_KEYWORDS: Final = (
    "type",
    "format",
    "items",
    "enum",
    "default",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "uniqueItems",
    "multipleOf",
)
#: Types whose values all styles without a prefix serialize alike.
_SCALAR_TYPES: Final = frozenset({"string", "integer", "number", "boolean"})
_PLAIN_STYLES: Final = frozenset(
    {"simple", "form", "spaceDelimited", "pipeDelimited", "deepObject"}
)
#: Fields that require 'schema'.
_SCHEMA_FIELDS: Final = ("style", "explode", "allowReserved")


def _check_parameter(subject: SpecObject) -> Violations:
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
        value["required"] = True
        yield Note((), "must have required: true, like all path parameters, and is read so")
    if "allowEmptyValue" in value and place != "query":
        del value["allowEmptyValue"]
        yield Note(("allowEmptyValue",), "is only allowed for query parameters, so it is ignored")
    yield from _check_schema_or_content(subject)
    if place == "querystring":
        if "schema" in value:
            yield ("schema",), "must be 'content' for a querystring parameter"
    elif "schema" in value:
        yield from _check_style(subject, place)


def _check_header(subject: SpecObject) -> Violations:
    yield from _check_schema_or_content(subject)
    if subject.value.get("style", "simple") != "simple":
        del subject.value["style"]
        yield Note(("style",), "must be simple for a header, and is read so")


def _check_schema_or_content(subject: SpecObject) -> Violations:
    value = subject.value
    content = value.get("content")
    yield from _check_content(subject)
    if "schema" in value:
        if "content" in value:
            yield (), "must not have both 'schema' and 'content'"
    elif "content" not in value:
        yield from _check_missing_schema(subject)
    elif isinstance(content, dict):
        if len(content) != 1:
            yield ("content",), "must have exactly one media type"
        for field in _SCHEMA_FIELDS:
            if value.pop(field, None) is not None:
                yield Note((field,), "must not be combined with 'content', so it is ignored")


def _check_missing_schema(subject: SpecObject) -> Violations:
    """Read the keywords of Swagger 2.0 beside the name of a parameter; else any text is valid."""
    value = subject.value
    schema = {name: value.pop(name) for name in _SWAGGER_KEYWORDS if name in value}
    if schema:
        value["schema"] = schema
        yield Note((), f"must have {', '.join(map(repr, schema))} in 'schema', and is read so")
    else:
        yield Note((), "must have either 'schema' or 'content': any text is accepted")


def _check_style(subject: SpecObject, place: str) -> Violations:
    value, version = subject
    styles = [style for style, since in _STYLES[place].items() if since <= version]
    style, explode = value.get("style", styles[0]), value.get("explode")
    schema = value["schema"]
    kind = schema.get("type") if isinstance(schema, dict) else None
    types = _STYLE_TYPES.get(style) if isinstance(style, str) else None
    message = ""
    if style not in styles:
        message = f"must be one of {', '.join(styles)} in the {place}, not {style!r}"
    elif types is not None and isinstance(kind, str) and kind not in types:
        allowed = " and ".join(f"{one}s" for one in types)
        message = f"{style} is only defined for {allowed}, not for the type {kind!r}"
    if message and kind in _SCALAR_TYPES and style in _PLAIN_STYLES:
        del value["style"]
        yield Note(("style",), f"{message}: the value is read as it is")
    elif message:
        yield ("style",), message
    elif style == "deepObject" and explode is False:
        del value["explode"]
        yield Note(("explode",), "must not be false with deepObject, and is read as true")
    elif style.endswith("Delimited") and explode is True:
        yield ("explode",), f"must not be true with {style}"


#: The rules for each type of object; the keys are those of `OBJECT_TYPES`.
OBJECT_RULES: Final[Mapping[str, Callable[[SpecObject], Violations]]] = {
    "document": _check_document,
    "components": _check_components,
    "server": _check_server,
    "variable": _check_server_variable,
    "item": _check_path_item,
    "operation": _check_operation,
    "responses": _check_responses,
    "response": _check_response,
    "body": _check_content,
    "media": _check_media_type,
    "encoding": _check_encoding,
    "parameter": _check_parameter,
    "header": _check_header,
    "scheme": _check_security_scheme,
    "flows": _check_oauth_flows,
}

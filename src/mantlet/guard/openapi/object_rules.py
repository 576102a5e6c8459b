"""What the specification asks of single objects beyond the kinds of their fields."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from mantlet.guard.openapi.content_rules import content_faults
from mantlet.guard.openapi.object_types import FIXED_METHODS
from mantlet.guard.openapi.parameter_rules import header_faults, parameter_faults
from mantlet.guard.openapi.subject import Found, Subject
from mantlet.http.headers import is_token
from mantlet.http.media_types import read_media_type

__all__ = ["RULES"]

_NAME: Final = re.compile(r"[a-zA-Z0-9._-]+")
_STATUS: Final = re.compile(r"default|[1-5](?:[0-9]{2}|XX)")
_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_FORM_STYLES: Final = ("form", "spaceDelimited", "pipeDelimited", "deepObject")
_DIALECTS: Final = (
    "https://spec.openapis.org/oas/3.1/dialect/",
    "https://spec.openapis.org/oas/3.2/dialect/",
    "https://json-schema.org/draft/2020-12/schema",
)
#: What a security scheme of each type must have, and the version that the type is from.
_SCHEMES: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "apiKey": (("name", "in"), "3.0"),
    "http": (("scheme",), "3.0"),
    "mutualTLS": ((), "3.1"),
    "oauth2": (("flows",), "3.0"),
    "openIdConnect": (("openIdConnectUrl",), "3.0"),
}
_FLOWS: Final[Mapping[str, tuple[str, ...]]] = {
    "implicit": ("authorizationUrl",),
    "password": ("tokenUrl",),
    "clientCredentials": ("tokenUrl",),
    "authorizationCode": ("authorizationUrl", "tokenUrl"),
    "deviceAuthorization": ("deviceAuthorizationUrl", "tokenUrl"),
}


def _document(subject: Subject) -> Found:
    value, version = subject
    if version == "3.0":
        if "paths" not in value:
            yield (), "must have 'paths' (OpenAPI Object)"
    elif not value.keys() & {"paths", "components", "webhooks"}:
        yield (), "must have 'paths', 'components' or 'webhooks' (OpenAPI Object)"
    dialect = value.get("jsonSchemaDialect")
    if isinstance(dialect, str) and not dialect.startswith(_DIALECTS):
        words = "must be OpenAPI's own dialect or JSON Schema 2020-12: no other is known"
        yield ("jsonSchemaDialect",), words


def _components(subject: Subject) -> Found:
    for kind, named in subject.value.items():
        if isinstance(named, dict) and not kind.startswith("x-"):
            for name in named:
                if not _NAME.fullmatch(name):
                    words = "must be named with letters, digits, dots, underscores and hyphens"
                    yield (kind, name), words


def _server(subject: Subject) -> Found:
    url, variables = subject.value.get("url"), subject.value.get("variables", {})
    if not isinstance(url, str) or not isinstance(variables, dict):
        return
    if "?" in url or "#" in url:
        yield ("url",), "must have no query and no fragment"
    for name in _VARIABLE.findall(url):
        if name not in variables:
            yield ("url",), f"has the variable {name!r}, which is not defined"


def _variable(subject: Subject) -> Found:
    values = subject.value.get("enum")
    if isinstance(values, list) and subject.value.get("default") not in values:
        yield ("default",), "must be one of the enum, which must not be empty"


def _item(subject: Subject) -> Found:
    methods = subject.value.get("additionalOperations")
    for method in methods if isinstance(methods, dict) else ():
        if not is_token(method):
            yield ("additionalOperations", method), "is no method (RFC 9110, 9.1)"
        elif method.lower() in FIXED_METHODS:
            words = f"is the method of the field {method.lower()!r}"
            yield ("additionalOperations", method), words


def _operation(subject: Subject) -> Found:
    if subject.version == "3.0" and "responses" not in subject.value:
        yield (), "must have 'responses' (Operation Object)"


def _responses(subject: Subject) -> Found:
    statuses = [status for status in subject.value if not status.startswith("x-")]
    for status in statuses:
        if not _STATUS.fullmatch(status):
            yield (status,), 'must be a status such as "200", "2XX" or "default"'
    if not statuses:
        yield (), "must have at least one response"


def _response(subject: Subject) -> Found:
    if subject.version < "3.2" and "description" not in subject.value:
        yield (), "must have 'description' (Response Object)"
    yield from content_faults(subject)


def _media(subject: Subject) -> Found:
    if "encoding" in subject.value and subject.value.keys() & {"prefixEncoding", "itemEncoding"}:
        yield (), "must not have 'encoding' beside encodings by position"


def _encoding(subject: Subject) -> Found:
    yield from _media(subject)
    style, types = subject.value.get("style", "form"), subject.value.get("contentType")
    if style not in _FORM_STYLES:
        yield ("style",), f"must be one of {', '.join(_FORM_STYLES)}"
    if isinstance(types, str) and None in map(read_media_type, types.split(",")):
        yield ("contentType",), "must be a media type, or several with commas"


def _scheme(subject: Subject) -> Found:
    value, version = subject
    kind = value.get("type")
    known = {name: fields for name, (fields, since) in _SCHEMES.items() if since <= version}
    if not isinstance(kind, str) or kind not in known:
        yield ("type",), f"must be one of {', '.join(known)}"
        return
    for field in known[kind]:
        if field not in value:
            yield (), f"must have {field!r} (Security Scheme Object of type {kind})"
    if kind == "apiKey" and value.get("in") not in ("query", "header", "cookie"):
        yield ("in",), "must be query, header or cookie"


def _flows(subject: Subject) -> Found:
    for name, flow in subject.value.items():
        for field in _FLOWS.get(name, ()):
            if isinstance(flow, dict) and field not in flow:
                yield (name,), f"must have {field!r} (OAuth Flow Object)"


#: By the kind of object.
RULES: Final[Mapping[str, Callable[[Subject], Found]]] = {
    "document": _document,
    "components": _components,
    "server": _server,
    "variable": _variable,
    "item": _item,
    "operation": _operation,
    "responses": _responses,
    "response": _response,
    "body": content_faults,
    "media": _media,
    "encoding": _encoding,
    "parameter": parameter_faults,
    "header": header_faults,
    "scheme": _scheme,
    "flows": _flows,
}

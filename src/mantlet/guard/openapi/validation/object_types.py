"""The objects of OpenAPI 3.0.4, 3.1.1 and 3.2.0 and their fields, as a table.

A field reads ``name:type``. A type in brackets is an array of that type, in braces an object with
values of that type. After it, ``!`` marks a required field, ``@3.1`` the version that introduced
it, and ``<3.1`` the version that removed it.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

__all__ = ["FIXED_METHODS", "OBJECT_TYPES", "SCALAR_TYPES", "FieldSpec", "ObjectType"]

_FIELD: Final = re.compile(r"([^:]+):([\[{]?)(\w+)[\]}]?(!?)(?:@(3\.\d))?(?:<(3\.\d))?")
_CONTAINERS: Final[Mapping[str, Literal["one", "list", "map"]]] = {
    "": "one",
    "[": "list",
    "{": "map",
}

#: Types of values that are not objects.
SCALAR_TYPES: Final[Mapping[str, type]] = {"text": str, "flag": bool}
#: The methods that a path item has a field for.
FIXED_METHODS: Final = (
    "get",
    "put",
    "post",
    "delete",
    "options",
    "head",
    "patch",
    "trace",
    "query",
)


class FieldSpec(NamedTuple):
    """A fixed field of an object.

    Attributes:
        type_name: the type of the value, or of its items or members: a key of `OBJECT_TYPES`, or
            ``text``, ``flag``, ``any``, ``schema``.
        container: whether the field holds one value, an array or an object of them.
        required: whether the field is required.
        since: the first version that has it.
        until: the first version that no longer has it.
        scalars: the Python type of a scalar field; empty for all others.
    """

    type_name: str
    container: Literal["one", "list", "map"]
    required: bool
    since: str
    until: str
    scalars: tuple[type, ...]


class ObjectType(NamedTuple):
    """A type of object.

    Attributes:
        name: its name in the specification.
        fields: its fixed fields.
        required: the names of required fields.
        patterned: the type of its patterned fields, or None if it has none.
        referable: whether a Reference Object may replace it.
        extensible: whether it may have extensions, fields that begin with ``x-``.
    """

    name: str
    fields: Mapping[str, FieldSpec]
    required: tuple[str, ...]
    patterned: str | None
    referable: bool
    extensible: bool


def _type(
    name: str,
    fields: str = "",
    *,
    patterned: str | None = None,
    referable: bool = False,
    extensible: bool = True,
) -> ObjectType:
    specs = {}
    for text in fields.split():
        match = _FIELD.fullmatch(text)
        if match is None:
            raise ValueError(text)
        field, container, type_name, required, since, until = match.groups()
        specs[field] = FieldSpec(
            type_name,
            _CONTAINERS[container],
            required == "!",
            since or "3.0",
            until or "4",
            (SCALAR_TYPES[type_name],) if type_name in SCALAR_TYPES and not container else (),
        )
    required_fields = tuple(field for field, spec in specs.items() if spec.required)
    return ObjectType(name, specs, required_fields, patterned, referable, extensible)


_OPERATIONS: Final = " ".join(f"{method}:operation" for method in FIXED_METHODS[:-1])
_EXAMPLES: Final = "example:any examples:{example}"

#: Each type of object by a short name.
OBJECT_TYPES: Final[Mapping[str, ObjectType]] = {
    "document": _type(
        "OpenAPI Object",
        "openapi:text! info:info! jsonSchemaDialect:text@3.1 $self:text@3.2 servers:[server] "
        "paths:paths webhooks:{item}@3.1 components:components security:[requirement] tags:[tag] "
        "externalDocs:external",
    ),
    "info": _type(
        "Info Object",
        "title:text! summary:text@3.1 description:text termsOfService:text contact:contact "
        "license:license version:text!",
    ),
    "contact": _type("Contact Object", "name:text url:text email:text"),
    "license": _type("License Object", "name:text! identifier:text@3.1 url:text"),
    "server": _type(
        "Server Object", "url:text! description:text name:text@3.2 variables:{variable}"
    ),
    "variable": _type("Server Variable Object", "enum:[text] default:text! description:text"),
    "components": _type(
        "Components Object",
        "schemas:{schema} responses:{response} parameters:{parameter} examples:{example} "
        "requestBodies:{body} headers:{header} securitySchemes:{scheme} links:{link} "
        "callbacks:{callback} pathItems:{item}@3.1 mediaTypes:{media}@3.2",
    ),
    "paths": _type("Paths Object", patterned="item"),
    "item": _type(
        "Path Item Object",
        f"$ref:text summary:text description:text {_OPERATIONS} query:operation@3.2 "
        "additionalOperations:{operation}@3.2 servers:[server] parameters:[parameter]",
    ),
    "operation": _type(
        "Operation Object",
        "tags:[text] summary:text description:text externalDocs:external operationId:text "
        "parameters:[parameter] requestBody:body responses:responses callbacks:{callback} "
        "deprecated:flag security:[requirement] servers:[server]",
    ),
    "external": _type("External Documentation Object", "description:text url:text!"),
    "parameter": _type(
        "Parameter Object",
        "name:text! in:text! description:text required:flag deprecated:flag allowEmptyValue:flag "
        f"style:text explode:flag allowReserved:flag schema:schema content:{{media}} {_EXAMPLES}",
        referable=True,
    ),
    "body": _type(
        "Request Body Object", "description:text content:{media}! required:flag", referable=True
    ),
    "media": _type(
        "Media Type Object",
        f"schema:schema itemSchema:schema@3.2 {_EXAMPLES} encoding:{{encoding}} "
        "prefixEncoding:[encoding]@3.2 itemEncoding:encoding@3.2 description:text@3.2",
        referable=True,
    ),
    "encoding": _type(
        "Encoding Object",
        "contentType:text headers:{header} style:text explode:flag allowReserved:flag "
        "encoding:{encoding}@3.2 prefixEncoding:[encoding]@3.2 itemEncoding:encoding@3.2",
    ),
    "responses": _type("Responses Object", patterned="response"),
    "response": _type(
        "Response Object",
        "summary:text@3.2 description:text headers:{header} content:{media} links:{link}",
        referable=True,
    ),
    "callback": _type("Callback Object", patterned="item", referable=True),
    "example": _type(
        "Example Object",
        "summary:text description:text value:any externalValue:text dataValue:any@3.2 "
        "serializedValue:text@3.2",
        referable=True,
    ),
    "link": _type(
        "Link Object",
        "operationRef:text operationId:text parameters:{any} requestBody:any description:text "
        "server:server",
        referable=True,
    ),
    "header": _type(
        "Header Object",
        "description:text required:flag deprecated:flag style:text explode:flag "
        # Until 3.0.4 both were allowed by "follows the structure of the Parameter Object".
        "allowEmptyValue:flag<3.1 allowReserved:flag<3.1 "
        f"schema:schema content:{{media}} {_EXAMPLES}",
        referable=True,
    ),
    "tag": _type(
        "Tag Object",
        "name:text! summary:text@3.2 description:text externalDocs:external parent:text@3.2 "
        "kind:text@3.2",
    ),
    "scheme": _type(
        "Security Scheme Object",
        "type:text! description:text name:text in:text scheme:text bearerFormat:text flows:flows "
        "openIdConnectUrl:text oauth2MetadataUrl:text@3.2 deprecated:flag@3.2",
        referable=True,
    ),
    "flows": _type(
        "OAuth Flows Object",
        "implicit:flow password:flow clientCredentials:flow authorizationCode:flow "
        "deviceAuthorization:flow@3.2",
    ),
    "flow": _type(
        "OAuth Flow Object",
        "authorizationUrl:text deviceAuthorizationUrl:text@3.2 tokenUrl:text refreshUrl:text "
        "scopes:{text}!",
    ),
    "requirement": _type("Security Requirement Object", patterned="scopes", extensible=False),
}

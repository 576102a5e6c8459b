"""The objects of OpenAPI 3.0.4, 3.1.1 and 3.2.0 and their fields, as a table.

A field reads ``name:kind``. A kind in brackets is an array of them, in braces an object of them by
any name; ``!`` behind it is required, ``@3.1`` is the version that it is from, and ``<3.1`` the one
that it is no more in.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

__all__ = ["FIXED_METHODS", "KINDS", "SCALARS", "Field", "Kind"]

_FIELD: Final = re.compile(r"([^:]+):([\[{]?)(\w+)[\]}]?(!?)(?:@(3\.\d))?(?:<(3\.\d))?")
_SHAPES: Final[Mapping[str, Literal["one", "list", "map"]]] = {"": "one", "[": "list", "{": "map"}

#: Kinds of values that are no objects.
SCALARS: Final[Mapping[str, type]] = {"text": str, "flag": bool}
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


class Field(NamedTuple):
    """One fixed field of an object.

    Attributes:
        kind: of the value, or of its items or members: a key of `KINDS`, or ``text``, ``flag``,
            ``any``, ``schema``.
        shape: whether there is one, an array or an object of them.
        required: whether the object must have it.
        since: the first version that has it.
        until: the first version that has it no more.
        scalars: the type of a value in which there is nothing further to look at; none if it has
            such.
    """

    kind: str
    shape: Literal["one", "list", "map"]
    required: bool
    since: str
    until: str
    scalars: tuple[type, ...]


class Kind(NamedTuple):
    """A kind of object.

    Attributes:
        name: what the specification calls it.
        fields: its fixed fields.
        required: those that it must have.
        patterned: the kind of what stands under other names, or None if there is none.
        referable: whether a Reference Object may take its place.
        extensible: whether it may have fields that begin with ``x-``.
    """

    name: str
    fields: Mapping[str, Field]
    required: tuple[str, ...]
    patterned: str | None
    referable: bool
    extensible: bool


def _kind(
    name: str,
    fields: str = "",
    *,
    patterned: str | None = None,
    referable: bool = False,
    extensible: bool = True,
) -> Kind:
    made = {}
    for text in fields.split():
        read = _FIELD.fullmatch(text)
        if read is None:
            raise ValueError(text)
        field, shape, kind, required, since, until = read.groups()
        made[field] = Field(
            kind,
            _SHAPES[shape],
            required == "!",
            since or "3.0",
            until or "4",
            (SCALARS[kind],) if kind in SCALARS and not shape else (),
        )
    import_extra = tuple(field for field in made if made[field].required)
    return Kind(name, made, import_extra, patterned, referable, extensible)


_OPERATIONS: Final = " ".join(f"{method}:operation" for method in FIXED_METHODS[:-1])
_EXAMPLES: Final = "example:any examples:{example}"

#: Each kind of object by a name of our own.
KINDS: Final[Mapping[str, Kind]] = {
    "document": _kind(
        "OpenAPI Object",
        "openapi:text! info:info! jsonSchemaDialect:text@3.1 $self:text@3.2 servers:[server] "
        "paths:paths webhooks:{item}@3.1 components:components security:[requirement] tags:[tag] "
        "externalDocs:external",
    ),
    "info": _kind(
        "Info Object",
        "title:text! summary:text@3.1 description:text termsOfService:text contact:contact "
        "license:license version:text!",
    ),
    "contact": _kind("Contact Object", "name:text url:text email:text"),
    "license": _kind("License Object", "name:text! identifier:text@3.1 url:text"),
    "server": _kind(
        "Server Object", "url:text! description:text name:text@3.2 variables:{variable}"
    ),
    "variable": _kind("Server Variable Object", "enum:[text] default:text! description:text"),
    "components": _kind(
        "Components Object",
        "schemas:{schema} responses:{response} parameters:{parameter} examples:{example} "
        "requestBodies:{body} headers:{header} securitySchemes:{scheme} links:{link} "
        "callbacks:{callback} pathItems:{item}@3.1 mediaTypes:{media}@3.2",
    ),
    "paths": _kind("Paths Object", patterned="item"),
    "item": _kind(
        "Path Item Object",
        f"$ref:text summary:text description:text {_OPERATIONS} query:operation@3.2 "
        "additionalOperations:{operation}@3.2 servers:[server] parameters:[parameter]",
    ),
    "operation": _kind(
        "Operation Object",
        "tags:[text] summary:text description:text externalDocs:external operationId:text "
        "parameters:[parameter] requestBody:body responses:responses callbacks:{callback} "
        "deprecated:flag security:[requirement] servers:[server]",
    ),
    "external": _kind("External Documentation Object", "description:text url:text!"),
    "parameter": _kind(
        "Parameter Object",
        "name:text! in:text! description:text required:flag deprecated:flag allowEmptyValue:flag "
        f"style:text explode:flag allowReserved:flag schema:schema content:{{media}} {_EXAMPLES}",
        referable=True,
    ),
    "body": _kind(
        "Request Body Object", "description:text content:{media}! required:flag", referable=True
    ),
    "media": _kind(
        "Media Type Object",
        f"schema:schema itemSchema:schema@3.2 {_EXAMPLES} encoding:{{encoding}} "
        "prefixEncoding:[encoding]@3.2 itemEncoding:encoding@3.2 description:text@3.2",
        referable=True,
    ),
    "encoding": _kind(
        "Encoding Object",
        "contentType:text headers:{header} style:text explode:flag allowReserved:flag "
        "encoding:{encoding}@3.2 prefixEncoding:[encoding]@3.2 itemEncoding:encoding@3.2",
    ),
    "responses": _kind("Responses Object", patterned="response"),
    "response": _kind(
        "Response Object",
        "summary:text@3.2 description:text headers:{header} content:{media} links:{link}",
        referable=True,
    ),
    "callback": _kind("Callback Object", patterned="item", referable=True),
    "example": _kind(
        "Example Object",
        "summary:text description:text value:any externalValue:text dataValue:any@3.2 "
        "serializedValue:text@3.2",
        referable=True,
    ),
    "link": _kind(
        "Link Object",
        "operationRef:text operationId:text parameters:{any} requestBody:any description:text "
        "server:server",
        referable=True,
    ),
    "header": _kind(
        "Header Object",
        "description:text required:flag deprecated:flag style:text explode:flag "
        # Both were allowed by "follows the structure of the Parameter Object" until 3.0.4.
        "allowEmptyValue:flag<3.1 allowReserved:flag<3.1 "
        f"schema:schema content:{{media}} {_EXAMPLES}",
        referable=True,
    ),
    "tag": _kind(
        "Tag Object",
        "name:text! summary:text@3.2 description:text externalDocs:external parent:text@3.2 "
        "kind:text@3.2",
    ),
    "scheme": _kind(
        "Security Scheme Object",
        "type:text! description:text name:text in:text scheme:text bearerFormat:text flows:flows "
        "openIdConnectUrl:text oauth2MetadataUrl:text@3.2 deprecated:flag@3.2",
        referable=True,
    ),
    "flows": _kind(
        "OAuth Flows Object",
        "implicit:flow password:flow clientCredentials:flow authorizationCode:flow "
        "deviceAuthorization:flow@3.2",
    ),
    "flow": _kind(
        "OAuth Flow Object",
        "authorizationUrl:text deviceAuthorizationUrl:text@3.2 tokenUrl:text refreshUrl:text "
        "scopes:{text}!",
    ),
    "requirement": _kind("Security Requirement Object", patterned="scopes", extensible=False),
}

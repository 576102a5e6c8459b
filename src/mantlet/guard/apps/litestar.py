"""Correct the document of a Litestar app where the app accepts more than Litestar documents.

- A parameter that may be null is documented as required, and Litestar takes a request without it.
- A form of one upload, ``data: UploadFile``, or of several ones is documented as an object with the
  field ``file`` or ``files``, and Litestar takes files of any names.
- A union is documented as ``oneOf``, which refuses the number 1 for ``int | float``, since it is
  both. Litestar takes the first choice that fits, which is ``anyOf``.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["BOOLEANS", "adapt_document"]

#: The texts of booleans outside of JSON, which msgspec reads.
BOOLEANS: Final = {
    **dict.fromkeys(("true", "True", "TRUE", "1"), True),
    **dict.fromkeys(("false", "False", "FALSE", "0"), False),
}
#: Members that are values, not schemas.
_VALUES: Final = frozenset({"const", "default", "enum", "example", "examples"})
_MULTIPART: Final = "multipart/form-data"
_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch", "query"})


# Any: the JSON of a document.
def adapt_document(root: dict[str, Any]) -> None:
    """Change a document in place.

    Args:
        root: the document, as Litestar generates it.
    """
    for operation in _operations(root):
        for parameter in operation.get("parameters", ()):
            if parameter.get("in") != "path" and _takes_null(parameter.get("schema")):
                parameter["required"] = False
        form = operation.get("requestBody", {}).get("content", {}).get(_MULTIPART, {})
        if "schema" in form:
            form["schema"] = _nameless(form["schema"])
    _open_unions(root)


def _operations(root: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for item in root.get("paths", {}).values():
        yield from (operation for method, operation in item.items() if method in _METHODS)


def _takes_null(schema: Any) -> bool:
    if schema == {}:
        return True
    choices = schema.get("oneOf", ()) if isinstance(schema, dict) else ()
    if isinstance(schema, dict) and "null" in schema.get("type", ()):
        return True
    return any(choice in ({}, {"type": "null"}) for choice in choices)


def _open_unions(value: Any) -> None:
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict):
            if isinstance(value.get("oneOf"), list) and not value.keys() & {
                "anyOf",
                "discriminator",
            }:
                value["anyOf"] = value.pop("oneOf")
            pending += (one for name, one in value.items() if name not in _VALUES)


def _nameless(schema: Any) -> Any:
    """Return the schema of files of any names for that of the field that stands for them."""
    if not isinstance(schema, dict):
        return schema
    if "oneOf" in schema:
        return {**schema, "oneOf": [_nameless(choice) for choice in schema["oneOf"]]}
    properties = schema.get("properties", {})
    # A class of the app with such a field is a reference.
    if schema.keys() == {"properties", "type"} and properties.keys() <= {"file", "files"}:
        return next(iter(properties.values()), schema)
    return schema

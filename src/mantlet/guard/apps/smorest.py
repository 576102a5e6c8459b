"""Correct the document of a flask-smorest ``Api`` where apispec documents it wrongly.

A view with arguments of two kinds in its body, ``location="form"`` and ``location="files"``, is
documented with one of them as the body, and with the other one as ``formData`` parameters, which
OpenAPI 3 does not have. Together they are a multipart form.
"""

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["BOOLEANS", "adapt_document"]

#: The texts of marshmallow's booleans (``Boolean.truthy``, ``Boolean.falsy``).
BOOLEANS: Final = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE", "on", "On", "ON", "1"), True),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES"), True),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE", "off", "Off", "OFF", "0"), False),
    **dict.fromkeys(("n", "N", "no", "No", "NO"), False),
}
_REFERENCE: Final = "#/components/schemas/"


# Any: the JSON of a document.
def adapt_document(root: dict[str, Any]) -> dict[str, Any]:
    """Return a document with the parameters of forms in the forms' schemas.

    Args:
        root: the document, as apispec generates it; it stays as it is.
    """
    paths = {
        path: {method: _adapt(one, root) for method, one in item.items()}
        for path, item in root.get("paths", {}).items()
    }
    return {**root, "paths": paths}


def _adapt(operation: Any, root: Mapping[str, Any]) -> Any:
    if not isinstance(operation, dict):
        return operation
    parameters = operation.get("parameters", ())
    fields = [one for one in parameters if one.get("in") == "formData"]
    if not fields:
        return operation
    content = operation.get("requestBody", {}).get("content", {})
    declared = next((media.get("schema") for media in content.values()), None) or {"type": "object"}
    schema = _followed(declared, root)
    properties = {one["name"]: one.get("schema", {}) for one in fields}
    required = [one["name"] for one in fields if one.get("required")]
    whole = {
        **schema,
        "properties": {**schema.get("properties", {}), **properties},
        "required": [*schema.get("required", ()), *required],
    }
    return {
        **operation,
        "parameters": [one for one in parameters if one.get("in") != "formData"],
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": whole}}},
    }


def _followed(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema, or the component that it refers to."""
    name = str(schema.get("$ref", "")).removeprefix(_REFERENCE)
    found: Mapping[str, Any] = root.get("components", {}).get("schemas", {}).get(name, schema)
    return found

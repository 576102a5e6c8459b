"""Translate the security schemes of Swagger 2.0 to OpenAPI 3.0."""

from collections.abc import Mapping
from typing import Any, Final

from mantlet.guard.openapi.swagger2.schemas import Pointers

__all__ = ["rename_schemes", "translate_scheme"]

#: The names of OAuth's flows that have changed.
_FLOWS: Final = {"application": "clientCredentials", "accessCode": "authorizationCode"}
#: Members of a scheme that are those of a flow in OpenAPI 3.
_OF_FLOW: Final = ("authorizationUrl", "tokenUrl", "scopes")


# Any: plain JSON.
def rename_schemes(security: Any, names: Mapping[str, str]) -> Any:
    """Return security requirements with the names that their schemes have in OpenAPI 3."""
    if not isinstance(security, list):
        return security
    return [
        {names.get(name, name): scopes for name, scopes in one.items()}
        if isinstance(one, dict)
        else one
        for one in security
    ]


def translate_scheme(scheme: Any, pointers: Pointers, old: str, new: str) -> Any:
    """Translate a security scheme.

    Args:
        scheme: the scheme; a value of another type is returned as it is.
        pointers: records what is moved.
        old: its location in the original.
        new: its location in the new document.
    """
    if not isinstance(scheme, dict):
        return scheme
    kind, flow = scheme.get("type"), scheme.get("flow")
    if kind == "basic":
        return {**scheme, "type": "http", "scheme": "basic"}
    if kind != "oauth2":
        return scheme
    made = {name: value for name, value in scheme.items() if name not in (*_OF_FLOW, "flow")}
    name = _FLOWS.get(flow, flow) if isinstance(flow, str) else "flow"
    pointers.origin(f"{new}/flows/{name}", old)
    moved = {key: scheme[key] for key in _OF_FLOW if key in scheme}
    return {**made, "flows": {name: {"scopes": {}, **moved}}}

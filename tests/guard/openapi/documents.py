"""Small OpenAPI documents, and what is wrong with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.guard.openapi.building import document, violations

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: One release of each minor version.
VERSIONS = ("3.0.4", "3.1.1", "3.2.0")
OK: Any = {"200": {"description": "Fine."}}

each_version = pytest.mark.parametrize("version", VERSIONS)


def api(version: str = "3.1.1", target: str = "POST /a", **operation: Any) -> dict[str, Any]:
    """Return a document of one operation; ``more`` is what stands beside its paths."""
    method, _, path = target.partition(" ")
    more: Mapping[str, Any] = operation.pop("more", {})
    return document({path: {method.lower(): {"responses": OK, **operation}}}, version, **more)


def json_body(schema: Any, media: str = "application/json", **more: Any) -> dict[str, Any]:
    """Return a Request Body Object."""
    return {"required": True, "content": {media: {"schema": schema, **more}}}


def parameter(place: str, name: str, schema: Any = None, **more: Any) -> dict[str, Any]:
    """Return a Parameter Object; one in the path is required."""
    made: dict[str, Any] = {"name": name, "in": place, **more}
    if "content" not in more:
        made["schema"] = {"type": "string"} if schema is None else schema
    if place == "path":
        made["required"] = True
    return made


def problems(source: Any, ref_root: Path | None = None) -> list[tuple[str, str]]:
    """Return all violations of a document, also those that are only noted."""
    return violations(source, ref_root=ref_root)

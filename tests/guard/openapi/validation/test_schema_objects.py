"""What is wrong with the schemas of a document."""

from __future__ import annotations

from typing import Any

import pytest

from tests.guard.openapi.building import TEXT, document, problems


@pytest.mark.parametrize(
    ("discriminator", "where", "words"),
    [
        (5, "", "must be an object (Discriminator Object)"),
        ({}, "", "must have 'propertyName'"),
        ({"propertyName": "kind", "mapping": {"a": 3}}, "/mapping", "must be an object of strings"),
        ({"propertyName": "kind", "mapping": {"a": "None"}}, "/mapping/a", "the reference 'None'"),
        (
            {"propertyName": "kind", "mapping": {"a": "#/components/schemas/None"}},
            "/mapping/a",
            "leads to",
        ),
        (
            {"propertyName": "kind", "defaultMapping": "None"},
            "/defaultMapping",
            "the reference 'None'",
        ),
    ],
)
def test_a_discriminator_must_mean_something(discriminator: Any, where: str, words: str) -> None:
    """It names a property, and schemas that are there."""
    schema = {"oneOf": [{"$ref": "#/components/schemas/B"}], "discriminator": discriminator}
    source = document(version="3.2.0", components={"schemas": {"A": schema, "B": {}}})
    assert words in problems(source)[f"/components/schemas/A/discriminator{where}"]


def test_a_discriminator_leads_to_names_and_references() -> None:
    """A name of a schema comes before a path."""
    discriminator = {
        "propertyName": "kind",
        "mapping": {"a": "B", "b": "#/components/schemas/B"},
        "defaultMapping": "B",
    }
    schemas = {"A": {"oneOf": [{}], "discriminator": discriminator}, "B": {}}
    assert not problems(document(version="3.2.0", components={"schemas": schemas}))


@pytest.mark.parametrize(
    ("schema", "version", "wrong"),
    [
        (True, "3.0.4", True),
        (True, "3.1.1", False),
        ({"additionalProperties": False}, "3.0.4", False),
        ({"items": False}, "3.0.4", True),
        ({"items": False}, "3.1.1", False),
        ({"prefixItems": [3]}, "3.1.1", True),
        ({"allOf": [[]]}, "3.1.1", True),
        ({"properties": {"a": None}}, "3.0.4", True),
        ({"properties": {"$ref": TEXT}}, "3.1.1", False),
        ({"enum": [{"$ref": "nowhere"}]}, "3.1.1", False),
        ({"example": {"$ref": "nowhere"}}, "3.1.1", False),
    ],
)
def test_schemas_are_objects_or_from_3_1_on_booleans(
    schema: Any, version: str, wrong: bool
) -> None:
    """Wherever a keyword holds one, and nowhere else."""
    found = problems(document(version=version, components={"schemas": {"A": schema}}))
    assert bool(found) is wrong

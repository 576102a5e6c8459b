"""Schemas of OpenAPI and JSON Schema, compiled to what the guard asks."""

from mantlet.guard.jsonschema.audit import Coverage
from mantlet.guard.jsonschema.changes import accepts_all
from mantlet.guard.jsonschema.compiler import Compiler
from mantlet.guard.jsonschema.problems import Problem, SchemaError
from mantlet.guard.jsonschema.schema import JsonSchema

__all__ = ["Compiler", "Coverage", "JsonSchema", "Problem", "SchemaError", "accepts_all"]

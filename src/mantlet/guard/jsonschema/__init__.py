"""Compile the schemas of OpenAPI and JSON Schema documents into validators."""

from mantlet.guard.jsonschema.audit import KeywordCoverage
from mantlet.guard.jsonschema.compiler import SchemaCompiler
from mantlet.guard.jsonschema.documents import SchemaError, SchemaProblem
from mantlet.guard.jsonschema.schema import JsonSchema

__all__ = ["JsonSchema", "KeywordCoverage", "SchemaCompiler", "SchemaError", "SchemaProblem"]

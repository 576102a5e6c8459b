"""Validate OpenAPI documents against the specification."""

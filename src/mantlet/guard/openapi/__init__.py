"""Compile OpenAPI documents, from a file, a dict or an app, to operations."""

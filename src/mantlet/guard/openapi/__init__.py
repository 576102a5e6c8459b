"""OpenAPI documents: from a file, a dict or an app to operations that the guard can hold."""

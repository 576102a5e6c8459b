"""Buckets in a Redis or a Valkey, shared by all that use it."""

"""Fixtures for the tests of units of work."""

from tests.database.ways import way

__all__ = ["way"]

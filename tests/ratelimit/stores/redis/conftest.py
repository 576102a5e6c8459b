"""Fixtures: the kinds of client, and the servers that they call."""

from __future__ import annotations

from tests.stores.redis.conftest import (  # noqa: F401  # fixtures for the tests of this directory
    _valkey,
    cluster,
    own_valkey,
    valkey,
    way,
)

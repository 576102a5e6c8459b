"""Zstandard: of the standard library since CPython 3.14 (PEP 784), before that its backport."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["NAME", "zstd"]

#: The name of the module.
NAME = zstd.__name__

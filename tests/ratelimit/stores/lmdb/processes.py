"""Processes that run `worker`."""

from __future__ import annotations

from tests.stores.processes import Workers

_workers = Workers("tests.ratelimit.stores.lmdb.worker")
workers, together = _workers.ready, _workers.together

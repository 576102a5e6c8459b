"""Wait on an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["until"]


async def until(condition: Callable[[], bool], *, seconds: float = 120) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: it does not, for so long.
    """
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # what is waited for sets no event
            await asyncio.sleep(0.001)

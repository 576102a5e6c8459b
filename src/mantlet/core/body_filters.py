"""Run the chunks of a response's body through its filters, without blocking the event loop.

A long chunk is filtered in slices, and other tasks run after each. A chunk that no filter has
changed stays the same object. Under ASGI, a long chunk that was changed is sent in pieces, since
joining them would take long. Under WSGI, which has no event loop, it stays one chunk, so that
servers can compute its ``Content-Length``.
"""

from collections.abc import Awaitable, Iterable
from typing import Final

from mantlet.core.request import Request
from mantlet.core.response import ChunkFilter, Filter, Filtered

__all__ = ["SLICE", "apply_filters", "filter_in_slices", "join_pieces"]

#: Maximum number of bytes that are filtered before other tasks of the event loop run.
SLICE: Final = 64 * 1024
#: Maximum number of bytes that are copied before they do.
_COPY_SIZE: Final = 1024 * 1024


def apply_filters(
    filters: Iterable[Filter], chunk: bytes, more: bool
) -> bytes | Awaitable[Filtered]:
    """Send a chunk through filters; return the result, or an awaitable if a filter has to wait.

    Args:
        filters: the filters, the innermost policy's first.
        chunk: the chunk.
        more: whether more of the body will follow.
    """
    rest = iter(filters)
    for fn in rest:
        result = fn(chunk, more)
        if not isinstance(result, bytes):
            return _apply_rest(result, rest, more)
        chunk = result
    return chunk


async def _apply_rest(waiting: Awaitable[Filtered], rest: Iterable[Filter], more: bool) -> Filtered:
    """Send the result of a filter that has to wait through the filters after it."""
    filtered = await waiting
    for fn in rest:
        result = fn(join_pieces(filtered), more)
        filtered = result if isinstance(result, bytes) else await result
    return filtered


def join_pieces(filtered: Filtered) -> bytes:
    """Return a filtered chunk as one byte string."""
    return b"".join(filtered) if isinstance(filtered, list) else filtered


async def filter_in_slices(
    fn: ChunkFilter, chunk: bytes, more: bool, request: Request, size: int = SLICE
) -> Filtered:
    """Send a chunk through a filter in slices, and let other tasks run after each.

    Args:
        fn: the filter; its result must not depend on how a body is split into chunks.
        chunk: the chunk.
        more: whether more of the body will follow.
        request: the request.
        size: the most bytes of a slice.

    Returns:
        The chunk itself if the filter has not changed it; else the results, joined under WSGI.
    """
    whole = len(chunk)
    same = 0  # the number of unchanged bytes, up to the first change
    pieces: list[bytes] | None = None  # all results, once one is a change
    for start in range(0, max(1, whole), size):
        end = start + size
        piece = fn(chunk[start:end], more or end < whole)
        await request.checkpoint()
        if pieces is None:
            if chunk.startswith(piece, same):
                same += len(piece)
                continue
            pieces = await _copy(chunk, same, request)
        if piece:
            pieces.append(piece)
    if pieces is None:
        if same == whole:
            return chunk
        pieces = await _copy(chunk, same, request)
    return pieces if request.is_async and pieces else b"".join(pieces)


async def _copy(chunk: bytes, size: int, request: Request) -> list[bytes]:
    """Return the first bytes of a chunk in pieces."""
    pieces = []
    for start in range(0, size, _COPY_SIZE):
        pieces.append(chunk[start : min(start + _COPY_SIZE, size)])
        await request.checkpoint()
    return pieces

"""Bodies in a content coding: those that can be looked into, and those that can't."""

from collections.abc import Callable

from mantlet.problem import Problem
from mantlet.sanitize.body import Stage
from mantlet.sanitize.codings import Recoded, Undecodable

__all__ = ["Encoded"]


class Encoded:
    """Looks into an encoded body: a filter of it.

    Args:
        coding: a key of `CODINGS`.
        inner: the filter of the decoded body.
        limit: the most bytes that the decoded body may have.
        unreadable: is told that the body can't be decoded.
        blocks: whether such a body is blocked.
    """

    __slots__ = ("_blocks", "_recoded", "_unreadable")

    def __init__(
        self,
        coding: str,
        inner: Stage,
        limit: int,
        unreadable: Callable[[], None],
        *,
        blocks: bool,
    ) -> None:
        self._recoded: Recoded | None = Recoded(coding, inner, limit)
        self._unreadable = unreadable
        self._blocks = blocks

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk of the encoded body; return what is sent in its place.

        Raises:
            Problem: it can't be decoded, and is to be blocked or can't be sent as it is.
        """
        if self._recoded is None:
            return chunk
        try:
            return self._recoded(chunk, more)
        except Undecodable as error:
            self._unreadable()
            if self._blocks or error.untouched is None:
                raise Problem(502) from error
            self._recoded = None
            return error.untouched

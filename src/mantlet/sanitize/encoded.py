"""Bodies in a content coding: those that can be looked into, and those that can't."""

from collections.abc import Callable

from mantlet.core.problem import Problem
from mantlet.sanitize.body import Stage
from mantlet.sanitize.codings import Recoded, Undecodable

__all__ = ["Encoded"]


class Encoded:
    """Looks into an encoded body: a filter of it.

    Args:
        coding: a key of `codings()`.
        inner: the filter of the decoded body.
        limit: the most bytes that the decoded body may have.
        unreadable: is told that the body can't be decoded.
        otherwise: the filter of such a body; None if it is blocked.
    """

    __slots__ = ("_otherwise", "_recoded", "_unreadable")

    def __init__(
        self,
        coding: str,
        inner: Stage,
        limit: int,
        unreadable: Callable[[], None],
        *,
        otherwise: Stage | None,
    ) -> None:
        self._recoded: Recoded | None = Recoded(coding, inner, limit)
        self._unreadable = unreadable
        self._otherwise = otherwise

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk of the encoded body; return what is sent in its place.

        Raises:
            Problem: it can't be decoded, and is to be blocked or can't be sent as it is.
        """
        otherwise = self._otherwise
        if self._recoded is None:
            return otherwise(chunk, more) if otherwise is not None else chunk
        try:
            return self._recoded(chunk, more)
        except Undecodable as error:
            self._unreadable()
            if otherwise is None or error.untouched is None:
                raise Problem(502) from error
            self._recoded = None
            return otherwise(error.untouched, more)

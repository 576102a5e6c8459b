"""Several filters of one body, and of the data of Server-Sent Events."""

from collections.abc import Callable, Iterable

from mantlet.sanitize.events import Events
from mantlet.sanitize.members.editing import Editor
from mantlet.sanitize.members.finding import Finder

__all__ = ["Chain", "EventMembers", "Make"]

#: Makes a filter for one body.
Make = Callable[[], Editor]


class Chain:
    """Filters one behind the other."""

    __slots__ = ("_editors",)

    def __init__(self, editors: Iterable[Make]) -> None:
        self._editors = [make() for make in editors]

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return what may be sent of it and of those before."""
        for editor in self._editors:
            chunk = editor(chunk, more)
        return chunk

    def release(self) -> bytes:
        """Return what is held back."""
        released = b""
        for editor in self._editors:
            # What one lets go is still to pass the next.
            passed = editor(released, True) if released else b""
            released = passed + editor.release()
        return released


class EventMembers(Events):
    """Members of the documents that are the data of Server-Sent Events.

    What is between ``data:`` and the end of a line is JSON, or a part of it where an event has
    several such lines; a member whose comma stands on an earlier line is masked where it should be
    dropped.

    Args:
        editors: make the filters of one document.
        finder: finds bytes that betray what these look for.
    """

    __slots__ = ("_chain", "_editors", "_finder", "_fresh")

    def __init__(self, editors: tuple[Make, ...], finder: Finder) -> None:
        super().__init__()
        self._finder = finder
        self._editors = editors
        self._chain = Chain(editors)
        self._fresh = True

    def passes(self, chunk: bytes) -> bool:
        """Return whether a chunk has whole events alone, and no bytes that betray a member."""
        return self._fresh and not self._finder.find(chunk)

    def data(self, piece: bytes, ends: bool) -> bytes:
        """Return a piece of data without what is masked and dropped."""
        self._fresh = False
        made = self._chain(piece, True)
        if ends:
            held = self._chain.release()
            if held:
                made += held
        return made

    def end(self) -> None:
        """Take note that an event ends, and a document with it."""
        if not self._fresh:
            self._chain = Chain(self._editors)
            self._fresh = True

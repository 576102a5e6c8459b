"""Format an exception with its causes and members, as ``traceback`` does, within limits.

A client can make an exception as large as it likes: by values that messages repeat, by recursion,
by causes, and by members of groups. So each part has a share of the whole, and nothing
is formatted in order to be cut off. Characters that are not printable are escaped, so that a
message cannot forge a line of the log: the line breaks are the traceback's own.
"""

from collections.abc import Callable, Sequence
from traceback import TracebackException
from types import TracebackType
from typing import Final

from mantlet._internal.error_kind import unlike_members
from mantlet._internal.exception_chain import safe_getattr
from mantlet._internal.exception_message import OVERLAP, bounded_message
from mantlet._internal.printable import byte_size, printable

__all__ = ["MAX_TEXT", "TracebackText"]

#: The largest text of one exception with all that belongs to it, in bytes of UTF-8.
MAX_TEXT: Final = 64 * 1024
#: The share of an exception below which it is left out.
_LEAST: Final = 512
#: The exceptions of a chain that are shown: as many from either end.
_MAX_CHAIN: Final = 8
#: How many causes are followed at all.
_MAX_LINKS: Final = 1_000
#: The frames that are shown: from the outermost, and to the innermost.
_OUTER_FRAMES: Final = 10
_INNER_FRAMES: Final = 40
_MAX_FRAMES: Final = 20_000
_MAX_LINE: Final = 300
_MAX_NAME: Final = 200
_MAX_MESSAGE: Final = 8 * 1024
_MAX_NOTES: Final = 10
_MAX_MEMBERS: Final = 15
_MAX_DEPTH: Final = 8

_CAUSE: Final = "The above exception was the direct cause of the following exception:"
_CONTEXT: Final = "During handling of the above exception, another exception occurred:"
_HEAD: Final = "Traceback (most recent call last):"


class TracebackText:
    """The text of an exception.

    Args:
        error: the exception.
        mask: masks secrets in a text.

    Attributes:
        text: the text, without a line break at its end.
        is_whole: whether nothing was left out but frames.
    """

    def __init__(self, error: BaseException, mask: Callable[[str], str]) -> None:
        self._mask = mask
        self._seen: set[int] = set()
        self.is_whole = True
        text = "\n".join(self._chain(error, MAX_TEXT - 256, 0))
        self.text = text.encode()[:MAX_TEXT].decode(errors="ignore")

    def _chain(self, error: BaseException, most: int, depth: int) -> list[str]:
        """Return the lines of an exception and of its causes, the first cause first."""
        links = self._links(error)
        shown = links
        if len(links) > _MAX_CHAIN:
            shown = links[: _MAX_CHAIN // 2] + links[-(_MAX_CHAIN // 2) :]
        blocks: list[list[str]] = []
        for index, (one, link) in enumerate(shown):
            block = self._block(one, most // (len(shown) - index), depth)
            most -= _size(block)
            if link:
                block = ["", link, "", *block]
            if index == _MAX_CHAIN // 2 and shown is not links:
                block += self._left_out(len(links) - len(shown), "exceptions of the chain")
            blocks.append(block)
        return [line for block in reversed(blocks) for line in block]

    def _links(self, error: BaseException) -> list[tuple[BaseException, str]]:
        """Return an exception and its causes, each with the line between it and its own cause."""
        found: list[tuple[BaseException, str]] = []
        one: BaseException | None = error
        while one is not None and len(found) < _MAX_LINKS:
            self._seen.add(id(one))
            link = _CAUSE
            following = safe_getattr(one, "__cause__")
            if following is None and not safe_getattr(one, "__suppress_context__"):
                link = _CONTEXT
                following = safe_getattr(one, "__context__")
            if not isinstance(following, BaseException) or id(following) in self._seen:
                following = None
            found.append((one, link if following is not None else ""))
            one = following
        if one is not None:
            self.is_whole = False
            found[-1] = found[-1][0], ""
        return found

    def _block(self, error: BaseException, most: int, depth: int) -> list[str]:
        """Return the lines of one exception, without its causes."""
        if most < _LEAST:
            return self._left_out(1, "exception")
        # The first half is the message's and its notes', of which little is used as a rule.
        last = self._message(error, min(most // 4, _MAX_MESSAGE))
        last += self._notes(error, min(most // 4, _MAX_MESSAGE))
        members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
        left = most - _size(last)
        lines = self._frames(
            safe_getattr(error, "__traceback__"), left // 2 if members else left - len(_HEAD)
        )
        if members:
            lines += last
            lines += self._members(members, most - _size(lines), depth)
            return lines
        return lines + last

    def _members(self, members: tuple[BaseException, ...], most: int, depth: int) -> list[str]:
        """Return the lines of the members of a group, indented; of many, those that differ."""
        shown: Sequence[BaseException] = [] if depth >= _MAX_DEPTH else members
        if len(shown) > _MAX_MEMBERS:
            shown = unlike_members(shown, _MAX_MEMBERS)
        lines: list[str] = []
        for index, member in enumerate(shown):
            share = (most - _size(lines)) // (len(shown) - index)
            # An indented line has four characters more, and most lines have more than 16.
            own = self._chain(member, share * 4 // 5 - 80, depth + 1)
            lines.append(f"  +---------------- {index + 1} ----------------")
            lines += [f"  | {line}" for line in own]
        if len(shown) < len(members):
            lines += self._left_out(len(members) - len(shown), "exceptions of the group")
        return lines

    def _message(self, error: BaseException, most: int) -> list[str]:
        kind = type(error)
        name = kind.__qualname__
        if kind.__module__ not in ("builtins", "__main__"):
            name = f"{kind.__module__}.{name}"
        text, is_whole = bounded_message(error, most, self._mask)
        self.is_whole = self.is_whole and is_whole
        name = printable(name, _MAX_NAME)
        return [f"{name}: {printable(text, most)}" if text else name]

    def _notes(self, error: BaseException, most: int) -> list[str]:
        notes = safe_getattr(error, "__notes__")
        if not isinstance(notes, list):
            return []
        lines: list[str] = []
        for note in notes[:_MAX_NOTES]:
            text = note if isinstance(note, str) else f"<{type(note).__qualname__}>"
            share = most // _MAX_NOTES
            if len(text) > share:
                self.is_whole = False
            lines.append(printable(self._mask(text[: share + OVERLAP]), share))
        if len(notes) > _MAX_NOTES:
            lines += self._left_out(len(notes) - _MAX_NOTES, "notes")
        return lines

    def _frames(self, traceback: TracebackType | None, most: int) -> list[str]:
        if traceback is None:
            return []
        count, inner = 0, traceback
        one: TracebackType | None = traceback
        while one is not None and count < _MAX_FRAMES:
            count += 1
            if count > _INNER_FRAMES and inner.tb_next is not None:
                inner = inner.tb_next
            one = one.tb_next
        outer = min(_OUTER_FRAMES, max(count - _INNER_FRAMES, 0))
        ends = _formatted(inner, _INNER_FRAMES)
        begins = _formatted(traceback, outer) if outer else []
        left = count - outer - min(count, _INNER_FRAMES)
        lines: list[str] = []
        for index, entry in enumerate(reversed(ends)):
            if _size(lines) + _size(entry) > most:
                left += len(ends) - index + outer
                begins = []
                break
            lines = entry + lines
        if left:
            lines = [f"  [{left} frames left out]", *lines]  # the interpreter bounds their number
        while begins and _size(lines) + sum(map(_size, begins)) > most:
            begins.pop()
        return [_HEAD, *(line for entry in begins for line in entry), *lines]

    def _left_out(self, count: int, things: str) -> list[str]:
        self.is_whole = False
        return [f"[{count} {things} left out]"]


def _formatted(traceback: TracebackType, most: int) -> list[list[str]]:
    """Return the lines of each frame, from the outermost."""
    stack = TracebackException(Exception, Exception(), traceback, limit=most).stack
    entries = []
    for entry in stack.format():
        lines = [printable(line, _MAX_LINE) for line in entry.splitlines()]
        # Only the lines of a traceback begin with text: not a file whose name has a line break.
        entries.append([line if line.startswith("  ") else f"    {line}" for line in lines])
    return entries


def _size(lines: list[str]) -> int:
    return sum(map(byte_size, lines)) + len(lines)

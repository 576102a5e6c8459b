"""Tell which exceptions are of the same kind, regardless of their values and depths."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2s
from itertools import islice
from types import CodeType, TracebackType
from typing import Final

from mantlet._internal.exception_chain import safe_getattr, walk_chain

__all__ = ["ErrorKind", "fingerprint", "kind_of", "unlike_members"]

#: The most different lines of code of one exception that count, from the innermost.
_MAX_LINES: Final = 64
#: The most frames of all exceptions together that are looked at.
_MAX_FRAMES: Final = 20_000
#: The most exceptions that are looked at: causes, and members of groups.
_MAX_EXCEPTIONS: Final = 1_000
_MAX_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """The kind of an exception.

    Attributes:
        fingerprint: 12 hexadecimal digits.
        sites: for the exception and each of its causes and members, its type and the line that
            raised it. An app has few, regardless of the combinations and depths that its clients
            cause.
    """

    fingerprint: str
    sites: tuple[str, ...]


def fingerprint(error: BaseException) -> str:
    """Return the fingerprint of an exception's kind: 12 hexadecimal digits; see `kind_of()`."""
    return kind_of(error).fingerprint


def kind_of(error: BaseException) -> ErrorKind:
    """Return the kind of an exception.

    It covers the types of the exception, of its causes and of the members of groups, and for each
    the functions of the traceback with their lines; no values, and no paths of the
    machine. Repetitions count once: the depth of a recursion, equal causes and equal members, and
    their order make no difference.
    """
    entries: dict[str, None] = {}
    sites: dict[str, None] = {}
    left = _MAX_FRAMES
    for one in walk_chain(error, _MAX_EXCEPTIONS):
        name = _name(one)
        lines, seen = _lines(safe_getattr(one, "__traceback__"), left)
        left -= seen
        innermost = lines[-1] if lines else ""
        sites[f"{name} {innermost}"] = None
        # Which lines a recursion ends with is chance: only the innermost has a place of its own.
        entries["\n".join((name, *sorted(lines), innermost))] = None
    first, *others = entries
    data = "\n\n".join((first, *sorted(others))).encode("utf-8", "replace")
    return ErrorKind(blake2s(data, digest_size=6).hexdigest(), tuple(sites))


def unlike_members(members: Sequence[BaseException], most: int) -> list[BaseException]:
    """Return members of a group, at most one of each type and line that raised it."""
    found: dict[tuple[str, str], BaseException] = {}
    for one in members[:_MAX_EXCEPTIONS]:
        if len(found) == most:
            break
        innermost = None
        for frame in islice(_frames(safe_getattr(one, "__traceback__")), _MAX_EXCEPTIONS):
            innermost = frame
        found.setdefault((_name(one), "" if innermost is None else _line(innermost)), one)
    return list(found.values())


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"[:_MAX_NAME]


def _lines(traceback: TracebackType | None, most: int) -> tuple[list[str], int]:
    """Return the different lines of a traceback, the innermost last, and how many frames it has.

    Args:
        traceback: the traceback.
        most: the most frames to look at.
    """
    found: dict[tuple[CodeType, int], TracebackType] = {}
    seen = 0
    while traceback is not None and seen < most:
        seen += 1
        key = traceback.tb_frame.f_code, traceback.tb_lasti
        found.pop(key, None)  # to the end
        found[key] = traceback
        traceback = traceback.tb_next
    return [_line(one) for one in list(found.values())[-_MAX_LINES:]], seen


def _frames(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _line(traceback: TracebackType) -> str:
    frame = traceback.tb_frame
    code = frame.f_code
    line = traceback.tb_lineno - code.co_firstlineno
    return f"{frame.f_globals.get('__name__')}:{code.co_qualname}:{line}"

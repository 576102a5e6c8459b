"""Decide which messages of a model's own validators a client may see.

A validator may put the input into its message, as ``f"{value} is taken"`` does. A constant of the
validator's code holds nothing of the input, unless it is the input. The rest of a message is
compared with the input, regardless of case: the message is shown only if they share nothing.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from types import CodeType
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr
from mantlet._internal.printable import printable

__all__ = ["MessageFilter", "MessageReading"]

#: The maximum length of a message that is shown.
_MAX_MESSAGE: Final = 300
#: The maximum number of different messages of one request.
_MAX_MESSAGES: Final = 40
#: Places of a constant that are filled in: ``str.format()`` and its like, and ``%``.
_FILLED: Final = re.compile(r"\{[^{}]*\}|%\([^()]*\)[a-z]|%[-+ #0-9.]*[a-z]")
_WORD: Final = re.compile(r"\w+")
#: Characters in a row that a message and the input must not share.
_PIECE: Final = 3
_MAX_CONSTANTS: Final = 1_000
#: Bounds on the input that messages are compared with; beyond, only constants are shown.
_MAX_LEAVES: Final = 500
_MAX_TEXT: Final = 8_000
_MAX_FRAMES: Final = 10
_STRIPPED: Final = "..."


class MessageFilter:
    """Shows the messages of one model's validators.

    Args:
        schema: the model's core schema.
        strips: whether to show a message with ``...`` in place of the input; else it is hidden.
    """

    __slots__ = ("_constants", "_schema", "strips")

    # Any: pydantic's core schema.
    def __init__(self, schema: Mapping[str, Any], strips: bool) -> None:
        self._schema = schema
        self.strips = strips
        self._constants: frozenset[str] | None = None  # collected once there is a message

    # Any: a plain value.
    def reading(self, value: Any) -> "MessageReading":
        """Return the messages about one input.

        Args:
            value: the whole input.
        """
        return MessageReading(self, value)

    def constants(self) -> frozenset[str]:
        """Return the texts in the code of the validators."""
        if self._constants is None:
            self._constants = frozenset(_validator_constants(self._schema))
        return self._constants


class MessageReading:
    """Shows the messages about one input.

    Args:
        owner: the filter.
        value: the whole input.
    """

    __slots__ = ("_owner", "_sent", "_shown", "_value")

    # Any: a plain value.
    def __init__(self, owner: MessageFilter, value: Any) -> None:
        self._owner = owner
        self._value = value
        self._sent: list[_Input | None] = []  # read with the first message
        self._shown: dict[str, str | None] = {}

    def show(self, message: str, raised: object) -> str | None:
        """Return a message for the client, or None if it is not to be shown.

        Args:
            message: the message of a validator.
            raised: the exception that it raised, if it is known.
        """
        if not message or len(message) > _MAX_MESSAGE or not message.isprintable():
            return None
        if message not in self._shown:
            if len(self._shown) >= _MAX_MESSAGES:
                return None
            self._shown[message] = self._filtered(message, raised)
        return self._shown[message]

    def _filtered(self, message: str, raised: object) -> str | None:
        constants = self._owner.constants()
        if message not in constants:
            constants = constants | set(_raised_constants(raised))
        if not self._sent:
            self._sent.append(_read_input(self._value, constants))
        sent = self._sent[0]
        if message in constants and not (sent and message.casefold().strip() in sent.leaves):
            return message
        # Exceptions of other classes are mostly a library's, and not meant for a client.
        if sent is None or type(raised) not in (ValueError, AssertionError, type(None)):
            return None
        parts = _split(message, constants)
        held = [
            sent.shares(part) if is_variable else part.casefold().strip() in sent.leaves
            for part, is_variable in parts
        ]
        if not any(held):
            return message
        if not self._owner.strips:
            return None
        shown = (_STRIPPED if one else part for (part, _), one in zip(parts, held, strict=True))
        return printable("".join(shown).strip())


def _split(message: str, constants: Iterable[str]) -> list[tuple[str, bool]]:
    """Split a message into constants and the parts between them, which are variable."""
    # A word may as well be the input: the validator may have compared it with that word.
    pieces = {piece for text in constants for piece in _FILLED.split(text) if " " in piece}
    parts = [(message, True)]
    for piece in sorted(pieces, key=len, reverse=True):
        if not piece.strip() or piece not in message:
            continue
        split: list[tuple[str, bool]] = []
        for text, is_variable in parts:
            if not is_variable or piece not in text:
                split.append((text, is_variable))
                continue
            for between in text.split(piece):
                split += [(between, True), (piece, False)]
            split.pop()
        parts = [part for part in split if part[0]]
    return parts


class _Input:
    """The texts of an input, to be compared with messages regardless of case.

    Attributes:
        leaves: its texts and numbers, and names of members that the model does not have.
    """

    __slots__ = ("_pieces", "_short", "_text", "leaves")

    def __init__(self, leaves: Iterable[str]) -> None:
        self.leaves = frozenset(leaves)
        self._text = "\0".join(self.leaves)
        self._pieces = set(_pieces(self._text))
        self._short = {leaf for leaf in self.leaves if len(leaf) < _PIECE}

    def shares(self, text: str) -> bool:
        """Return whether a text has three characters in a row of the input, or is part of it."""
        text = text.casefold().strip()
        if len(text) < _PIECE:
            return bool(text) and text in self._text
        words = {*_WORD.findall(text), *text.split()}
        return not (self._pieces.isdisjoint(_pieces(text)) and self._short.isdisjoint(words))


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + _PIECE] for start in range(len(text) - _PIECE + 1))


# Any: plain values.
def _read_input(value: Any, names: Container[str]) -> _Input | None:
    """Return the texts of an input without known names; None if they are too many."""
    leaves: dict[str, None] = {}
    size = 0
    later = [value]
    while later:
        node = later.pop()
        if isinstance(node, dict):
            later += [name for name in node if name not in names]
            later += node.values()
        elif isinstance(node, list):
            later += node
        elif node is not None and not isinstance(node, bool):
            text = str(node).casefold().strip()
            size += len(text)
            if text:
                leaves[text] = None
        if len(leaves) > _MAX_LEAVES or size > _MAX_TEXT or len(later) > _MAX_TEXT:
            return None
    return _Input(leaves)


def _validator_constants(schema: Any) -> Iterator[str]:
    """Yield the texts in the code of a schema's validators, and the names of its fields."""
    later = [schema]
    seen: set[int] = set()
    while later:
        node = later.pop()
        if isinstance(node, dict):
            later += [inner for key, inner in node.items() if key != "metadata"]
            fields = node.get("fields")
            yield from (name for name in fields or () if isinstance(name, str))
        elif isinstance(node, (list, tuple)):
            later += node
        elif callable(node) and id(node) not in seen:
            seen.add(id(node))
            function = safe_getattr(node, "__func__") or node
            yield from _constants(
                safe_getattr(function, "__code__"), safe_getattr(function, "__globals__")
            )


def _raised_constants(raised: object) -> Iterator[str]:
    """Yield the texts in the code that an exception has come through."""
    traceback = safe_getattr(raised, "__traceback__")
    for _ in range(_MAX_FRAMES):
        if traceback is None:
            return
        frame = traceback.tb_frame
        yield from _constants(frame.f_code, frame.f_globals)
        traceback = traceback.tb_next


def _constants(code: object, variables: object) -> Iterator[str]:
    """Yield the texts in code, and in the global variables that it reads."""
    later = [code]
    count = 0
    while later and count < _MAX_CONSTANTS:
        node = later.pop()
        count += 1
        if isinstance(node, str):
            yield node
        elif isinstance(node, CodeType):
            later += node.co_consts
            if isinstance(variables, dict):
                read = (variables.get(name) for name in node.co_names)
                later += [one for one in read if isinstance(one, (str, tuple, list, dict))]
        elif isinstance(node, dict):
            later += [one for one in node.values() if isinstance(one, str)]
        elif isinstance(node, (tuple, list, frozenset)):
            later += [one for one in node if isinstance(one, (str, tuple, frozenset, CodeType))]

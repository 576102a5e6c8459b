"""`FieldMasker`: compile the fields to mask, and create the filter for each response."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from mantlet._internal.options import KnowsOptions
from mantlet.core.request import Request
from mantlet.core.response import ChunkFilter
from mantlet.http.routing import Routes
from mantlet.sanitize.event_stream import EventStreamFilter, with_names, without_names
from mantlet.sanitize.json_fields.editor import Editor
from mantlet.sanitize.json_fields.expressions import container
from mantlet.sanitize.json_fields.name_scanner import NameScanner
from mantlet.sanitize.json_fields.names import Action, NamePatterns
from mantlet.sanitize.json_fields.pointer_scanner import PointerScanner
from mantlet.sanitize.json_fields.pointers import PointerTree, pointer_literals, pointer_tokens
from mantlet.sanitize.json_fields.prefilter import (
    MAX_PATTERN_LENGTH,
    Prefilter,
    is_selective,
    search_literals,
)

__all__ = ["FieldMasker", "JsonField"]

#: Creates the editor for one document.
MakeEditor = Callable[[], Editor]

_ALL_ROUTES: Final = "* /*"
#: Size of a line besides its bytes, as kept.
_LINE_SIZE: Final = 64
#: Documents of events, each an object or an array on one line, and what stands between two of them.
#: They are read like lines of JSON, since none of them goes on in the next.
_DOCUMENT: Final = rb"[ \t]*+" + container(4).replace(rb'"\[\]{}]', rb'"\[\]{}\r\n]').replace(
    rb'[^"\\]*+(?:\\.[^"\\]*+)*+', rb'[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*+'
)
_DOCUMENTS: Final = re.compile(
    rb"(?:%b(?=\n\n)(?:\n\ndata:(?=%b\n\n))?+)++" % (_DOCUMENT, _DOCUMENT)
)
_BETWEEN: Final = b"\n\ndata:"
#: Data of one event that is kept as long as it has no field to edit, in bytes.
_MAX_SKIPPED: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class JsonField(KnowsOptions):
    """Fields of JSON responses to mask or to drop.

    Attributes:
        name: a name, a glob or a JSON Pointer.
        action: ``"mask"`` or ``"drop"``.
        route: a route pattern of `mantlet.http.routing`; by default every route.

    Raises:
        TypeError: the name is not text.
        ValueError: an attribute is malformed.
    """

    name: str
    action: Action = "mask"
    route: str = _ALL_ROUTES

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f'a name in mask must be text such as "password", not {self.name!r}')
        if not self.name:
            raise ValueError(
                'mask has an empty name; write "password", "*_token" or "/user/ssn"; '
                'the pointer "/" selects the field whose name is empty'
            )
        if self.action not in ("mask", "drop"):
            raise ValueError(
                f'action of the field {self.name!r} must be "mask" or "drop", not {self.action!r}'
            )
        if self.name.startswith("/"):
            pointer_tokens(self.name)
        elif len(self.name) > MAX_PATTERN_LENGTH:
            raise ValueError(
                f"mask has a name of {len(self.name)} characters; "
                f"write at most {MAX_PATTERN_LENGTH}"
            )
        Routes([(self.route, None)])


class FieldMasker:
    """A compiled set of fields. Immutable; may be shared by threads.

    Args:
        mask: names to mask, or `JsonField` for other actions and for single routes. If several
            routes match a request, the fields of all of them apply.

    Raises:
        TypeError: an item is neither, or ``mask`` is a single text.
        ValueError: a name, a glob or a pointer is malformed.

    Attributes:
        prefilter: finds something in every body that has a field to mask or to drop.
        literals: the byte strings that the prefilter searches for.
    """

    __slots__ = ("_by_route", "_everywhere", "literals", "prefilter")

    def __init__(self, mask: Iterable[str | JsonField]) -> None:
        if isinstance(mask, str | bytes | JsonField):
            raise TypeError(f'mask must be several names, such as ["password"], not {mask!r}')
        routes: dict[str, list[JsonField]] = {}
        for item in mask:
            field = JsonField(item) if isinstance(item, str) else item
            if not isinstance(field, JsonField):
                raise TypeError(f"mask takes names and JsonField(...), not {item!r}")
            routes.setdefault(field.route, []).append(field)
        literals: set[bytes] = set()
        self._everywhere: tuple[MakeEditor, ...] = ()
        self._by_route: list[tuple[Routes[None], tuple[MakeEditor, ...]]] = []
        for route, fields in sorted(routes.items()):
            editors = _compile(fields, literals)
            if route == _ALL_ROUTES:
                self._everywhere = editors
            else:
                self._by_route.append((Routes([(route, None)]), editors))
        self.literals: tuple[bytes, ...] = tuple(sorted(literals))
        self.prefilter = Prefilter(literals)

    def filter_for(self, request: Request, *, events: bool = False) -> ChunkFilter | None:
        """Return a filter for the response to a request, or None if no field applies to it.

        Args:
            request: the request.
            events: whether the body is a stream of Server-Sent Events with JSON data.
        """
        editors = self._everywhere
        for routes, more in self._by_route:
            if any(routes.match_all(request.method, request.route_paths)):
                editors += more
        if not editors:
            return None
        if events:
            return EventFieldFilter(editors, self.prefilter)
        if len(editors) == 1:
            return editors[0]()
        return EditorChain(editors)


def _compile(fields: Iterable[JsonField], literals: set[bytes]) -> tuple[MakeEditor, ...]:
    """Return the editors for some fields, and add the literals that they need the body to have."""
    pointers = [field for field in fields if field.name.startswith("/")]
    names = [field for field in fields if not field.name.startswith("/")]
    selective = [field for field in names if is_selective(field.name)]
    others = [field for field in names if field not in selective]
    editors: list[MakeEditor] = []
    if pointers:  # before fields are dropped by name: a pointer may pass them
        found = {literal for field in pointers for literal in pointer_literals(field.name)}
        literals |= found
        tree = PointerTree(_actions(pointers))
        drops = any(field.action == "drop" for field in pointers)
        editors.append(partial(PointerScanner, tree, Prefilter(found), drops=drops))
    for group, anchored in ((others, True), (selective, False)):
        if group:
            found = {literal for field in group for literal in search_literals(field.name)}
            literals |= found
            patterns = NamePatterns(_actions(group), anchored=anchored)
            editors.append(partial(NameScanner, patterns, Prefilter(found), anchored=anchored))
    return tuple(editors)


def _actions(fields: Iterable[JsonField]) -> dict[str, Action]:
    """Return the action for each pattern; ``drop`` wins for a pattern given twice."""
    actions: dict[str, Action] = {}
    for field in fields:
        if actions.get(field.name) != "drop":
            actions[field.name] = field.action
    return actions


class EditorChain:
    """Editors that are applied one after the other."""

    __slots__ = ("_editors",)

    def __init__(self, editors: Iterable[MakeEditor]) -> None:
        self._editors = [make() for make in editors]

    def __call__(self, chunk: bytes, more: bool) -> bytes:
        """Take a chunk; return the data that may be sent now."""
        for editor in self._editors:
            chunk = editor(chunk, more)
        return chunk

    def flush(self) -> bytes:
        """Return the data held back."""
        flushed = b""
        for editor in self._editors:
            # Data flushed by one editor still has to pass the next.
            passed = editor(flushed, True) if flushed else b""
            flushed = passed + editor.flush()
        return flushed


class EventFieldFilter(EventStreamFilter):
    """Mask fields in the JSON data of Server-Sent Events.

    The text between ``data:`` and the end of the line is JSON, or a part of it if the event has
    several such lines. If other fields stand between them, a field of JSON whose comma is before
    those is masked instead of dropped.

    Args:
        editors: create the editors for one document.
        prefilter: finds byte strings that any masked field requires.
    """

    __slots__ = ("_chain", "_editors", "_prefilter", "_skipped", "_skipped_size")

    def __init__(self, editors: tuple[MakeEditor, ...], prefilter: Prefilter) -> None:
        super().__init__()
        self._prefilter = prefilter
        self._editors = editors
        self._chain: EditorChain | None = None  # made once a line of the event may have a field
        self._skipped: list[bytes] = []  # the data before it
        self._skipped_size = 0

    def passes(self, chunk: bytes) -> bool:
        """Return whether a chunk of complete events contains no field to mask."""
        return self._chain is None and not self._skipped and not self._prefilter.find(chunk)

    def on_data(self, piece: bytes, ends: bool) -> bytes:
        """Return a piece of data with its fields masked and dropped."""
        chain = self._chain
        if chain is None:
            self._skipped_size += len(piece) + _LINE_SIZE
            if ends and self._skipped_size <= _MAX_SKIPPED and not self._prefilter.find(piece):
                # The name of a field, on one line, precedes its value.
                self._skipped.append(piece)
                return piece
            chain = self._chain = EditorChain(self._editors)
            for skipped in self._skipped:
                chain(without_names(skipped), True)
                chain.flush()
        data = without_names(piece)
        edited = chain(data, True)
        if ends:
            held = chain.flush()
            if held:
                edited += held
        return piece if edited is data else with_names(edited)

    def end_of_events(self, data: bytes, pos: int) -> int:
        """Return where events end each of which has one whole document."""
        if self._chain is not None or self._skipped:
            return pos
        found = _DOCUMENTS.match(data, pos)
        return found.end() if found else pos

    def on_events(self, piece: bytes) -> bytes:
        """Return the documents of some events with their fields masked and dropped."""
        if not self._prefilter.find(piece):
            return piece
        chain = EditorChain(self._editors)
        edited = chain(piece.replace(_BETWEEN, b"\n\n"), True) + chain.flush()
        return edited.replace(b"\n\n", _BETWEEN)

    def on_event_end(self) -> None:
        """Begin a new document."""
        self._chain = None
        if self._skipped:
            self._skipped.clear()
        self._skipped_size = 0

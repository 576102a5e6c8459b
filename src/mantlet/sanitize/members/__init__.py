"""JSON members that are masked or dropped, by their names or by where they are in a document.

A masked value becomes ``"***"``, whatever it was, but for ``null``, which stays. A dropped member
is left out with its comma. All other bytes stay as they are: numbers, the order of members, names
that come twice, whitespace.

How members are asked for:

- A name, ``password``, is that of members at any depth.
- With ``*``, ``?`` or ``[...]`` it is a glob, as `fnmatch` has them: ``*_token``.
- One that begins with a slash is a JSON Pointer (RFC 6901) from the document's root: ``/user/ssn``,
  ``/items/0/price``. A token that is ``*`` means every member or item, which is an extension:
  ``/items/*/price``.

Names are compared by character and with regard to case, as JSON has it; ``[Pp]assword`` is both.
Names that the document writes with escapes are recognized. What several fields match is dropped if
any of them says so. Indexes count what the app has written.

In NDJSON and JSON text sequences, each document has a root of its own; among Server-Sent Events,
each event has.

What it costs: a search for bytes that betray the names, and nothing else where none is found.
Pointers, and names that may also stand between two strings, such as ``:``, have a body read
from its begin, if it is streamed or what betrays them is in it: at some 30 MB/s, and at a tenth of
that where they are all over it.

What it does not do: it finds what has a name, and not what a value looks like. Bodies that are no
JSON are masked as well as can be, never an error. A name of more than 4,096 bytes in the document
is matched by no glob; a member with more than 1,024 bytes of whitespace before or behind its name
is masked where it should be dropped, since no more is held back.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from mantlet.core.request import Request
from mantlet.http.routing import Routes
from mantlet.sanitize.members.chain import Chain, EventMembers, Make
from mantlet.sanitize.members.finding import Finder
from mantlet.sanitize.members.names import (
    LONGEST,
    Action,
    Literal,
    Names,
    is_telling,
    literals,
    merged,
    read_name,
)
from mantlet.sanitize.members.near import Near
from mantlet.sanitize.members.pointers import betrayals, names_in, pointer_tokens, tree
from mantlet.sanitize.members.walk import Walk

__all__ = ["JsonField", "Members", "Stage"]

#: A filter of one body: takes each chunk, and whether more will follow; returns what is sent.
Stage = Callable[[bytes, bool], bytes]

_EVERY: Final = "* /*"


@dataclass(frozen=True, slots=True)
class JsonField:
    """Members of JSON answers to mask or to drop.

    Attributes:
        name: a name, a glob or a JSON Pointer.
        action: ``"mask"`` or ``"drop"``.
        route: the requests whose answers it is for, as `mantlet.http.routing` has them.

    Raises:
        TypeError: the name is not text.
        ValueError: an option is malformed; the message names it and shows what would be right.
    """

    name: str
    action: Action = "mask"
    route: str = _EVERY

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f'a name in mask must be text such as "password", not {self.name!r}')
        if not self.name:
            raise ValueError(
                'mask has an empty name; write "password", "*_token" or "/user/ssn"; '
                'the pointer "/" is the member whose name is empty'
            )
        if self.action not in ("mask", "drop"):
            raise ValueError(
                f'action of the field {self.name!r} must be "mask" or "drop", not {self.action!r}'
            )
        if self.name.startswith("/"):
            pointer_tokens(self.name)
        elif len(self.name) > LONGEST:
            raise ValueError(
                f"mask has a name of {len(self.name)} characters; write at most {LONGEST}"
            )
        Routes([(self.route, None)])


class Members:
    """Fields, made ready. Immutable; may be shared by threads.

    Args:
        mask: names to mask, or `JsonField` for all else. What the fields of several routes say of a
            request holds together.

    Raises:
        TypeError: a field is neither, or ``mask`` is one text.
        ValueError: a name, a glob or a pointer is malformed.

    Attributes:
        literals: one of them is in every body that has a member to mask or to drop.
    """

    __slots__ = ("_always", "_finder", "_plans", "literals")

    def __init__(self, mask: Iterable[str | JsonField]) -> None:
        if isinstance(mask, str | bytes | JsonField):
            raise TypeError(f'mask must be several, such as ["password"], not {mask!r}')
        routes: dict[str, list[JsonField]] = {}
        for field in mask:
            made = JsonField(field) if isinstance(field, str) else field
            if not isinstance(made, JsonField):
                raise TypeError(f"mask takes names and JsonField(...), not {field!r}")
            routes.setdefault(made.route, []).append(made)
        found: dict[Literal, None] = {}
        self._always: tuple[Make, ...] = ()
        self._plans: list[tuple[Routes[None], tuple[Make, ...]]] = []
        for route, asked in sorted(routes.items()):
            editors = _editors(asked, found)
            if route == _EVERY:
                self._always = editors
            else:
                self._plans.append((Routes([(route, None)]), editors))
        self.literals: tuple[bytes, ...] = tuple(sorted({literal.text for literal in found}))
        self._finder = Finder(found)

    def betrayed(self, data: bytes) -> bool:
        """Return whether something in a whole body may be a member to mask or to drop."""
        return bool(self._finder.find(data))

    def stage(self, request: Request, *, events: bool = False) -> Stage | None:
        """Return a filter of the answer to a request, or None where no field is for it.

        Args:
            request: which is answered.
            events: whether the body is a stream of Server-Sent Events whose data is JSON.
        """
        editors = self._always
        for routes, more in self._plans:
            if routes.match(request.method, request.route_path):
                editors += more
        if not editors:
            return None
        if events:
            return EventMembers(editors, self._finder)
        if len(editors) == 1:
            return editors[0]()
        return Chain(editors)


def _editors(fields: Iterable[JsonField], found: dict[Literal, None]) -> tuple[Make, ...]:
    """Return what makes the filters for some fields, and add the literals that betray them."""
    near: list[tuple[str, Action]] = []
    far: list[tuple[str, Action]] = []
    pointers: list[tuple[str, Action]] = []
    near_literals: dict[Literal, None] = {}
    far_literals: dict[Literal, None] = {}
    for field in fields:
        entry = field.name, field.action
        if field.name.startswith("/"):
            pointers.append(entry)
            betraying = betrayals(field.name)
            found |= dict.fromkeys(betraying)
            far_literals |= dict.fromkeys(names_in(field.name) or betraying)
            continue
        _, fixed = read_name(field.name)
        if is_telling(fixed):
            near.append(entry)
            near_literals |= dict.fromkeys(literals(fixed))
        else:
            far.append(entry)
            found |= dict.fromkeys(literals(fixed))
            far_literals |= dict.fromkeys(literals(fixed))
    found |= near_literals
    made: list[Make] = []
    if pointers or far:  # before what drops members by name: a pointer may lead through them
        drops = any(action == "drop" for _, action in (*pointers, *far))
        names = Names(merged(far)) if far else None
        root = tree(merged(pointers))
        made.append(partial(Walk, root, names, Finder(far_literals), drops=drops))
    if near:
        made.append(partial(Near, Names(merged(near)), Finder(near_literals)))
    return tuple(made)

"""`Event`: something that has happened, as it is stored, published and pushed."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

__all__ = ["Event"]


# Any: JSON values.
@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened.

    Attributes:
        type: its name, such as ``"order.placed"``: 1 to 100 printable ASCII characters, no spaces.
        data: JSON values: dicts with text as keys, lists, texts, numbers, booleans and None.
        id: a unique id, by which subscribers recognize duplicates: 1 to 100 characters as in
            ``type``.

    Raises:
        TypeError: the type or the id is not text.
        ValueError: the type or the id is malformed.
    """

    type: str
    data: Any = None
    id: str = field(default_factory=lambda: uuid4().hex)

    def __post_init__(self) -> None:
        for name in ("type", "id"):
            text = getattr(self, name)
            if not isinstance(text, str):
                raise TypeError(f"an event's {name} must be text, not {text!r}")
            if not (0 < len(text) <= 100 and text.isascii() and text.isprintable()) or " " in text:
                raise ValueError(
                    f"an event's {name} must be 1 to 100 printable ASCII characters without "
                    f"spaces, not {text!r}"
                )

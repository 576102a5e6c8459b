"""What a guard is made of, before it is decided how strictly each operation is dealt with."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal, Protocol

from mantlet.guard.coverage import Coverage
from mantlet.guard.operation import Operation
from mantlet.guard.options import Settings

__all__ = ["Declaration", "DocumentOptions"]


@dataclass(frozen=True, slots=True)
class DocumentOptions:
    """How a document is read; see `SchemaGuard`."""

    formats: bool | Mapping[str, Callable[[str], bool]] = False
    regex_lookaround: Literal["refuse", "bounded"] = "refuse"
    require_bounds: bool = False
    use_servers: bool = True
    ref_root: str | PathLike[str] | None = None


class Declaration(Protocol):
    """The operations of an API, as they were declared.

    Attributes:
        reloads: whether another declaration may take its place.
    """

    reloads: bool

    def names(self) -> list[tuple[str, str]]:
        """Return the methods and the templates of the operations."""
        ...

    def compile(self, settings: Mapping[tuple[str, str], Settings]) -> Iterator[Operation]:
        """Yield the operations, in the order of `names()`.

        Args:
            settings: how strictly each is dealt with.

        Raises:
            TypeError: what is declared can't be compiled.
            ValueError: it is wrong.
        """
        ...

    def tell(self) -> None:
        """Say what of it can't be honoured, once it has been compiled."""
        ...

    def narrower_than(self, other: Any) -> tuple[str, ...]:  # Any: one of the same class
        """Return what another declaration accepts, and this one does not, in words."""
        ...

    def coverage(self, operations: list[Operation]) -> Coverage:
        """Return what of the declaration is checked, and what is not."""
        ...

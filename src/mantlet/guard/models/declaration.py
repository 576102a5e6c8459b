"""Contracts, before it is decided how strictly each operation is dealt with."""

from collections.abc import Iterator, Mapping
from typing import Any

from mantlet.guard.contract import Contract
from mantlet.guard.coverage import Coverage, checked_parts
from mantlet.guard.models.compiling import compile_contract, read_name
from mantlet.guard.operation import Operation
from mantlet.guard.options import Settings
from mantlet.guard.raw import RawBody
from mantlet.guard.router import WEBSOCKET

__all__ = ["ModelDeclaration"]


class ModelDeclaration:
    """Operations declared by models.

    Args:
        contracts: by names such as ``"POST /items"``: a `Contract`, or what its ``body`` is,
            or its ``message`` for a WebSocket.

    Raises:
        ValueError: a name is none, or two are for the same operation.
    """

    reloads = False

    # Any: whatever pydantic takes for a type.
    def __init__(self, contracts: Mapping[str, Any]) -> None:
        self._contracts: dict[tuple[str, str], Contract] = {}
        if not contracts:
            raise ValueError("contracts must declare an operation at least")
        for name, declared in contracts.items():
            methods, template = read_name(name)
            for method in methods:
                contract = declared
                if not isinstance(declared, Contract):
                    part = "message" if method == WEBSOCKET else "body"
                    contract = Contract(**{part: declared})
                if (method, template) in self._contracts:
                    raise ValueError(f"contracts declare {method} {template} twice")
                self._contracts[method, template] = contract

    def names(self) -> list[tuple[str, str]]:
        """Return the methods and the templates of the operations."""
        return list(self._contracts)

    def compile(self, settings: Mapping[tuple[str, str], Settings]) -> Iterator[Operation]:
        """Yield the operations."""
        for (method, template), contract in self._contracts.items():
            yield compile_contract(method, template, contract, settings[method, template])

    def tell(self) -> None:
        """Say nothing: what can't be honoured is an error."""

    def narrower_than(self, other: Any) -> tuple[str, ...]:
        """Return nothing, since models are not replaced."""
        return ()

    def coverage(self, operations: list[Operation]) -> Coverage:
        """Return what of the contracts is checked."""
        return Coverage(
            tuple((operation.name, tuple(checked_parts(operation))) for operation in operations),
            notes=tuple(self._notes(operations)),
        )

    def _notes(self, operations: list[Operation]) -> Iterator[tuple[str, str]]:
        for operation in operations:
            if operation.path is None and "{" in operation.template:
                yield operation.name, "the names of the path may have any text"
            if operation.headers is None and operation.cookies is None:
                yield operation.name, "header fields and cookies may have any text"
            for kind, reader in (operation.body.readers if operation.body else {}).items():
                if isinstance(reader, RawBody):
                    yield operation.name, f"{kind} is bounded in size, and not looked into"
            for model in operation.opened:
                yield operation.name, f"the model of {model} says what becomes of other members"

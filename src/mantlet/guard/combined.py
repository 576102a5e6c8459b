"""Contracts beside an OpenAPI document."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from mantlet.guard.coverage import Coverage, OperationSource
from mantlet.guard.operation import Operation
from mantlet.guard.options import OperationSettings
from mantlet.guard.routing.app_routes import AppRoutes

__all__ = ["CombinedSource"]

_NAME: Final = re.compile(r"\{[^{}]*?(:path)?\}")


class CombinedSource:
    """A document's operations, with contracts added to them; an `OperationSource`.

    A contract replaces the document's operation of the same method and path, whatever the names of
    the path's parameters, and keeps the base paths of its servers.

    Args:
        document: the document.
        contracts: the contracts.
    """

    def __init__(self, document: OperationSource, contracts: OperationSource) -> None:
        self.reloads = document.reloads
        self._document = document
        self._contracts = contracts
        own = set(map(_key, contracts.names()))
        self._replaced = {_key(name): name for name in document.names() if _key(name) in own}

    @property
    def app_routes(self) -> AppRoutes | None:
        """The routes of the app that the document is from."""
        return self._document.app_routes

    def names(self) -> list[tuple[str, str]]:
        """Return the methods and templates of the operations."""
        replaced = set(self._replaced.values())
        return [
            *(name for name in self._document.names() if name not in replaced),
            *self._contracts.names(),
        ]

    def compile(self, settings: Mapping[tuple[str, str], OperationSettings]) -> Iterator[Operation]:
        """Yield the operations: those of the document, then the contracts.

        Raises:
            TypeError: a contract can't be compiled.
            ValueError: a declaration is wrong.
        """
        contracts = list(self._contracts.compile(settings))
        by_key = {_key((one.method, one.template)): one for one in contracts}
        own = {name: settings[_declared(by_key[key])] for key, name in self._replaced.items()}
        for operation in self._document.compile({**settings, **own}):
            key = _key((operation.method, operation.template))
            if key in self._replaced:
                by_key[key] = replace(
                    by_key[key], bases=operation.bases, security=operation.security
                )
            else:
                yield operation
        yield from by_key.values()

    def log_ignored(self) -> None:
        """Log the parts of the document that can't be enforced."""
        self._document.log_ignored()

    def narrower_than(self, other: Any) -> tuple[str, ...]:
        """Describe the requests that another document accepts and this one does not."""
        return self._document.narrower_than(other._document)

    def with_document(self, document: OperationSource) -> "CombinedSource":
        """Return the same contracts beside another document."""
        return CombinedSource(document, self._contracts)

    def coverage(self, operations: list[Operation]) -> Coverage:
        """Report which parts of the declarations are checked, and which are not."""
        contracts = [one for one in operations if one.is_pattern]
        document = self._document.coverage([one for one in operations if not one.is_pattern])
        own = self._contracts.coverage(contracts)
        replaced = (
            (" ".join(name), "a contract replaces the operation of the document")
            for name in self._replaced.values()
        )
        return replace(
            document,
            operations=(*document.operations, *own.operations),
            notes=(*document.notes, *replaced, *own.notes),
        )


def _key(name: tuple[str, str]) -> tuple[str, str]:
    method, template = name
    if template.endswith("/*"):
        template = f"{template[:-1]}{{:path}}"
    return method, _NAME.sub(lambda found: f"{{{found[1] or ''}}}", template)


def _declared(operation: Operation) -> tuple[str, str]:
    return operation.method, operation.template

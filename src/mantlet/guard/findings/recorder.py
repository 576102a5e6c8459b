"""Record findings in bounded memory."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from time import time
from typing import Final

from mantlet._internal.locks import ForkSafeLock
from mantlet._internal.printable import printable
from mantlet.core.error_log import maskers
from mantlet.core.request import Request
from mantlet.guard.errors import ErrorItem, Place, ValidationFailed
from mantlet.guard.findings.finding import OTHERS, Finding, Subject, merge
from mantlet.guard.findings.masking import mask_pointer, request_pattern, sample

__all__ = ["FindingRecorder"]

#: Places that are kept apart for each operation and error code.
_MAX_POINTERS: Final = 20
#: Error codes that are kept apart for each operation.
_MAX_CODES: Final = 50
#: Kinds in all, of declared operations.
_MAX_KINDS: Final = 5_000
#: Routes that no operation is declared for.
_MAX_UNDECLARED: Final = 300
#: Errors of one request that are recorded.
_MAX_ERRORS: Final = 20
#: The most bytes of a text.
_MAX_DETAIL: Final = 300
_MAX_SAMPLE: Final = 500

#: A subject, a place and an error code.
_Rule = tuple[Subject, str, str]


class _Kind:
    """Violations of one kind."""

    __slots__ = ("count", "detail", "first", "last", "refused", "sample", "status")

    def __init__(self, status: int, now: float) -> None:
        self.status = status
        self.first = self.last = now
        self.count = self.refused = 0
        self.detail = self.sample = ""

    def add(self, count: int, refused: int, first: float, last: float) -> None:
        """Count further violations."""
        self.count += count
        self.refused += refused
        self.first = min(self.first, first)
        self.last = max(self.last, last)


class _Route:
    """Violations of one route, by their rules and places."""

    __slots__ = ("count", "rules")

    def __init__(self) -> None:
        self.rules: dict[_Rule, dict[str, _Kind]] = {}
        self.count = 0


class FindingRecorder:
    """Records findings of one process; of a forked child, from the fork on.

    Clients choose the names in pointers, and the paths that no operation is declared for. So there
    is a bound on the places of each operation and error code, and one on undeclared routes, apart
    from declared ones; of these the rarest makes room for a new one. The others are counted
    together, as `OTHERS`.

    Attributes:
        version: grows with each violation.
    """

    def __init__(self) -> None:
        self._lock = ForkSafeLock(on_fork=self._forget)
        self._forget()

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._declared: dict[str, _Route] = {}
        self._undeclared: dict[str, _Route] = {}
        self._kinds = 0
        self.version = 0

    def record(
        self,
        request: Request,
        operation: str | None,
        subject: Subject,
        failure: ValidationFailed,
        status: int,
        *,
        refused: bool,
    ) -> None:
        """Record the errors of a request, a response or a message.

        Args:
            request: the request.
            operation: the name of the declared operation, or None.
            subject: what is invalid.
            failure: the errors, and the values that were read.
            status: the status of the response to it.
            refused: whether it is refused.
        """
        now = time()
        found: dict[tuple[Place, str, str], ErrorItem] = {}
        for error in failure.errors[:_MAX_ERRORS]:
            pointer = _mask_secrets(request, mask_pointer(error.pointer))
            found.setdefault((error.place, pointer, error.code), error)
        name = operation or _mask_secrets(request, request_pattern(request))
        new = []
        with self._lock.hold():
            if self._pid != os.getpid():
                self._forget()
            self.version += 1
            route = self._undeclared_route(name) if operation is None else self._route(name)
            route.count += 1
            for (place, pointer, code), error in found.items():
                kind, is_new = self._kind(route, (subject, place, code), pointer, status, now)
                kind.last = now
                kind.count += 1
                kind.refused += refused
                if is_new:
                    new.append((kind, error))
        for kind, error in new:
            kind.detail = _mask(request, error.detail, _MAX_DETAIL)
            kind.sample = _mask(request, sample(request, error, failure.values), _MAX_SAMPLE)

    def _route(self, name: str) -> _Route:
        route = self._declared.get(name)
        if route is None:
            route = self._declared[name] = _Route()
        return route

    def _undeclared_route(self, name: str) -> _Route:
        """Return an undeclared route; if there are too many, in place of the rarest one."""
        known = self._undeclared
        route = known.get(name)
        if route is None:
            if OTHERS not in known:
                if len(known) == _MAX_UNDECLARED:
                    known[OTHERS] = _Route()
            elif len(known) > _MAX_UNDECLARED:
                rarest = min(
                    (one for one in known if one != OTHERS), key=lambda one: known[one].count
                )
                self._add_to_others(known.pop(rarest))
            route = known[name] = _Route()
        return route

    def _add_to_others(self, route: _Route) -> None:
        others = self._undeclared[OTHERS]
        others.count += route.count
        for rule, kinds in route.rules.items():
            self._kinds -= len(kinds)
            for kind in kinds.values():
                total, _ = self._kind(others, rule, OTHERS, kind.status, kind.first)
                total.add(kind.count, kind.refused, kind.first, kind.last)

    def add(self, finding: Finding) -> None:
        """Add what another recorder has found."""
        name = finding.operation
        first, last = finding.first_seen.timestamp(), finding.last_seen.timestamp()
        with self._lock.hold():
            if finding.declared:
                route = self._route(name)
            else:
                if name == OTHERS:
                    self._undeclared.setdefault(OTHERS, _Route())
                route = self._undeclared_route(name)
            route.count += finding.count
            rule = finding.subject, finding.place, finding.code
            kind, is_new = self._kind(route, rule, finding.pointer, finding.status, first)
            kind.add(finding.count, finding.refused, first, last)
            if is_new:
                kind.detail, kind.sample = finding.detail, finding.sample

    def _kind(
        self, route: _Route, rule: _Rule, pointer: str, status: int, now: float
    ) -> tuple[_Kind, bool]:
        """Return the kind of a violation, and whether it is new."""
        kinds = route.rules.get(rule)
        is_full = self._kinds >= _MAX_KINDS
        if kinds is None:
            if is_full or len(route.rules) >= _MAX_CODES:
                rule = rule[0], "", OTHERS
                pointer = OTHERS
            kinds = route.rules.setdefault(rule, {})
        kind = kinds.get(pointer)
        if kind is None and (is_full or len(kinds) >= _MAX_POINTERS):
            pointer = OTHERS
            kind = kinds.get(pointer)
        if kind is not None:
            return kind, False
        kind = kinds[pointer] = _Kind(status, now)
        self._kinds += 1
        return kind, True

    def findings(self) -> list[Finding]:
        """Return the findings, the most frequent first."""
        with self._lock.hold():
            if self._pid != os.getpid():
                self._forget()
            return merge(
                [
                    *_listed(self._declared, declared=True),
                    *_listed(self._undeclared, declared=False),
                ]
            )


def _listed(routes: Mapping[str, _Route], *, declared: bool) -> Iterator[Finding]:
    for name, route in routes.items():
        for (subject, place, code), kinds in route.rules.items():
            for pointer, kind in kinds.items():
                yield Finding(
                    operation=name,
                    declared=declared,
                    subject=subject,
                    place=place,
                    pointer=pointer,
                    code=code,
                    status=kind.status,
                    count=kind.count,
                    refused=kind.refused,
                    first_seen=datetime.fromtimestamp(kind.first, UTC),
                    last_seen=datetime.fromtimestamp(kind.last, UTC),
                    detail=kind.detail,
                    sample=kind.sample,
                )


def _mask_secrets(request: Request, text: str) -> str:
    if text:
        for masker in maskers(request):
            text = masker.text(text)
    return text


def _mask(request: Request, text: str, most: int) -> str:
    """Return a text without secrets, in one line."""
    return printable(_mask_secrets(request, text), most)

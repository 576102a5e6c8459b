"""`Finding`: one kind of violation, and how findings of several workers add up."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

__all__ = ["OTHERS", "Finding", "Subject", "merge"]

#: What is invalid: a request, one of the app's responses, or a WebSocket message.
Subject = Literal["request", "response", "message"]

#: Stands for the routes, or the places, that are too many to be listed.
OTHERS: Final = "..."

_SUBJECTS: Final = ("request", "response", "message")
_TEXTS: Final = ("operation", "place", "pointer", "code", "detail", "sample")
_NUMBERS: Final = ("status", "count", "refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One kind of violation: its route, place and rule, and how often it was seen.

    It has no value that a client sent. Names of members, parameters and path segments may be the
    client's: they are bounded and printable, and ``{}`` stands for those that look like a number
    or an id.

    Attributes:
        operation: the declared operation, such as ``"POST /items/{id}"``; for a request that no
            operation is declared for, its method and the pattern of its path, such as
            ``"GET /users/{}"``; ``"..."`` for further ones, whose kinds are not kept apart.
        declared: whether the operation is a declared one.
        subject: ``"request"``, ``"response"`` or ``"message"``.
        place: ``"path"``, ``"query"``, ``"header"``, ``"cookie"``, ``"body"`` or ``"message"``.
        pointer: the place within it, as in the problem, with ``{}`` for the index of an item;
            ``"..."`` for further places of the same error.
        code: the kind of error, as in the problem.
        status: the status of the response to it; 500 for a response, 0 for a message.
        count: how often it was seen.
        refused: how often of these it was refused, and not only reported.
        first_seen: when it was first seen.
        last_seen: when it was last seen.
        detail: the error as the problem says it, of the first one seen.
        sample: the shape of the first value seen: types and lengths, such as
            ``string(5) in {name: string(5), price: number}``; empty if it is not known.
    """

    operation: str
    declared: bool
    subject: Subject
    place: str
    pointer: str
    code: str
    status: int
    count: int
    refused: int
    first_seen: datetime
    last_seen: datetime
    detail: str
    sample: str

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON, with times as in RFC 3339."""
        first, last = self.first_seen.isoformat(), self.last_seen.isoformat()
        return asdict(self) | {"first_seen": first, "last_seen": last}

    @classmethod
    # Any: a value of JSON.
    def from_json(cls, value: Any) -> "Finding":
        """Return a finding from its JSON.

        Raises:
            ValueError: it is not the JSON of a finding.
        """
        if not isinstance(value, Mapping) or value.keys() != set(cls.__dataclass_fields__):
            raise ValueError("not a finding: other members")
        read = dict(value)
        if (
            not all(isinstance(read[name], str) for name in (*_TEXTS, "first_seen", "last_seen"))
            or not all(type(read[name]) is int and read[name] >= 0 for name in _NUMBERS)
            or type(read["declared"]) is not bool
            or read["subject"] not in _SUBJECTS
        ):
            raise ValueError("not a finding: members of other types")
        for name in ("first_seen", "last_seen"):
            read[name] = datetime.fromisoformat(read[name]).astimezone(UTC)
        return cls(**read)


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """Add up findings of the same kind, and sort them: the most frequent first."""
    kinds: dict[tuple[Any, ...], Finding] = {}
    for one in findings:
        key = (one.operation, one.declared, one.subject, one.place, one.pointer, one.code)
        known = kinds.get(key)
        kinds[key] = one if known is None else _add(known, one)
    return sorted(kinds.values(), key=_order)


def _add(one: Finding, other: Finding) -> Finding:
    first = one if one.first_seen <= other.first_seen else other
    return replace(
        first,
        count=one.count + other.count,
        refused=one.refused + other.refused,
        last_seen=max(one.last_seen, other.last_seen),
    )


def _order(finding: Finding) -> tuple[Any, ...]:
    return -finding.count, finding.operation, finding.place, finding.pointer, finding.code

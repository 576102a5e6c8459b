"""Pairs of names and texts, put together into the values of parameters."""

from collections.abc import Iterable
from typing import Any

from mantlet.guard.errors import Invalid
from mantlet.guard.parameters.decoding import Unreadable
from mantlet.guard.parameters.entries import Entry
from mantlet.guard.parameters.findings import Findings

__all__ = ["Gathering"]

#: Whose a text is, and the member's name that it is of, if any.
Claim = tuple[Entry, str | None]


class Gathering:
    """What one request has of the parameters of one place.

    Args:
        findings: where what is wrong goes.
        unique: refuse what is there twice and must not be; else the last one counts.
    """

    __slots__ = ("_findings", "_members", "_texts", "_unique")

    def __init__(self, findings: Findings, unique: bool) -> None:
        self._findings = findings
        self._unique = unique
        self._texts: dict[str, list[str]] = {}
        self._members: dict[str, dict[str, str]] = {}

    def put(self, claim: Claim, text: str) -> None:
        """Take one text.

        Args:
            claim: whose it is.
            text: with its encoding.
        """
        entry, member = claim
        if entry.whole or member is None:
            texts = self._texts.setdefault(entry.name, [])
            if texts and entry.whole:
                self._repeated(entry, None)
                texts.clear()
            texts.append(text)
            return
        members = self._members.setdefault(entry.name, {})
        if member in members:
            self._repeated(entry, member)
        members[member] = text

    def values(self, entries: Iterable[Entry]) -> dict[str, Any]:
        """Return the values by the parameters' names, of those that are there and readable."""
        values: dict[str, Any] = {}
        for entry in entries:
            name = entry.name
            texts, members = self._texts.get(name), self._members.get(name)
            if texts == [""] and entry.parameter.allow_empty:
                self._findings.excused.add(name)
                continue
            try:
                if members is not None:
                    values[name] = entry.read_members(members)
                elif texts is not None:
                    values[name] = entry.read(texts[0]) if entry.whole else entry.read_items(texts)
            except Unreadable as error:
                self._findings.unread(name, error)
            except Invalid as error:
                self._findings.inside(name, error)
        return values

    def _repeated(self, entry: Entry, member: str | None) -> None:
        if self._unique:
            self._findings.unread(
                entry.name,
                Unreadable("duplicate_parameter", "It is there more than once.", member),
            )

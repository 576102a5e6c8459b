"""Faults traced back to the operations that they concern."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet.guard.openapi.diagnostics import DocumentLocation
from mantlet.guard.openapi.faults import FaultGraph, OperationPart, PartKind, PartLocations

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

Links = list[tuple[DocumentLocation, DocumentLocation]]

#: Operations, and components that refer to each other.
OPERATIONS = [DocumentLocation("", f"/paths/{name}") for name in "abc"]
COMPONENTS = [DocumentLocation(document, f"/c/{name}") for document in ("", "f") for name in "uvw"]
KINDS: tuple[PartKind, ...] = ("request", "responses")
PLACES = [*(one.child(kind) for one in OPERATIONS for kind in KINDS), *COMPONENTS]
places = st.sampled_from([at.child(*tail) for at in PLACES for tail in ((), ("x",), ("x", 0))])
links = st.lists(st.tuples(places, st.sampled_from(COMPONENTS)), max_size=12)


def graph_of(faults: Collection[DocumentLocation], references: Links) -> FaultGraph:
    """Return the graph of the operations' parts."""
    parts = PartLocations()
    for at in OPERATIONS:
        for kind in KINDS:
            parts.add(at.child(kind), OperationPart(str(at), kind))
        parts.add_exact(at, OperationPart(str(at), "request"))
    return FaultGraph(((at, "is wrong") for at in faults), references, parts)


def contains(outer: DocumentLocation, inner: DocumentLocation) -> bool:
    return outer.document == inner.document and (
        f"{inner.pointer}/".startswith(f"{outer.pointer}/")
    )


def reached(root: DocumentLocation, references: Links) -> set[DocumentLocation]:
    """Return what a declaration refers to, with itself: plainly, and slowly."""
    found = {root}
    while True:
        more = {to for at, to in references if any(contains(one, at) for one in found)} - found
        if not more:
            return found
        found |= more


@given(st.lists(places, max_size=4, unique=True), links)
def test_a_fault_concerns_what_reaches_it(
    faults: list[DocumentLocation], references: Links
) -> None:
    """Each operation, and no other; with all parts, and with those of requests alone."""
    graph = graph_of(faults, references)
    for kinds in (KINDS[:1], KINDS):
        met = set()
        for operation in OPERATIONS:
            for kind in kinds:
                seen = reached(operation.child(kind), references)
                expected = {str(at) for at in faults if any(contains(one, at) for one in seen)}
                assert {at for at, _ in graph.of(str(operation), kind)} == expected
                met |= expected
        some, none = graph.split(lambda part, kinds=kinds: part.kind in kinds)  # type: ignore[misc]
        assert {at for at, _ in some} == met
        assert {at for at, _ in none} == {str(at) for at in faults} - met


def test_a_fault_of_the_operation_itself_is_not_one_of_its_content() -> None:
    """Such as one of its tags."""
    operation = OPERATIONS[0]
    graph = graph_of([operation, operation.child("tags")], [])
    assert [at for at, _ in graph.of(str(operation), "request")] == [str(operation)]


@pytest.mark.parametrize("count", [10, 1000])
def test_the_faults_of_one_operation_are_bounded(count: int) -> None:
    """A schema with many faults that many operations use costs no more than both."""
    component = COMPONENTS[0]
    references = [(at.child("request"), component) for at in OPERATIONS]
    graph = graph_of([component.child(index) for index in range(count)], references)
    for operation in OPERATIONS:
        assert len(graph.of(str(operation), "request")) == 5
    assert len(graph.split(lambda _: True)[0]) == count


class _Counting(Links):
    """References that count how often each is looked at."""

    looks = 0

    def __iter__(self) -> Iterator[tuple[DocumentLocation, DocumentLocation]]:
        for item in super().__iter__():
            self.looks += 1
            yield item


def test_references_are_not_looked_at_without_faults() -> None:
    """And with one only once more than there are, however long their chain is."""
    chain = [DocumentLocation("", f"/c/{index}") for index in range(1000)]
    pairs = pairwise(chain)
    begins = [(at.child("request"), chain[0]) for at in OPERATIONS]
    references = _Counting([*begins, *((at.child("x"), to) for at, to in pairs)])
    assert not graph_of([], references).of(str(OPERATIONS[0]), "request")
    assert references.looks == 0
    graph = graph_of([chain[-1]], references)
    assert all(graph.of(str(at), "request") for at in OPERATIONS)
    assert references.looks == len(references)

"""What is wrong with a value that fits none of several forms, or one that it must not."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mantlet.guard.errors import ErrorItem
    from mantlet.guard.jsonschema.errors import Explanation, Path

__all__ = ["explain_forms"]


# Any: schemas and values are plain JSON.
def explain_forms(
    explanation: "Explanation", schema: Mapping[str, Any], value: Any, path: "Path"
) -> None:
    """Find what is wrong by ``anyOf``, ``oneOf``, ``not`` and ``if``."""
    if "anyOf" in schema:
        _one_of(explanation, "anyOf", schema["anyOf"], value, path)
    if "oneOf" in schema:
        _one_of(explanation, "oneOf", schema["oneOf"], value, path)
    if "not" in schema and explanation.allows(schema["not"], value):
        explanation.add(path, "not")
    if "if" in schema:
        part = "then" if explanation.allows(schema["if"], value) else "else"
        explanation.visit(schema.get(part, True), value, path)


def _one_of(
    explanation: "Explanation",
    keyword: Literal["anyOf", "oneOf"],
    forms: list[Any],
    value: Any,
    path: "Path",
) -> None:
    if explanation.is_over():
        return
    fitting = sum(explanation.allows(form, value) for form in forms)
    if fitting > 1 and keyword == "oneOf":
        explanation.add(path, keyword, words="oneOf_several")
    if fitting:
        return
    if len(forms) > 1:
        explanation.add(path, keyword)
    explanation.faults.update(dict.fromkeys(_nearest(explanation, forms, value, path)))


def _nearest(
    explanation: "Explanation", forms: list[Any], value: Any, path: "Path"
) -> list["ErrorItem"]:
    """Return what is wrong by the form that fits best, or nothing if two fit as well.

    It is the one whose faults lie deepest: a value of another type is wrong at once.
    """
    found: list[tuple[int, list[ErrorItem]]] = []
    for form in forms:
        aside = explanation.aside()
        given = aside.visits
        aside.visit(form, value, path)
        explanation.visits -= given - aside.visits
        faults = list(aside.faults)
        if faults:
            found.append((min(fault.pointer.count("/") for fault in faults), faults))
    found.sort(key=lambda form: -form[0])
    if not found or (len(found) > 1 and found[0][0] == found[1][0]):
        return []
    return found[0][1]

"""The rules of Werkzeug's maps, as Flask and Quart have them, in the order in which it tries them.

Nothing here imports Werkzeug: rules are known by their attributes.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

__all__ = ["TriedRule", "tried_rules"]

#: How Werkzeug's expressions begin the group of a parameter, and end with an optional slash.
_GROUP: Final = "(?P<__werkzeug_"
_SUFFIX: Final = "(?<!/)(/?)"


# Any: a rule's class is the framework's.
class TriedRule(NamedTuple):
    """A rule, as Werkzeug tries it for one way of writing the slash at the end.

    Attributes:
        rule: the rule.
        path: its path, with parameters as in ``"/users/{id}"``.
        tried_path: the path that is tried; ``{rest:path}`` for a parameter that has slashes.
        expression: matches the paths; its groups are the rule's parameters.
    """

    rule: Any
    path: str
    tried_path: str
    expression: re.Pattern[str]


def tried_rules(url_map: Any) -> list[TriedRule] | None:
    """Return the rules of a map in the order of Werkzeug's search; None if that is not known."""
    url_map.update()
    root = getattr(getattr(url_map, "_matcher", None), "_root", None)
    return None if root is None else [_rule(rule, slash) for rule, slash in _tried(root)]


#: How the slash at the end of a path differs from the rule's: not, it is left out, or added.
_Slash = Literal["same", "none", "added"]


def _tried(state: Any) -> Iterator[tuple[Any, _Slash]]:
    """Iterate over the rules below a state of Werkzeug's matcher in the order of its search."""
    for rule in state.rules:
        yield rule, "same"
    if "" in state.static:
        yield from ((one, "none") for one in state.static[""].rules if not one.strict_slashes)
    for inner in state.static.values():
        yield from _tried(inner)
    for _, inner in state.dynamic:
        yield from _tried(inner)
    yield from ((rule, "added") for rule in state.rules if not rule.strict_slashes)


def _rule(rule: Any, slash: _Slash) -> TriedRule:
    start = rule._trace.index((False, "|")) + 1  # after the domain
    pieces = [f"{{{text}}}" if dynamic else text for dynamic, text in rule._trace[start:]]
    path = shown = "".join(pieces)
    parts = rule._parts[1:]
    if any(part.final for part in parts):  # the trie needs to know where the rest begins
        name = next(name for name, one in rule._converters.items() if not one.part_isolating)
        shown = path.replace(f"{{{name}}}", f"{{{name}:path}}")
    if slash == "added":
        shown = f"{shown}/"
    elif slash == "none":
        shown = shown.removesuffix("/") or "/"
    return TriedRule(rule, path, shown, _expression(parts, slash))


def _expression(parts: Sequence[Any], slash: _Slash) -> re.Pattern[str]:
    """Return an expression of the paths of a rule; its groups are the rule's parameters."""
    made = []
    for number, part in enumerate(parts):
        if part.static:
            made.append(re.escape(part.content))
            continue
        content = part.content.removesuffix(r"\Z").replace(_GROUP, f"(?P<p{number}_")
        if part.suffixed:
            # The empty part after it is the slash.
            content = content.removesuffix(_SUFFIX) + ("(?<!/)" if slash == "none" else "(?<!/)/")
            return re.compile("/".join([*made, content]))
        made.append(content)
    if slash == "added":
        made.append("")
    elif slash == "none":
        made = made[:-1] or [""]
    return re.compile("/".join(made))

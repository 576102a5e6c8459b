"""Find the routes of the app that have no rule."""

from collections.abc import Iterator, Sequence
from typing import Final

from mantlet.authorization.access_rules import AccessRules
from mantlet.core.listed_routes import ListedRoute
from mantlet.http.routing import parse_pattern

__all__ = ["routes_without_rules"]

#: The methods of views that are for every method.
_USUAL_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def routes_without_rules(routes: Sequence[ListedRoute], table: AccessRules) -> Iterator[str]:
    """Iterate over the routes that no rule matches, without the methods that have one."""
    for route in routes:
        methods, path = parse_pattern(route.pattern)[1:]
        if route.is_mount and any(_is_below(rule.pattern, path) for rule in table.rules):
            continue
        if methods == ("*",):
            # A view for every method needs a rule for one of them at least.
            if not any(table.of_pattern(route.pattern, one) for one in _USUAL_METHODS):
                yield route.pattern
            continue
        # Frameworks add these two to others.
        own = [one for one in methods if one not in ("HEAD", "OPTIONS")] or list(methods)
        bare = [one for one in own if not table.of_pattern(route.pattern, one)]
        if bare:
            yield f"{','.join(bare)} {path}"


def _is_below(pattern: str, mount: str) -> bool:
    """Return whether a rule is for paths below a mount."""
    return parse_pattern(pattern).path.startswith(mount.removesuffix("{path:path}"))

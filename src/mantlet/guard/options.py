"""How strictly a guard deals with an operation, all of them or some."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, get_args

from mantlet.guard.limits import BodyLimits

__all__ = ["Forward", "Mode", "Opening", "RouteOptions", "Settings", "settings_of"]

Mode = Literal["enforce", "report"]
Forward = Literal["original", "canonical"]
#: What is refused as long as it is not opened.
Opening = Literal["path", "method", "media_type", "query", "duplicates", "body", "members"]

_PATTERN: Final = re.compile(r"(\*|[^\s,*]+(?:,[^\s,*]+)*) (/.*)")
OPENINGS: Final = frozenset(get_args(Opening))


@dataclass(frozen=True, kw_only=True)
class RouteOptions:
    """How strictly some operations are dealt with; what is None is as the guard has it for all.

    Args:
        mode: ``"enforce"``, or ``"report"``: what would be refused is logged, counted and let
            through.
        sample_rate: the share of requests, and of their responses, to validate, from 0 to 1. Only
            the path, method and credentials of the others are checked.
        allow: what is let through undeclared: ``"media_type"`` (bodies of other types, unread),
            ``"query"`` (names of the query), ``"duplicates"`` (repeated scalars in the query and in
            forms, of which the last counts), ``"body"`` (a body where none is declared),
            ``"members"`` (members that a model does not declare). For a whole guard also
            ``"path"`` and ``"method"``.
        forward: ``"original"``: the app gets the client's bytes; ``"canonical"``: it gets the body
            written anew from what was validated.
        responses: None or ``"off"`` (as the guard has it; not looked at), ``"report"`` or
            ``"enforce"``.
        limits: bounds on the request.

    Raises:
        ValueError: an option is none of these.
    """

    mode: Mode | None = None
    sample_rate: float | None = None
    allow: Collection[Opening] | None = None
    forward: Forward | None = None
    responses: Literal["off", "report", "enforce"] | None = None
    limits: BodyLimits | None = None

    def __post_init__(self) -> None:
        _one_of("mode", self.mode, "enforce", "report")
        _one_of("forward", self.forward, "original", "canonical")
        _one_of("responses", self.responses, "off", "report", "enforce")
        if self.sample_rate is not None and not 0 <= self.sample_rate <= 1:
            raise ValueError(f"sample_rate must be from 0 to 1, not {self.sample_rate!r}")
        if self.allow is not None:
            unknown = set(self.allow) - OPENINGS
            if isinstance(self.allow, str) or unknown:
                raise ValueError(f"allow must be some of {sorted(OPENINGS)}, not {self.allow!r}")
            object.__setattr__(self, "allow", frozenset(self.allow))
        limits: object = self.limits
        if limits is not None and not isinstance(limits, BodyLimits):
            raise TypeError(f"limits must be a BodyLimits, not {limits!r}")


def _one_of(option: str, value: object, *allowed: str) -> None:
    if value is not None and value not in allowed:
        raise ValueError(f"{option} must be {' or '.join(map(repr, allowed))}, not {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A `RouteOptions` in which everything is decided."""

    mode: Mode = "enforce"
    sample_rate: float = 1.0
    allow: frozenset[str] = frozenset()
    forward: Forward = "original"
    responses: Literal["off", "report", "enforce"] = "off"
    limits: BodyLimits

    def under(self, handling: RouteOptions) -> "Settings":
        """Return these settings with what a handling says in their place."""
        said: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        said |= {
            field.name: getattr(handling, field.name)
            for field in fields(handling)
            if getattr(handling, field.name) is not None
        }
        return Settings(**said)


def settings_of(
    settings: Settings,
    routes: Mapping[str, RouteOptions],
    operations: Iterable[tuple[str, str]],
) -> dict[tuple[str, str], Settings]:
    """Return the settings of each operation.

    Args:
        settings: those of the guard.
        routes: handlings by patterns: the name of an operation, such as ``"GET /items/{id}"``, or
            of several, such as ``"GET,HEAD /items/{id}"`` and ``"* /legacy/*"``. Of those that hold
            for an operation the one that names its path counts, then that with the longest path,
            then that which names its method.
        operations: methods and templates.

    Raises:
        TypeError: a pattern has no `RouteOptions`.
        ValueError: a pattern is none, holds for no operation, or opens what only a whole guard can
            open.
    """
    patterns = [_Pattern(text, handling) for text, handling in routes.items()]
    unused = {pattern.text for pattern in patterns}
    found = {}
    for method, template in operations:
        holding = [pattern for pattern in patterns if pattern.holds(method, template)]
        unused.difference_update(pattern.text for pattern in holding)
        best = max(holding, key=_Pattern.rank, default=None)
        found[method, template] = settings if best is None else settings.under(best.handling)
    if unused:
        raise ValueError(f"routes has patterns that hold for no operation: {sorted(unused)}")
    return found


class _Pattern:
    """A pattern of operations, with what is said of them."""

    def __init__(self, text: str, handling: RouteOptions) -> None:
        read = _PATTERN.fullmatch(text)
        if read is None:
            raise ValueError(f'routes must have patterns such as "* /legacy/*", not {text!r}')
        checked: object = handling
        if not isinstance(checked, RouteOptions):
            raise TypeError(f"routes must hold a RouteOptions for {text!r}, not {handling!r}")
        if handling.allow and {"path", "method"} & set(handling.allow):
            raise ValueError(
                f'routes can\'t open "path" or "method" for {text!r}: that is for a whole guard'
            )
        self.text = text
        self.handling = handling
        self._methods = read[1].split(",")
        self._path = read[2]
        self._begins = self._path.endswith("/*")

    def holds(self, method: str, template: str) -> bool:
        if method not in self._methods and self._methods != ["*"]:
            return False
        return template.startswith(self._path[:-1]) if self._begins else template == self._path

    def rank(self) -> tuple[bool, int, bool]:
        return not self._begins, len(self._path), self._methods != ["*"]

"""How strictly the guard treats operations: all of them, or some by route pattern."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from os import PathLike
from typing import Any, Final, Literal, get_args

from mantlet._internal.options import KnowsOptions, check_number
from mantlet.core.modes import Mode, RouteModes
from mantlet.guard.limits import BodyLimits
from mantlet.http.routing import parse_pattern

__all__ = [
    "WEBSOCKET_METHOD",
    "Allowance",
    "Compile",
    "DocumentOptions",
    "Forward",
    "OnInvalid",
    "OperationPattern",
    "OperationSettings",
    "RouteOptions",
    "ServerMode",
    "UndeclaredQuery",
    "ValidatorMessages",
    "check_literal",
    "settings_by_operation",
]

Forward = Literal["original", "canonical"]
#: What to do with an operation whose declaration is faulty.
OnInvalid = Literal["error", "close", "open"]
#: Whether the base paths of a document's servers may, must or must not precede paths.
ServerMode = Literal["optional", "required", "ignore"]
#: What to do with undeclared names in the query.
UndeclaredQuery = Literal["refuse", "ignore"]
#: When the operations of a document are compiled.
Compile = Literal["auto", "eager", "lazy"]
ResponseMode = Literal["off", "report", "enforce"]
#: Which messages of the app's own validators reach the client.
ValidatorMessages = Literal["safe", "stripped", "none"]
#: Undeclared input that is rejected unless it is allowed.
Allowance = Literal["path", "method", "media_type", "query", "duplicates", "body", "members"]

#: The method of a WebSocket operation.
WEBSOCKET_METHOD: Final = "WS"
_ALLOWANCES: Final = frozenset(get_args(Allowance))


@dataclass(frozen=True, slots=True)
class DocumentOptions:
    """How to read an OpenAPI document; see `SchemaGuard` for each option."""

    formats: bool | Mapping[str, Callable[[str], bool]] = False
    regex_lookaround: Literal["refuse", "bounded"] = "refuse"
    require_bounds: bool = False
    servers: ServerMode = "optional"
    ref_root: str | PathLike[str] | None = None
    on_invalid: OnInvalid = "error"
    security_by_app: bool = False
    compile: Compile = "auto"

    def __post_init__(self) -> None:
        check_literal("on_invalid", self.on_invalid, OnInvalid)
        check_literal("compile", self.compile, Compile)
        check_literal("servers", self.servers, ServerMode)


@dataclass(frozen=True, kw_only=True)
class RouteOptions(KnowsOptions):
    """Options of some operations; those that are None are the guard's own.

    Args:
        mode: ``"enforce"``; ``"report"`` to log and count violations and let them pass; or
            ``"off"`` to leave the operations alone.
        sample_rate: the share of requests, and of their responses, to validate, from 0 to 1. Only
            the path, method and credentials of the others are checked.
        allow: undeclared input to let through: ``"media_type"`` (bodies of other types, unread),
            ``"query"`` (names in the query), ``"duplicates"`` (repeated scalars in the query and
            in forms, of which the last counts), ``"body"`` (a body where none is declared),
            ``"members"`` (members that a model, and fields that a form, does not declare). For a
            whole guard also ``"path"`` and ``"method"``.
        forward: ``"original"`` to give the app the client's bytes, decoded; ``"canonical"`` to
            give it the body serialized from the validated value.
        responses: ``"off"``, ``"report"`` or ``"enforce"``: whether to validate responses.
        limits: bounds on the request.
        undeclared_query: ``"refuse"``, or ``"ignore"`` to let undeclared names in the query pass,
            such as ``utm_source`` on a website: another way to write ``"query"`` in ``allow``,
            which it overrides.
        ignored_fields: fields of the forms of contracts that are accepted and not handed to the
            model, such as ``["csrf_token"]``, which the framework's CSRF protection reads.

    Raises:
        ValueError: an option has an unknown value.
    """

    mode: Mode | None = None
    sample_rate: float | None = None
    allow: Collection[Allowance] | None = None
    forward: Forward | None = None
    responses: ResponseMode | None = None
    limits: BodyLimits | None = None
    undeclared_query: UndeclaredQuery | None = None
    ignored_fields: Collection[str] | None = None

    def __post_init__(self) -> None:
        kinds = {
            "mode": Mode,
            "forward": Forward,
            "responses": ResponseMode,
            "undeclared_query": UndeclaredQuery,
        }
        for option, kind in kinds.items():
            value = getattr(self, option)
            if value is not None:
                check_literal(option, value, kind)
        if self.sample_rate is not None:
            check_number("sample_rate", self.sample_rate, least=0, most=1, unit="")
        if self.allow is not None:
            allow: object = self.allow
            is_collection = isinstance(allow, Collection) and not isinstance(allow, str)
            if not is_collection or set(self.allow) - _ALLOWANCES:
                raise ValueError(f"allow must be some of {sorted(_ALLOWANCES)}, not {self.allow!r}")
            object.__setattr__(self, "allow", frozenset(self.allow))
        if self.ignored_fields is not None:
            if isinstance(self.ignored_fields, str) or not all(self.ignored_fields):
                raise ValueError(
                    f'ignored_fields must be a list of names such as ["csrf_token"], '
                    f"not {self.ignored_fields!r}"
                )
            object.__setattr__(self, "ignored_fields", frozenset(self.ignored_fields))
        limits: object = self.limits
        if limits is not None and not isinstance(limits, BodyLimits):
            raise TypeError(f"limits must be a BodyLimits, not {limits!r}")


# Any: a Literal.
def check_literal(option: str, value: object, kind: Any) -> None:
    """Require an option to be one of the values of a Literal.

    Raises:
        ValueError: it is another one.
    """
    allowed = get_args(kind)
    if value not in allowed:
        *first, last = (f'"{one}"' for one in allowed)
        raise ValueError(f"{option} must be {', '.join(first)} or {last}, not {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSettings:
    """The options of one operation, with every one decided."""

    mode: Mode | RouteModes = "enforce"
    sample_rate: float = 1.0
    allow: frozenset[str] = frozenset()
    forward: Forward = "original"
    responses: ResponseMode = "off"
    validator_messages: ValidatorMessages = "safe"
    limits: BodyLimits
    ignored_fields: frozenset[str] = frozenset()

    def override(self, options: RouteOptions) -> "OperationSettings":
        """Return these settings, replaced where the options say otherwise."""
        # Any: the fields have different types.
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        values |= {
            field.name: getattr(options, field.name)
            for field in fields(options)
            if getattr(options, field.name) is not None
        }
        query = values.pop("undeclared_query", None)
        if query is not None:
            others = values["allow"] - {"query"}
            values["allow"] = others | {"query"} if query == "ignore" else others
        return OperationSettings(**values)


class OperationPattern:
    """A pattern of operations, with their options.

    Args:
        text: a route pattern (`mantlet.http.routing`): the name of an operation, such as
            ``"GET /items/{id}"``, or several, such as ``"GET,HEAD /items/{id}"`` and
            ``"* /legacy/*"``. ``WS`` is the method of WebSockets.
        options: the options of these operations.

    Raises:
        TypeError: the pattern is not text, or the options are not a `RouteOptions`.
        ValueError: the pattern is malformed, or allows what only a whole guard can allow.
    """

    __slots__ = ("_any_method", "_is_prefix", "_methods", "_path", "options", "text")

    def __init__(self, text: str, options: RouteOptions) -> None:
        pattern = parse_pattern(text, extra_methods=(WEBSOCKET_METHOD,))
        checked: object = options
        if not isinstance(checked, RouteOptions):
            raise TypeError(f"routes must hold a RouteOptions for {text!r}, not {options!r}")
        if options.allow and {"path", "method"} & set(options.allow):
            raise ValueError(
                f'routes can\'t allow "path" or "method" for {text!r}: set it for the whole guard'
            )
        self.text = text
        self.options = options
        self._methods = pattern.methods
        self._any_method = pattern.any_method
        self._path = pattern.path
        self._is_prefix = self._path.endswith("/*")

    def matches(self, method: str, template: str) -> bool:
        """Return whether an operation matches the pattern."""
        if not self._any_method and method not in self._methods:
            return False
        return template.startswith(self._path[:-1]) if self._is_prefix else template == self._path

    def specificity(self) -> tuple[bool, int, bool]:
        """Return a key by which the most specific pattern is the largest."""
        return not self._is_prefix, len(self._path), not self._any_method


def settings_by_operation(
    settings: OperationSettings,
    patterns: Iterable[OperationPattern],
    operations: Iterable[tuple[str, str]],
) -> dict[tuple[str, str], OperationSettings]:
    """Return the settings of each operation.

    Args:
        settings: the guard's own.
        patterns: options by route. Of the patterns that match an operation, one that names its path
            wins, then the one with the longest path, then one that names its method.
        operations: methods and templates.

    Raises:
        ValueError: a pattern matches no operation.
    """
    patterns = list(patterns)
    unused = {pattern.text for pattern in patterns}
    found = {}
    for method, template in operations:
        matching = [pattern for pattern in patterns if pattern.matches(method, template)]
        unused.difference_update(pattern.text for pattern in matching)
        best = max(matching, key=OperationPattern.specificity, default=None)
        found[method, template] = settings if best is None else settings.override(best.options)
    if unused:
        raise ValueError(f"routes has patterns that match no operation: {sorted(unused)}")
    return found

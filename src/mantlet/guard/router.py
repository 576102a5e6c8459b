"""Find the operation for a request: exactly, and in bounded time.

Route patterns (`mantlet.http.routing`) ignore differences in spelling, so that no spelling gets
around a rule. An operation, by contrast, has exactly one path: slashes and case count. The most
specific template wins, decided segment by segment from the left: a literal before a segment of
several pieces, that before a parameter, and that before the rest of the path. It wins for all
methods (OpenAPI 3.2.0, "Path Templating Matching"): other templates are not searched for a method
that it lacks. Methods are case-sensitive (RFC 9110, 9.1), so ``post``, which Django, Flask and
Quart treat as ``POST``, is not a declared method.

A segment of a template is a literal, one parameter (``{id}``), several pieces (``{name}.{ext}``,
``{base}...{head}``, ``{id}:cancel``), or, in the last place, the rest of the path
(``{name:path}``; in a contract also ``*``, which may be empty). A parameter's name is any text
without braces and slashes. Literals may be percent-encoded and are matched in decoded form, as apps
see paths. Contracts are route patterns: they have no such literals, and names are identifiers.

What it costs: one look-up for a path without parameters; else at most one visit to each node of the
trie that the path leads to.

Sources: OpenAPI 3.2.0, "Path Templating" and "Path Templating Matching"; RFC 3986, 2.1.
"""

import re
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Generic, Literal, NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

from mantlet._internal.coroutines import start_eagerly
from mantlet.core.preflight import has_body, is_preflight
from mantlet.core.request import Request
from mantlet.core.response import Reply
from mantlet.guard.errors import ErrorItem, ValidationFailed
from mantlet.guard.operation_validator import OperationValidator
from mantlet.guard.options import WEBSOCKET_METHOD
from mantlet.guard.paths import PathChecker, is_unambiguous, was_sent_as
from mantlet.http.headers import is_token
from mantlet.http.routing.trie import (
    PARAMETER,
    REST,
    Node,
    Segment,
    SegmentPattern,
    insert,
    walk,
)

__all__ = [
    "OperationRouter",
    "PathMethods",
    "PathTable",
    "PathTemplate",
    "UndeclaredOptions",
    "parse_template",
]

T = TypeVar("T")

#: What to do with an OPTIONS request that no operation is declared for; "pass" is for CORS
#: preflights alone.
UndeclaredOptions = Literal["pass", "answer", "refuse"]

_NO_CAPTURES: Final[Mapping[str, str]] = MappingProxyType({})
_UNDECLARED_PATH: Final = ErrorItem("path", "", "undeclared_path", "Unknown path")
_SEMICOLON: Final = ErrorItem("path", "", "path_parameter", "Semicolons are not allowed")
_SEVERAL_PATHS: Final = ErrorItem(
    "path", "", "ambiguous_root_path", "The root path can be removed from the path in two ways"
)
_UNDECLARED_METHOD: Final = ErrorItem(
    "path", "", "undeclared_method", "The path does not support this method"
)

_EXPRESSION: Final = re.compile(r"\{([^{}]*)\}")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_REST_SUFFIX: Final = ":path"
#: Methods that apps accept in any case (RFC 9110, 9.3; RFC 5789; QUERY is a draft).
_STANDARD_METHODS: Final = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE")
)


class OperationRouter:
    """Finds the operation for a request; built once and replaced as a whole.

    Args:
        validators: the validators of all operations.
        paths: how to check the form of paths.
        allow: ``"path"`` and ``"method"``, if requests for undeclared ones pass.
        undeclared_options: what to do with an OPTIONS request that is not declared; see
            `UndeclaredOptions`.

    Attributes:
        has_websockets: whether one of the operations is a WebSocket.
    """

    __slots__ = (
        "_allow",
        "_includes_mount",
        "_paths",
        "_table",
        "_undeclared_options",
        "_websockets",
        "has_websockets",
        "validators",
    )

    def __init__(
        self,
        validators: Sequence[OperationValidator],
        *,
        paths: PathChecker,
        allow: frozenset[str],
        undeclared_options: UndeclaredOptions,
    ) -> None:
        self.validators = tuple(validators)
        kinds: tuple[list[OperationValidator], list[OperationValidator]] = [], []
        for validator in validators:
            kinds[validator.operation.method == WEBSOCKET_METHOD].append(validator)
        # Two tables, since a client could name its HTTP method "WS".
        self._table, self._websockets = map(_table, kinds)
        self._paths = paths
        #: Whether paths include the path that the app is mounted under, as servers' paths do.
        self._includes_mount = any(validator.operation.base for validator in validators)
        self.has_websockets = bool(kinds[True])
        self._allow = allow
        self._undeclared_options = undeclared_options

    def find(
        self, request: Request
    ) -> tuple[OperationValidator, Mapping[str, str]] | Reply | Awaitable[None] | None:
        """Return the validator of the request's operation, and the captured path parameters.

        Returns:
            Else the reply to an OPTIONS request, or None to let the request pass unchecked; or an
            awaitable, which raises as this method does, of a preflight that may have a body.

        Raises:
            ValidationFailed: with 404, 405, or 400 for an ambiguous path.
        """
        if request.protocol == "http":
            table, method = self._table, request.raw[request.method_key]
        else:
            table, method = self._websockets, WEBSOCKET_METHOD
        readings = request.route_paths
        path = request.path if self._includes_mount else readings[0]
        methods = table.static.get(path)
        parts: Sequence[str] = ()
        if methods is None or not was_sent_as(request, path):  # else it is exactly as declared
            path = self._paths.check(request)
            if self._includes_mount:
                path = request.path
            found = table.find(path)
            if found is None:
                if "path" in self._allow and not any(
                    map(table.matches_loosely, (path, *self._other_readings(request)))
                ):
                    return None
                raise ValidationFailed(404, [_UNDECLARED_PATH])
            methods, parts = found
        if readings[1:]:
            self._check_readings(request, table, methods)
        declared = methods.by_name.get(method)
        if declared is not None:
            validator, template = declared
            if ";" in path and not (validator.allows_semicolons or self._paths.form == "raw"):
                raise ValidationFailed(400, [_SEMICOLON])
            return validator, template.capture(parts) if parts else _NO_CAPTURES
        return self._undeclared_method(request, method, methods)

    def _check_readings(
        self,
        request: Request,
        table: "PathTable[OperationValidator]",
        methods: "PathMethods[OperationValidator]",
    ) -> None:
        """Reject a path that the app may take for another operation's.

        Raises:
            ValidationFailed: with 400.
        """
        if self._includes_mount:
            return
        for other in self._other_readings(request):
            found = table.find(other)
            if found is not None and found[0] is not methods:
                raise ValidationFailed(400, [_SEVERAL_PATHS])

    def _other_readings(self, request: Request) -> Sequence[str]:
        """Return the further readings of the path, which may have been normalized."""
        path, *others = request.route_paths
        # The app is said to have segments of dots of its own.
        return () if self._paths.form == "raw" and "/." in path else others

    def _undeclared_method(
        self, request: Request, method: str, methods: "PathMethods[OperationValidator]"
    ) -> Reply | Awaitable[None] | None:
        if method == "OPTIONS" and self._undeclared_options == "answer":
            return Reply(204, [("Allow", f"{methods.allow}, OPTIONS")])
        if "method" in self._allow and not methods.has_in_any_case(method):
            return None
        undeclared = ValidationFailed(405, [_UNDECLARED_METHOD], {"Allow": methods.allow})
        if method == "OPTIONS" and self._undeclared_options == "pass" and is_preflight(request):
            return start_eagerly(_reject_body(request, undeclared))
        raise undeclared


async def _reject_body(request: Request, failure: ValidationFailed) -> None:
    """Raise a failure if the request has a body, which no header need announce."""
    if await has_body(request):
        raise failure


def _table(validators: list[OperationValidator]) -> "PathTable[OperationValidator]":
    operations = [one.operation for one in validators]
    return PathTable(
        ((one.operation.method, one.operation.template, one) for one in validators),
        patterns={one.template for one in operations if one.is_pattern},
    )


class PathTemplate(NamedTuple):
    """A parsed path template.

    Attributes:
        text: the template as written.
        shape: its segments without parameter names; two templates of the same shape collide.
        places: the parameters that fill a segment, with its index; the first segment is 1.
        compounds: the segments of several pieces: the index, the names, the pieces.
        rest: the parameter that matches the rest of the path, with the index of its first segment,
            or None.
        has_nameless_rest: whether it ends with ``*``.
    """

    text: str
    shape: tuple[Segment, ...]
    places: tuple[tuple[str, int], ...]
    compounds: tuple[tuple[int, tuple[str, ...], SegmentPattern], ...]
    rest: tuple[str, int] | None
    has_nameless_rest: bool = False

    @property
    def path(self) -> str | None:
        """The decoded path that the template matches, if it has no parameters."""
        literals = [segment for segment in self.shape if isinstance(segment, str)]
        return "/" + "/".join(literals) if len(literals) == len(self.shape) else None

    def capture(self, parts: Sequence[str]) -> Mapping[str, str]:
        """Return the text of each parameter in a path that matches.

        Args:
            parts: the path, split at its slashes.
        """
        found = {}
        for name, index in self.places:  # a comprehension would cost a call, mostly for one name
            found[name] = parts[index]
        for index, names, pieces in self.compounds:
            found.update(zip(names, pieces.split(parts[index]) or (), strict=True))
        if self.rest is not None:
            name, index = self.rest
            found[name] = "/".join(parts[index:])
        return found


class PathMethods(Generic[T]):
    """The values of one path by method; ``HEAD`` follows ``GET``.

    Attributes:
        by_name: the values, each with its own template of the path.
        allow: the methods, for ``Allow`` (RFC 9110, 10.2.1).
    """

    __slots__ = ("allow", "by_name")

    def __init__(self) -> None:
        self.by_name: dict[str, tuple[T, PathTemplate]] = {}
        self.allow = ""

    def add(self, method: str, template: PathTemplate, value: T) -> None:
        """Add a method.

        Raises:
            ValueError: the method is malformed, or declared already.
        """
        text = template.text
        if not is_token(method) or (
            method not in _STANDARD_METHODS and method.upper() in _STANDARD_METHODS
        ):
            raise ValueError(f'the method of {text!r} must be such as "GET", not {method!r}')
        for known, (_, other) in self.by_name.items():
            if known.upper() != method.upper():
                continue
            if known != method:
                raise ValueError(f"{known} and {method} of {text!r} are the same to some apps")
            if other.text == text:
                raise ValueError(f"{method} {text} is declared twice")
            raise ValueError(
                f"the paths {other.text!r} and {text!r} are the same for {method}: they differ "
                f"only in parameter names or percent-encoding"
            )
        self.by_name[method] = value, template

    def has_in_any_case(self, method: str) -> bool:
        """Return whether an app could take the method for a declared one."""
        return any(known.upper() == method.upper() for known in self.by_name)

    def close(self) -> None:
        """Add ``HEAD`` where only ``GET`` is declared."""
        if "GET" in self.by_name:
            self.by_name.setdefault("HEAD", self.by_name["GET"])
        self.allow = ", ".join(sorted(self.by_name))


class PathTable(Generic[T]):
    """Values by method and path template, built once.

    Args:
        entries: methods, templates and values.
        patterns: the templates in which ``*`` at the end is a rest, which may be empty.

    Attributes:
        static: the values of paths without parameters that are unambiguous
            (`paths.is_unambiguous()`).

    Raises:
        TypeError: a template is not text.
        ValueError: a template or a method is malformed, or two templates are the same path for one
            method; the message names both.
    """

    __slots__ = ("_max_splits", "_root", "static")

    def __init__(
        self, entries: Iterable[tuple[str, str, T]], *, patterns: Collection[str] = ()
    ) -> None:
        self.static: dict[str, PathMethods[T]] = {}
        self._root: Node[PathMethods[T]] = Node()
        known: dict[str, tuple[PathTemplate, PathMethods[T]]] = {}
        for method, text, value in entries:
            if text not in known:
                template = parse_template(text, is_pattern=text in patterns)
                known[text] = template, self._insert(template)
            template, methods = known[text]
            methods.add(method, template, value)
        for template, methods in known.values():
            methods.close()
            if template.has_nameless_rest:
                empty = insert(self._root, (*template.shape[:-1], ""))
                empty.value = empty.value or methods
            if template.path is not None and is_unambiguous(template.path):
                self.static[template.path] = methods
        # A path is split no further than the longest template and one segment more.
        self._max_splits = 1 + max(
            (len(template.shape) for template, _ in known.values()), default=0
        )

    def _insert(self, template: PathTemplate) -> PathMethods[T]:
        try:
            node = insert(self._root, template.shape)
        except ValueError as error:
            raise ValueError(f"the path {template.text!r}: {error}") from None
        node.value = node.value or PathMethods()
        return node.value

    def find(self, path: str) -> tuple[PathMethods[T], Sequence[str]] | None:
        """Return the values of a decoded path, and its parts for `PathTemplate.capture()`."""
        methods = self.static.get(path)
        if methods is not None:
            return methods, ()
        parts = path.split("/", self._max_splits)
        if parts[0]:
            return None
        methods = walk([(self._root, 1)], parts, len(parts))
        return None if methods is None else (methods, parts)

    def matches_loosely(self, path: str) -> bool:
        """Return whether an app could take the path for a declared one.

        Some routers ignore trailing slashes, repeated slashes, and newlines at the end.
        """
        folded = "/" + "/".join(filter(None, path.strip("\n").split("/")))
        return any(self.find(spelling) for spelling in (folded, folded + "/"))


def parse_template(text: str, *, is_pattern: bool = False) -> PathTemplate:
    """Parse a path template.

    Args:
        text: such as ``/items/{item_id}``.
        is_pattern: whether ``*`` at the end is a rest; in a document it is a literal.

    Raises:
        TypeError: the template is not text.
        ValueError: the template is malformed; the message names it and the reason.
    """
    if not isinstance(text, str):
        raise TypeError(f'a path must be text such as "/items/{{item_id}}", not {text!r}')
    if not text.startswith("/"):
        raise _malformed(text, "does not begin with a slash")
    if text != text.strip() or _CONTROLS.search(text):
        raise _malformed(text, "begins or ends with a blank, or has a control character")
    for character, what in (("?", "query"), ("#", "fragment")):
        if character in _EXPRESSION.sub("", text):
            raise _malformed(text, f"has a {what}, which does not belong to a path")
    parser = _TemplateParser(text)
    *segments, last = text[1:].split("/")
    for segment in segments:
        parser.add(segment)
    if is_pattern and last == "*":
        return parser.finish(has_nameless_rest=True)
    parser.add(last)
    return parser.finish()


class _TemplateParser:
    """Parses one template, segment by segment."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._shape: list[Segment] = []
        self._names: set[str] = set()
        self._places: list[tuple[str, int]] = []
        self._compounds: list[tuple[int, tuple[str, ...], SegmentPattern]] = []
        self._rest: tuple[str, int] | None = None

    def add(self, segment: str) -> None:
        """Parse the next segment."""
        index = len(self._shape) + 1
        if self._rest is not None:
            raise _malformed(self._text, "has something beside the rest parameter")
        literals = [self._decode(literal) for literal in _EXPRESSION.split(segment)[::2]]
        names = _EXPRESSION.findall(segment)
        if not names:
            self._shape.append(literals[0])
        elif names[-1].endswith(_REST_SUFFIX):
            if literals != ["", ""]:
                raise _malformed(self._text, "has something beside the rest parameter")
            self._rest = self._name(names[0].removesuffix(_REST_SUFFIX)), index
            self._shape.append(REST)
        elif literals == ["", ""]:
            self._places.append((self._name(names[0]), index))
            self._shape.append(PARAMETER)
        elif "" in literals[1:-1]:
            raise _malformed(self._text, "has two parameters with nothing between them")
        else:
            pieces = SegmentPattern(literals)
            self._compounds.append((index, tuple(map(self._name, names)), pieces))
            self._shape.append(pieces)

    def finish(self, *, has_nameless_rest: bool = False) -> PathTemplate:
        """Return the template."""
        return PathTemplate(
            self._text,
            (*self._shape, REST) if has_nameless_rest else tuple(self._shape),
            tuple(self._places),
            tuple(self._compounds),
            self._rest,
            has_nameless_rest,
        )

    def _name(self, name: str) -> str:
        if not name:
            raise _malformed(self._text, "has a parameter without a name")
        if name in self._names:
            raise _malformed(self._text, f"has the parameter {name!r} twice")
        self._names.add(name)
        return name

    def _decode(self, literal: str) -> str:
        if "{" in literal or "}" in literal:
            raise _malformed(self._text, "has an unmatched brace")
        if _BAD_ESCAPE.search(literal):
            raise _malformed(self._text, 'has a "%" that does not begin an escape; write "%25"')
        try:
            decoded = unquote_to_bytes(literal).decode()
        except UnicodeError:
            raise _malformed(self._text, "has escapes that are not UTF-8") from None
        if "/" in decoded or _CONTROLS.search(decoded):
            raise _malformed(self._text, "has an escaped slash or control character")
        return decoded


def _malformed(text: str, reason: str) -> ValueError:
    return ValueError(f'the path {text!r} {reason}; it must be such as "/items/{{item_id}}"')

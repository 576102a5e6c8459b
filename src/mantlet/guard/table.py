"""Which operation a path is for: exactly, and in bounded time.

Unlike the patterns of rules (`mantlet.http.routing`), which forgive spellings so that none is a way
around a rule, an operation has one path: slashes and case count. The most specific template wins,
decided segment by segment from the left: a literal goes before several pieces, these before a
parameter, and that before the rest. It wins for all methods (OpenAPI 3.2.0, "Path Templating
Matching"): a method that it does not have is not looked for elsewhere. Methods have a case (RFC
9110, 9.1), and ``post``, which Django, Flask and Quart take for ``POST``, is none that is there.

What it costs: one look-up for a path without parameters, however many there are; else at most one
visit to each node of the trie that the path leads to.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Generic, TypeVar

from mantlet.guard.paths import is_plain
from mantlet.guard.templates import Template, read_template
from mantlet.http.headers import is_token
from mantlet.http.routing.trie import Node, insert, walk

__all__ = ["Methods", "Table"]

T = TypeVar("T")

#: Those that apps take in any case (RFC 9110, 9.3; RFC 5789; QUERY is a draft).
_STANDARD: Final = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE")
)


class Methods(Generic[T]):
    """What a path has for each method, as it is written; ``HEAD`` follows ``GET``.

    Attributes:
        by_name: the values, each with its own template of the path.
        allow: the methods, for ``Allow`` (RFC 9110, 10.2.1).
    """

    __slots__ = ("allow", "by_name")

    def __init__(self) -> None:
        self.by_name: dict[str, tuple[T, Template]] = {}
        self.allow = ""

    def add(self, method: str, template: Template, value: T) -> None:
        """Add a method.

        Raises:
            ValueError: it is there already, or is none.
        """
        text = template.text
        if not is_token(method) or (method not in _STANDARD and method.upper() in _STANDARD):
            raise ValueError(f'the method of {text!r} must be such as "GET", not {method!r}')
        for known, (_, other) in self.by_name.items():
            if known.upper() != method.upper():
                continue
            if known != method:
                raise ValueError(f"{known} and {method} of {text!r} are the same to some apps")
            if other.text == text:
                raise ValueError(f"{method} {text} is declared twice")
            raise ValueError(
                f"the paths {other.text!r} and {text!r} are the same for {method} but for the "
                f"names of parameters, or how they are encoded"
            )
        self.by_name[method] = value, template

    def has_in_any_case(self, method: str) -> bool:
        """Return whether an app may take a method for one that is here."""
        return any(known.upper() == method.upper() for known in self.by_name)

    def close(self) -> None:
        """Have ``HEAD`` follow ``GET``."""
        if "GET" in self.by_name:
            self.by_name.setdefault("HEAD", self.by_name["GET"])
        self.allow = ", ".join(sorted(self.by_name))


class Table(Generic[T]):
    """Values by method and path template, built once.

    Args:
        entries: methods, templates and values.

    Attributes:
        static: what there is at the paths that have no parameters and nothing that could be read in
            two ways (`paths.is_plain()`).

    Raises:
        TypeError: a template is not text.
        ValueError: a template or a method is none, or two templates are the same path for one
            method; the message names both.
    """

    __slots__ = ("_root", "_splits", "static")

    def __init__(self, entries: Iterable[tuple[str, str, T]]) -> None:
        self.static: dict[str, Methods[T]] = {}
        self._root: Node[Methods[T]] = Node()
        known: dict[str, tuple[Template, Methods[T]]] = {}
        for method, text, value in entries:
            if text not in known:
                template = read_template(text)
                known[text] = template, self._plant(template)
            template, methods = known[text]
            methods.add(method, template, value)
        for template, methods in known.values():
            methods.close()
            if template.path is not None and is_plain(template.path):
                self.static[template.path] = methods
        # A path is taken apart no further than the longest template and one segment more.
        self._splits = 1 + max((len(template.shape) for template, _ in known.values()), default=0)

    def _plant(self, template: Template) -> Methods[T]:
        try:
            node = insert(self._root, template.shape)
        except ValueError as error:
            raise ValueError(f"the path {template.text!r}: {error}") from None
        node.value = node.value or Methods()
        return node.value

    def find(self, path: str) -> tuple[Methods[T], Sequence[str]] | None:
        """Return what there is at a path, with the parts for `Template.captured()`.

        Args:
            path: decoded.
        """
        methods = self.static.get(path)
        if methods is not None:
            return methods, ()
        parts = path.split("/", self._splits)
        if parts[0]:
            return None
        methods = walk([(self._root, 1)], parts, len(parts))
        return None if methods is None else (methods, parts)

    def near(self, path: str) -> bool:
        """Return whether an app may take a path for one that is here.

        Some routers leave out slashes at the end, repeated ones, and newlines at the end.
        """
        folded = "/" + "/".join(filter(None, path.strip("\n").split("/")))
        return any(self.find(spelling) for spelling in (folded, folded + "/"))

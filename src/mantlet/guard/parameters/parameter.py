"""Declared parameters, from a model or a document."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from mantlet.guard.parameters.coercion import TEXT, Coercer
from mantlet.guard.parameters.deep import NestedShape
from mantlet.http.headers import is_token

__all__ = ["Parameter", "ParameterPlace", "Style"]

ParameterPlace = Literal["path", "query", "header", "cookie", "querystring"]
Style = Literal[
    "simple", "label", "matrix", "form", "spaceDelimited", "pipeDelimited", "deepObject", "cookie"
]

# OpenAPI 3.2.0, "Style Values"; the first of each place is its default.
_STYLES: Final[dict[str, tuple[Style, ...]]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form", "cookie"),
    "querystring": ("form",),
}
_DELIMITED: Final = ("spaceDelimited", "pipeDelimited")
_EXPLODED: Final = ("form", "cookie")


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a request (OpenAPI 3.2.0, "Parameter Object").

    Args:
        name: the name in the request; case-sensitive except for headers.
        place: where it stands. ``"querystring"`` is the complete query as one value.
        style: how its value is written; by default ``"form"`` in queries and cookies, else
            ``"simple"``. In cookies, neither style decodes percent-encoding, as most frameworks do
            not.
        explode: whether items and members are written separately; by default for the styles
            ``"form"`` and ``"cookie"``.
        required: whether it must be present; true for all path parameters.
        allow_reserved: accept a raw ``;`` in a query's value, which old readers take for ``&``.
            Other reserved characters are always accepted, since all readers agree on them.
        allow_empty: treat a query parameter without a value as absent, even if it is required.
        shape: the types of its value.
        deep: for the style ``deepObject``, the types of members and items at any depth; else of
            those in ``shape``.
        decode: parses the decoded text, such as JSON, of a parameter with ``content``, which has no
            style. It raises `ValidationFailed`, with pointers into the value.
        raw: for ``"querystring"``: pass the query to ``decode`` with its percent-encoding, for a
            media type that has its own, such as ``application/x-www-form-urlencoded``.
        lines: for a header that is an array: each line of the header is an item, and a comma has no
            meaning, as in FastAPI.

    Raises:
        ValueError: the combination is invalid, or undefined by the specification.
    """

    name: str
    place: ParameterPlace
    style: Style | None = None
    explode: bool | None = None
    required: bool = False
    allow_reserved: bool = False
    allow_empty: bool = False
    shape: Coercer = TEXT
    deep: NestedShape | None = None
    # Any: a value of JSON.
    decode: Callable[[str], Any] | None = None
    raw: bool = False
    lines: bool = False

    def __post_init__(self) -> None:
        if self.place not in _STYLES:
            self._refuse(f"place must be one of {', '.join(_STYLES)}", self.place)
        if self.style is None:
            object.__setattr__(self, "style", _STYLES[self.place][0])
        if self.explode is None:
            object.__setattr__(self, "explode", self.style in _EXPLODED)
        self._check_name()
        self._check_options()
        if self.decode is None:
            self._check_style()
        elif self.style not in _STYLES[self.place]:
            object.__setattr__(self, "style", _STYLES[self.place][0])

    @property
    def nested(self) -> bool:
        """Whether its shape nests deeper than any style can express; such values are rejected.

        "Style Examples" has only arrays and objects of scalars; for ``deepObject`` see `deep`.
        """
        return self.decode is None and any(
            child.parse is None and (not child.types or child.types <= {"array", "object"})
            for child in self.shape.children()
        )

    def _check_name(self) -> None:
        if not self.name:
            self._refuse("name must not be empty", self.name)
        if self.place in ("header", "cookie") and not is_token(self.name):
            self._refuse("name must be a token (RFC 9110, 5.6.2)", self.name)

    def _check_options(self) -> None:
        if self.place == "path" and not self.required:
            self._refuse("required must be True in a path", self.required)
        if self.allow_empty and self.place != "query":
            self._refuse("allow_empty must be False outside of queries", self.allow_empty)
        if self.place == "querystring" and self.decode is None:
            self._refuse("decode must be a function for a querystring", self.decode)
        if self.raw and self.place != "querystring":
            self._refuse("raw must be False except for a querystring", self.raw)
        if self.lines and self.place != "header":
            self._refuse("lines must be False except for a header", self.lines)

    def _check_style(self) -> None:
        """Reject combinations that "Style Values" lacks, or that are n/a in "Style Examples"."""
        allowed = _STYLES[self.place]
        types = self.shape.types
        if self.style not in allowed:
            self._refuse(f"style must be one of {', '.join(allowed)}", self.style)
        if self.style == "deepObject":
            if not self.shape.structured:
                self._refuse("type must be object or array for style deepObject", sorted(types))
            if set("[]") & set(self.name):
                self._refuse("name must have no brackets for style deepObject", self.name)
        elif types >= {"array", "object"}:
            self._refuse(
                "type must not be both array and object, whose texts look alike", sorted(types)
            )
        if self.style in _DELIMITED:
            if self.explode:
                self._refuse(f"explode must be False for style {self.style}", self.explode)
            if not self.shape.structured:
                self._refuse(f"type must be array or object for style {self.style}", sorted(types))
        if self.place == "cookie" and self.explode and "object" in types:
            self._check_members()

    def _check_members(self) -> None:
        names = list(self.shape.properties)
        if not names:
            self._refuse(
                "properties must be named, since other cookies may belong to anyone", names
            )
        for name in names:
            if not is_token(name):
                self._refuse("properties must be tokens (RFC 6265, 4.1.1)", name)

    def _refuse(self, rule: str, value: object) -> None:
        raise ValueError(f"{self.place} parameter {self.name!r}: {rule}, not {value!r}")

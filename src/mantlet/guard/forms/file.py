"""What a file of a form may be."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from mantlet._internal.options import check_int
from mantlet.guard.forms.file_signatures import MARKUP, canonical, magic_of
from mantlet.guard.limits import Size, read_size

__all__ = ["File", "Verdict"]

#: What is said of a file: that it is one of the types, that it is not, or that it is if it is text.
Verdict = Literal["yes", "no", "if text"]

_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&\-^_.+]*/(?:[a-z0-9][a-z0-9!#$&\-^_.+]*|\*)")
_EXTENSION: Final = re.compile(r"(?:\.[^\s./\\A-Z]+)+")
_TEXTS: Final = frozenset(
    {
        "application/graphql",
        "application/javascript",
        "application/json",
        "application/sql",
        "application/toml",
        "application/x-ndjson",
        "application/xml",
        "application/yaml",
    }
)
_TEXT_SUFFIXES: Final = ("+json", "+xml", "+yaml")
# Browsers run the scripts in these, so that no wildcard stands for them.
_ACTIVE: Final = frozenset(
    {"application/xhtml+xml", "image/svg+xml", "text/html", "text/javascript", "text/xml"}
)


@dataclass(frozen=True, kw_only=True)
class File:
    """What a file of a form may be.

    With ``types``, both what the client declares and the file's first bytes must say one and the
    same of them; where the client declares nothing, the bytes decide. A type of text, such as
    ``"text/csv"``, has no first bytes of its own: such a file must be UTF-8 without a NUL, all of
    it, and no known type of other kind. What this can't stop is a file of two kinds at once.

    Args:
        max_size: bytes, or text such as ``"5 MB"``; by default `BodyLimits.file`.
        min_size: bytes. By default an empty file is refused.
        types: media types, such as ``"image/png"``, or ``"image/*"`` for all images that have no
            scripts. An older name of a type is as good. By default any file is taken, and only told
            of what it is.
        extensions: what a file's name may end with, such as ``".png"``, in lower case. Upper case
            is as good.
        required: whether the form must have it.
        many: whether there may be several; they are a list then.
        max_count: how many, if ``many``.

    Raises:
        ValueError: an option is none of these, or a type is neither text nor known by its first
            bytes.
        TypeError: ``types`` or ``extensions`` is a text instead of a list of them.
    """

    max_size: Size | None = None
    min_size: int = 1
    types: Sequence[str] | None = None
    extensions: Sequence[str] | None = None
    required: bool = True
    many: bool = False
    max_count: int | None = None

    def __post_init__(self) -> None:
        if self.max_size is not None:
            object.__setattr__(self, "max_size", read_size("max_size", self.max_size))
        _check_numbers(self)
        for option in ("types", "extensions"):
            object.__setattr__(self, option, _listed(option, getattr(self, option)))
        for kind in self.types or ():
            _check_type(kind)
        for extension in self.extensions or ():
            if not _EXTENSION.fullmatch(extension):
                raise ValueError(f'extensions must be such as ".png", not {extension!r}')

    def judge(self, declared: str | None, detected: str | None) -> Verdict:
        """Return whether a file is one of the types.

        Args:
            declared: the type and subtype that the client says, in lower case.
            detected: what `magic.detect()` says.
        """
        if self.types is None:
            return "yes"
        if declared is None:
            return self._judge_bytes(detected)
        if not self._allows(declared):
            return "no"
        if _is_text(declared):
            return "if text" if detected is None or detected in MARKUP else "no"
        return "yes" if detected is not None and magic_of(declared) == detected else "no"

    def allows_name(self, name: str) -> bool:
        """Return whether a file's name ends as it may."""
        if self.extensions is None:
            return True
        return name.lower().endswith(tuple(self.extensions))

    def _allows(self, kind: str) -> bool:
        kind = canonical(kind)
        types = [canonical(one) for one in self.types or ()]
        wildcard = f"{kind.partition('/')[0]}/*"
        return kind in types or (wildcard in types and kind not in _ACTIVE)

    def _judge_bytes(self, detected: str | None) -> Verdict:
        types = self.types or ()
        if detected is not None and (
            self._allows(detected) or any(magic_of(kind) == detected for kind in types)
        ):
            return "yes"
        plain = detected is None and any(_is_text(kind) for kind in types)
        return "if text" if plain else "no"


def _check_numbers(file: File) -> None:
    check_int("min_size", file.min_size, least=0, unit="bytes")
    if file.max_size is not None and file.min_size > int(file.max_size):
        raise ValueError(f"min_size must be at most max_size, not {file.min_size}")
    if file.max_count is None:
        return
    check_int("max_count", file.max_count, unit="files")
    if not file.many:
        raise ValueError(f"max_count needs many=True, so it can't be {file.max_count}")


# Any: what a user has given.
def _listed(option: str, values: Any) -> tuple[str, ...] | None:
    if values is None:
        return None
    if isinstance(values, str):
        raise TypeError(f"{option} must be a list such as [{values!r}], not {values!r}")
    items = tuple(values)
    if not items:
        raise ValueError(f"{option} must have at least one item; leave it out for any")
    for item in items:
        if not isinstance(item, str):
            raise TypeError(f"{option} must be a list of texts, not of {item!r}")
    return items


def _check_type(kind: str) -> None:
    if not _TYPE.fullmatch(kind):
        raise ValueError(
            f'types must be such as "image/png" or "image/*", in lower case, not {kind!r}'
        )
    if not kind.endswith("/*") and magic_of(kind) is None and not _is_text(kind):
        raise ValueError(
            f"types can't have {kind!r}: it is neither text nor known by its first bytes; "
            "leave types out to take any file"
        )


def _is_text(kind: str) -> bool:
    magic = magic_of(kind)
    if magic is not None and magic not in {"text/html", "text/xml"}:
        return False
    return kind.startswith("text/") or kind in _TEXTS or kind.endswith(_TEXT_SUFFIXES)

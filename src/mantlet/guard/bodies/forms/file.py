"""Declare the files of a form."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from mantlet._internal.options import KnowsOptions, check_int
from mantlet.guard.bodies.forms.file_signatures import MARKUP, canonical_type, signature_type
from mantlet.guard.limits import BodyLimits, Size, read_size

__all__ = ["File", "TypeMatch", "limits_for_files"]

#: Whether a file is of an allowed type; "if text" if its complete content must be text.
TypeMatch = Literal["yes", "no", "if text"]

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
# Browsers run scripts in these types, so no wildcard includes them.
_ACTIVE: Final = frozenset(
    {"application/xhtml+xml", "image/svg+xml", "text/html", "text/javascript", "text/xml"}
)


@dataclass(frozen=True, kw_only=True)
class File(KnowsOptions):
    """The allowed files of one form field.

    With ``types``, the type that the client declares and the file's first bytes must both match the
    same allowed type; if the client declares none, the bytes decide. A text type, such as
    ``"text/csv"``, has no signature: all of such a file must be UTF-8 without a NUL, and it must
    not match the signature of another type. A file of two kinds at once can't be detected.

    Args:
        max_size: bytes, or text such as ``"5 MB"``; by default `BodyLimits.file`.
        min_size: bytes. By default an empty file is rejected.
        types: media types, such as ``"image/png"``, or ``"image/*"`` for all images without
            scripts. Obsolete names of types are accepted. By default any file is accepted, and its
            type is only reported.
        extensions: allowed ends of the file's name, such as ``".png"``, in lower case. Upper case
            is accepted too.
        required: whether the form must have the file.
        many: whether there may be several files; the value is a list then.
        min_count: the minimum number of files, if ``many`` and there are any.
        max_count: the maximum number of files, if ``many``.
        unique: whether to reject two files with the same content, if ``many``.

    Raises:
        ValueError: an option has a wrong value, or a type is neither text nor has a signature.
        TypeError: ``types`` or ``extensions`` is text instead of a list.
    """

    max_size: Size | None = None
    min_size: int = 1
    types: Sequence[str] | None = None
    extensions: Sequence[str] | None = None
    required: bool = True
    many: bool = False
    min_count: int | None = None
    max_count: int | None = None
    unique: bool = False

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

    def match_type(self, declared: str | None, detected: str | None) -> TypeMatch:
        """Return whether a file is of an allowed type.

        Args:
            declared: the type and subtype that the client declares, in lower case.
            detected: the result of `file_signatures.detect()`.
        """
        if self.types is None:
            return "yes"
        if declared is None:
            return self._match_signature(detected)
        if not self._allows(declared):
            return "no"
        if _is_text(declared):
            return "if text" if detected is None or detected in MARKUP else "no"
        return "yes" if detected is not None and signature_type(declared) == detected else "no"

    def allows_name(self, name: str) -> bool:
        """Return whether a file's name has an allowed extension."""
        if self.extensions is None:
            return True
        return name.lower().endswith(tuple(self.extensions))

    def _allows(self, kind: str) -> bool:
        kind = canonical_type(kind)
        types = [canonical_type(one) for one in self.types or ()]
        wildcard = f"{kind.partition('/')[0]}/*"
        return kind in types or (wildcard in types and kind not in _ACTIVE)

    def _match_signature(self, detected: str | None) -> TypeMatch:
        types = self.types or ()
        if detected is not None and (
            self._allows(detected) or any(signature_type(kind) == detected for kind in types)
        ):
            return "yes"
        plain = detected is None and any(_is_text(kind) for kind in types)
        return "if text" if plain else "no"


def _check_numbers(file: File) -> None:
    check_int("min_size", file.min_size, least=0, unit="bytes")
    if file.max_size is not None and file.min_size > int(file.max_size):
        raise ValueError(f"min_size must be at most max_size, not {file.min_size}")
    for option, value in (("min_count", file.min_count), ("max_count", file.max_count)):
        if value is not None:
            check_int(option, value, unit="files")
            if not file.many:
                raise ValueError(f"{option} needs many=True, so it can't be {value}")
    if file.unique and not file.many:
        raise ValueError("unique needs many=True, so it can't be True")
    if file.min_count is not None and file.min_count > (file.max_count or file.min_count):
        raise ValueError(f"min_count must be at most max_count, not {file.min_count}")


def limits_for_files(limits: BodyLimits, files: Mapping[str, File]) -> BodyLimits:
    """Return limits whose body is as large as the files of a form may be.

    Each field with its own ``max_size`` counts as often as it may have files; all others together
    as one file of ``limits.file``. The rest of the form may be as large as a body without files.

    Args:
        limits: the limits of the operation.
        files: the declared files.

    Raises:
        ValueError: ``limits.body`` was set, and is smaller than the files with a ``max_size``.
    """
    sized = [file for file in files.values() if file.max_size is not None]
    if not limits.body_is_default:
        least = sum(_size(file) * (file.max_count or 1) for file in sized)
        if least > limits.body:
            raise ValueError(
                f"limits.body must be at least {least} bytes, the max_size of the files, not "
                f"{limits.body}; or leave it out, to follow from the files"
            )
        return limits
    if not files:
        return limits
    counts = [(file.max_count or limits.files) if file.many else 1 for file in sized]
    most = sum(_size(file) * count for file, count in zip(sized, counts, strict=True))
    if len(sized) < len(files):
        most += limits.file
    body = limits.body + most
    return BodyLimits.of(limits, body=body, decoded=max(body, limits.decoded))


def _size(file: File) -> int:
    return int(file.max_size or 0)


# Any: the user's value.
def _listed(option: str, values: Any) -> tuple[str, ...] | None:
    if values is None:
        return None
    if isinstance(values, str):
        raise TypeError(f"{option} must be a list such as [{values!r}], not {values!r}")
    items = tuple(values)
    if not items:
        raise ValueError(f"{option} must have at least one item; omit it to accept any")
    for item in items:
        if not isinstance(item, str):
            raise TypeError(f"{option} must be a list of texts, not of {item!r}")
    return items


def _check_type(kind: str) -> None:
    if not _TYPE.fullmatch(kind):
        raise ValueError(
            f'types must be such as "image/png" or "image/*", in lower case, not {kind!r}'
        )
    if not kind.endswith("/*") and signature_type(kind) is None and not _is_text(kind):
        raise ValueError(
            f"types can't have {kind!r}: it is neither text nor has a known signature; "
            "omit types to accept any file"
        )


def _is_text(kind: str) -> bool:
    signature = signature_type(kind)
    if signature is not None and signature not in {"text/html", "text/xml"}:
        return False
    return kind.startswith("text/") or kind in _TEXTS or kind.endswith(_TEXT_SUFFIXES)

"""Reading an OpenAPI document, whatever it is given as."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from mantlet.guard.openapi.files import Directory, read_file
from mantlet.guard.openapi.plain import plain

try:
    from jiter import from_json

    from mantlet.guard.openapi.yaml12 import read_yaml
except ImportError as error:
    raise ImportError(
        f"OpenAPI documents take {error.name}: pip install 'mantlet[openapi]'"
    ) from None

__all__ = ["Loaded", "Version", "load", "read_content", "version_of"]

#: The minor versions of OpenAPI that are known; `str` sorts them.
Version = str

_VERSION: Final = re.compile(r"(3\.[012])\.\d+(?:-.+)?")
_BOM: Final = "\ufeff".encode()


class Loaded(NamedTuple):
    """A document, read and not yet checked.

    Attributes:
        root: the document.
        version: ``"3.0"``, ``"3.1"`` or ``"3.2"``.
        directory: whose files it may refer to, or None.
        name: the document's own path in it.
    """

    root: dict[str, Any]
    version: Version
    directory: Directory | None
    name: str


def load(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    directory: str | os.PathLike[str] | None = None,
) -> Loaded:
    """Read a document.

    Args:
        source: the path of a JSON or YAML file, or what one says as a dict.
        directory: whose files may be referred to; by default the one that the file is in, and none
            for a dict.

    Raises:
        TypeError: the source is none of these.
        ValueError: it can't be read, or is no OpenAPI document of version 3.0, 3.1 or 3.2.
    """
    if isinstance(source, Mapping):
        try:
            root: Any = plain(source)
            version = version_of(root)
        except ValueError as error:
            raise ValueError(f"openapi: the document {error}") from None
        return Loaded(root, version, None if directory is None else Directory(directory), "")
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"openapi must be a path or a dict, not {source!r}")
    path = Path(source)
    try:
        root = read_content(path.name, read_file(path))
        version = version_of(root)
    except ValueError as error:
        raise ValueError(f"openapi: {str(path)!r} {error}") from None
    opened = Directory(path.resolve().parent if directory is None else directory)
    return Loaded(root, version, opened, opened.name(path))


def version_of(root: Any) -> Version:
    """Return the version of OpenAPI that a document is of.

    Raises:
        ValueError: it is of none that is known, in words that go behind "the document".
    """
    if not isinstance(root, dict):
        raise ValueError("is no object")  # noqa: TRY004 - it is a fault of the document's value
    version = root.get("openapi")
    if version is None and "swagger" in root:
        raise ValueError(f"is of Swagger {root['swagger']!s}: convert it to OpenAPI 3")
    if version is None:
        raise ValueError('does not say its version, such as openapi: "3.1.1"')
    read = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if read is None:
        raise ValueError(f"is of OpenAPI {version!r}: 3.0, 3.1 and 3.2 are known")
    return read[1]


def read_content(name: str, content: bytes) -> Any:  # Any: plain JSON
    """Return what a file says.

    Args:
        name: of the file. One that is neither ``.json`` nor ``.yaml`` or ``.yml`` is JSON if it
            begins with a brace.
        content: its bytes.

    Raises:
        ValueError: it is neither JSON nor YAML, has a key twice, or is not UTF-8.
    """
    content = content.removeprefix(_BOM)
    suffix = name.rpartition(".")[2].lower()
    if suffix == "json" or (suffix not in {"yaml", "yml"} and content.lstrip()[:1] == b"{"):
        return _read_json(content)
    text = _decode(content)
    try:
        return read_yaml(text)
    except ValueError as error:
        raise ValueError(f"is not the YAML of an OpenAPI document: {error}") from None


def _read_json(content: bytes) -> Any:
    try:
        return from_json(content, allow_inf_nan=False, cache_mode="keys", catch_duplicate_keys=True)
    except ValueError as error:
        _decode(content)
        raise ValueError(f"is not JSON: {error}") from None


def _decode(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start}") from None

"""Load an OpenAPI document from a JSON or YAML file, or from a dict, as plain JSON.

A document may refer to the files in one directory, and to no others. Nothing is fetched.
"""

import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from math import isfinite
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from mantlet.guard.openapi.diagnostics import DocumentError
from mantlet.guard.openapi.swagger2.translation import Translation, is_swagger2, to_openapi3

try:
    from jiter import from_json

    from mantlet.guard.openapi.yaml12 import YamlFindings, read_yaml
except ImportError as error:
    raise ImportError(
        f"OpenAPI documents need {error.name}: pip install 'mantlet[openapi]'"
    ) from None

__all__ = [
    "LoadedDocument",
    "RefRoot",
    "load_document",
    "openapi_version",
    "parse_content",
    "plain_json",
    "relative_path",
]

#: The maximum size of a document in bytes. Microsoft Graph's, the largest public ones, have 60 MB.
MAX_FILE_SIZE: Final = 128_000_000
_MAX_DEPTH: Final = 200
#: The maximum number of values of a dict; Microsoft Graph's documents have 1.5 million.
_MAX_VALUES: Final = 4_000_000
_VERSION: Final = re.compile(r"(3\.[012])\.\d+(?:-.+)?")
#: Versions that lack their last number, with what is meant.
_FULL_VERSIONS: Final = {"3": "3.0.3", "3.0": "3.0.3", "3.1": "3.1.1", "3.2": "3.2.0"}
_BOM: Final = "\ufeff".encode()


class LoadedDocument(NamedTuple):
    """A document that is loaded but not validated.

    Attributes:
        root: the document.
        version: ``"3.0"``, ``"3.1"`` or ``"3.2"``; these sort as strings.
        ref_root: the directory of the files it may refer to, or None.
        name: the path of the document in that directory; ``""`` for a dict.
        notes: locations and messages about content whose meaning is plain, but not as it should be.
        faults: the same about content that others may read otherwise, such as duplicate keys.
        translation: how it was translated from Swagger 2.0, or None.
    """

    root: dict[str, Any]
    version: str
    ref_root: "RefRoot | None"
    name: str
    notes: tuple[tuple[str, str], ...] = ()
    faults: tuple[tuple[str, str], ...] = ()
    translation: Translation | None = None


def load_document(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    ref_root: str | os.PathLike[str] | None = None,
) -> LoadedDocument:
    """Load a document.

    Args:
        source: the path of a JSON or YAML file, or the document as a dict.
        ref_root: the directory of the files it may refer to; by default the directory of the file,
            and none for a dict.

    Raises:
        TypeError: ``source`` has another type.
        DocumentError: the document cannot be read, or its version is not 2.0 or 3.0 to 3.2.
        ValueError: ``ref_root`` is wrong.
    """
    if isinstance(source, Mapping):
        try:
            root, translation = _translated(plain_json(source))
            version = openapi_version(root)
        except ValueError as error:
            raise _unreadable(f"the document {error}") from None
        opened = None if ref_root is None else RefRoot(ref_root)
        return LoadedDocument(root, version, opened, "", translation=translation)
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"openapi must be a path or a dict, not {source!r}")
    path = Path(source)
    try:
        findings = YamlFindings()
        root, translation = _translated(parse_content(path.name, _read_file(path), findings))
        version = openapi_version(root)
    except ValueError as error:
        raise _unreadable(f"{str(path)!r} {error}") from None
    opened = RefRoot(path.resolve().parent if ref_root is None else ref_root)
    return LoadedDocument(
        root,
        version,
        opened,
        opened.relative_name(path),
        tuple(("", note) for note in findings.notes),
        tuple(findings.faults) if translation is None else translation.moved(findings.faults),
        translation,
    )


# Any: plain JSON.
def _translated(root: Any) -> tuple[Any, Translation | None]:
    if not is_swagger2(root):
        return root, None
    translation = to_openapi3(root)
    return translation.root, translation


def _unreadable(message: str) -> DocumentError:
    return DocumentError([("", message)], f"SchemaGuard: openapi: {message}")


def openapi_version(root: Any) -> str:
    """Return the minor version of OpenAPI of a document.

    Raises:
        ValueError: the version is not supported; the message continues "the document".
    """
    if not isinstance(root, dict):
        raise ValueError("must be an object")  # noqa: TRY004 - the value of the document is wrong
    version = root.get("openapi")
    if version is None and "swagger" in root:
        raise ValueError(f"uses Swagger {root['swagger']!s}: only 2.0 is supported, and OpenAPI 3")
    if version is None:
        raise ValueError('does not declare its version, such as openapi: "3.1.1"')
    read = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if read is None and str(version) in _FULL_VERSIONS:
        # YAML reads 3.0 without quotes as a number; 3.0.3 is a string in any case.
        raise ValueError(
            f'uses OpenAPI {version!r}: write openapi: "{_FULL_VERSIONS[str(version)]}"'
        )
    if read is None:
        raise ValueError(f"uses OpenAPI {version!r}: only 3.0, 3.1 and 3.2 are supported")
    return read[1]


# -- files ----------------------------------------------------------------------------------------


class RefRoot:
    """The directory whose files a document may refer to.

    Args:
        path: the path of the directory.

    Raises:
        ValueError: it is not a directory.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._root = Path(path).resolve()
        if not self._root.is_dir():
            raise ValueError(f"ref_root must be a directory, not {str(path)!r}")

    def relative_name(self, path: Path) -> str:
        """Return the path of a file relative to the directory.

        Raises:
            ValueError: the file is not in the directory.
        """
        path = path.resolve()
        if not path.is_relative_to(self._root):
            raise ValueError(
                f"ref_root must contain the document {str(path)!r}, unlike {str(self._root)!r}"
            )
        return path.relative_to(self._root).as_posix()

    def read(self, name: str) -> tuple[str, bytes]:
        """Return the path of a file after resolving symbolic links, and its content.

        Raises:
            ValueError: the file does not exist, is not regular, is too large, or is outside.
        """
        try:
            path = (self._root / name).resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: a cycle of links, before Python 3.13
            raise ValueError("leads to a file that does not exist") from None
        if not path.is_relative_to(self._root):
            raise ValueError("leads out of ref_root through a symbolic link")
        return path.relative_to(self._root).as_posix(), _read_file(path)


def relative_path(reference: str, base: str) -> str:
    """Resolve a relative reference without a fragment to a path.

    Args:
        reference: a URI reference (RFC 3986, 4.2).
        base: the path of the file that contains it, relative to ``ref_root``.

    Raises:
        ValueError: it leads to the network or out of ``ref_root``.
    """
    try:
        scheme, authority, path, query, _ = urlsplit(reference)
    except ValueError:
        raise ValueError("is not a valid URI reference") from None
    if scheme or authority:
        raise ValueError("leads to the network: nothing is fetched, so use a local file")
    if query:
        raise ValueError("has a query, which files do not support")
    try:
        decoded = unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    # An encoded slash is not a separator (RFC 3986, 2.2), but the file system would see one.
    if decoded.count("/") != path.count("/") or not decoded.isprintable() or "\\" in decoded:
        raise ValueError("has an encoded slash, a backslash or a control character in its path")
    if decoded.startswith("/"):
        raise ValueError("is an absolute path: make it relative to the file that contains it")
    joined = normpath(PurePosixPath(base).parent / decoded)
    if joined == ".." or joined.startswith("../"):
        raise ValueError("leads out of ref_root")
    return joined


def _read_file(path: Path) -> bytes:
    try:
        # Do not block on a pipe. The caller has resolved symbolic links.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            os.close(descriptor)
            raise ValueError("is not a regular file")
        with os.fdopen(descriptor, "rb") as file:
            # The file may grow in the meantime.
            content = b"" if state.st_size > MAX_FILE_SIZE else file.read(MAX_FILE_SIZE + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if max(state.st_size, len(content)) > MAX_FILE_SIZE:
        raise ValueError(f"is larger than {MAX_FILE_SIZE} bytes")
    return content


def parse_content(
    name: str, content: bytes, findings: "YamlFindings | None" = None
) -> Any:  # Any: plain JSON
    """Parse the content of a JSON or YAML file.

    Args:
        name: the name of the file. Without a suffix ``.json``, ``.yaml`` or ``.yml``, content that
            begins with a brace is JSON. YAML that begins with one may be JSON, too.
        content: the bytes.
        findings: collects faults that are tolerated; see `read_yaml()`.

    Raises:
        ValueError: it is neither JSON nor YAML, has a duplicate key, or is not UTF-8.
    """
    content = content.removeprefix(_BOM)
    suffix = name.rpartition(".")[2].lower()
    has_brace = content.lstrip()[:1] == b"{"
    if suffix == "json" or (suffix not in {"yaml", "yml"} and has_brace):
        return _parse_json(content, findings)
    if has_brace:
        with suppress(ValueError):  # tabs may indent JSON, but not YAML
            return _parse_json(content, None)
    _check_utf8(content)
    try:
        return read_yaml(content, findings)
    except ValueError as error:
        raise ValueError(f"is not valid YAML for an OpenAPI document: {error}") from None


def _parse_json(content: bytes, findings: "YamlFindings | None") -> Any:
    try:
        return from_json(content, allow_inf_nan=False, cache_mode="keys", catch_duplicate_keys=True)
    except ValueError as error:
        _check_utf8(content)
        if findings is not None and "duplicate key" in str(error).lower():
            with suppress(ValueError):  # the reader of YAML tells where they are
                return read_yaml(content, findings)
        raise ValueError(f"is not valid JSON: {error}") from None


def _check_utf8(content: bytes) -> None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start}") from None


# -- dicts ----------------------------------------------------------------------------------------


def plain_json(value: Any) -> Any:  # Any: plain JSON
    """Return a deep copy that has only dicts, lists, strings, numbers, booleans and None.

    Integer keys, such as the status codes that YAML parsers produce, and dates become strings;
    tuples become lists; subclasses of strings and numbers become plain ones.

    Raises:
        ValueError: it contains anything else, or is nested too deep, cyclic or too large. The
            message continues "the document".
    """
    return _PlainCopy().copy(value, 0)


class _PlainCopy:
    def __init__(self) -> None:
        self._budget = _MAX_VALUES

    def copy(self, value: Any, depth: int) -> Any:
        self._budget -= 1
        if self._budget < 0:
            raise ValueError(f"has more than {_MAX_VALUES} values")
        if depth > _MAX_DEPTH:
            raise ValueError(f"is nested deeper than {_MAX_DEPTH} levels, or contains itself")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str | date):
            return _text(value)
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float) and isfinite(value):
            return float(value)
        if isinstance(value, Mapping):
            return self._object(value, depth + 1)
        if isinstance(value, list | tuple):
            return [self.copy(item, depth + 1) for item in value]
        raise ValueError(f"contains a {type(value).__name__}, which JSON lacks: {value!r}")

    def _object(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, member in value.items():
            name = _key_text(key)
            if name is None:
                raise ValueError(f"has the key {key!r}, which is not a string")
            if name in made:
                raise ValueError(f"has the duplicate key {key!r}")
            made[name] = self.copy(member, depth)
        return made


def _text(value: str | date) -> str:
    if isinstance(value, date):  # as YAML 1.1 reads 2026-01-01, such as an unquoted version
        return value.isoformat()
    return str.__str__(value)  # an enum's own __str__ returns another text


def _key_text(key: object) -> str | None:
    if isinstance(key, str):
        return str.__str__(key)
    return str(int(key)) if isinstance(key, int) and not isinstance(key, bool) else None

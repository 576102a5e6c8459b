"""Bounds on the size and structure of requests, checked while they are read."""

import re
from dataclasses import dataclass
from dataclasses import field as field_of
from os import PathLike
from pathlib import Path
from typing import Any, Final

from mantlet._internal.options import KnowsOptions, check_int
from mantlet.core.temporary_files import check_directory

__all__ = ["BodyLimits", "Size", "read_size"]

#: Bytes as a number, or as text with a decimal or binary unit: ``"5 MB"``, ``"64 KiB"``.
Size = int | str

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) ?(B|[kK]B|MB|GB|[kK]iB|MiB|GiB)")
_UNITS: Final = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
}
#: The maximum depth of jiter and pydantic.
MAX_DEPTH: Final = 200
#: CPython's maximum length of integers in text (`sys.int_info.default_max_str_digits`).
MAX_DIGITS: Final = 4300
#: Bytes of a body without files.
_BODY: Final = 1_000_000
#: Bytes of all temporary files, unless one request may need more.
_DISK: Final = 2_000_000_000
_MAXIMA: Final = {"depth": MAX_DEPTH, "digits": MAX_DIGITS}


def read_size(option: str, value: Size) -> int:
    """Return a size in bytes.

    Args:
        option: the name of the option, for the error.
        value: bytes, or text such as ``"5 MB"`` (10^6) or ``"5 MiB"`` (2^20).

    Raises:
        ValueError: the size is malformed, or less than one byte.
    """
    size: float | None = None
    if isinstance(value, str):
        read = _SIZE.fullmatch(value)
        if read is not None:
            size = float(read[1]) * _UNITS[read[2].upper()]
    elif type(value) is int:
        size = value
    if size is None or size < 1:
        raise ValueError(
            f'{option} must be a number of bytes, or a size such as "5 MB", not {value!r}'
        )
    return int(size)


def _default_disk(largest: int) -> int:
    """Return the default of ``disk``: a form may be there coded, decoded, and as its files."""
    return max(_DISK, 3 * largest)


@dataclass(frozen=True, init=False)
class BodyLimits(KnowsOptions):
    """Bounds on the size and structure of a request, each checked while it is read.

    Args:
        body: bytes of a body as received; by default 1 MB, and for a form with files as much more
            as these may have.
        decoded: bytes of a body once its content codings are decoded; by default as many as
            ``body``.
        ratio: how many times larger than the encoded body a decoded one may be, above 64 KiB.
        memory: bytes of a streamed body, such as a form with files, that are kept in memory; the
            rest is in a temporary file until the exchange ends.
        directory: where temporary files are made; by default Python's `tempfile.gettempdir()`,
            which ``TMPDIR`` sets. They have no name there, so that the operating system frees
            their space also when the process is killed.
        disk: bytes that all temporary files of this process may have at once, also those of other
            guards. A request that needs more is refused with 503. Default: 2 GB, or three times
            ``body`` or ``decoded`` if that is more: one request needs no more than that.
        in_loop: bytes of a body, or of one item of a sequence of JSON texts, that is validated on
            the event loop itself; a larger one is validated in a thread of the loop's pool. Under
            WSGI it has no meaning.
        depth: nesting of JSON arrays and objects; at most 200.
        members: members of one JSON object.
        items: items of one JSON array.
        string: characters of one JSON string, keys included.
        digits: characters of one JSON number; at most 4,300.
        lines: items of a sequence of JSON texts.
        line: bytes of one of these items.
        query: bytes of the query.
        parameters: fields of the query, or cookies; in a query, as many as are declared pass.
        fields: fields of a form that are not files.
        field: bytes of one of these fields.
        name: bytes of the name of a form field or a file.
        part_headers: bytes of the headers of one part of a multipart form.
        files: files of a form.
        file: bytes of one file, unless its `File` has its own ``max_size``.
        errors: errors that a response lists.
        checks: checks that a JSON text may need, estimated before it is validated: one for each
            array or object, and more where a union, ``anyOf`` or ``oneOf`` has several alternatives
            for it. Default: one for each 10 bytes of ``body``.

    Raises:
        ValueError: a bound is less than 1, or too large; ``disk`` is less than ``body`` or
            ``decoded``; or no file can be made in ``directory``.
    """

    body: int
    decoded: int
    ratio: int
    memory: int
    directory: str | None
    disk: int
    in_loop: int
    depth: int
    members: int
    items: int
    string: int
    digits: int
    lines: int
    line: int
    query: int
    parameters: int
    fields: int
    field: int
    name: int
    part_headers: int
    files: int
    file: int
    errors: int
    checks: int
    body_is_default: bool = field_of(compare=False, repr=False)

    def __init__(
        self,
        *,
        body: Size | None = None,
        decoded: Size | None = None,
        ratio: int = 100,
        memory: Size = 1_000_000,
        directory: str | PathLike[str] | None = None,
        disk: Size | None = None,
        in_loop: Size = 65_536,
        depth: int = 32,
        members: int = 1_000,
        items: int = 10_000,
        string: int = 1_000_000,
        digits: int = 100,
        lines: int = 10_000,
        line: Size = 1_000_000,
        query: Size = 8_192,
        parameters: int = 100,
        fields: int = 1_000,
        field: Size = 1_000_000,
        name: int = 200,
        part_headers: int = 8_192,
        files: int = 10,
        file: Size = 10_000_000,
        errors: int = 20,
        checks: int | None = None,
    ) -> None:
        given = _BODY if body is None else body
        sizes = {
            "body": given,
            "decoded": given if decoded is None else decoded,
            "memory": memory,
            "in_loop": in_loop,
            "line": line,
            "query": query,
            "field": field,
            "file": file,
        }
        numbers = {
            "ratio": ratio,
            "depth": depth,
            "members": members,
            "items": items,
            "string": string,
            "digits": digits,
            "lines": lines,
            "parameters": parameters,
            "fields": fields,
            "name": name,
            "part_headers": part_headers,
            "files": files,
            "errors": errors,
            "checks": max(read_size("body", given) // 10, 1) if checks is None else checks,
        }
        for option, number in numbers.items():
            check_int(option, number, most=_MAXIMA.get(option))
        for option, size in sizes.items():
            numbers[option] = read_size(option, size)
        least = max(numbers["body"], numbers["decoded"])
        numbers["disk"] = _default_disk(least) if disk is None else read_size("disk", disk)
        if numbers["disk"] < least:
            raise ValueError(
                f"disk must be at least {least} bytes, the largest body, not {disk!r}: no request "
                f"with such a body could pass"
            )
        for option, number in numbers.items():
            object.__setattr__(self, option, number)
        if directory is not None:
            directory = str(Path(directory).absolute())
            check_directory(directory)
        object.__setattr__(self, "directory", directory)
        object.__setattr__(self, "body_is_default", body is None)

    @classmethod
    def of(cls, limits: "BodyLimits", **others: Size) -> "BodyLimits":
        """Return a copy of limits with some of them changed.

        A limit of decoded bodies that is the same as that of others stays the same, and one of the
        disk stays the default.
        """
        # Any: the constructor checks each of them.
        values: dict[str, Any] = {**vars(limits), **others}
        if "decoded" not in others and limits.decoded == limits.body:
            values["decoded"] = values["body"]
        if "disk" not in others and limits.disk == _default_disk(max(limits.body, limits.decoded)):
            values["disk"] = None
        if values.pop("body_is_default") and "body" not in others:
            values["body"] = None
        return cls(**values)

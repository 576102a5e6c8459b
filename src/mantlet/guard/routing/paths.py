r"""Check the form of paths: reject any that could be read in two ways.

Apps route the path that the server has decoded, so the guard matches that one too. But proxies,
servers, frameworks and file systems disagree on some paths, and a path that one of them takes for
another is a way around the others.

``"refuse"``, the default, rejects:

- a target that is not a path, ``http://host/x``, ``host:80`` or ``*`` (RFC 9112, 3.2): Uvicorn with
  h11 and Hypercorn pass it on, Gunicorn and Granian extract the path;
- characters that must not be in a target: ``#``, which Gunicorn, Granian and httptools cut off and
  others keep; blanks and control characters, some of which Waitress and Cheroot drop; characters
  outside of ASCII;
- invalid escapes (``%zz``), double escapes (``%252e``), and escaped control characters: Starlette
  takes ``/login%0A`` for ``/login``;
- an encoded slash (``%2F``), which is a slash to all but Cheroot, and a backslash (``\``, ``%5C``);
- invalid UTF-8, and U+FFFD, which servers put in its place;
- empty segments (``//``): Flask, Falcon, Litestar, Waitress and nginx each fold some of them;
- dot segments (``.``, ``..``, ``%2e``), which clients and proxies resolve (RFC 3986, 5.2.4);
- ``;`` unless a template has it: some readers see segment parameters after it (RFC 3986, 3.3).

Lower-case escapes, and escapes of characters that need none, are read alike by all.

``"normalize"`` removes empty and dot segments, for the app as well, and rejects the rest.

``"raw"`` matches the path as the app sees it, and rejects only invalid UTF-8.

Under WSGI the target as it was sent is known only if the server provides it (``RAW_URI``,
``REQUEST_URI``), and an ASGI server need not provide it either. Without it the decoded path is
checked; an encoded slash is a slash then, to everyone after the server.

Sources: RFC 3986, 2.1, 3.3 and 6.2.2; RFC 9112, 3.2; tests of the servers' behavior.
"""

import re
from typing import Final, Literal, get_args

from mantlet.core.request import Request
from mantlet.guard.errors import ErrorItem, ValidationFailed

__all__ = ["PathChecker", "Paths", "is_unambiguous"]

Paths = Literal["refuse", "normalize", "raw"]

# RFC 3986, 3.3: pchar without "%" and ";", in segments that do not begin with a dot.
_PLAIN: Final = re.compile(r"(?:/[A-Za-z0-9\-_~!$&'()*+,=:@][A-Za-z0-9\-._~!$&'()*+,=:@]*)++/?+|/")
_PLAIN_SENT: Final = re.compile(_PLAIN.pattern.encode())
_LONGEST: Final = 8192
#: Checks of the target as it was sent.
_SENT: Final = (
    ("path_form", re.compile(rb"\A(?!/)"), "Must begin with a slash"),
    ("non_ascii", re.compile(rb"[\x80-\xff]"), "Non-ASCII characters must be percent-encoded"),
    (
        "control_character",
        re.compile(rb"[\x00-\x20\x7f]"),
        "Control characters and blanks are not allowed",
    ),
    ("fragment", re.compile(rb"#"), "Fragments are not allowed"),
    ("invalid_escape", re.compile(rb"%(?![0-9A-Fa-f]{2})"), "Invalid percent-encoding"),
    ("encoded_slash", re.compile(rb"%2[Ff]"), "Encoded slashes are not allowed"),
)
_DECODED: Final = (
    (
        "control_character",
        re.compile(r"[\x00-\x1f\x7f-\x9f]"),
        "Control characters are not allowed",
    ),
    ("double_escape", re.compile(r"%[0-9A-Fa-f]{2}"), "Double percent-encoding is not allowed"),
    ("backslash", re.compile(r"\\"), "Backslashes are not allowed"),
)
_NOT_UTF_8: Final = re.compile("[\ufffd\ud800-\udfff]")
_DOTS: Final = re.compile(r"/\.{1,2}(?=/|\Z)")
#: How an app's path begins; under a mount it may be empty.
_BEGINNINGS: Final = ("/", "")


class PathChecker:
    """Checks the paths of requests.

    Args:
        form: what to do with a path that could be read in two ways.

    Raises:
        ValueError: ``form`` is unknown.
    """

    __slots__ = ("form",)

    def __init__(self, form: Paths) -> None:
        if form not in get_args(Paths):
            raise ValueError(f'paths must be "refuse", "normalize" or "raw", not {form!r}')
        self.form = form

    def check(self, request: Request) -> str:
        """Return the path to match, relative to the app.

        Raises:
            ValidationFailed: with 400 for a path that could be read in two ways; with 414 for such
                a path that is too long to check.
        """
        path, sent = request.route_path, _sent(request)
        if sent is not None and _PLAIN_SENT.fullmatch(sent) and is_unambiguous(path):
            return path
        if max(len(path), len(sent or b"")) > _LONGEST:
            raise _ambiguous("path_too_long", f"Longer than {_LONGEST} characters", 414)
        if _NOT_UTF_8.search(path):
            raise _ambiguous("invalid_utf8", "Invalid UTF-8")
        if self.form == "raw":
            return path
        _check_sent(request, sent)
        for code, pattern, detail in _DECODED:
            if pattern.search(path):
                raise _ambiguous(code, detail)
        return self._normalized(request, path, sent)

    def _normalized(self, request: Request, path: str, sent: bytes | None) -> str:
        """Return the path without empty and dot segments, and hand it to the app.

        Raises:
            ValidationFailed: the path has such segments, and ``form`` is ``"refuse"``.
        """
        empty = "//" in path or (sent is not None and b"//" in sent)
        dots = _DOTS.search(path) is not None
        if self.form == "refuse":
            if empty:
                raise _ambiguous("empty_segment", "Empty segments are not allowed")
            if dots:
                raise _ambiguous("dot_segment", "Dot segments are not allowed")
        elif empty or dots:
            path = _remove_segments(path)
            request.replace_path(path)
        return path


def is_unambiguous(path: str) -> bool:
    """Return whether a path, sent as it is, could only be read in one way."""
    return _PLAIN.fullmatch(path) is not None


def _sent(request: Request) -> bytes | None:
    """Return the target as it was sent, without its query, or None if that is not known."""
    source = request.raw
    raw: bytes | None = source.get("raw_path")
    if raw is None:
        uri: str | None = source.get("RAW_URI") or source.get("REQUEST_URI")
        if uri is None:
            return None
        raw = uri.encode("latin-1", "replace")
    return raw.partition(b"?")[0]


def _check_sent(request: Request, sent: bytes | None) -> None:
    if sent is None:
        if request.path[:1] not in _BEGINNINGS:
            raise _ambiguous("path_form", "Must begin with a slash")
        return
    for code, pattern, detail in _SENT:
        if pattern.search(sent):
            raise _ambiguous(code, detail)


def _remove_segments(path: str) -> str:
    """Return a path without empty and dot segments (RFC 3986, 5.2.4)."""
    kept: list[str] = []
    parts = path.split("/")[1:]
    for part in parts:
        if part == "..":
            del kept[-1:]
        elif part not in ("", "."):
            kept.append(part)
    tail = "/" if kept and parts[-1] in ("", ".", "..") else ""
    return f"/{'/'.join(kept)}{tail}"


def _ambiguous(code: str, detail: str, status: int = 400) -> ValidationFailed:
    return ValidationFailed(status, [ErrorItem("path", "", code, detail)])

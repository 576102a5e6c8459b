r"""In which form paths may come: none that could be read in two ways.

The app routes what the server has decoded, so that is what the guard matches too. But proxies,
servers, frameworks and files do not agree on all of it, and what one of them takes for another path
is a way around the others.

``"refuse"``, the default, refuses:

- a target that is no path, ``http://host/x``, ``host:80`` or ``*`` (RFC 9112, 3.2): Uvicorn with
  h11 and Hypercorn hand it on, Gunicorn and Granian take the path out of it;
- what must not stand in a target: ``#``, which Gunicorn, Granian and httptools cut off and others
  keep; blanks and control characters, some of which Waitress and Cheroot drop; what is not ASCII;
- escapes that are none (``%zz``), those of escapes (``%252e``), and those of control characters:
  Starlette takes ``/login%0A`` for ``/login``;
- an encoded slash (``%2F``), which is a slash to all but Cheroot, and a backslash (``\``, ``%5C``);
- what is not UTF-8, and U+FFFD, which servers put in its place;
- empty segments (``//``): Flask, Falcon, Litestar, Waitress and nginx each fold some of them;
- dot segments (``.``, ``..``, ``%2e``), which clients and proxies resolve (RFC 3986, 5.2.4);
- ``;`` where no template has it, behind which some see parameters of a segment (RFC 3986, 3.3).

Escapes in lower case, in both cases, and of characters that need none are read alike by all.

``"normalize"`` takes empty and dot segments away, for the app as well, and refuses the rest.

``"raw"`` matches the path as the app sees it, and refuses only what is not UTF-8.

Under WSGI the target as it was sent is known only where the server hands it over (``RAW_URI``,
``REQUEST_URI``), and an ASGI server need not hand it over either. Else the decoded path is looked
at: an encoded slash is a slash then, to everyone who comes after the server.

Sources: RFC 3986, 2.1, 3.3 and 6.2.2; RFC 9112, 3.2; what the servers were seen to do.
"""

import re
from typing import Final, Literal, get_args

from mantlet.core.request import Request
from mantlet.guard.errors import Fault, Invalid

__all__ = ["PathForm", "Paths", "is_plain", "sent_as"]

Paths = Literal["refuse", "normalize", "raw"]

# RFC 3986, 3.3: pchar without "%" and ";", in segments that do not begin with a dot.
_PLAIN: Final = re.compile(r"(?:/[A-Za-z0-9\-_~!$&'()*+,=:@][A-Za-z0-9\-._~!$&'()*+,=:@]*)++/?+|/")
_PLAIN_SENT: Final = re.compile(_PLAIN.pattern.encode())
_LONGEST: Final = 8192
#: What only the target as it was sent can tell.
_SENT: Final = (
    ("path_form", re.compile(rb"\A(?!/)"), "Must begin with a slash"),
    ("non_ascii", re.compile(rb"[\x80-\xff]"), "Has characters that are not escaped"),
    ("control_character", re.compile(rb"[\x00-\x20\x7f]"), "Has a control character or a blank"),
    ("fragment", re.compile(rb"#"), "Has a fragment"),
    ("invalid_escape", re.compile(rb"%(?![0-9A-Fa-f]{2})"), "Has an escape that is none"),
    ("encoded_slash", re.compile(rb"%2[Ff]"), "Has a slash that is escaped"),
)
_DECODED: Final = (
    ("control_character", re.compile(r"[\x00-\x1f\x7f-\x9f]"), "Has a control character"),
    ("double_escape", re.compile(r"%[0-9A-Fa-f]{2}"), "Has the escape of an escape"),
    ("backslash", re.compile(r"\\"), "Has a backslash"),
)
_NOT_UTF_8: Final = re.compile("[\ufffd\ud800-\udfff]")
_DOTS: Final = re.compile(r"/\.{1,2}(?=/|\Z)")
#: How the path begins that an app is given; below a mount it may be empty.
_BEGINNINGS: Final = ("/", "")


class PathForm:
    """Looks at the paths of requests.

    Args:
        form: what becomes of one that could be read in two ways.

    Raises:
        ValueError: ``form`` is none of the three.
    """

    __slots__ = ("form",)

    def __init__(self, form: Paths) -> None:
        if form not in get_args(Paths):
            raise ValueError(f'paths must be "refuse", "normalize" or "raw", not {form!r}')
        self.form = form

    def check(self, request: Request) -> str:
        """Return the path within the app that is to be matched.

        Raises:
            Invalid: with 400, for one that could be read in two ways; with 414 for one of these
                that is too long to be looked at.
        """
        path = request.route_path
        plain = _PLAIN.fullmatch(path) is not None
        if plain and sent_as(request, path):
            return path
        sent = _sent(request)
        if plain and sent is not None and _PLAIN_SENT.fullmatch(sent):  # below a mount
            return path
        if max(len(path), len(sent or b"")) > _LONGEST:
            raise _ambiguous("path_too_long", f"Is longer than {_LONGEST} characters", 414)
        if _NOT_UTF_8.search(path):
            raise _ambiguous("invalid_utf8", "Is not UTF-8")
        if self.form == "raw":
            return path
        _check_sent(request, sent)
        for code, pattern, words in _DECODED:
            if pattern.search(path):
                raise _ambiguous(code, words)
        return self._folded(request, path, sent)

    def _folded(self, request: Request, path: str, sent: bytes | None) -> str:
        """Return a path without empty and dot segments, which the app gets as well.

        Raises:
            Invalid: it has some, and that is to be refused.
        """
        empty = "//" in path or (sent is not None and b"//" in sent)
        dots = _DOTS.search(path) is not None
        if self.form == "refuse":
            if empty:
                raise _ambiguous("empty_segment", "Has an empty segment")
            if dots:
                raise _ambiguous("dot_segment", "Has a segment of dots")
        elif empty or dots:
            path = _fold(path)
            request.replace_path(path)
        return path


def is_plain(path: str) -> bool:
    """Return whether nothing in a path could be read in two ways, were it sent as it is."""
    return _PLAIN.fullmatch(path) is not None


def sent_as(request: Request, path: str) -> bool:
    """Return whether a plain path was sent as it is, without any escape, as far as that is known.

    Args:
        request: the request.
        path: as the app sees it, and such that `is_plain()`.
    """
    carrier = request.raw
    raw: bytes | None = carrier.get("raw_path")
    if raw is not None:
        return raw == path.encode()
    uri: str | None = carrier.get("RAW_URI") or carrier.get("REQUEST_URI")
    if uri is not None:
        return uri.partition("?")[0] == path
    return request.path == path


def _sent(request: Request) -> bytes | None:
    """Return the target as it was sent, without its query; None where that is not known."""
    carrier = request.raw
    raw: bytes | None = carrier.get("raw_path")
    if raw is None:
        uri: str | None = carrier.get("RAW_URI") or carrier.get("REQUEST_URI")
        if uri is None:
            return None
        raw = uri.encode("latin-1", "replace")
    return raw.partition(b"?")[0]


def _check_sent(request: Request, sent: bytes | None) -> None:
    if sent is None:
        if request.path[:1] not in _BEGINNINGS:
            raise _ambiguous("path_form", "Must begin with a slash")
        return
    for code, pattern, words in _SENT:
        if pattern.search(sent):
            raise _ambiguous(code, words)


def _fold(path: str) -> str:
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


def _ambiguous(code: str, words: str, status: int = 400) -> Invalid:
    return Invalid(status, [Fault("path", "", code, words)])

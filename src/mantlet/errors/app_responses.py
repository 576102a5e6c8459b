"""Decide whether a response that the app has made of an exception may be sent.

A handler that an app has registered for an exception, or for 500, made its response on purpose: it
stays. It is replaced by a problem if it contains words of the exception (its message, its
arguments and attributes, those of the exceptions that it was raised from), in any encoding that
secrets are searched in, or debug output: a traceback, or the name of a file in it. They are found
in any case too, with other white space, and with markup or character references within them.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from html import unescape
from itertools import islice
from pathlib import PurePath
from traceback import walk_tb
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr, walk_chain
from mantlet._internal.exception_message import bounded_message
from mantlet.core.response import Response
from mantlet.errors.conversion import (
    framework_problem,
    framework_texts,
    media_type,
    server_error_detail,
)
from mantlet.http.content_encoding import DecodeError, decoders
from mantlet.redact.literal_search import LiteralSearch
from mantlet.redact.variants import encoded_variants

__all__ = ["MAX_BODY", "reveals", "shows_debug_output", "stays", "words_of"]

#: The largest body that is searched, in bytes, decoded; larger ones count as revealing.
MAX_BODY: Final = 1024 * 1024
#: Shorter words of an exception are not searched for: they are in too many innocent pages.
_MIN_WORDS: Final = 8
#: The characters of a text that are searched for, its first and its last: handlers cut messages.
_MAX_WORDS: Final = 40
#: The most texts of an exception that are searched for; one with more counts as revealed.
_MAX_TEXTS: Final = 256
#: The most values that are looked at; an exception that holds more counts as revealed too.
_MAX_VALUES: Final = 10_000
#: The characters of the message of an exception that counts as revealed too.
_MAX_MESSAGE: Final = 256 * 1024
#: The characters of a text that are looked at.
_MAX_TEXT: Final = 16 * 1024
#: How deep the containers among an exception's arguments are looked into.
_MAX_DEPTH: Final = 8

_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([a-z0-9._:-]+)")
_TAG: Final = re.compile("<[^<>]*>")
#: Text of debug pages: a traceback (CPython), Django's pages, Werkzeug's debugger.
_DEBUG_OUTPUT: Final = (
    b"Traceback (most recent call last)",
    b"<code>DEBUG = True</code>",
    b"__debugger__",
)


def shows_debug_output(response: Response) -> bool:
    """Return whether the beginning of a body has a traceback or the text of a debug page."""
    body = response.full_body
    return _has_debug_output(
        response.first_chunk if body is None else _decoded(response, body) or b""
    )


def stays(response: Response, body: bytes, error: BaseException, *, shows_all: bool) -> bool:
    """Return whether the response to an unhandled exception is the app's own, and may be sent.

    Args:
        response: the response.
        body: its whole body.
        error: the exception.
        shows_all: whether debug output is for the client to see.
    """
    if response.no_body:
        return False
    if shows_all and shows_debug_output(response):
        return True
    status = response.status
    # A framework's last resort is never empty, nor without capitals.
    is_last_resort = 400 <= status <= 599 and body.strip() and not body.islower()
    if is_last_resort and framework_problem(status, media_type(response), body):
        return False
    return shows_all or not words_of(error, response).are_in(response, body)


def reveals(response: Response, body: bytes, handled: BaseException) -> bool:
    """Return whether a response of 500 and above contains words of the exception it answers.

    A framework's own response to an HTTP exception consists of its message, long or short.

    Args:
        response: the response.
        body: its whole body.
        handled: the exception, which a handler of the app or the framework has answered.
    """
    words = words_of(handled, response)
    if response.no_body:
        return words.are_in_headers(response)
    detail = server_error_detail(response.status, body)
    if detail is not None and words.are_all_of(detail):
        return True
    return words.are_in(response, body)


def words_of(error: BaseException, response: Response) -> "ExceptionWords":
    """Return the words of an exception that say more than the response's status does."""
    status = response.status
    return ExceptionWords(error, framework_texts(status) if 400 <= status <= 599 else ())


def _has_debug_output(body: bytes) -> bool:
    return any(marker in body for marker in _DEBUG_OUTPUT)


class ExceptionWords:
    """The words of an exception and its chain, and the files of its tracebacks.

    Args:
        error: the exception.
        ignored: texts that say nothing, such as the reason phrase.
    """

    def __init__(self, error: BaseException, ignored: Iterable[str]) -> None:
        values = list(islice(_texts(error), _MAX_VALUES + 1))
        self._texts = found = [text for text in values if text][: _MAX_TEXTS + 1]
        words = list(dict.fromkeys(islice(_words(found), _MAX_TEXTS + 1)))
        self._too_many = (
            max(len(found), len(words)) > _MAX_TEXTS or len(values) > _MAX_VALUES or None in values
        )
        known = {text.casefold() for text in ignored}
        words = [text for text in words if text.casefold() not in known]
        ends = {end for text in words for end in (text[:_MAX_WORDS], text[-_MAX_WORDS:])}
        patterns = {
            variant for end in ends for variant in encoded_variants(end.encode("utf-8", "replace"))
        }
        self._search = LiteralSearch(patterns | _file_names(error))
        compact = {_compact(end) for end in ends}
        self._compact_search = LiteralSearch(
            {_COMPACT_TRACEBACK, *(text for text in compact if len(text) >= _MIN_WORDS)}
        )

    def are_all_of(self, detail: str) -> bool:
        """Return whether a message is the exception's, however short it is."""
        return self._too_many or detail.strip() in {text.strip() for text in self._texts}

    def are_in(self, response: Response, body: bytes) -> bool:
        """Return whether a response contains any of them, or debug output.

        Args:
            response: the response.
            body: its whole body.
        """
        decoded = _decoded(response, body)
        if decoded is None or self._too_many or self.are_in_headers(response):
            return True
        text = _text(response, decoded)
        return bool(
            any(
                _has_debug_output(data) or self._search.hits(data)
                for data in {decoded, text.encode("utf-8", "replace")}
            )
            or self._compact_search.hits(_compact(text))
            or self._compact_search.hits(_compact(unescape(_TAG.sub("", text))))
        )

    def are_in_headers(self, response: Response) -> bool:
        """Return whether a header contains any of them."""
        return len(self.clean_headers(response)) < len(response.headers)

    def clean_headers(self, response: Response) -> list[tuple[str, str]]:
        """Return a response's headers without those that contain any of them."""
        return [
            (name, value)
            for name, value in response.headers
            if not self._search.hits(value.encode("utf-8", "surrogateescape"))
            and not self._compact_search.hits(_compact(value))
        ]


def _decoded(response: Response, body: bytes) -> bytes | None:
    """Return a body without its content coding, or None if it cannot be searched."""
    coding = (response.headers.get("Content-Encoding") or "identity").strip().lower()
    if coding == "identity":
        return body if len(body) <= MAX_BODY else None
    make = decoders().get(coding)
    if make is None:
        return None
    pieces: list[bytes] = []
    size = 0
    try:
        for piece in make().pieces(body):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_BODY:
                return None
    except DecodeError:
        return None
    return b"".join(pieces)


def _file_names(error: BaseException) -> set[bytes]:
    """Return the names of the files in the tracebacks of an exception and its chain."""
    return {
        frame.f_code.co_filename.encode("utf-8", "surrogateescape")
        for one in walk_chain(error)
        for frame, _ in islice(walk_tb(one.__traceback__), _MAX_TEXTS)
        if frame.f_code.co_filename.endswith(".py")
    }


def _text(response: Response, body: bytes) -> str:
    """Return the text of a body in its charset, or in UTF-8 where that is not known."""
    found = _CHARSET.search((response.headers.get("Content-Type") or "").lower())
    with suppress(LookupError, ValueError):  # no charset of Python's
        return body.decode(found[1] if found else "utf-8", "replace")
    return body.decode("utf-8", "replace")


def _compact(text: str) -> bytes:
    """Return a text in lower case, without white space and without the zeros of UTF-16."""
    return "".join(text.casefold().replace("\0", "").split()).encode("utf-8", "replace")


_COMPACT_TRACEBACK: Final = _compact("Traceback (most recent call last)")


def _words(texts: Iterable[str]) -> Iterator[str]:
    """Yield the lines of an exception's texts that are long enough to be told from others."""
    for text in texts:
        for line in text[:_MAX_TEXT].splitlines():
            words = line.strip()
            if len(words) >= _MIN_WORDS:
                yield words


def _texts(error: BaseException) -> Iterator[str | None]:
    """Yield the texts of an exception, of its arguments and attributes, and of its chain.

    Yield "" for other values, and None for a message that is too large to be made.
    """
    for one in walk_chain(error):
        message, is_whole = bounded_message(one, _MAX_MESSAGE, _unmasked)
        yield message if is_whole else None
        own = safe_getattr(one, "__dict__")
        yield from _contained(
            [
                safe_getattr(one, "args"),
                list(own.values()) if isinstance(own, dict) else (),
                [safe_getattr(one, name) for name in _slots(type(one))],
            ]
        )


def _unmasked(text: str) -> str:
    return text


def _slots(kind: type) -> Iterator[str]:
    """Yield the names of attributes that are not in an exception's ``__dict__``."""
    yield from ("filename", "filename2")  # OSError
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        yield from (slots,) if isinstance(slots, str) else slots


# Any: arguments of exceptions may be anything.
def _contained(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the texts and long numbers in a value and in the containers that it consists of."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (bytes, bytearray)):
        yield bytes(value[:_MAX_TEXT]).decode("utf-8", "replace")
    elif isinstance(value, (int, float, PurePath)):
        with suppress(ValueError):  # more digits than Python converts
            yield str(value)
    elif depth < _MAX_DEPTH and isinstance(value, dict):
        yield from _contained([*value.keys(), *value.values()], depth + 1)
    elif depth < _MAX_DEPTH and isinstance(value, (list, tuple, set, frozenset)):
        for one in value:
            yield from _contained(one, depth + 1)
    else:
        yield ""

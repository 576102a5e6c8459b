"""Decide whether a response that the app has made of an exception may be sent.

A handler that an app has registered for an exception, or for 500, made its response on purpose: it
stays. It is replaced by a problem if it contains words of the exception (its message, its
arguments and attributes, those of the exceptions that it was raised from), in any encoding that
secrets are searched in, or debug output: a traceback, or the name of a file in it.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from traceback import walk_tb
from typing import Any, Final

from mantlet._internal.exception_chain import safe_getattr, walk_chain
from mantlet.core.response import Response
from mantlet.errors.conversion import (
    framework_problem,
    framework_texts,
    media_type,
    server_error_detail,
)
from mantlet.http.content_encoding import DecodeError, decoders
from mantlet.redact.scanner import LiteralSearch
from mantlet.redact.variants import encoded_variants

__all__ = ["MAX_BODY", "reveals", "shows_debug_output", "stays", "words_of"]

#: The largest body that is searched, in bytes, decoded; larger ones count as revealing.
MAX_BODY: Final = 1024 * 1024
#: Shorter words of an exception are not searched for: they are in too many innocent pages.
_MIN_WORDS: Final = 8
#: The characters of a text that are searched for: handlers cut long messages.
_MAX_WORDS: Final = 40
#: The most texts of an exception that are searched for; one with more counts as revealed.
_MAX_TEXTS: Final = 256
#: The characters of a text that are looked at.
_MAX_TEXT: Final = 16 * 1024
#: How deep the containers among an exception's arguments are looked into.
_MAX_DEPTH: Final = 3

#: Charsets whose bytes a search would miss.
_OPAQUE_CHARSETS: Final = ("utf-16", "utf-32", "utf-7", "utf16", "utf32", "utf7")
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
    if response.no_body:
        return False
    if server_error_detail(response.status, body) is not None:
        return True
    return words_of(handled, response).are_in(response, body)


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
        texts = list(islice(_words(error), _MAX_TEXTS + 1))
        self._too_many = len(texts) > _MAX_TEXTS
        known = {text.casefold() for text in ignored}
        patterns = {
            variant
            for text in dict.fromkeys(texts[:_MAX_TEXTS])
            if text.casefold() not in known
            for variant in encoded_variants(text[:_MAX_WORDS].encode("utf-8", "replace"))
        }
        self._search = LiteralSearch(patterns | _file_names(error))

    def are_in(self, response: Response, body: bytes) -> bool:
        """Return whether a response contains any of them, or debug output.

        Args:
            response: the response.
            body: its whole body.
        """
        decoded = _decoded(response, body)
        return (
            decoded is None
            or self._too_many
            or _has_debug_output(decoded)
            or self._search.hits(decoded)
            or len(self.clean_headers(response)) < len(response.headers)
        )

    def clean_headers(self, response: Response) -> list[tuple[str, str]]:
        """Return a response's headers without those that contain any of them."""
        return [
            (name, value)
            for name, value in response.headers
            if not self._search.hits(value.encode("utf-8", "surrogateescape"))
        ]


def _decoded(response: Response, body: bytes) -> bytes | None:
    """Return a body without its content coding, or None if it cannot be searched."""
    media_type = (response.headers.get("Content-Type") or "").lower()
    if any(charset in media_type for charset in _OPAQUE_CHARSETS):
        return None
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


def _words(error: BaseException) -> Iterator[str]:
    """Yield the lines of an exception's texts that are long enough to be told from others."""
    for text in _texts(error):
        for line in text[:_MAX_TEXT].splitlines():
            words = line.strip()
            if len(words) >= _MIN_WORDS:
                yield words


def _texts(error: BaseException) -> Iterator[str]:
    for one in walk_chain(error):
        with suppress(Exception):  # a foreign __str__ may raise anything
            yield str(one)
        own = safe_getattr(one, "__dict__")
        yield from _contained([one.args, list(own.values()) if isinstance(own, dict) else ()])


# Any: arguments of exceptions may be anything.
def _contained(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield the texts and long numbers in a value and in the containers that it consists of."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (bytes, bytearray)):
        yield bytes(value[:_MAX_TEXT]).decode("utf-8", "replace")
    elif isinstance(value, (int, float)):
        yield str(value)
    elif depth < _MAX_DEPTH and isinstance(value, dict):
        yield from _contained([*value.keys(), *value.values()], depth + 1)
    elif depth < _MAX_DEPTH and isinstance(value, (list, tuple, set, frozenset)):
        for one in value:
            yield from _contained(one, depth + 1)

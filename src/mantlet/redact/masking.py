"""Mask secrets in text, values and log records."""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Final

from mantlet._internal.exception_chain import walk_chain
from mantlet.redact.names import INNOCENT_NAMES, NameMatcher
from mantlet.redact.registry import Registry
from mantlet.redact.scanner import Scanner
from mantlet.redact.stream_scan import StreamScan

if TYPE_CHECKING:
    from mantlet.redact.variants import SecretVariant

__all__ = ["Masker"]

#: Replaces a secret of any length.
_MASK: Final = b"***"
_MASK_TEXT: Final = _MASK.decode()
#: The standard attributes of a log record.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: Maximum nesting depth to which values in a log record are searched.
_MAX_DEPTH: Final = 20
#: The most values, and bytes of text in them, that are searched in a record's variables.
_MAX_ITEMS: Final = 100_000
_MAX_SIZE: Final = 8 * 1024 * 1024
_FORMATTER: Final = logging.Formatter()


class Masker:
    """Mask secrets in text, values and log records.

    Args:
        registry: the secrets to mask.
        names: names and globs of fields, the values of which are masked whatever they are. Those
            of `INNOCENT_NAMES` are not.

    Raises:
        TypeError: a name is not text.
        ValueError: a name is empty or too long.
    """

    def __init__(self, registry: Registry, names: Iterable[str] = ()) -> None:
        self._registry = registry
        self._names = NameMatcher(names, INNOCENT_NAMES) if names else None
        self._scanner: tuple[tuple[SecretVariant, ...], Scanner] | None = None

    def text(self, text: str) -> str:
        """Return a text with ``***`` in place of each secret; the same object if it has none."""
        data = text.encode(errors="surrogatepass")
        masked = self._masked(data)
        return text if masked is data else masked.decode(errors="surrogatepass")

    def body(self, data: bytes, media: str | None) -> bytes:
        """Return a response body with each byte of a secret replaced by ``*``."""
        scanner = self._current()
        if scanner.is_clean(data, media):
            return data
        return StreamScan(scanner, _ignore, media)(data, False)

    def value(self, value: Any, depth: int = 0) -> Any:
        """Return a value without secrets, of the same type if it is a built-in one.

        An object that is neither text, bytes nor a collection of these becomes its masked text if
        that contains a secret, and is returned as it is otherwise.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (bytes, bytearray)):
            return self._masked(bytes(value))
        if depth < _MAX_DEPTH and isinstance(value, Mapping):
            return {
                self.value(key, depth + 1): self.field(key, inner, depth + 1)
                for key, inner in value.items()
            }
        if depth < _MAX_DEPTH and type(value) in (list, tuple, set, frozenset):
            return type(value)(self.value(inner, depth + 1) for inner in value)
        shown = _shown(value)
        masked = self.text(shown)
        return value if masked is shown else masked

    def field(self, name: object, value: Any, depth: int = 0) -> Any:
        """Return a value without secrets: ``***`` if its name is one of those to mask."""
        if self._names is None or value is None or not isinstance(name, str):
            return self.value(value, depth)
        return _MASK_TEXT if self._names.matches(name) else self.value(value, depth)

    def record(self, record: logging.LogRecord) -> logging.LogRecord:
        """Mask a log record: its message, exception, stack and extra attributes.

        The record is changed in place, so later handlers get it masked too. A record without
        secrets is left as it is.
        """
        if self._names is not None and record.args:
            record.args = self.value(record.args)
        message = _message(record)
        masked = self.text(message)
        if masked != message:
            record.msg, record.args = masked, None
        elif self._may_hold([record.args]):
            record.msg, record.args = message, None  # a handler may read the arguments itself
        if record.exc_info or record.exc_text:
            masked_text = self.exception(record.exc_info, record.exc_text)
            if masked_text is not None:
                # A handler that formats the exception itself would reveal the secret.
                record.exc_text, record.exc_info = masked_text, None
        if record.stack_info:
            record.stack_info = self.text(record.stack_info)
        for name in vars(record).keys() - _STANDARD:
            setattr(record, name, self.field(name, getattr(record, name)))
        return record

    def exception(self, exc_info: Any, text: str | None = None) -> str | None:
        """Return the masked text of an exception, or None if it contains no secret.

        Its text and the local variables of its frames are searched, since some formatters show
        those too; where these are too many to be searched, they count as containing one.

        Args:
            exc_info: the exception, a tuple as from ``sys.exc_info()``, or True for the current
                exception.
            text: the formatted exception, if available.
        """
        if exc_info is True:
            exc_info = sys.exc_info()
        elif isinstance(exc_info, BaseException):
            exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
        error = exc_info[1] if isinstance(exc_info, tuple) else None
        shown = text or (_traceback(exc_info) if error is not None else "")
        masked = self.text(shown)
        if masked is shown and not self._is_named(error) and not self._may_hold(_values(error)):
            return None
        return masked

    def _is_named(self, error: BaseException | None) -> bool:
        """Return whether a variable of a frame has one of the names to mask."""
        names = self._names
        return names is not None and any(
            names.matches(name) for variables in _variables(error) for name in variables
        )

    def _may_hold(self, values: Iterable[object]) -> bool:
        """Return whether values, or collections of values, contain a secret, or are too many.

        All text in them is searched at once, since a client's data may be many small values, which
        the variables of every frame refer to.
        """
        texts: list[bytes] = []
        items = size = 0
        seen: set[int] = set()
        waiting = list(values)
        while waiting:
            one = waiting.pop()
            if id(one) in seen:
                continue
            seen.add(id(one))
            items += 1
            if isinstance(one, (str, bytes, bytearray)):
                data = one.encode(errors="surrogatepass") if isinstance(one, str) else bytes(one)
                size += len(data)
                texts.append(data)
            elif isinstance(one, (dict, list, tuple, set, frozenset)):
                items += len(one)
                if items <= _MAX_ITEMS:
                    waiting += one
                    waiting += one.values() if isinstance(one, dict) else ()
            if items > _MAX_ITEMS or size > _MAX_SIZE:
                return True
        return not self._current().is_clean(b"\x00".join(texts))

    def _current(self) -> Scanner:
        """Return the current scanner; built on demand, since errors are rare."""
        self._registry.expire()
        variants, built = self._registry.variants, self._scanner
        if built is None or built[0] is not variants:
            scanner = Scanner((variant.pattern, variant) for variant in variants)
            built = self._scanner = variants, scanner
        return built[1]

    def _masked(self, data: bytes) -> bytes:
        scanner = self._current()
        if scanner.is_clean(data):
            return data
        spans: list[tuple[int, int]] = []

        def on_match(_rule: str, _fingerprint: str | None, leak: bytes, at: int) -> None:
            spans.append((at, at + len(leak)))

        StreamScan(scanner, on_match, masks=False)(data, False)
        parts: list[bytes] = []
        end = 0
        for start, stop in sorted(spans):
            if start >= end:
                parts += data[end:start], _MASK
            end = max(end, stop)
        return b"".join((*parts, data[end:])) if parts else data


def _ignore(_rule: str, _fingerprint: str | None, _leak: bytes, _at: int) -> None:
    """Report nothing: a leak masked here has not left the app."""


def _shown(value: object) -> str:
    """Return the text of a value, or the name of its type if it cannot be converted."""
    try:
        return f"{value!s} {value!r}"
    except Exception:  # noqa: BLE001  # raised by a user-defined class
        return f"<{type(value).__qualname__}>"


def _message(record: logging.LogRecord) -> str:
    """Return the message, even if the arguments do not match it."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # the handler would print an error with the arguments
        return f"{record.msg!s} {record.args!r}"


def _variables(error: BaseException | None) -> Iterator[Mapping[str, object]]:
    """Return the local variables of all frames of an exception and of its causes."""
    for one in () if error is None else walk_chain(error):
        for frame, _ in walk_tb(one.__traceback__):
            yield frame.f_locals


def _values(error: BaseException | None) -> Iterator[object]:
    for variables in _variables(error):
        yield from tuple(variables.values())


def _traceback(exc_info: Any) -> str:
    """Return the formatted exception, or a placeholder if formatting fails."""
    try:
        return _FORMATTER.formatException(exc_info)
    except Exception:  # noqa: BLE001  # raised by the exception's own methods
        return f"{exc_info[0].__qualname__}: cannot be formatted"

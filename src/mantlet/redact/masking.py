"""Text and log records without the secrets in them."""

import logging
import sys
from collections.abc import Iterator, Mapping
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Final

from mantlet._internal.exception_chain import walk_chain
from mantlet.redact.registry import Registry
from mantlet.redact.scanner import Scan, Scanner

if TYPE_CHECKING:
    from mantlet.redact.variants import Needle

__all__ = ["Masker"]

#: Stands for a secret, whatever its length is.
_MASK: Final = b"***"
#: What a log record has without anybody's adding it.
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
#: How deep values in a log record are looked into.
_DEEPEST: Final = 20
_FORMATTER: Final = logging.Formatter()


class Masker:
    """Masks secrets in texts, values and log records.

    Args:
        registry: the secrets.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._scanner: tuple[tuple[Needle, ...], Scanner] | None = None

    def text(self, text: str) -> str:
        """Return a text with ``***`` for each secret; the same object where there is none."""
        data = text.encode(errors="surrogatepass")
        masked = self._masked(data)
        return text if masked is data else masked.decode(errors="surrogatepass")

    def body(self, data: bytes, media: str | None) -> bytes:
        """Return an answer's body with as many ``*`` for each secret as it has bytes."""
        return self._current().mask(data, _tell_nobody, media)

    def value(self, value: Any, depth: int = 0) -> Any:
        """Return a value without secrets, of the same type where that is a plain one.

        What is neither text, bytes nor a collection of those is masked as its text, if that has a
        secret in it, and else left as it is.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (bytes, bytearray)):
            return self._masked(bytes(value))
        if depth < _DEEPEST and isinstance(value, Mapping):
            return {
                self.value(key, depth + 1): self.value(inner, depth + 1)
                for key, inner in value.items()
            }
        if depth < _DEEPEST and type(value) in (list, tuple, set, frozenset):
            return type(value)(self.value(inner, depth + 1) for inner in value)
        shown = _shown(value)
        masked = self.text(shown)
        return value if masked is shown else masked

    def record(self, record: logging.LogRecord) -> logging.LogRecord:
        """Mask a log record: its message, exception, stack and whatever was added to it.

        The record itself is changed, so that every handler behind this one is given it masked.
        Where there is nothing to mask, it is as it was.
        """
        message = _message(record)
        masked = self.text(message)
        if masked != message:
            record.msg, record.args = masked, None
        elif self.holds(record.args):
            record.msg, record.args = message, None  # for those who read the arguments themselves
        if record.exc_info or record.exc_text:
            masked_text = self.exception(record.exc_info, record.exc_text)
            if masked_text is not None:
                # The exception itself would give the secret to who writes it in another way.
                record.exc_text, record.exc_info = masked_text, None
        if record.stack_info:
            record.stack_info = self.text(record.stack_info)
        for name in vars(record).keys() - _OWN:
            setattr(record, name, self.value(getattr(record, name)))
        return record

    def exception(self, exc_info: Any, text: str | None = None) -> str | None:
        """Return the masked text of an exception, or None if there is no secret in it.

        It has one if its text does, or a variable of the frames that it came through: who writes
        exceptions in a way of his own may show those.

        Args:
            exc_info: the exception, what ``sys.exc_info()`` gives, or True for that.
            text: what was made of it, if anything.
        """
        if exc_info is True:
            exc_info = sys.exc_info()
        elif isinstance(exc_info, BaseException):
            exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
        error = exc_info[1] if isinstance(exc_info, tuple) else None
        shown = text or (_traceback(exc_info) if error is not None else "")
        masked = self.text(shown)
        if masked is shown and not any(map(self.holds, _variables(error))):
            return None
        return masked

    def holds(self, value: object, depth: int = 0) -> bool:
        """Return whether there is a secret in a plain value, or a collection of those."""
        if isinstance(value, str):
            return self.text(value) is not value
        if isinstance(value, (bytes, bytearray)):
            return not self._current().clean(bytes(value))
        if depth >= _DEEPEST:
            return False
        if isinstance(value, dict):
            value = [*value, *value.values()]
        return isinstance(value, (list, tuple, set, frozenset)) and any(
            self.holds(inner, depth + 1) for inner in tuple(value)
        )

    def _current(self) -> Scanner:
        """Return what to search with now; made when it is wanted, since errors are rare."""
        self._registry.expire()
        needles, built = self._registry.needles, self._scanner
        if built is None or built[0] is not needles:
            scanner = Scanner((needle.form, needle) for needle in needles)
            built = self._scanner = needles, scanner
        return built[1]

    def _masked(self, data: bytes) -> bytes:
        scanner = self._current()
        if scanner.clean(data):
            return data
        spans: list[tuple[int, int]] = []

        def tell(_rule: str, _fingerprint: str | None, leak: bytes, at: int) -> None:
            spans.append((at, at + len(leak)))

        Scan(scanner, tell, masks=False)(data, False)
        parts: list[bytes] = []
        end = 0
        for start, stop in sorted(spans):
            if start >= end:
                parts += data[end:start], _MASK
            end = max(end, stop)
        return b"".join((*parts, data[end:])) if parts else data


def _tell_nobody(_rule: str, _fingerprint: str | None, _leak: bytes, _at: int) -> None:
    """Say nothing: what is masked here was found before anything was sent."""


def _shown(value: object) -> str:
    """Return the text of a value, or of its type where it has none."""
    try:
        return f"{value!s} {value!r}"
    except Exception:  # noqa: BLE001  # of a class of the user's
        return f"<{type(value).__qualname__}>"


def _message(record: logging.LogRecord) -> str:
    """Return the message, also of a record whose arguments do not fit it."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # the handler would say so, with the arguments
        return f"{record.msg!s} {record.args!r}"


def _variables(error: BaseException | None) -> Iterator[object]:
    """Return the variables of the frames that an exception, and what it came of, came through."""
    for one in () if error is None else walk_chain(error):
        for frame, _ in walk_tb(one.__traceback__):
            yield from tuple(frame.f_locals.values())


def _traceback(exc_info: Any) -> str:
    """Return the text of an exception, as far as it has one."""
    try:
        return _FORMATTER.formatException(exc_info)
    except Exception:  # noqa: BLE001  # of an exception that can't say what it is
        return f"{exc_info[0].__qualname__}: its text can't be made"

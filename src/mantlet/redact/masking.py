"""Mask secrets in text, values and log records."""

import logging
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from copy import copy
from itertools import islice
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, Final

from mantlet._internal.exception_chain import safe_getattr, walk_chain
from mantlet.redact.logged_values import (
    COLLECTIONS,
    MAPPINGS,
    MAX_ITEMS,
    NUMBERS,
    TEXTS,
    attributes_of,
    fields_of,
    text_of,
    texts_within,
    to_bytes,
)
from mantlet.redact.names import INNOCENT_NAMES, NameMatcher
from mantlet.redact.registry import Registry
from mantlet.redact.scanner import Scanner
from mantlet.redact.stream_scan import StreamScan

if TYPE_CHECKING:
    from mantlet.redact.variants import SecretVariant

__all__ = ["Masker", "message_of"]

#: Replaces a secret of any length.
_MASK: Final = b"***"
_MASK_TEXT: Final = _MASK.decode()
#: The standard attributes of a log record, and those whose values an app chooses.
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OWN: Final = frozenset({"message", "name", "stack_info", "taskName", "threadName"})
#: Maximum nesting depth to which values are copied in order to mask parts of them.
_MAX_DEPTH: Final = 20
#: The most bytes of text that are searched at once.
_MAX_SIZE: Final = 8 * 1024 * 1024
#: The most exceptions of a chain or group that are searched.
_MAX_ERRORS: Final = 64
_FORMATTER: Final = logging.Formatter()


class Masker:
    """Mask secrets in text, values and log records.

    Args:
        registry: the secrets to mask.
        names: names and globs of fields whose values are masked whatever they are, except for
            those in `INNOCENT_NAMES`.

    Raises:
        TypeError: a name is not text.
        ValueError: a name is empty or too long.

    Attributes:
        registry: the secrets to mask.
    """

    def __init__(self, registry: Registry, names: Iterable[str] = ()) -> None:
        self.registry = registry
        self._names = NameMatcher(names, INNOCENT_NAMES) if names else None
        self._scanner: tuple[tuple[SecretVariant, ...], Scanner] | None = None

    def text(self, text: str) -> str:
        """Return a text with ``***`` in place of each secret; the same object if it has none."""
        data = to_bytes(text)
        masked = self._masked(data)
        return text if masked is data else masked.decode(errors="surrogatepass")

    def body(self, data: bytes, media: str | None) -> bytes:
        """Return a response body with each byte of a secret replaced by ``*``."""
        scanner = self._current()
        if scanner.is_clean(data, media):
            return data
        return StreamScan(scanner, _ignore, media)(data, False)

    def value(self, value: Any) -> Any:
        """Return a value without secrets; the same object if there is none in it.

        Collections keep their type where it is a built-in one. Another object with a secret in its
        text or its attributes becomes its masked text. A value that is too large to search, or
        raises an exception when it is searched, becomes ``***``.
        """
        return value if self._is_clean((value,)) else _Copying(self).value(value)

    def event(self, event: Mapping[Any, Any]) -> dict[Any, Any]:
        """Return the fields of a log event without secrets.

        Args:
            event: the fields; an exception in ``exc_info`` becomes its text, in ``exception``, if
                it contains a secret.
        """
        masked = self.value({name: value for name, value in event.items() if name != "exc_info"})
        raised = event.get("exc_info")
        text = self.exception(raised) if raised else None
        if text is not None:
            return {**masked, "exception": text}
        return {**masked, "exc_info": raised} if "exc_info" in event else dict(masked)

    def record(self, record: logging.LogRecord) -> logging.LogRecord:
        """Mask a log record: its message, exception, stack and extra attributes.

        The record is changed in place, so later handlers get it masked too. A record without
        secrets is left as it is.
        """
        fields = vars(record)
        own = [fields.get(name) for name in _OWN]
        extra = {name: fields[name] for name in fields.keys() - _STANDARD}
        raises = type(record.msg) is dict and "exc_info" in record.msg
        searched = message_of(record), record.args, record.msg, own, extra
        if raises or not self._is_clean(searched):
            self._mask_message(record)
            for name in _OWN & fields.keys():
                fields[name] = self.value(fields[name])
            for name, value in extra.items():
                del fields[name]
                is_named = self._is_secret(name, value)
                fields[self.text(name)] = _MASK_TEXT if is_named else self.value(value)
        if record.exc_info or record.exc_text:
            masked_text = self.exception(record.exc_info, record.exc_text)
            if masked_text is not None:
                # A handler that formats the exception itself would reveal the secret.
                record.exc_text, record.exc_info = masked_text, None
        return record

    def _mask_message(self, record: logging.LogRecord) -> None:
        """Mask the message and its arguments, separately if that masks everything."""
        if type(record.msg) is dict:  # of structlog, or for a formatter of JSON
            record.msg = self.event(record.msg)
        record.args = self.value(record.args)
        try:
            message = record.getMessage()
            masked = self.text(message)
        except Exception:  # noqa: BLE001  # the arguments do not match
            message, masked = "", self.text(message_of(record))
        if masked is not message or not self._is_clean((record.msg,)):
            record.msg, record.args = masked, None

    def exception(self, exc_info: Any, text: str | None = None) -> str | None:
        """Return the masked text of an exception, or None if it contains no secret.

        Its text, its attributes and the local variables of its frames are searched, since some
        formatters show those too. If there are too many to search, a secret is assumed.

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
        if masked is not shown:
            return masked
        errors = [] if error is None else list(walk_chain(error, _MAX_ERRORS + 1))
        # A formatter may show more members of a group than the text has.
        parts = [(text_of(one), one.args, safe_getattr(one, "__dict__")) for one in errors]
        variables = [
            dict(frame.f_locals) for one in errors for frame, _ in walk_tb(one.__traceback__)
        ]
        if len(errors) <= _MAX_ERRORS and self._is_clean((parts, variables), shows=False):
            return None
        return masked

    def _is_clean(self, values: Iterable[object], *, shows: bool = True) -> bool:
        """Return whether values, and those within them, are few enough and contain no secret.

        All texts are joined and searched at once, since a client's data may be many small values,
        which the variables of every frame refer to.

        Args:
            values: the values.
            shows: whether to search the ``str()`` and ``repr()`` of objects too. For variables,
                which were not meant to be logged, these might take long or query a database.
        """
        texts: list[bytes] = []
        items = size = 0
        seen: dict[int, object] = {}  # with the objects, so that no other one gets the id
        waiting: list[object] = list(values)
        try:
            while waiting:
                one = waiting.pop()
                items += 1
                if type(one) in NUMBERS or id(one) in seen:
                    continue
                seen[id(one)] = one
                if isinstance(one, TEXTS):
                    texts.append(to_bytes(one))
                    size += len(texts[-1])
                elif not self._add_inner(one, waiting, shows=shows):
                    return False
                if items > MAX_ITEMS or size > _MAX_SIZE:
                    return False
        except Exception:  # noqa: BLE001  # raised by a user-defined class
            return False
        return self._current().is_clean(b"\x00".join(texts))

    def _add_inner(self, value: object, waiting: list[object], *, shows: bool) -> bool:
        """Queue the values within a value; return False if it need not be searched.

        That is so if it has too many values, or one that is masked by its name.
        """
        inner = fields_of(value)
        if not isinstance(inner, COLLECTIONS):
            own = attributes_of(value)
            waiting += texts_within(own) if shows else (o for o in own if isinstance(o, TEXTS))
        elif len(inner) > MAX_ITEMS:
            return False
        else:
            waiting += islice(inner, MAX_ITEMS)
        if isinstance(inner, MAPPINGS):
            waiting += islice(inner.values(), MAX_ITEMS)
            if isinstance(inner, dict) and type(inner) is not dict:
                waiting += dict.values(inner)  # of all values of a name, in headers and forms
            if self._names and any(self._is_secret(name, one) for name, one in inner.items()):
                return False
        if shows and not isinstance(value, COLLECTIONS):
            waiting.append(text_of(value))
        return True

    def _is_secret(self, name: object, value: object) -> bool:
        """Return whether a value has to be masked because of its name, and is not yet."""
        if self._names is None or value is None or not isinstance(name, str):
            return False
        return self._names.matches(name) and not (isinstance(value, str) and value == _MASK_TEXT)

    def _current(self) -> Scanner:
        """Return the current scanner; built on demand, since errors are rare."""
        self.registry.expire()
        variants, built = self.registry.variants, self._scanner
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


class _Copying:
    """Copies a value without the secrets in it.

    Args:
        masker: finds the secrets.
    """

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._left = MAX_ITEMS
        #: By id: each object and its copy; ``***`` while it is being copied, for cycles.
        self._copies: dict[int, tuple[object, Any]] = {}

    def value(self, value: Any, depth: int = 0) -> Any:
        """Return the copy of a value, or the value if it has no secret."""
        try:
            return self._value(value, depth)
        except Exception:  # noqa: BLE001  # raised by a user-defined class
            return _MASK_TEXT

    def _value(self, value: Any, depth: int) -> Any:
        if type(value) in NUMBERS:
            return value
        self._left -= 1
        if id(value) not in self._copies:
            self._copies[id(value)] = value, _MASK_TEXT
            self._copies[id(value)] = value, self._inner(value, depth)
        return self._copies[id(value)][1]

    def _inner(self, value: Any, depth: int) -> Any:
        inner = fields_of(value)
        if not isinstance(inner, COLLECTIONS):
            return self._single(value)
        if depth >= _MAX_DEPTH:
            return _MASK_TEXT
        if isinstance(inner, MAPPINGS):
            return self._mapping(inner, depth)
        fits = len(inner) <= self._left
        copies = [self.value(one, depth + 1) for one in (inner if fits else [_MASK_TEXT])]
        if isinstance(inner, tuple):
            return inner._make(copies) if hasattr(inner, "_make") else tuple(copies)
        kinds = (set, frozenset, deque)
        return next((kind(copies) for kind in kinds if isinstance(value, kind)), copies)

    def _single(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._masker.text(value)
        if isinstance(value, TEXTS):
            data = to_bytes(value)
            masked = self._masker._masked(data)
            return value if masked is data else masked
        is_clean = self._masker._is_clean((value,))
        return value if is_clean else self._masker.text(text_of(value, "{0!s}"))

    def _mapping(self, fields: Mapping[Any, Any], depth: int) -> Mapping[Any, Any]:
        if len(fields) > self._left:
            return {_MASK_TEXT: _MASK_TEXT}
        pairs = dict.items(fields) if isinstance(fields, dict) else fields.items()
        masked = {
            self.value(name, depth + 1): _MASK_TEXT
            if self._masker._is_secret(name, one)
            else self.value(one, depth + 1)
            for name, one in pairs
        }
        if type(fields) is dict or not isinstance(fields, dict) or masked.keys() != fields.keys():
            return masked
        # The arguments of an access log, say, have a default for what is missing.
        changed: dict[Any, Any] = copy(fields)
        for name, one in masked.items():
            dict.__setitem__(changed, name, one)
        return changed


def message_of(record: logging.LogRecord) -> str:
    """Return the message of a record, even if the arguments do not match it."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # the handler would print an error with the arguments
        return f"{text_of(record.msg, '{0!s}')} {text_of(record.args, '{0!r}')}"


def _traceback(exc_info: Any) -> str:
    """Return the formatted exception, or a placeholder if formatting fails."""
    try:
        return _FORMATTER.formatException(exc_info)
    except Exception:  # noqa: BLE001  # raised by the exception's own methods
        return f"{exc_info[0].__qualname__}: cannot be formatted"

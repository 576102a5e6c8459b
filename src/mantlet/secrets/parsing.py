"""Parse the raw values of sources, and check them against the rules of their secrets."""

import base64
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, get_args
from urllib.parse import unquote, urlsplit

from mantlet._internal.extras import import_extra
from mantlet.redact.variants import MIN_SECRET_BYTES, weak_reason
from mantlet.secrets.model import SecretSpec
from mantlet.secrets.secret import InvalidSecret, as_bytes, iter_texts

__all__ = ["find_broken_rule", "is_placeholder", "parse", "searchable_values"]

_WHITESPACE: Final = re.compile(r"\s+")
_DECODERS: Final = {
    "base64": lambda text: base64.b64decode(_pad(text), validate=True),
    "base64url": lambda text: base64.b64decode(_pad(text), b"-_", validate=True),
    "hex": bytes.fromhex,
}


def parse(spec: SecretSpec, raw: str | bytes) -> Any:
    """Parse a raw value into the type of its secret.

    Args:
        spec: the secret.
        raw: the text or the bytes that a source has.

    Raises:
        InvalidSecret: the value is empty or malformed. The message does not contain it.
    """
    if not raw.strip():
        raise InvalidSecret("is empty")
    if spec.type is bytes:
        return _parse_bytes(spec, raw)
    text = _decode(raw)
    if spec.type is str:
        return text
    value = _parse_with_pydantic(spec, text)
    if isinstance(value, _PydanticFailure):
        # Raised outside of every handler: pydantic's error shows the value.
        raise InvalidSecret(f"is malformed ({value})")
    return value


def _decode(raw: str | bytes) -> str:
    data = as_bytes(raw)
    text = data.decode("utf-8", "replace")
    if text.encode() != data:
        raise InvalidSecret("is not UTF-8 text")
    if "\0" in text:  # UTF-16, as some editors write it, may be valid UTF-8
        raise InvalidSecret("is not text: it contains a NUL character")
    return text


def _parse_bytes(spec: SecretSpec, raw: str | bytes) -> bytes:
    if spec.encoding is None:
        return as_bytes(raw)
    decoded = None
    text = _WHITESPACE.sub("", _decode(raw))
    with suppress(ValueError):  # its message shows a part of the value
        decoded = _DECODERS[spec.encoding](text)
    if decoded is None:
        raise InvalidSecret(f"is not {spec.encoding}")
    return decoded


def _pad(text: str) -> str:
    return text + "=" * (-len(text) % 4)


class _PydanticFailure(Exception):
    """The codes of pydantic's errors, without the value."""


def _parse_with_pydantic(spec: SecretSpec, text: str) -> Any:
    """Return the parsed value, or a `_PydanticFailure`; raised here, it would show the value."""
    adapter = _adapter(spec.type)
    pydantic = import_extra("pydantic", "secrets")
    try:
        return adapter.validate_python(text)
    except pydantic.ValidationError as error:
        failure = _failure(error)
    except Exception as error:  # noqa: BLE001  # a user's validator may put the value in the message
        failure = _PydanticFailure(type(error).__qualname__)
    if text.lstrip()[:1] not in ("{", "["):
        return failure
    try:
        return adapter.validate_json(text)
    except pydantic.ValidationError as error:
        return _failure(error)
    except Exception as error:  # noqa: BLE001  # as above
        return _PydanticFailure(type(error).__qualname__)


def _failure(error: Any) -> _PydanticFailure:
    """Keep only the codes that pydantic defines: a user's own code could contain the value."""
    known = get_args(import_extra("pydantic_core.core_schema", "secrets").ErrorType)
    codes = dict.fromkeys(one["type"] for one in error.errors(include_url=False))
    return _PydanticFailure(", ".join(code if code in known else "value_error" for code in codes))


@lru_cache(maxsize=256)
def _adapter(value_type: Any) -> Any:
    return import_extra("pydantic", "secrets").TypeAdapter(value_type)


# -- rules ----------------------------------------------------------------------------------------


def find_broken_rule(
    spec: SecretSpec, raw: str | bytes, value: object, examples: Iterable[str]
) -> str | None:
    """Return the rule that a parsed value breaks, as a predicate such as ``"is a placeholder"``.

    Args:
        spec: the secret.
        raw: the text or the bytes that a source has.
        value: the parsed value.
        examples: the values of example files.

    Returns:
        The first broken rule, or None.
    """
    text = as_bytes(raw).decode("utf-8", "surrogateescape")
    stand_in = None if spec.allow_weak else _find_stand_in(text, examples)
    if stand_in is not None:
        return stand_in
    if spec.pattern is not None and not spec.pattern.fullmatch(text):
        return "does not match its pattern"
    measured = value if isinstance(value, (str, bytes)) else text
    if len(measured) < spec.min_length:
        unit = "bytes" if isinstance(measured, bytes) else "characters"
        return f"is shorter than {spec.min_length} {unit}"
    # A shorter value is allowed by the app's own min_length, and always weak.
    data = as_bytes(value)
    judged = spec.type in (str, bytes) and not spec.allow_weak and len(data) >= MIN_SECRET_BYTES
    return "is easy to guess" if judged and weak_reason(data) is not None else None


def _find_stand_in(text: str, examples: Iterable[str]) -> str | None:
    """Return why a value only stands in for a secret, or None."""
    if text in examples or text.strip() in examples:
        return "is the value from the example file"
    if is_placeholder(text):
        return "is a placeholder"
    password = _url_password(text)
    if password is not None and is_placeholder(password):
        return "has a placeholder as its password"
    return None


def _url_password(text: str) -> str | None:
    if "://" not in text:
        return None
    try:
        password = urlsplit(text).password
    except ValueError:
        return None
    return password and unquote(password)


#: Words that examples, templates and tutorials put in place of a secret, without separators.
_PLACEHOLDER_WORDS: Final = re.compile(
    r"""
    abc|abcd|abcdef|admin|administrator|apikey|asdf|bar|baz|blah|changeit|changeme|changethis
    |changethis(?:secret|password|key)|default|demo|dev|development|dummy|empty|example|fake|fillme
    |fixme|foo|foobar|guest|hunter|insecure|insert|keyboardcat|letmein
    |(?:admin|db|default|dummy|example|fake|jwt|my|root|sample|secret|some|super|test|the|top|user
        |very|your)+(?:api)?(?:key|pass|passw[o0]rd|secret|secretkey|token|value)
    |na|nil|no(?:key|pass|password|secret|ne)|notset|null|pass|passw[o0]rd|passwd|placeholder
    |postgres|pw|pwd|qwerty|redacted|replace|replaceme|replacethis|root|s3cr3t|sample
    |secret|secret(?:key|password|token|value)|setme|string|tbd|temp|test|tester|testing|tmp|todo
    |token|undefined|unset|user|welcome|xyz
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PLACEHOLDER_SHAPES: Final = re.compile(
    r"""
    (?:please[-_. ]?)?(?:change|replace|fill|set|put|insert|enter|paste)[-_. ]?
        (?:me|this|it|in|here|with|your)(?:[-_. !].*)?
    | please[-_. ](?:change|replace|set)
    | not[-_. ]?a[-_. ]?real[-_. ].* | todo[: ].*
    | to[-_. ]be[-_. ](?:changed|done|filled|replaced|set)(?:[-_. ].*)?
    | (?:your|my|some)[-_. ][a-z0-9]+(?:[-_. ][a-z0-9]+)*
    | .*[-_. ](?:here|goes[-_. ]here|placeholder)
    | django-insecure-.*
    | <[\w .:-]+> | \$\{.*\} | \$\([\w .:-]*\) | \{\{.*\}\} | \{%.*%\} | %\(\w+\)s | %\w+%
    | (?:.*[-_])?(.)\1{2,}
    | .*[x*]{6,}.*
    | (?-i:[A-Za-z0-9/+]+EXAMPLE(?:KEY)?)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
#: Sequences of consecutive characters.
_SEQUENCES: Final = (
    "01234567890123456789",
    "0123456789abcdef" * 4,
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
)
_SEPARATORS: Final = re.compile(r"[\W_]+")
#: Digits and marks at the end, as added where a password must have some.
_SUFFIX: Final = re.compile(r"[\W_\d]+$")
#: Characters that are written in place of letters.
_LEET: Final = str.maketrans("@430$5", "aaeoss")
#: The maximum length of a placeholder, in characters.
_LONGEST_PLACEHOLDER: Final = 256


def is_placeholder(text: str) -> bool:
    """Return whether a value is a placeholder, such as ``changeme`` or ``${PASSWORD}``."""
    stripped = text.strip().strip("'\"")[:_LONGEST_PLACEHOLDER]
    word = _SUFFIX.sub("", stripped)
    return (
        any(
            _PLACEHOLDER_WORDS.fullmatch(_SEPARATORS.sub("", one))
            for one in (word, word.translate(_LEET))
        )
        or any(stripped.lower() in sequence for sequence in _SEQUENCES)
        or _PLACEHOLDER_SHAPES.fullmatch(stripped) is not None
    )


# -- masking --------------------------------------------------------------------------------------


def searchable_values(raw: str | bytes, value: object) -> tuple[list[bytes], str | None]:
    """Return the values to mask for a secret: the raw value, and all texts within the parsed one.

    Args:
        raw: the text or the bytes that a source has.
        value: the parsed value.

    Returns:
        The values that are strong enough to search for, and a note for the report if the raw value
        or the password in it is too weak.
    """
    first = as_bytes(raw).strip()
    values = dict.fromkeys((first, *map(as_bytes, iter_texts(value))))
    return [one for one in values if weak_reason(one) is None], _masking_note(first)


def _masking_note(raw: bytes) -> str | None:
    reason = weak_reason(raw)
    if reason is not None:
        return f"can't be masked: {reason}"
    password = _url_password(raw.decode("utf-8", "surrogateescape"))
    reason = weak_reason(as_bytes(password)) if password else None
    return None if reason is None else f"its password can't be masked on its own: {reason}"

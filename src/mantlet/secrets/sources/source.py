"""The interface of a source of secrets, and helpers to implement one.

A source of your own is a class with a ``name`` and a `SecretSource.read`::

    class Keyring(SecretSource):
        name = "keyring"

        def read(self, fields):
            found = {field.name: keyring.get_password("app", field.key) for field in fields}
            return {name: SourceValue(text, name) for name, text in found.items() if text}
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeAlias

from mantlet.exceptions import MantletError

__all__ = [
    "RejectedValue",
    "SecretField",
    "SecretSource",
    "SourceError",
    "SourceResult",
    "SourceValue",
    "find_similar_names",
    "parse_json_object",
    "select_values",
]

#: The similarity, from 0 to 1, above which a name is taken for a misspelt one.
_SIMILARITY = 0.85


class SourceError(MantletError):
    """A source can't be read at all. The message is a line of the report and contains no value."""


@dataclass(frozen=True, slots=True)
class SecretField:
    """The names of a secret.

    Attributes:
        name: the name of the attribute.
        env: the name of the environment variable, also in ``.env`` files.
        key: the name in directories and stores.
        prefix: the prefix of all the app's variables; may be empty.
    """

    name: str
    env: str
    key: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class SourceValue:
    """The raw value of a secret in a source.

    Attributes:
        raw: text, or the bytes of a file.
        location: the place within the source: the variable, the file, the key.
        changed_at: the time of the last change in seconds since 1970, or None if it is unknown.
        note: a remark for the report, or None.
    """

    raw: str | bytes = field(repr=False)
    location: str
    changed_at: float | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class RejectedValue:
    """A secret that a source has and that can't be used. Later sources are not read for it.

    Attributes:
        location: the place within the source.
        reason: a line of the report, such as ``"is larger than 64 KiB"``. It contains no value.
    """

    location: str
    reason: str


SourceResult: TypeAlias = SourceValue | RejectedValue
"""The result of a source for one secret."""


class SecretSource(ABC):
    """A source of secrets.

    Attributes:
        name: the name in the report.
        lifetime: the seconds after `read` for which the values stay valid; None if they do until
            `change_token` changes.
        is_remote: whether reading takes time, such as over a network.
        example_files: files whose values are rejected as secrets, since a developer may have copied
            them.
    """

    name: str
    lifetime: float | None = None
    is_remote: bool = False
    example_files: Sequence[str] = ()

    @abstractmethod
    def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        """Return the values of secrets by the fields' names, without those that are not there.

        Args:
            fields: the secrets to look for.

        Raises:
            SourceError: the source can't be read.
        """

    def location(self, field: SecretField) -> str:
        """Return the place where a secret would be, for the report of a missing one."""
        return field.key

    def change_token(self, fields: Sequence[SecretField]) -> Hashable:
        """Return a value that differs whenever the result of `read` may differ.

        It is called often, so it has to be cheap, and must not use a network.
        """
        return None

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return unknown names in the source that resemble a field's, each with that name."""
        return ()


def select_values(
    fields: Sequence[SecretField],
    values: Mapping[str, object],
    location: str,
    changed_at: Mapping[str, float | None] | float | None = None,
) -> dict[str, SourceResult]:
    """Select the values of fields from the content of a store, by key or else by variable name.

    Args:
        fields: the secrets to look for.
        values: the content of the store. Values other than text and bytes are converted to JSON.
        location: the name of the store.
        changed_at: the time of the last change of the store, or of each value.
    """
    found: dict[str, SourceResult] = {}
    for wanted in fields:
        name = wanted.key if wanted.key in values else wanted.env
        raw = values.get(name)
        if raw is not None:
            text = raw if isinstance(raw, str | bytes) else json.dumps(raw)
            valid = isinstance(text, bytes) or text.encode(errors="ignore").decode() == text
            where = f"{location} {name}"
            time = changed_at.get(name) if isinstance(changed_at, Mapping) else changed_at
            found[wanted.name] = (
                SourceValue(text, where, time)
                if valid
                else RejectedValue(where, "is not Unicode text")
            )
    return found


def parse_json_object(raw: str | bytes, hint: str = "") -> dict[str, Any]:
    """Parse a JSON object (RFC 8259). Duplicate keys, which parsers disagree about, are rejected.

    Args:
        raw: the text, or its bytes in UTF-8.
        hint: an addition to the error for anything but an object.

    Raises:
        SourceError: the text is not a JSON object, or has a duplicate key. The message shows
            nothing of it.
    """
    found: object = None
    has_duplicate = False

    def to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal has_duplicate
        converted = dict(pairs)
        has_duplicate = has_duplicate or len(converted) < len(pairs)
        return converted

    try:
        text = raw.decode() if isinstance(raw, bytes) else raw
        found = json.loads(text, object_pairs_hook=to_dict, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        found = None
    # Raised outside of the handler: the parser's error has the text.
    if not isinstance(found, dict):
        raise SourceError(f"is not a JSON object{hint}")
    if has_duplicate:
        raise SourceError("is a JSON object with a duplicate key")
    return found


def _reject_constant(name: str) -> Any:
    raise ValueError(name)


def find_similar_names(names: Iterable[str], known: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Yield the unknown names that resemble a known one, each with that one.

    A pod in a cluster with many services has thousands of variables, so most names have to be ruled
    out without a full comparison.

    Args:
        names: the names in a source.
        known: the names of the app's secrets.
    """
    candidates = [(one, len(one), _character_set(one)) for one in known]
    for name in sorted(set(names) - set(known)):
        size, characters = len(name), _character_set(name)
        # Characters that only one of the names has bound their similarity from above.
        near = [
            one
            for one, other_size, others in candidates
            if max(abs(size - other_size), (characters ^ others).bit_count())
            <= (size + other_size) * (1 - _SIMILARITY)
        ]
        close = near and get_close_matches(name, near, n=1, cutoff=_SIMILARITY)
        if close:
            yield name, close[0]


def _character_set(name: str) -> int:
    """Return the characters of a name as a bit set."""
    found = 0
    for char in set(name):
        found |= 1 << ord(char) % 64
    return found

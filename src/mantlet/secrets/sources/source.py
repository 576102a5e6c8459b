"""What a source of secrets is, and what it finds.

A source of one's own is a class with a ``name`` and a `SecretSource.read`, in one file::

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
from typing import TypeAlias

from mantlet.exceptions import MantletError

__all__ = [
    "RejectedValue",
    "SecretField",
    "SecretSource",
    "SourceError",
    "SourceValue",
    "pick",
    "typos",
]

#: How alike two names are where one is most likely meant to be the other, of 1.
_ALIKE = 0.85


class SourceError(MantletError):
    """A source can't be asked at all. The message is a line of the report: no value is in it."""


@dataclass(frozen=True, slots=True)
class SecretField:
    """A secret that is looked for.

    Attributes:
        name: the attribute's.
        env: the environment variable's, in ``.env`` too.
        key: what it is called in directories and stores.
        prefix: what the names of all the app's variables begin with; empty if with nothing.
    """

    name: str
    env: str
    key: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class SourceValue:
    """A secret as it was found.

    Attributes:
        raw: text, or the bytes of a file.
        location: where in the source: the variable, the file, the key.
        changed_at: when it was last changed, in seconds since 1970; None where that isn't known.
        note: what the report says of it, if anything.
    """

    raw: str | bytes = field(repr=False)
    location: str
    changed_at: float | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class RejectedValue:
    """A secret that is there, and can't be taken. Sources behind this one are not asked for it.

    Attributes:
        location: where in the source.
        why: a line of the report, such as ``"is larger than 64 KiB"``; no value is in it.
    """

    location: str
    reason: str


#: What a source has of one secret.
SourceResult: TypeAlias = SourceValue | RejectedValue


class SecretSource(ABC):
    """Where secrets come from.

    Attributes:
        name: what the report calls it.
        lifetime: after `read`, the seconds after which the values have to be read again; None where
            they are good until `stamp` changes.
        is_remote: whether reading takes time, as over a network.
        example_files: files whose values are no secrets, where a developer may have copied one
            from.
    """

    name: str
    lifetime: float | None = None
    is_remote: bool = False
    example_files: Sequence[str] = ()

    @abstractmethod
    def read(self, fields: Sequence[SecretField]) -> Mapping[str, SourceResult]:
        """Return what there is, by the fields' names; what isn't there is left out.

        Args:
            fields: the secrets of the app.

        Raises:
            SourceError: it can't be asked.
        """

    def location(self, field: SecretField) -> str:
        """Return where a secret would be, for the report of what is missing."""
        return field.key

    def change_token(self, fields: Sequence[SecretField]) -> Hashable:
        """Return what is another value when what `read` returns may have changed.

        It is asked for often, and so must be cheap: nothing that goes over a network.
        """
        return None

    def similar_names(self, fields: Sequence[SecretField]) -> Iterable[tuple[str, str]]:
        """Return names in the source that no field has, each with the one that it resembles."""
        return ()


def pick(
    fields: Sequence[SecretField],
    values: Mapping[str, object],
    place: str,
    since: Mapping[str, float | None] | float | None = None,
) -> dict[str, SourceResult]:
    """Return what a store has for each field, by its key, or by the name of its variable.

    Args:
        fields: the secrets of the app.
        values: what a store holds. What is no text is written as JSON.
        place: where that is.
        since: when it was last changed, or each of the values.
    """
    found: dict[str, SourceResult] = {}
    for wanted in fields:
        name = wanted.key if wanted.key in values else wanted.env
        raw = values.get(name)
        if raw is not None:
            text = raw if isinstance(raw, str | bytes) else json.dumps(raw)
            whole = isinstance(text, bytes) or text.encode(errors="ignore").decode() == text
            where = f"{place} {name}"
            time = since.get(name) if isinstance(since, Mapping) else since
            found[wanted.name] = (
                SourceValue(text, where, time)
                if whole
                else RejectedValue(where, "is not Unicode text")
            )
    return found


def typos(names: Iterable[str], known: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Return names that are none of the known ones and resemble one, each with that.

    A pod has thousands of variables where its cluster has many services, so most names must be told
    apart without being compared.
    """
    marks = [(one, len(one), _characters(one)) for one in known]
    for name in sorted(set(names) - set(known)):
        size, characters = len(name), _characters(name)
        # What only one of two names has is not alike in them: a bound for how alike they can be.
        near = [
            one
            for one, other_size, others in marks
            if max(abs(size - other_size), (characters ^ others).bit_count())
            <= (size + other_size) * (1 - _ALIKE)
        ]
        close = near and get_close_matches(name, near, n=1, cutoff=_ALIKE)
        if close:
            yield name, close[0]


def _characters(name: str) -> int:
    """Return the characters of a name as bits."""
    found = 0
    for char in set(name):
        found |= 1 << ord(char) % 64
    return found

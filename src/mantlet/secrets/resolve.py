"""One reading of all sources: what every secret is, or all that is wrong."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from mantlet.core.modes import Mode
from mantlet.secrets.model import SecretSpec
from mantlet.secrets.parsing import Unusable, broken_rule, make, searchable
from mantlet.secrets.report import SecretState, SecretStatus
from mantlet.secrets.secret import Secret, as_bytes
from mantlet.secrets.sources.source import (
    RejectedValue,
    SecretField,
    SecretSource,
    SourceError,
    SourceResult,
    SourceValue,
)

__all__ = ["Asked", "Reading", "Terms", "read_all"]

#: Seconds after which a remote source that could not be asked is asked again.
_RETRY: Final = 15.0


class Asked:
    """A source, and what it said last.

    Args:
        source: the source.
        clock: seconds, from any beginning.
    """

    def __init__(self, source: SecretSource, clock: Callable[[], float]) -> None:
        self.source = source
        self._clock = clock
        self._fields: Sequence[SecretField] = ()
        self._found: Mapping[str, SourceResult] | None = None
        self._read_at = 0.0
        self._failed_at: float | None = None
        self._stamp: Hashable = None

    def read(self, fields: Sequence[SecretField], *, anew: bool) -> Mapping[str, SourceResult]:
        """Return what the source has; it is asked only for what it did not say before.

        Args:
            fields: the secrets that no source before this one has.
            anew: whether what it said before does not count any more.

        Raises:
            SourceError: it can't be asked.
        """
        known = self._found is not None and set(fields) <= set(self._fields)
        if known and self.source.is_remote and not anew:
            return self._found or {}
        stamp = None if self.source.is_remote else self.source.change_token(fields)
        # Until it has answered, what it said before counts, if that is enough.
        self._failed_at = self._clock()
        found = self.source.read(fields) if fields else {}
        self._failed_at = None
        self._read_at = self._clock()
        self._found, self._fields, self._stamp = found, tuple(fields), stamp
        return found

    def changed(self) -> bool:
        """Return whether a local source looks another than when it was read."""
        if self.source.is_remote:
            return False
        try:
            return (
                self._failed_at is not None or self.source.change_token(self._fields) != self._stamp
            )
        except Exception:  # noqa: BLE001  # of whatever kind: reading it will tell
            return True

    @property
    def due_at(self) -> float:
        """When what a remote source said has to be read again."""
        if not self.source.is_remote:
            return inf
        if self._failed_at is not None:
            return self._failed_at + _RETRY
        lifetime = self.source.lifetime
        return inf if lifetime is None or not self._fields else self._read_at + lifetime

    def due(self, share: float) -> bool:
        """Return whether it is time for that.

        Args:
            share: of its lifetime; infinite where nobody can wait for it.
        """
        # Behind an answer comes first: where one is away, everybody would wait for it otherwise.
        patience = self.source.lifetime if self._failed_at is None else _RETRY
        return patience is not None and self._clock() >= self.due_at + (share - 1) * patience


@dataclass
class Reading:
    """What became of a reading.

    Attributes:
        values: the secrets by their names; None for one that the app can do without.
        report: a line for each secret.
        problems: all that keeps the secrets from being used.
        warnings: broken rules that the mode tolerates.
        needles: the values that must not get out.
    """

    values: dict[str, Secret[Any] | None] = field(default_factory=dict)
    report: list[SecretStatus] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    needles: list[bytes] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class Terms:
    """What a reading goes by.

    Attributes:
        specs: the secrets.
        examples: values that are none.
        ignored: names in sources that are no misspelt ones.
        fingerprint: makes a short keyed hash.
        mode: whether a broken rule is a problem, a warning or ignored.
    """

    specs: Sequence[SecretSpec]
    examples: frozenset[str] = field(repr=False)
    ignored: frozenset[str]
    fingerprint: Callable[[bytes], str]
    mode: Mode


def read_all(terms: Terms, asked: Sequence[Asked], anew: Callable[[Asked], bool]) -> Reading:
    """Ask the sources in their order for what none before has, and make the secrets.

    Args:
        terms: what is asked of the secrets.
        asked: the sources.
        anew: whether a source has to be asked again.
    """
    reading = Reading()
    found: dict[str, tuple[SecretSource, SourceResult]] = {}
    for one in asked:
        wanted = [spec.field for spec in terms.specs if spec.field.name not in found]
        said = _said(one, wanted, reading.problems, anew=anew(one))
        for name, value in said.items():
            found.setdefault(name, (one.source, value))
    sources = [one.source for one in asked]
    missing = [spec.field for spec in terms.specs if spec.field.name not in found]
    misspelt = _misspelt(terms, sources, missing)
    for spec in terms.specs:
        if spec.field.name in found:
            _take(reading, terms, spec, *found[spec.field.name])
        else:
            _miss(reading, spec, sources, misspelt)
    prefix = terms.specs[0].field.prefix
    if prefix and terms.mode != "off":
        complaints = reading.problems if terms.mode == "enforce" else reading.warnings
        complaints += (
            f"{place} {name}: is not a secret of the app: did you mean {known}?"
            for (place, name), known in misspelt.items()
            if name.upper().startswith(prefix.upper())
        )
    return reading


def _said(
    one: Asked, wanted: Sequence[SecretField], problems: list[str], *, anew: bool
) -> Mapping[str, SourceResult]:
    """Ask a source; what keeps it from answering is a problem."""
    try:
        said = one.read(wanted, anew=anew)
        if all(_is_answer(value) for value in said.values()):
            return said
        why = "gives something else than a Value with text or bytes, or a Fault"
    except SourceError as error:
        why = str(error)
    except Exception as error:  # noqa: BLE001  # of a source of the user's, whose words may tell
        why = f"failed with {type(error).__qualname__}"
    problems.append(f"{one.source.name}: {why}")
    return {}


def _is_answer(found: object) -> bool:
    return isinstance(found, RejectedValue) or (
        isinstance(found, SourceValue) and isinstance(found.raw, str | bytes)
    )


def _take(
    reading: Reading,
    terms: Terms,
    spec: SecretSpec,
    source: SecretSource,
    found: SourceResult,
) -> None:
    """Make a secret of what was found."""
    name = spec.field.name
    place = found.location if source.name in found.location else f"{source.name} {found.location}"
    if isinstance(found, RejectedValue):
        reading.problems.append(f"{name}: {found.reason} ({place})")
        reading.report.append(SecretStatus(name, "invalid", place, note=found.reason))
        return
    try:
        value = make(spec, found.raw)
    except Unusable as unusable:
        why = str(unusable)
        reading.problems.append(f"{name}: {why} ({place})")
        reading.report.append(SecretStatus(name, "invalid", place, found.changed_at, note=why))
        return
    broken = None
    if terms.mode != "off":
        broken = broken_rule(spec, found.raw, value, terms.examples)
    if broken is not None:
        complaint = f"{name}: {broken} ({place})"
        if terms.mode == "enforce":
            reading.problems.append(complaint)
            reading.report.append(
                SecretStatus(name, "invalid", place, found.changed_at, note=broken)
            )
            return
        reading.warnings.append(complaint)
    reading.values[name] = Secret(value)
    needles, left_out = searchable(found.raw, value)
    reading.needles += needles
    note = "; ".join(filter(None, (broken, found.note, left_out))) or None
    known_by = terms.fingerprint(as_bytes(found.raw).strip())
    state: SecretState = "ok" if broken is None else "reported"
    reading.report.append(SecretStatus(name, state, place, found.changed_at, known_by, note))


def _miss(
    reading: Reading,
    spec: SecretSpec,
    sources: Sequence[SecretSource],
    misspelt: Mapping[tuple[str, str], str],
) -> None:
    """Say where a secret was looked for that none of the sources has."""
    name = spec.field.name
    tried = ", ".join(_place(source, spec.field) for source in sources)
    hints = [
        f"; did you mean {where} {other}?"
        for (where, other), known in misspelt.items()
        if known in (spec.field.env, spec.field.key, f"{spec.field.env}_FILE")
    ]
    if spec.required:
        reading.problems.append(f"{name}: is missing (tried {tried}{''.join(hints)})")
    else:
        reading.values[name] = None
    reading.report.append(SecretStatus(name, "missing" if spec.required else "unset", tried))


def _place(source: SecretSource, wanted: SecretField) -> str:
    place = source.location(wanted)
    return place if source.name in place else f"{source.name} {place}"


def _misspelt(
    terms: Terms, sources: Sequence[SecretSource], missing: Sequence[SecretField]
) -> dict[tuple[str, str], str]:
    """Return names that resemble a secret's, by the source that has them.

    They are looked for where they are told: of all secrets with a prefix, else of those that are
    missing. A rotation in an environment of thousands of variables would take long otherwise.
    """
    fields = [spec.field for spec in terms.specs]
    wanted = fields if fields[0].prefix else missing
    own = {name for one in fields for name in (one.env, f"{one.env}_FILE", one.key)}
    found: dict[tuple[str, str], str] = {}
    for source in sources if wanted else ():
        try:
            pairs = tuple(source.similar_names(wanted))
        except Exception:  # noqa: BLE001, S112  # it was said when it was read
            continue
        for name, known in pairs:
            meant = name in own or name in terms.ignored or name.startswith(f"{known}_")
            if not meant:
                found[source.name, name] = known
    return found

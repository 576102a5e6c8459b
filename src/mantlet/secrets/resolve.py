"""Resolve all secrets of a model from its sources, once: their values, or all problems."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from mantlet.core.modes import Mode
from mantlet.secrets.model import SecretSpec
from mantlet.secrets.parsing import find_broken_rule, parse, searchable_values
from mantlet.secrets.report import SecretState, SecretStatus
from mantlet.secrets.secret import InvalidSecret, Secret, as_bytes
from mantlet.secrets.sources.read import is_settled
from mantlet.secrets.sources.source import (
    RejectedValue,
    SecretField,
    SecretSource,
    SourceError,
    SourceResult,
    SourceValue,
)

__all__ = ["Resolution", "ResolveOptions", "SourceReader", "resolve"]

#: Seconds until a remote source that failed is read again.
_RETRY_DELAY: Final = 15.0
#: Seconds after which files are read even if they keep changing.
_MAX_SETTLING: Final = 10.0


class SourceReader:
    """A source together with its last result.

    Args:
        source: the source.
        clock: a monotonic clock, in seconds.
        settling: seconds for which changed files of a local source have to be left alone before
            they are read, for at most `_MAX_SETTLING`.
    """

    def __init__(
        self, source: SecretSource, clock: Callable[[], float], settling: float = 0.0
    ) -> None:
        self.source = source
        self._clock = clock
        self._settling = settling
        self._waits_since = inf
        #: Whether files have just changed, so that they have to be checked again soon.
        self.is_unsettled = False
        self._fields: Sequence[SecretField] = ()
        self._results: Mapping[str, SourceResult] | None = None
        self._read_at = 0.0
        self._failed_at: float | None = None
        self._change_token: Hashable = None

    def read(self, fields: Sequence[SecretField], *, refresh: bool) -> Mapping[str, SourceResult]:
        """Return the source's values, from its last result if that suffices.

        Args:
            fields: the secrets that no earlier source has.
            refresh: read the source, even if the last result of a remote one has all the fields, or
                files of a local one have just changed.

        Raises:
            SourceError: the source can't be read.
        """
        known = self._results if set(fields) <= set(self._fields) else None
        if known is not None and self.source.is_remote and not refresh:
            return known
        token = None if self.source.is_remote else self.source.change_token(fields)
        may_wait = known is not None and not refresh and self._may_wait()
        if known is not None and may_wait and not is_settled(token, self._settling):
            return known
        # Marked as failed until it succeeds; the last result stays, if it suffices.
        self._failed_at = self._clock()
        results = self.source.read(fields) if fields else {}
        self._failed_at = None
        if known is not None and may_wait and self.source.change_token(fields) != token:
            return known
        self._read_at = self._clock()
        self._results, self._fields = results, tuple(fields)
        self.is_unsettled = not is_settled(token)
        # The next change may have the same time, so the files are read once more.
        self._change_token = object() if self.is_unsettled else token
        self._waits_since = inf
        return results

    def _may_wait(self) -> bool:
        """Return whether to keep the last result of a local source while its files change."""
        self.is_unsettled = True
        self._waits_since = min(self._waits_since, self._clock())
        return self._clock() < self._waits_since + _MAX_SETTLING

    def has_changed(self) -> bool:
        """Return whether a local source may have changed since it was read."""
        if self.source.is_remote:
            return False
        try:
            return (
                self._failed_at is not None
                or self.source.change_token(self._fields) != self._change_token
            )
        except Exception:  # noqa: BLE001  # reading the source will report it
            return True

    @property
    def due_at(self) -> float:
        """The time at which a remote source has to be read again."""
        if not self.source.is_remote:
            return inf
        if self._failed_at is not None:
            return self._failed_at + _RETRY_DELAY
        lifetime = self.source.lifetime
        return inf if lifetime is None or not self._fields else self._read_at + lifetime

    def is_due(self, share: float) -> bool:
        """Return whether a remote source has to be read again.

        Args:
            share: the share of the source's lifetime, or of the retry delay, that has to have
                passed: 1 for its end, more to leave the reading to others for a while, infinite for
                never.
        """
        period = self.source.lifetime if self._failed_at is None else _RETRY_DELAY
        return period is not None and self._clock() >= self.due_at + (share - 1) * period


@dataclass
class Resolution:
    """The secrets of a model, as resolved from its sources.

    Attributes:
        values: the secrets by name; None for an optional one that no source has.
        report: the status of each secret.
        problems: the reasons why the secrets can't be used.
        warnings: the broken rules that ``mode="report"`` tolerates.
        masked: the values to mask.
    """

    values: dict[str, Secret[Any] | None] = field(default_factory=dict)
    report: list[SecretStatus] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    masked: list[bytes] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class ResolveOptions:
    """The options of a resolution.

    Attributes:
        specs: the secrets of the model.
        examples: the values of example files.
        ignored: names in sources that are not misspelt.
        fingerprint: makes a short keyed hash of a value.
        mode: whether broken rules are problems, warnings or not checked.
    """

    specs: Sequence[SecretSpec]
    examples: frozenset[str] = field(repr=False)
    ignored: frozenset[str]
    fingerprint: Callable[[bytes], str]
    mode: Mode


def resolve(
    options: ResolveOptions,
    readers: Sequence[SourceReader],
    needs_refresh: Callable[[SourceReader], bool],
) -> Resolution:
    """Read the sources in their order, each for the secrets that none before has, and parse them.

    Args:
        options: the secrets and the rules.
        readers: the sources.
        needs_refresh: whether a remote source has to be read again.
    """
    resolution = Resolution()
    found: dict[str, tuple[SecretSource, SourceResult]] = {}
    for reader in readers:
        wanted = [spec.field for spec in options.specs if spec.field.name not in found]
        refresh = needs_refresh(reader)
        results = _read(reader, wanted, resolution.problems, refresh=refresh)
        for name, result in results.items():
            found.setdefault(name, (reader.source, result))
    has_failed = bool(resolution.problems)
    sources = [reader.source for reader in readers]
    missing = [spec.field for spec in options.specs if spec.field.name not in found]
    misspelt = _find_misspelt(options, sources, missing)
    for spec in options.specs:
        if spec.field.name in found:
            _add_found(resolution, options, spec, *found[spec.field.name])
        else:
            _add_missing(resolution, spec, sources, misspelt, has_failed=has_failed)
    prefix = options.specs[0].field.prefix
    if prefix and options.mode != "off":
        complaints = resolution.problems if options.mode == "enforce" else resolution.warnings
        complaints += (
            f"{source} {name}: is not a secret of the app: did you mean {known}?"
            for (source, name), known in misspelt.items()
            if name.upper().startswith(prefix.upper())
        )
    return resolution


def _read(
    reader: SourceReader, wanted: Sequence[SecretField], problems: list[str], *, refresh: bool
) -> Mapping[str, SourceResult]:
    """Read a source; add a problem if that fails."""
    try:
        results = reader.read(wanted, refresh=refresh)
        if all(_is_result(value) for value in results.values()):
            return results
        reason = "must return a SourceValue with text or bytes, or a RejectedValue"
    except SourceError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001  # the message of a user's source may contain a value
        reason = f"failed with {type(error).__qualname__}"
    problems.append(f"{reader.source.name}: {reason}")
    return {}


def _is_result(found: object) -> bool:
    return isinstance(found, RejectedValue) or (
        isinstance(found, SourceValue) and isinstance(found.raw, str | bytes)
    )


def _add_found(
    resolution: Resolution,
    options: ResolveOptions,
    spec: SecretSpec,
    source: SecretSource,
    found: SourceResult,
) -> None:
    """Parse and check a value, and add it with its status."""
    name = spec.field.name
    location = (
        found.location if source.name in found.location else f"{source.name} {found.location}"
    )
    changed_at = found.changed_at if isinstance(found, SourceValue) else None

    def reject(reason: str) -> None:
        resolution.problems.append(f"{name}: {reason} ({location})")
        resolution.report.append(SecretStatus(name, "invalid", location, changed_at, note=reason))

    if isinstance(found, RejectedValue):
        reject(found.reason)
        return
    try:
        value = parse(spec, found.raw)
    except InvalidSecret as error:
        reject(str(error))
        return
    broken = None
    if options.mode != "off":
        broken = find_broken_rule(spec, found.raw, value, options.examples)
    if broken is not None:
        if options.mode == "enforce":
            reject(broken)
            return
        resolution.warnings.append(f"{name}: {broken} ({location})")
    resolution.values[name] = Secret(value)
    masked, masking_note = searchable_values(found.raw, value)
    resolution.masked += masked
    note = "; ".join(filter(None, (broken, found.note, masking_note))) or None
    fingerprint = options.fingerprint(as_bytes(found.raw).strip())
    state: SecretState = "ok" if broken is None else "reported"
    resolution.report.append(SecretStatus(name, state, location, changed_at, fingerprint, note))


def _add_missing(
    resolution: Resolution,
    spec: SecretSpec,
    sources: Sequence[SecretSource],
    misspelt: Mapping[tuple[str, str], str],
    *,
    has_failed: bool,
) -> None:
    """Add the status of a secret that no source has.

    If a source can't be read, that is the one problem: the secret may be there.
    """
    name = spec.field.name
    tried = ", ".join(_location(source, spec.field) for source in sources)
    hints = [
        f"; did you mean {source} {other}?"
        for (source, other), known in misspelt.items()
        if known in (spec.field.env, spec.field.key, f"{spec.field.env}_FILE")
    ]
    if spec.required and (hints or not has_failed):
        resolution.problems.append(f"{name}: is missing (tried {tried}{''.join(hints)})")
    if not spec.required:
        resolution.values[name] = None
    state: SecretState = "missing" if spec.required else "unset"
    resolution.report.append(SecretStatus(name, state, tried))


def _location(source: SecretSource, field: SecretField) -> str:
    location = source.location(field)
    return location if source.name in location else f"{source.name} {location}"


def _find_misspelt(
    options: ResolveOptions, sources: Sequence[SecretSource], missing: Sequence[SecretField]
) -> dict[tuple[str, str], str]:
    """Return unknown names that resemble a secret's, each by its source.

    Only names that would be reported are searched for: those similar to any secret if there is a
    prefix, or else to a missing one. Otherwise a rotation in an environment with thousands of
    variables would be slow.
    """
    fields = [spec.field for spec in options.specs]
    checks_all = fields[0].prefix and options.mode != "off"
    wanted = fields if checks_all else missing
    own = {name for one in fields for name in (one.env, f"{one.env}_FILE", one.key)}
    found: dict[tuple[str, str], str] = {}
    for source in sources if wanted else ():
        try:
            pairs = tuple(source.similar_names(wanted))
        except Exception:  # noqa: BLE001, S112  # reading the source has reported it
            continue
        for name, known in pairs:
            is_intended = name in own or name in options.ignored or name.startswith(f"{known}_")
            if not is_intended:
                found[source.name, name] = known
    return found

"""What is looked for in answers, and what is done about it."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

from mantlet.redact.matches import Detector, Matcher
from mantlet.redact.scanner import Scanner
from mantlet.redact.variants import MIN_SECRET_BYTES, SecretVariant
from mantlet.sanitize.rules import DEFAULT_GROUPS, DETECTORS, RULES

__all__ = ["Action", "Leaks"]

Action = Literal["redact", "block", "report"]

_ID: Final = re.compile(r"[a-z][a-z0-9-]*")


class Leaks:
    """What must not get out, besides the app's own secrets, and what is done when it would.

    Args:
        action: ``"redact"``: each byte of a leak is replaced by ``*``, so that lengths stay;
            ``"block"``: the answer becomes a 500, or the connection is ended where the head has
            gone; ``"report"``: it is only told.
        detect: groups of rules: ``"errors"`` (tracebacks, error pages, database errors) and
            ``"keys"`` (private keys, providers' keys), which are the default; ``"jwt"``,
            ``"cards"``, ``"iban"``, ``"email"`` and ``"national"``.
        ignore: ids of single rules that are not used.
        texts: texts of your own, by the id that they are reported under: names of internal hosts,
            markers of confidential documents. They are found as they stand.

    Raises:
        TypeError: a text is neither text nor bytes.
        ValueError: there is no such action, group or rule, or a text has less than 8 bytes.
    """

    def __init__(
        self,
        action: Action = "redact",
        *,
        detect: Iterable[str] = DEFAULT_GROUPS,
        ignore: Iterable[str] = (),
        texts: Mapping[str, str | bytes] | None = None,
    ) -> None:
        if action not in get_args(Action):
            raise ValueError(f'action must be "redact", "block" or "report", not {action!r}')
        groups = (detect,) if isinstance(detect, str) else tuple(detect)
        known = {*RULES, *DETECTORS}
        for group in groups:
            if group not in known:
                raise ValueError(f"detect must be some of {sorted(known)}, not {group!r}")
        ignored = {ignore} if isinstance(ignore, str) else set(ignore)
        ids = {rule.id for rules in RULES.values() for rule in rules}
        ids = ids.union(*(detector.ids for detector in DETECTORS.values()))
        if not ignored <= ids:
            raise ValueError(f"ignore must be ids of rules, not {sorted(ignored - ids)}")
        self.action: Action = action
        self.detectors: tuple[Detector, ...] = tuple(
            DETECTORS[group].without(ignored)
            for group in groups
            if group in DETECTORS and not DETECTORS[group].ids <= ignored
        )
        self.matchers: tuple[tuple[bytes, Matcher], ...] = (
            *(
                (literal, rule)
                for group in groups
                for rule in RULES.get(group, ())
                for literal in rule.literals
                if rule.id not in ignored
            ),
            *_own(texts or {}),
        )

    def scanner(self, needles: Iterable[SecretVariant]) -> Scanner:
        """Return what searches for all of this, and for needles."""
        return Scanner(
            (*((variant.pattern, variant) for variant in needles), *self.matchers), self.detectors
        )


def _own(texts: Mapping[str, str | bytes]) -> Iterable[tuple[bytes, Matcher]]:
    for name, text in texts.items():
        if not _ID.fullmatch(name):
            raise ValueError(f'texts must have ids such as "internal-host", not {name!r}')
        if not isinstance(text, (str, bytes)):
            raise TypeError(f"texts[{name!r}] must be text or bytes, not {type(text).__name__}")
        literal = text.encode() if isinstance(text, str) else text
        if len(literal) < MIN_SECRET_BYTES:
            raise ValueError(f"texts[{name!r}] must have at least {MIN_SECRET_BYTES} bytes")
        yield literal, SecretVariant(literal, id=name)

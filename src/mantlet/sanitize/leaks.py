"""`Leaks`: the leaks to search for, and the action to take."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

from mantlet._internal.options import KnowsOptions, check_int
from mantlet.redact.matches import Detector, Matcher
from mantlet.redact.scanner import Scanner
from mantlet.redact.strength import MIN_SECRET_BYTES
from mantlet.redact.variants import SecretVariant
from mantlet.sanitize.rules import DEFAULT_GROUPS, DETECTORS, PUBLIC, PUBLIC_IDS, RULES
from mantlet.sanitize.rules.pattern import RULE_ID, Pattern

__all__ = ["LeakAction", "Leaks"]

LeakAction = Literal["redact", "block", "report"]

#: The most events that may be held back.
_MAX_ACROSS: Final = 1000


class Leaks(KnowsOptions):
    """The leaks to search for, besides the app's own secrets, and the action to take.

    Args:
        action: ``"redact"`` to replace each byte of a leak by ``*``, which keeps the length;
            ``"block"`` to replace the response by a 500, or to close the connection if the headers
            were sent already; ``"report"`` to report leaks and send them. The last is about leaks
            alone: the rest of the policy stays in force, unlike in its ``mode="report"``.
        detect: groups of rules: by default ``"errors"`` (tracebacks, error pages, database errors),
            ``"keys"`` (private keys, keys of providers, hashes of passwords) and ``"urls"``
            (passwords in URLs); also ``"jwt"``, ``"cards"``, ``"iban"``, ``"email"`` and
            ``"national"``.
        ignore: ids of single rules to disable.
        public: what to do with public identifiers, such as browser keys, publishable keys and the
            ids in signed URLs: ``"ignore"``; or ``"report"`` to report them, and send them
            whatever the action is.
        texts: texts of your own by the id to report them under: names of internal hosts, markers of
            confidential documents. They are searched for literally.
        patterns: leaks of your own, each a `Pattern`. An id may have several.
        across: the most events of an event stream, lines of NDJSON, or WebSocket messages of one
            connection, that are held back because a leak may go on in the next one; 0 to search
            each by itself. Errors are not found across events.

    Raises:
        TypeError: ``across`` is not an int, a text is neither str nor bytes, or a pattern is not a
            `Pattern`.
        ValueError: an action, a group, a rule or a choice is unknown, or a text has less than 8
            bytes.
    """

    def __init__(
        self,
        action: LeakAction = "redact",
        *,
        detect: Iterable[str] = DEFAULT_GROUPS,
        ignore: Iterable[str] = (),
        public: Literal["ignore", "report"] = "ignore",
        texts: Mapping[str, str | bytes] | None = None,
        patterns: Iterable[Pattern] = (),
        across: int = 0,
    ) -> None:
        if action not in get_args(LeakAction):
            raise ValueError(f'action must be "redact", "block" or "report", not {action!r}')
        groups = (detect,) if isinstance(detect, str) else tuple(detect)
        known = {*RULES, *DETECTORS}
        for group in groups:
            if group not in known:
                raise ValueError(f"detect must be among {sorted(known)}, not {group!r}")
        ignored = {ignore} if isinstance(ignore, str) else set(ignore)
        ids = {rule.id for rules in RULES.values() for rule in rules}
        ids = ids.union(*(detector.ids for detector in DETECTORS.values()))
        ids |= PUBLIC_IDS
        if not ignored <= ids:
            raise ValueError(f"ignore must be ids of rules, not {sorted(ignored - ids)}")
        check_int("across", across, least=0, most=_MAX_ACROSS)
        self.across = across
        if public not in ("ignore", "report"):
            raise ValueError(f'public must be "ignore" or "report", not {public!r}')
        self.action: LeakAction = action
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
            *(
                (literal, rule)
                for rule in (PUBLIC if public == "report" else ())
                for literal in rule.literals
                if rule.id not in ignored
            ),
            *_text_matchers(texts or {}),
            *_pattern_matchers(patterns),
        )

    def joined_scanner(self, variants: Iterable[SecretVariant]) -> Scanner:
        """Return a scanner for the texts of several events, where errors have no end."""
        errors = {id(rule) for rule in RULES["errors"]}
        secrets = ((variant.pattern, variant) for variant in variants)
        matchers = (pair for pair in self.matchers if id(pair[1]) not in errors)
        return Scanner((*secrets, *matchers), self.detectors)

    def scanner(self, variants: Iterable[SecretVariant]) -> Scanner:
        """Return a scanner for these leaks, and for secrets."""
        secrets = ((variant.pattern, variant) for variant in variants)
        return Scanner((*secrets, *self.matchers), self.detectors)


def _text_matchers(texts: Mapping[str, str | bytes]) -> Iterable[tuple[bytes, Matcher]]:
    for name, text in texts.items():
        if not RULE_ID.fullmatch(name):
            raise ValueError(f'texts must have ids such as "internal-host", not {name!r}')
        if not isinstance(text, (str, bytes)):
            raise TypeError(f"texts[{name!r}] must be text or bytes, not {type(text).__name__}")
        literal = text.encode() if isinstance(text, str) else text
        if len(literal) < MIN_SECRET_BYTES:
            raise ValueError(f"texts[{name!r}] must have at least {MIN_SECRET_BYTES} bytes")
        yield literal, SecretVariant(literal, id=name)


def _pattern_matchers(patterns: Iterable[Pattern]) -> Iterable[tuple[bytes, Matcher]]:
    if isinstance(patterns, (str, bytes, Pattern)):
        raise TypeError(f"patterns must be a list or another collection, not {patterns!r}")
    for pattern in patterns:
        if not isinstance(pattern, Pattern):
            raise TypeError(f'patterns must be of Pattern("id", "..."), not {pattern!r}')
        for literal in pattern.literals:
            yield literal, pattern

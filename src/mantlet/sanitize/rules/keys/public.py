"""Public identifiers: what looks like a key and is made to be seen by everyone.

They are left alone, and reported by option, since only a person can tell whether they belong in a
response.
"""

from typing import Final

from mantlet.redact.matches import MatchFound, MatchResult
from mantlet.sanitize.rules.incremental_regex import PatternPart, literal, one_of, repeat
from mantlet.sanitize.rules.keys.checks import is_random, is_random_hex, is_random_mixed
from mantlet.sanitize.rules.keys.labels import AwsKeyRule
from mantlet.sanitize.rules.keys.rule import KeyRule, LabeledRule, Verify
from mantlet.sanitize.rules.rule import LeakRule

__all__ = ["PUBLIC", "PublicRule"]

_DASHED: Final = rb"A-Za-z0-9_\-"
_ALNUM: Final = rb"A-Za-z0-9"


class PublicRule(LeakRule):
    """A rule whose matches are reported, but not masked."""

    __slots__ = ("_rule",)

    def __init__(self, rule: LeakRule) -> None:
        super().__init__(rule.id, rule.literals)
        self._rule = rule

    def match(
        self, data: bytes, start: int, end: int, more: bool, media: str | None
    ) -> MatchResult:
        """Match the rule where its literal was found."""
        found = self._rule.match(data, start, end, more, media)
        if isinstance(found, MatchFound):
            return MatchFound(found.start, found.end, masks=False)
        return found


def _key(
    id: str,
    prefixes: str,
    *parts: PatternPart,
    chars: bytes = _DASHED,
    verify: Verify = is_random_mixed,
    after: bytes = b"",
) -> PublicRule:
    literals = prefixes.encode().split()
    return PublicRule(KeyRule(id, literals, *parts, chars=chars, verify=verify, after=after))


PUBLIC: Final = (
    PublicRule(AwsKeyRule("aws-signed-url", signed=True)),
    _key(
        "google-signed-url",
        "GoogleAccessId= X-Goog-Credential= x-goog-credential=",
        repeat(rb"A-Za-z0-9@%._\-", 10, 160, possessive=True),
        verify=lambda _prefix, _body: True,
    ),
    _key("google-browser-key", "AIza", repeat(_DASHED, 35, 35)),
    _key("stripe-publishable-key", "pk_live_ pk_test_", repeat(_ALNUM, 16, 255, possessive=True)),
    _key(
        "sentry-dsn",
        ".ingest.",
        one_of(b"sentry.io/", b"us.sentry.io/", b"de.sentry.io/"),
        repeat(rb"0-9", 4, 20, possessive=True),
        chars=rb"0-9",
        verify=lambda _prefix, _body: True,
        after=rb"(?<=@o[0-9]{4})|(?<=@o[0-9]{5})|(?<=@o[0-9]{6})|(?<=[0-9]{7})",
    ),
    PublicRule(
        LabeledRule(
            "captcha-site-key",
            [b"data-sitekey", b"recaptcha/api.js?render", b"siteKey", b"site_key"],
            one_of(b"6L", b"0x4"),
            repeat(_DASHED, 20, 38, possessive=True),
            chars=_DASHED,
            verify=is_random_mixed,
        )
    ),
    _key("firebase-app-id", ":web:", repeat(rb"0-9a-f", 16, 40, possessive=True),
         verify=is_random_hex, after=rb"(?<=[0-9]{6})"),
    _key("mapbox-public-token", "pk.eyJ", repeat(_DASHED, 40, 200, possessive=True), literal(b"."),
         repeat(_DASHED, 20, 24, possessive=True)),
    PublicRule(
        LabeledRule("algolia-search-key", [b"lgolia", b"LGOLIA"], repeat(rb"0-9a-f", 32, 32),
                    chars=rb"0-9A-Za-z", verify=is_random)
    ),
    _key("posthog-project-key", "phc_", repeat(_ALNUM, 40, 60, possessive=True)),
    _key("supabase-publishable-key", "sb_publishable_", repeat(_DASHED, 31, 48, possessive=True)),
    _key("new-relic-browser-key", "NRJS-", repeat(rb"0-9a-f", 19, 19), verify=is_random_hex),
)  # fmt: skip

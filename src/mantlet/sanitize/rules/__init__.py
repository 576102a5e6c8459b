"""The rules for leaks other than the app's own secrets.

Each group is a tuple of `LeakRule`: literals that find a candidate, and a pattern that confirms it.
Personal data has no literals; its `PatternDetector` has regular expressions and checks.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mantlet.sanitize.rules.databases import DATABASES
from mantlet.sanitize.rules.drivers import DRIVERS, SERVICES
from mantlet.sanitize.rules.keys import ESCAPED_URLS, JWT, KEYS, PUBLIC, URLS
from mantlet.sanitize.rules.national_ids import NATIONAL_IDS
from mantlet.sanitize.rules.pages import PAGES
from mantlet.sanitize.rules.pii import CARDS, EMAIL, IBAN
from mantlet.sanitize.rules.rule import LeakRule, PatternDetector
from mantlet.sanitize.rules.tracebacks import TRACEBACKS

__all__ = ["DEFAULT_GROUPS", "DETECTORS", "PUBLIC", "PUBLIC_IDS", "RULES"]

RULES: Final[Mapping[str, tuple[LeakRule, ...]]] = MappingProxyType(
    {
        "errors": (*TRACEBACKS, *PAGES, *DRIVERS, *DATABASES, *SERVICES),
        "keys": KEYS,
        "urls": ESCAPED_URLS,
        "jwt": JWT,
    }
)
DETECTORS: Final[Mapping[str, PatternDetector]] = MappingProxyType(
    {"urls": URLS, "cards": CARDS, "email": EMAIL, "iban": IBAN, "national": NATIONAL_IDS}
)
#: What is never masked, and reported by option.
PUBLIC_IDS: Final = frozenset(rule.id for rule in PUBLIC)
DEFAULT_GROUPS: Final = ("errors", "keys", "urls")

"""The rules: what tells a leak that is none of the app's own secrets.

Each group is a table of `Rule`: literals that the search finds a candidate by, and a shape that
confirms it. Personal data has no literals; its `Detector` has an expression and a check.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mantlet.sanitize.rules.databases import DATABASES
from mantlet.sanitize.rules.detector import PatternDetector
from mantlet.sanitize.rules.errors import ERRORS
from mantlet.sanitize.rules.keys import JWT, KEYS
from mantlet.sanitize.rules.national import NATIONAL
from mantlet.sanitize.rules.personal import CARDS, EMAIL, IBAN
from mantlet.sanitize.rules.rule import Rule

__all__ = ["DEFAULT_GROUPS", "DETECTORS", "RULES"]

RULES: Final[Mapping[str, tuple[Rule, ...]]] = MappingProxyType(
    {"errors": ERRORS + DATABASES, "keys": KEYS, "jwt": JWT}
)
DETECTORS: Final[Mapping[str, PatternDetector]] = MappingProxyType(
    {"cards": CARDS, "email": EMAIL, "iban": IBAN, "national": NATIONAL}
)
DEFAULT_GROUPS: Final = ("errors", "keys")

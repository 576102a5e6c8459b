"""Private keys, API keys of providers in a recognizable format, and passwords in URLs.

The formats are those that the providers document or that scanners publish; each names its source.
Examples from documentation (``AKIAIOSFODNN7EXAMPLE``) and text that is not random do not match.
"""

from typing import Final

from mantlet.sanitize.rules.keys.jwt import JWT
from mantlet.sanitize.rules.keys.labels import CONTEXTUAL
from mantlet.sanitize.rules.keys.passwords import PASSWORD_HASHES
from mantlet.sanitize.rules.keys.prefixes import PREFIXED
from mantlet.sanitize.rules.keys.private_keys import PRIVATE_KEYS
from mantlet.sanitize.rules.keys.public import PUBLIC
from mantlet.sanitize.rules.keys.urls import ESCAPED_URLS, URLS

__all__ = ["ESCAPED_URLS", "JWT", "KEYS", "PUBLIC", "URLS"]

KEYS: Final = PRIVATE_KEYS + PREFIXED + CONTEXTUAL + PASSWORD_HASHES

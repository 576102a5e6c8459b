"""Private keys, and API keys of providers in a recognizable format.

The formats are those that the providers document or that their own scanners publish. Examples from
documentation (``AKIAIOSFODNN7EXAMPLE``) and text that is not random do not match.
"""

import re
from typing import Final

from mantlet.redact.matches import MatchEnd
from mantlet.sanitize.rules.incremental_regex import literal, one_of, repeat
from mantlet.sanitize.rules.rule import LeakRule, is_random

__all__ = ["JWT", "KEYS"]

_WORD: Final = rb"A-Za-z0-9_"
_DASHED: Final = rb"A-Za-z0-9_\-"
#: A private key ends at its last line, or at the end of the surrounding string or element.
_KEY_END: Final = MatchEnd(re.compile(rb'-----END |["<]'), 9)


def _key_text(_matched: bytes, _media: str | None) -> MatchEnd:
    return _KEY_END


def _token(id: str, literals: list[bytes], chars: bytes, least: int, most: int) -> LeakRule:
    return LeakRule(
        id,
        literals,
        repeat(chars, least, most, possessive=True),
        not_preceded_by=_WORD,
        not_followed_by=chars,
        check=is_random,
    )


KEYS: Final = (
    LeakRule(
        "private-key",
        [b"-----BEGIN "],
        repeat(rb"A-Z0-9 ", 0, 30),
        literal(b"PRIVATE KEY"),
        one_of(b"-----", b" BLOCK-----"),
        extent=_key_text,
    ),
    _token("aws-access-key", [b"AKIA", b"ASIA"], rb"A-Z0-9", 16, 16),
    _token("github-token", [b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"], rb"A-Za-z0-9", 36, 255),
    _token("github-token", [b"github_pat_"], _WORD, 36, 255),
    _token("gitlab-token", [b"glpat-"], _DASHED, 20, 64),
    _token("stripe-key", [b"sk_live_", b"rk_live_"], rb"A-Za-z0-9", 16, 255),
    _token(
        "slack-token", [b"xoxb-", b"xoxp-", b"xoxs-", b"xapp-"],
        rb"A-Za-z0-9\-", 20, 255,
    ),
    LeakRule(
        "slack-webhook",
        [b"hooks.slack.com/services/"],
        repeat(rb"A-Z0-9", 8, 16),
        literal(b"/"),
        repeat(rb"A-Z0-9", 8, 16),
        literal(b"/"),
        repeat(rb"A-Za-z0-9", 20, 40),
        check=is_random,
    ),
    _token("google-api-key", [b"AIza"], _DASHED, 35, 35),
    _token("google-oauth-token", [b"ya29."], _DASHED, 20, 400),
    _token("npm-token", [b"npm_"], rb"A-Za-z0-9", 36, 36),
    _token("pypi-token", [b"pypi-AgE"], _DASHED, 50, 400),
    _token("digitalocean-token", [b"dop_v1_"], rb"a-f0-9", 64, 64),
    _token("openai-key", [b"sk-proj-"], _DASHED, 20, 255),
    _token("anthropic-key", [b"sk-ant-"], _DASHED, 20, 255),
    _token("shopify-token", [b"shpat_"], rb"a-fA-F0-9", 32, 32),
    _token("vault-token", [b"hvs."], _DASHED, 24, 255),
    _token("docker-token", [b"dckr_pat_"], _DASHED, 20, 64),
    LeakRule(
        "sendgrid-key",
        [b"SG."],
        repeat(_DASHED, 22, 22),
        literal(b"."),
        repeat(_DASHED, 43, 43),
        not_preceded_by=_WORD,
        not_followed_by=_DASHED,
        check=is_random,
    ),
    LeakRule(
        "azure-storage-key",
        [b"AccountKey="],
        repeat(rb"A-Za-z0-9+/", 86, 86),
        literal(b"=="),
        check=is_random,
    ),
)  # fmt: skip

#: JSON Web Tokens whose header begins with its algorithm, its type or its key (RFC 7519, 3).
JWT: Final = (
    LeakRule(
        "jwt",
        [b"eyJhbGciOi", b"eyJ0eXAiOi", b"eyJraWQiOi"],
        repeat(_DASHED, 4, 1000),
        literal(b"."),
        repeat(_DASHED, 8, 3000),
        literal(b"."),
        repeat(_DASHED, 20, 1000),
        not_preceded_by=_DASHED,
        not_followed_by=_DASHED,
    ),
)

"""Private keys, and keys of providers that have a form to tell them by.

The forms are those that the providers document, or that their own scanners publish. What is shown
as an example (``AKIAIOSFODNN7EXAMPLE``) or is no random text is none.
"""

import re
from typing import Final

from mantlet.redact.matches import MatchEnd
from mantlet.sanitize.rules.rule import Rule, is_random
from mantlet.sanitize.rules.shape import any_of, run, text

__all__ = ["JWT", "KEYS"]

_WORD: Final = rb"A-Za-z0-9_"
_DASHED: Final = rb"A-Za-z0-9_\-"
#: Where a private key's text ends: at its last line, or with what it stands in.
_KEY_END: Final = MatchEnd(re.compile(rb'-----END |["<]'), 9)


def _key_text(_matched: bytes, _media: str | None) -> MatchEnd:
    return _KEY_END


def _token(id: str, literals: list[bytes], chars: bytes, least: int, most: int) -> Rule:
    return Rule(
        id,
        literals,
        run(chars, least, most, whole=True),
        not_before=_WORD,
        not_behind=chars,
        check=is_random,
    )


KEYS: Final = (
    Rule(
        "private-key",
        [b"-----BEGIN "],
        run(rb"A-Z0-9 ", 0, 30),
        text(b"PRIVATE KEY"),
        any_of(b"-----", b" BLOCK-----"),
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
    Rule(
        "slack-webhook",
        [b"hooks.slack.com/services/"],
        run(rb"A-Z0-9", 8, 16),
        text(b"/"),
        run(rb"A-Z0-9", 8, 16),
        text(b"/"),
        run(rb"A-Za-z0-9", 20, 40),
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
    Rule(
        "sendgrid-key",
        [b"SG."],
        run(_DASHED, 22, 22),
        text(b"."),
        run(_DASHED, 43, 43),
        not_before=_WORD,
        not_behind=_DASHED,
        check=is_random,
    ),
    Rule(
        "azure-storage-key",
        [b"AccountKey="],
        run(rb"A-Za-z0-9+/", 86, 86),
        text(b"=="),
        check=is_random,
    ),
)  # fmt: skip

#: JSON Web Tokens whose header begins with its algorithm, its type or its key (RFC 7519, 3).
JWT: Final = (
    Rule(
        "jwt",
        [b"eyJhbGciOi", b"eyJ0eXAiOi", b"eyJraWQiOi"],
        run(_DASHED, 4, 1000),
        text(b"."),
        run(_DASHED, 8, 3000),
        text(b"."),
        run(_DASHED, 20, 1000),
        not_before=_DASHED,
        not_behind=_DASHED,
    ),
)

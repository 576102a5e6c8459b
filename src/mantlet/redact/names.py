"""Names of fields, as one pattern for all the ways in which they are written.

A pattern is a name or a glob with ``*``, ``?`` and ``[...]``, as in `fnmatch`. It matches whatever
the case, and however words are joined: ``access_token`` matches ``accessToken``, ``AccessToken``,
``ACCESS_TOKEN``, ``access-token``, ``access.token`` and ``accesstoken``. Beside a wildcard the
separator must be there, or a capital letter that begins a word: ``*_token`` matches ``accessToken``
and ``csrf-token``, and neither ``token`` nor ``accesstoken``.

A pattern takes linear time, whatever the name.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, Literal, NamedTuple

__all__ = [
    "INNOCENT_NAMES",
    "MAX_NAME_LENGTH",
    "SECRET_NAMES",
    "SEPARATORS",
    "NameMatcher",
    "Token",
    "case_variants",
    "name_expression",
    "parse_name",
]

#: Maximum length of a pattern, in characters.
MAX_NAME_LENGTH: Final = 256
#: Characters that join words. A camelCase hump does so too.
SEPARATORS: Final = "_-. "

SECRET_NAMES: Final = (
    "password", "*_password", "password_confirm*", "password_hash", "password_repeat",
    "password[0-9]", "passwd", "*_passwd", "pwd", "*_pwd", "passphrase", "*_passphrase",
    "passcode", "*_passcode", "db_password", "pg_password", "db_pass", "*_db_pass", "user_pass",
    "smtp_pass", "mail_pass", "email_pass", "rediscli_auth",
    "secret", "*_secret", "secrets", "*_secrets", "secret_key", "*_secret_key", "secret_access_key",
    "*_secret_access_key", "client_secret*", "secret_token",
    "token", "*_token", "access_token", "auth_token", "refresh_token", "id_token", "session_token",
    "authorization", "*_authorization", "bearer", "jwt", "*_jwt", "auth_header",
    "api_key", "*_api_key", "access_key", "*_access_key", "auth_key", "*_auth_key", "app_key",
    "private_key", "*_private_key", "signing_key", "*_signing_key", "encryption_key",
    "*_encryption_key", "master_key", "*_master_key", "account_key", "session_key", "ssh_key",
    "cookie", "cookies", "*_cookie", "*_cookies", "set_cookie", "session_id", "*_session_id",
    "credential", "credentials", "*_credential", "*_credentials", "connection_string",
    "*_connection_string", "otp", "*_otp", "totp", "csrf", "*_csrf", "xsrf", "salt", "*_salt",
    "csrf_token", "csrf_middleware_token", "hmac_key", "*_hmac_key", "secret_key_base",
    "otp_code", "mfa_code", "totp_code", "two_factor_code", "verification_code", "recovery_code*",
    "backup_code*", "reset_code", "authorization_code", "code_verifier", "client_assertion",
    "saml_response", "security_answer", "seed_phrase", "recovery_phrase",
    "stripe_token", "php_sess_id", "j_session_id", "connect.sid", "database_url",
    "*_database_url", "database_uri", "*_database_uri", "redis_url", "broker_url", "amqp_url",
    "mongo_uri", "mongodb_uri", "mongodb_url",
    "cvv", "*_cvv", "cvv2", "cvc", "*_cvc", "cvc2", "cvn", "card_security_code",
    "card_number", "*_card_number", "cc_number", "card_pin", "pin_number",
    "ssn", "*_ssn", "social_security_number", "*_social_security_number", "bank_account_number",
)  # fmt: skip
"""Names whose values are nearly always secret. To be used together with `INNOCENT_NAMES`."""
#: Names that `SECRET_NAMES` match and that hold no secret.
INNOCENT_NAMES: Final = (
    "page_token", "*_page_token", "next_token", "continuation_token", "*_continuation_token",
    "sync_token", "*_sync_token", "cancel*_token", "eos_token", "bos_token", "pad_token",
    "unk_token", "sep_token", "cls_token", "mask_token", "stop_token", "max_token", "num_token",
    "per_token", "*_per_token", "first_token", "*_first_token", "last_token",
    "has_*", "is_*", "requires_*", "use_*", "uses_*",
)  # fmt: skip

_WORD: Final = re.compile(r"[^\W_]")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Token(NamedTuple):
    """A part of a pattern.

    Attributes:
        kind: ``"char"``; ``"join"``, words that may be joined in any way; ``"separator"``, one that
            must be there; ``"boundary"``, a separator or a hump; ``"any"`` for ``*``; ``"one"`` for
            ``?``; ``"set"`` for ``[...]``.
        text: the character, in lower case; the set as written in a regular expression.
    """

    kind: Literal["char", "join", "separator", "boundary", "any", "one", "set"]
    text: str = ""


def parse_name(pattern: str) -> list[Token]:
    """Split a name or a glob into its tokens."""
    tokens: list[Token] = []
    pos = 0
    while pos < len(pattern):
        char = pattern[pos]
        pos += 1
        if char == "*":
            if not tokens or tokens[-1].kind != "any":
                tokens.append(Token("any"))
        elif char == "?":
            tokens.append(Token("one"))
        elif char == "[" and (end := _set_end(pattern, pos)) > 0:
            tokens.append(Token("set", _set_expression(pattern[pos:end])))
            pos = end + 1
        elif char in SEPARATORS:
            if not tokens or tokens[-1].kind != "separator":
                tokens.append(Token("separator", char))
        else:
            if _HUMP.match(pattern, pos - 1) and tokens[-1].kind == "char":
                tokens.append(Token("join"))
            tokens.append(Token("char", char.lower() if len(char.lower()) == 1 else char))
    return [_join(tokens, at) for at in range(len(tokens))]


def _join(tokens: list[Token], at: int) -> Token:
    """Return a token; a separator as the kind that its neighbours make it."""
    token = tokens[at]
    if token.kind != "separator" or at in (0, len(tokens) - 1):
        return token
    beside = tokens[at - 1], tokens[at + 1]
    if all(other.kind == "char" and _WORD.match(other.text) for other in beside):
        return Token("join")
    return Token("boundary") if any(other.kind == "any" for other in beside) else token


def _set_end(pattern: str, pos: int) -> int:
    """Return where a bracket closes that was opened before ``pos``, or -1."""
    # As in fnmatch, a bracket that comes first or after "!" does not close the set.
    return pattern.find("]", pos + 1 + (pattern[pos : pos + 1] == "!"))


def _set_expression(content: str) -> str:
    negated = content.startswith("!")
    members: list[str] = []
    rest = content[negated:]
    pos = 0
    while pos < len(rest):
        first, last = rest[pos], rest[pos]
        if rest[pos + 1 : pos + 2] == "-" and pos + 2 < len(rest):
            last = rest[pos + 2]
            pos += 2
        pos += 1
        if first <= last:
            members.append(f"{re.escape(first)}-{re.escape(last)}")
    if not members:  # an empty range matches nothing
        return "." if negated else "(?!)"
    return f"(?i:[{'^' if negated else ''}{''.join(members)}])"


def case_variants(char: str) -> list[str]:
    """Return a character in its cases, in order."""
    return sorted({form for form in (char, char.lower(), char.upper()) if len(form) == 1})


_ANY: Final = "(?:.)*"
_SEPARATOR: Final = "[_. -]"
_EXPRESSIONS: Final = {
    "join": _SEPARATOR + "{0,8}+",
    "separator": _SEPARATOR + "{1,8}+",
    "boundary": f"(?:{_SEPARATOR}|{_HUMP.pattern})",
    "one": ".",
}


def _expression(token: Token) -> str:
    if token.kind == "char":
        return f"[{''.join(map(re.escape, case_variants(token.text)))}]"
    return token.text if token.kind == "set" else _EXPRESSIONS[token.kind]


def name_expression(
    pattern: str,
    write: Callable[[Token], str] = _expression,
    many: str = _ANY,
    few: str = "(?:.)*?",
) -> str:
    """Return a regular expression for the names that a pattern matches.

    It takes linear time for each wildcard; it is to be used with ``re.DOTALL`` and ``fullmatch()``,
    or before an end that no wildcard matches.

    Args:
        pattern: a name or a glob.
        write: returns the expression of a token that is not ``*``.
        many: the expression of ``*`` that takes as much as it can.
        few: the expression of ``*`` that takes as little as it can.
    """
    parts = [""]
    for token in parse_name(pattern):
        if token.kind == "any":
            parts.append("")
        else:
            parts[-1] += write(token)
    if len(parts) == 1:
        return parts[0]
    # As in fnmatch: the first place of a fixed part between two wildcards is as good as any.
    middle = "".join(f"(?>{few}{part})" for part in parts[1:-1] if part)
    return f"{parts[0]}{middle}{many}{parts[-1]}"


class NameMatcher:
    """A set of patterns. Immutable; may be shared by threads.

    Args:
        patterns: names and globs.
        ignore: names and globs of names that do not match, whatever ``patterns`` say.

    Raises:
        TypeError: a pattern is not text, or ``patterns`` is a single text.
        ValueError: a pattern is empty or longer than `MAX_NAME_LENGTH`.
    """

    __slots__ = ("_ignore", "_match")

    def __init__(self, patterns: Iterable[str], ignore: Iterable[str] = ()) -> None:
        self._match = _compile(patterns)
        self._ignore = _compile(ignore)

    def matches(self, name: str) -> bool:
        """Return whether a pattern matches a name."""
        return self._match(name) is not None and self._ignore(name) is None


def _compile(patterns: Iterable[str]) -> Callable[[str], re.Match[str] | None]:
    if isinstance(patterns, str):
        raise TypeError(f'names must be several, such as ["password"], not {patterns!r}')
    sources: list[str] = []
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise TypeError(f'a name must be text such as "password", not {pattern!r}')
        if not 0 < len(pattern) <= MAX_NAME_LENGTH:
            raise ValueError(
                f"a name has {len(pattern)} characters; write 1 to {MAX_NAME_LENGTH} characters"
            )
        sources.append(name_expression(pattern))
    # Patterns such as "*_token" share the search for the place where their last words begin.
    ending = _ANY + _EXPRESSIONS["boundary"]
    last_words = [source.removeprefix(ending) for source in sources if source.startswith(ending)]
    others = [source for source in sources if not source.startswith(ending)]
    if last_words:
        others.append(f"{ending}(?:{'|'.join(last_words)})")
    # So do those such as "*_token_*" the search for theirs.
    begin, end = "(?>(?:.)*?", f"){_ANY}"
    found = [
        source
        for source in others
        if source.startswith(begin) and source.endswith(end) and source.count("(?>") == 1
    ]
    if found:
        words = "|".join(source[len(begin) : -len(end)] for source in found)
        others = [*(one for one in others if one not in found), f"{begin}(?:{words}){end}"]
    return re.compile("|".join(others) or "(?!)", re.DOTALL).fullmatch

"""Hashes of passwords, in the forms of crypt(3), Django, Werkzeug, passlib, PHP and LDAP.

Sources: crypt(5) of libxcrypt; the PHC string format; Django's and Werkzeug's password hashers; the
pages of passlib on its formats; PostgreSQL's page on password authentication.
"""

from typing import Final

from mantlet.sanitize.rules.incremental_regex import PatternPart
from mantlet.sanitize.rules.keys.checks import is_random
from mantlet.sanitize.rules.keys.rule import KeyRule

__all__ = ["PASSWORD_HASHES"]

#: The alphabets of crypt(3) and of base64, whose marks may be escaped for JSON or HTML.
_CRYPT: Final = rb"(?:[A-Za-z0-9./]|\\{1,4}/|&#(?:47|x2[fF]);)"
_BASE64: Final = rb"(?:[A-Za-z0-9./+=_\-]|\\{1,4}/|&#(?:43|47|61|x2[bBfF]|x3[dD]);)"
_NUMBER: Final = rb"[0-9]{1,9}"
#: Whatever a hash consists of, at the end of the data so far.
_BEGINNING: Final = rb"[A-Za-z0-9./+=,:$_\-\\&#;]{0,%d}"

#: The forms: the literals, the most bytes that follow, and what follows. H is the hash, S a salt
#: and N a number.
_FORMS: Final = (
    ("$2a$ $2b$ $2y$", 120, rb"[0-9]{2}\$C{53}"),
    ("$6$", 280, rb"(?:rounds=N\$)?[A-Za-z0-9./]{0,16}\$C{86}"),
    ("$5$", 200, rb"(?:rounds=N\$)?[A-Za-z0-9./]{0,16}\$C{43}"),
    ("$1$ $apr1$", 100, rb"[A-Za-z0-9./]{0,8}\$C{22}"),
    ("$y$ $gy$", 240, rb"[A-Za-z0-9./]{2,12}\$[A-Za-z0-9./]{1,86}\$C{43}"),
    ("$P$B $P$9 $H$9", 120, rb"C{30}"),
    ("$S$", 180, rb"C{52}"),
    ("$argon2", 320, rb"(?:id|i|d)\$(?:v=N\$)?m=N,t=N,p=N(?:,[a-z]{1,6}=S){0,2}\$S\$H"),
    ("$scrypt$", 320, rb"ln=N,r=N,p=N\$S\$H"),
    ("$pbkdf2", 320, rb"(?:-sha[0-9]{1,3})?\$N\$S\$H"),
    ("scrypt:", 320, rb"N:N:N\$S\$H"),
    ("scrypt$", 320, rb"N\$S\$N\$N\$H"),
    ("pbkdf2:sha", 320, rb"[0-9]{1,3}(?::N)?\$S\$H"),
    ("pbkdf2_sha", 320, rb"[0-9]{1,3}\$N\$S\$H"),
    ("SCRAM-SHA-256$ SCRAM-SHA-1$", 320, rb"N:S\$S:H"),
    ("{SSHA} {SSHA256} {SSHA512} {SHA512}", 240, rb"H"),
)


def _is_hash(_prefix: bytes, body: bytes) -> bool:
    return is_random(b"", body.rpartition(b"$")[2][-40:])


def _rule(prefixes: str, most: int, form: bytes) -> KeyRule:
    whole = form.replace(b"C{", _CRYPT + b"{").replace(b"N", _NUMBER)
    whole = whole.replace(b"S", _BASE64 + b"{1,100}+").replace(b"H", _BASE64 + b"{24,180}+")
    if b"C{" in form:
        whole += b"(?!%s)" % _CRYPT
    part = PatternPart(whole, _BEGINNING % most, most)
    # A hash may follow the name of its scheme: {CRYPT}$6$..., bcrypt$$2b$...
    after = rb"(?<![0-9])" if prefixes.startswith("$") else b""
    return KeyRule("password-hash", prefixes.encode().split(), part, verify=_is_hash, after=after)


PASSWORD_HASHES: Final = tuple(_rule(*form) for form in _FORMS)

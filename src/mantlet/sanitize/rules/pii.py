"""Personal data in a recognizable format: payment cards, IBANs, e-mail addresses.

Each is found by a regular expression and confirmed by its check digits, if it has any.
"""

import re
from typing import Final

from mantlet.sanitize.rules.rule import (
    NUMBER_END,
    NUMBER_START,
    WORD_CHARS,
    PatternDetector,
    always,
    digits_of,
    luhn,
)

__all__ = ["CARDS", "EMAIL", "IBAN"]

# -- payment cards --------------------------------------------------------------------------------

#: The prefixes and lengths of card numbers: ISO/IEC 7812, and the ranges of the networks.
_NETWORKS: Final = re.compile(
    rb"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|3[47][0-9]{13}|5[1-5][0-9]{14}|2[2-7][0-9]{14}"
    rb"|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    rb"|3(?:0[0-5]|[689][0-9])[0-9]{11}|62[0-9]{14,17}|(?:5[06-9]|6[0-9])[0-9]{10,17}"
)


def _is_card(matched: bytes) -> bool:
    digits = digits_of(matched)
    number = bytes(digit + 48 for digit in digits)
    return len(set(digits)) > 1 and bool(_NETWORKS.fullmatch(number)) and luhn(digits)


_GROUPED: Final = (
    rb"[2-6][0-9]{3}([ -]?)[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}|3[0-9]{3}([ -]?)[0-9]{6}\2[0-9]{4,5}"
    rb"|[3-6][0-9]{11,18}"
)
CARDS: Final = PatternDetector(
    [("payment-card", NUMBER_START + rb"(?:" + _GROUPED + rb")" + NUMBER_END, _is_card)],
    tail=rb"[2-6][0-9][0-9 -]{0,21}[0-9]?[.-]?|[2-6]",
    reach=25,
)


# -- IBAN -----------------------------------------------------------------------------------------

#: The lengths of the SWIFT registry of IBANs (release 99).
_IBAN_LENGTHS: Final = {
    code[:2]: int(code[2:])
    for code in [
        "AD24",
        "AE23",
        "AL28",
        "AT20",
        "AZ28",
        "BA20",
        "BE16",
        "BG22",
        "BH22",
        "BI27",
        "BR29",
        "BY28",
        "CH21",
        "CR22",
        "CY28",
        "CZ24",
        "DE22",
        "DJ27",
        "DK18",
        "DO28",
        "EE20",
        "EG29",
        "ES24",
        "FI18",
        "FK18",
        "FO18",
        "FR27",
        "GB22",
        "GE22",
        "GI23",
        "GL18",
        "GR27",
        "GT28",
        "HN28",
        "HR21",
        "HU28",
        "IE22",
        "IL23",
        "IQ23",
        "IS26",
        "IT27",
        "JO30",
        "KW30",
        "KZ20",
        "LB28",
        "LC32",
        "LI21",
        "LT20",
        "LU20",
        "LV21",
        "LY25",
        "MC27",
        "MD24",
        "ME22",
        "MK19",
        "MN20",
        "MR27",
        "MT31",
        "MU30",
        "NI28",
        "NL18",
        "NO15",
        "OM23",
        "PK24",
        "PL28",
        "PS29",
        "PT25",
        "QA29",
        "RO24",
        "RS22",
        "RU33",
        "SA24",
        "SC31",
        "SD18",
        "SE24",
        "SI19",
        "SK24",
        "SM27",
        "SO23",
        "ST25",
        "SV28",
        "TL23",
        "TN24",
        "TR26",
        "UA29",
        "VA22",
        "VG24",
        "XK20",
        "YE30",
    ]
}


def _is_iban(matched: bytes) -> bool:
    """Check an IBAN (ISO 13616): the remainder modulo 97 is 1, letters counting as 10 to 35."""
    text = matched.decode().replace(" ", "")
    if len(text) != _IBAN_LENGTHS.get(text[:2]):
        return False
    return int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1


_IBAN_FORM: Final = rb"[A-Z]{2}[0-9]{2}(?:[A-Z0-9]{11,29}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)"
IBAN: Final = PatternDetector(
    [("iban", rb"(?<![%s])%s(?![%s])" % (WORD_CHARS, _IBAN_FORM, WORD_CHARS), _is_iban)],
    tail=rb"[A-Z](?:[A-Z](?:[0-9](?:[0-9][A-Z0-9 ]{0,38})?)?)?",
    reach=42,
)


# -- e-mail ---------------------------------------------------------------------------------------

#: RFC 5321, 4.5.3.1: at most 64 and 255 bytes. Quoted local parts are left out.
_ADDRESS: Final = (
    rb"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9._%+\-]{1,64}+@(?:[A-Za-z0-9\-]{1,63}+\.){1,8}"
    rb"[A-Za-z]{2,24}(?![A-Za-z0-9\-])"
)
EMAIL: Final = PatternDetector(
    [("email-address", _ADDRESS, always)],
    tail=rb"[A-Za-z0-9._%+\-]{1,64}(?:@[A-Za-z0-9.\-]{0,255})?",
    reach=320,
)

"""Personal data with a form: payment cards, IBANs, e-mail addresses, national numbers.

Each is found by an expression and confirmed by its check digits, where it has some. Numbers that
could as well be a time or a row's id are looked for in the groups alone that they are written in.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Final

__all__ = ["CARDS", "EMAIL", "IBAN", "NATIONAL", "PatternDetector"]

#: What neither stands before a number nor behind it.
_EDGE: Final = rb"0-9A-Za-z_"
_BEFORE: Final = rb"(?<![%s.\-])" % _EDGE
_BEHIND: Final = rb"(?![%s]|[.\-][0-9])" % _EDGE


class PatternDetector:
    """Finds what an expression matches, and a check confirms.

    Args:
        patterns: an id, an expression and a check of the bytes that it matched, each.
        tail: matches what may still become a match, at the end of the data.
        reach: how many bytes at the end that may be.
    """

    def __init__(
        self,
        patterns: Iterable[tuple[str, bytes, Callable[[bytes], bool]]],
        tail: bytes,
        reach: int,
    ) -> None:
        self._patterns = [(id, re.compile(pattern), check) for id, pattern, check in patterns]
        self._tail = re.compile(tail + rb"\Z")
        self._reach = reach

    def find(
        self, data: bytes, start: int, more: bool, media: str | None
    ) -> list[tuple[str, int, int]]:
        """Return each leak that begins at ``start`` or behind it: its id, its begin and its end."""
        found = [
            (id, match.start(), match.end())
            for id, pattern, check in self._patterns
            for match in pattern.finditer(data, start)
            if check(match[0]) and not (more and match.end() == len(data))
        ]
        return sorted(found, key=_begin)

    def tail(self, data: bytes) -> int:
        """Return how many bytes at the end of the data may become a leak as more follow."""
        match = self._tail.search(data, max(0, len(data) - self._reach))
        return len(data) - match.start() if match else 0


def _begin(found: tuple[str, int, int]) -> int:
    return found[1]


def _digits(matched: bytes) -> list[int]:
    return [byte - 48 for byte in matched if 48 <= byte <= 57]


def _always(_matched: bytes) -> bool:
    return True


# -- payment cards --------------------------------------------------------------------------------

#: ISO/IEC 7812, and the networks' own ranges: what a number begins with, and how long it is.
_NETWORKS: Final = re.compile(
    rb"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})|3[47][0-9]{13}|5[1-5][0-9]{14}|2[2-7][0-9]{14}"
    rb"|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    rb"|3(?:0[0-5]|[689][0-9])[0-9]{11}|62[0-9]{14,17}|(?:5[06-9]|6[0-9])[0-9]{10,17}"
)


def _luhn(digits: list[int]) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return total % 10 == 0


def _is_card(matched: bytes) -> bool:
    digits = _digits(matched)
    number = bytes(digit + 48 for digit in digits)
    return len(set(digits)) > 1 and bool(_NETWORKS.fullmatch(number)) and _luhn(digits)


_GROUPED: Final = (
    rb"[2-6][0-9]{3}([ -]?)[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}|3[0-9]{3}([ -]?)[0-9]{6}\2[0-9]{4,5}"
    rb"|[3-6][0-9]{11,18}"
)
CARDS: Final = PatternDetector(
    [("payment-card", _BEFORE + rb"(?:" + _GROUPED + rb")" + _BEHIND, _is_card)],
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
    """ISO 13616: its remainder by 97 is 1, letters being 10 to 35."""
    text = matched.decode().replace(" ", "")
    if len(text) != _IBAN_LENGTHS.get(text[:2]):
        return False
    return int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1


_IBAN_FORM: Final = rb"[A-Z]{2}[0-9]{2}(?:[A-Z0-9]{11,29}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)"
IBAN: Final = PatternDetector(
    [("iban", rb"(?<![%s])%s(?![%s])" % (_EDGE, _IBAN_FORM, _EDGE), _is_iban)],
    tail=rb"[A-Z](?:[A-Z](?:[0-9](?:[0-9][A-Z0-9 ]{0,38})?)?)?",
    reach=42,
)


# -- e-mail ---------------------------------------------------------------------------------------

#: RFC 5321, 4.5.3.1: 64 and 255 bytes at most; the forms that people have, and no quoted ones.
_ADDRESS: Final = (
    rb"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9._%+\-]{1,64}+@(?:[A-Za-z0-9\-]{1,63}+\.){1,8}"
    rb"[A-Za-z]{2,24}(?![A-Za-z0-9\-])"
)
EMAIL: Final = PatternDetector(
    [("email-address", _ADDRESS, _always)],
    tail=rb"[A-Za-z0-9._%+\-]{1,64}(?:@[A-Za-z0-9.\-]{0,255})?",
    reach=320,
)


# -- national numbers -----------------------------------------------------------------------------


def _weighted(digits: list[int], weights: Iterable[int]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=False))


def _is_nhs(matched: bytes) -> bool:
    """NHS Data Dictionary, "NHS NUMBER": weights 10 to 2, modulo 11."""
    digits = _digits(matched)
    return 11 - _weighted(digits, range(10, 1, -1)) % 11 == (digits[9] or 11)


def _is_nir(matched: bytes) -> bool:
    """The French number: 97 less the remainder by 97."""
    text = matched.decode().replace(" ", "").replace("2A", "19").replace("2B", "18")
    return 97 - int(text[:13]) % 97 == int(text[13:])


_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"


def _is_dni(matched: bytes) -> bool:
    """The Spanish DNI and NIE: a letter by the remainder by 23."""
    text = matched.decode().replace("-", "")
    number = text[:-1].translate(str.maketrans("XYZ", "012"))
    return _DNI_LETTERS[int(number) % 23] == text[-1]


def _is_codice_fiscale(matched: bytes) -> bool:
    """The Italian tax code: its last letter, by the decree of 23 December 1976."""
    odd = [
        1,
        0,
        5,
        7,
        9,
        13,
        15,
        17,
        19,
        21,
        2,
        4,
        18,
        20,
        11,
        3,
        6,
        8,
        12,
        14,
        16,
        10,
        22,
        25,
        24,
        23,
    ]
    values = [int(char, 36) - (10 if char.isalpha() else 0) for char in matched.decode()]
    total = sum(odd[value] for value in values[0:15:2]) + sum(values[1:15:2])
    return chr(65 + total % 26) == chr(matched[15])


def _is_pesel(matched: bytes) -> bool:
    """The Polish number: weights 1, 3, 7, 9, and a date of birth."""
    digits = _digits(matched)
    year, month, day = (int(matched[at : at + 2]) for at in (0, 2, 4))
    century = {0: 1900, 1: 2000, 2: 2100, 3: 2200, 4: 1800}[month // 20]
    try:
        date(century + year, month % 20, day)
    except ValueError:
        return False
    return _weighted(digits, (1, 3, 7, 9) * 2 + (1, 3, 1)) % 10 == 0


def _is_cpf(matched: bytes) -> bool:
    """The Brazilian number: two digits modulo 11."""
    digits = _digits(matched)
    for count in (9, 10):
        expected = _weighted(digits[:count], range(count + 1, 1, -1)) * 10 % 11 % 10
        if expected != digits[count]:
            return False
    return len(set(digits)) > 1


def _is_sin(matched: bytes) -> bool:
    """The Canadian number: Luhn's digit."""
    return _luhn(_digits(matched))


#: Verhoeff's tables, of the dihedral group of ten elements.
_PERMUTED: Final = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def _is_aadhaar(matched: bytes) -> bool:
    """The Indian number: Verhoeff's digit."""
    check = 0
    for place, digit in enumerate(reversed(_digits(matched))):
        check = _product(check, int(_PERMUTED[place % 8][digit]))
    return check == 0


def _product(one: int, other: int) -> int:
    """Multiply in the dihedral group of ten elements."""
    if one < 5:
        return (one + other) % 5 + (5 if other >= 5 else 0)
    return (one - other) % 5 + (0 if other >= 5 else 5)


def _number(pattern: bytes) -> bytes:
    return _BEFORE + pattern + _BEHIND


NATIONAL: Final = PatternDetector(
    [
        # Social Security Administration: never 000, 666 or 900 to 999; it has no check digit.
        ("us-ssn", _number(rb"(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}"), _always),
        ("uk-nhs-number", _number(rb"[0-9]{3}([ -])[0-9]{3}\1[0-9]{4}"), _is_nhs),
        (
            "fr-nir",
            _number(
                rb"[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3}"
                rb" ?[0-9]{2}"
            ),
            _is_nir,
        ),
        ("es-dni", _number(rb"(?:[0-9]{8}|[XYZ][0-9]{7})-?[A-HJ-NP-TV-Z]"), _is_dni),
        (
            "it-codice-fiscale",
            _number(rb"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]"),
            _is_codice_fiscale,
        ),
        ("pl-pesel", _number(rb"[0-9]{4}[0-3][0-9]{6}"), _is_pesel),
        ("br-cpf", _number(rb"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"), _is_cpf),
        ("ca-sin", _number(rb"[1-79][0-9]{2}([ -])[0-9]{3}\1[0-9]{3}"), _is_sin),
        ("in-aadhaar", _number(rb"[2-9][0-9]{3} [0-9]{4} [0-9]{4}"), _is_aadhaar),
    ],
    tail=rb"[0-9A-Z][0-9A-Z .\-]{0,24}",
    reach=26,
)

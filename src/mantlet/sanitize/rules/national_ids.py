"""National identification numbers with check digits, and the US number, which only has a format.

A number is found if it is written in its usual groups, or without separators behind a label, such
as ``"pesel": "``. Without either it could be a timestamp, a part number or the id of a row.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Final

from mantlet.sanitize.rules.rule import (
    NUMBER_END,
    NUMBER_START,
    WORD_CHARS,
    Label,
    PatternDetector,
    digits_of,
    luhn,
)

__all__ = ["NATIONAL_IDS"]


def _weighted(digits: bytes, weights: Iterable[int]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=False))


def _is_nhs(matched: bytes) -> bool:
    """Check a UK NHS number (NHS Data Dictionary): weights 10 to 2, modulo 11."""
    digits = digits_of(matched)
    return 11 - _weighted(digits, range(10, 1, -1)) % 11 == (digits[9] or 11)


def _is_nir(matched: bytes) -> bool:
    """Check a French NIR: 97 minus the remainder modulo 97."""
    text = matched.decode().replace(" ", "").replace("2A", "19").replace("2B", "18")
    return 97 - int(text[:13]) % 97 == int(text[13:])


_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"


def _is_dni(matched: bytes) -> bool:
    """Check a Spanish DNI or NIE: a letter for the remainder modulo 23."""
    text = matched.decode().replace("-", "")
    number = text[:-1].translate(str.maketrans("XYZ", "012"))
    return _DNI_LETTERS[int(number) % 23] == text[-1]


def _is_codice_fiscale(matched: bytes) -> bool:
    """Check an Italian tax code: its last letter, by the decree of 23 December 1976."""
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
    """Check a Polish PESEL: weights 1, 3, 7, 9, and a date of birth."""
    digits = digits_of(matched)
    year, month, day = (int(matched[at : at + 2]) for at in (0, 2, 4))
    century = {0: 1900, 1: 2000, 2: 2100, 3: 2200, 4: 1800}[month // 20]
    try:
        date(century + year, month % 20, day)
    except ValueError:
        return False
    return _weighted(digits, (1, 3, 7, 9) * 2 + (1, 3, 1)) % 10 == 0


def _is_cpf(matched: bytes) -> bool:
    """Check a Brazilian CPF: two digits modulo 11."""
    digits = digits_of(matched)
    for count in (9, 10):
        expected = _weighted(digits[:count], range(count + 1, 1, -1)) * 10 % 11 % 10
        if expected != digits[count]:
            return False
    return len(set(digits)) > 1


def _is_sin(matched: bytes) -> bool:
    """Check a Canadian SIN: a Luhn digit."""
    return luhn(digits_of(matched))


#: Verhoeff's permutations.
_PERMUTED: Final = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def _product(one: int, other: int) -> int:
    """Multiply in the dihedral group of ten elements."""
    if one < 5:
        return (one + other) % 5 + (5 if other >= 5 else 0)
    return (one - other) % 5 + (0 if other >= 5 else 5)


#: For each place from the right, the check so far, and the digit: the check.
_ROWS: Final = [
    [bytes(_product(check, int(digit)) for digit in _PERMUTED[place % 8]) for check in range(10)]
    for place in range(12)
]


def _is_aadhaar(matched: bytes) -> bool:
    """Check an Indian Aadhaar number: a Verhoeff digit."""
    check = 0
    for row, digit in zip(_ROWS, reversed(digits_of(matched)), strict=False):
        check = row[check][digit]
    return check == 0


# -- how they are written -------------------------------------------------------------------------

Check = Callable[[re.Match[bytes]], bool]

_has_phone_label: Final = Label(rb"phone|\btel|mobile|\bfax|\bcall|\bcell|\+1 ?")
#: A further group of digits beside a number: it is part of a longer one, such as a card's.
_GROUP_BEFORE: Final = re.compile(rb"[0-9][ \-]")
_GROUP_BEHIND: Final = re.compile(rb"[ \-][0-9]")
_ROUND: Final = re.compile(rb"[0-9]+[ \-]000[ \-]000\Z|[0-9 \-]+ 000\Z")


def _anywhere(check: Callable[[bytes], bool]) -> Check:
    return lambda match: check(match[0])


def _with_label(words: bytes, check: Callable[[bytes], bool] | None = None) -> Check:
    return Label(words, None if check is None else _anywhere(check))


def _is_alone(match: re.Match[bytes]) -> bool:
    """Return whether no other group of digits stands beside a number in groups."""
    text, start, end = match.string, match.start(), match.end()
    return not (
        _GROUP_BEFORE.fullmatch(text, max(0, start - 2), start) or _GROUP_BEHIND.match(text, end)
    )


def _in_groups(check: Callable[[bytes], bool], words: bytes) -> Check:
    """Return a check for numbers in groups that others are written in too."""
    is_labelled = Label(words)

    def is_number(match: re.Match[bytes]) -> bool:
        if not check(match[0]):
            return False
        if is_labelled(match):
            return True
        return _is_alone(match) and not _ROUND.match(match[0]) and not _has_phone_label(match)

    return is_number


def _number(pattern: bytes) -> bytes:
    return NUMBER_START + pattern + NUMBER_END


#: The shapes of the numbers, each in its group. One character stands before what looks back, since
#: a search for it alone is fast; and what many numbers begin with is read once. Behind another
#: group of digits there is no room for a label, and a number in groups would not be alone.
_SHAPES: Final = rb"""
[0-9A-Z](?<![%b.\-].)(?=(?:
  (?<=[0-9])[0-9]{2}(?:
      (?<![0-9][ \-].{3})-(?:
        [0-9]{2}-[0-9]{4}(?P<n3_2_4>)|[0-9]{3}-[0-9]{3}(?:(?P<n3_3_3>)|[0-9](?P<n3_3_4>)))
    | (?<![0-9][ \-].{3})[ ][0-9]{3}[ ][0-9]{3}(?:(?P<s3_3_3>)|[0-9](?P<s3_3_4>))
    | \.[0-9]{3}\.[0-9]{3}-[0-9]{2}(?P<d3_3_3_2>)
    | [0-9](?:
          (?<![0-9][ \-].{4})[ ][0-9]{4}[ ][0-9]{4}(?P<s4_4_4>)
        | [0-9]{4}(?:
              -?[A-Z](?P<n8_letter>)
            | (?<![0-9][ \-].{8})[0-9](?:
                (?P<n9>)|[0-9](?:(?P<n10>)|[0-9](?:(?P<n11>)|[0-9](?P<n12>))))
          )
      )
  )
  | (?<=[12])(?:[ ][0-9]{2}[ ][0-9]{2}[ ][0-9]|[0-9]{5})[0-9AB]
      (?P<n13_2>[ ]?[0-9]{3}[ ]?[0-9]{3}[ ]?[0-9]{2})
  | (?<=[XYZ])-?[0-9]{7}-?[A-Z](?P<x7_letter>)
  | (?<=[A-Z])[A-Z]{5}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z](?P<codice>)
)%b)
"""

_SSN: Final = rb"ssn|social.?sec|\btax"
_NHS: Final = rb"\bnhs|patient"
_NIR: Final = rb"\bnir\b|insee|s.curit..?.? ?sociale|social"
_DNI: Final = rb"\bdni|\bnif|\bnie\b|document|identi"
_SIN: Final = rb"\bsin\b|\bnas\b|social.?ins|assurance sociale"
_AADHAAR: Final = rb"aadh?aa?r|\buid"
_CPF: Final = rb"\bcpf"
_PESEL: Final = rb"pesel"

NATIONAL_IDS: Final = PatternDetector(
    [
        # Social Security Administration: never 000, 666 or 900 to 999; there is no check digit.
        (
            "us-ssn",
            _number(rb"(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}"),
            _is_alone,
            "n3_2_4",
        ),
        (
            "us-ssn",
            _number(rb"(?!000|666|9)[0-9]{3}(?!00)[0-9]{2}(?!0000)[0-9]{4}"),
            _with_label(_SSN),
            "n9",
        ),
        # In the three groups of the NHS Data Dictionary. With dashes it could be a phone number.
        (
            "uk-nhs-number",
            _number(rb"[0-9]{3} [0-9]{3} [0-9]{4}"),
            _in_groups(_is_nhs, _NHS),
            "s3_3_4",
        ),
        (
            "uk-nhs-number",
            _number(rb"[0-9]{3}(-?)[0-9]{3}\1[0-9]{4}"),
            _with_label(_NHS, _is_nhs),
            "n10",
            "n3_3_4",
        ),
        (
            "fr-nir",
            _number(
                rb"[12] [0-9]{2} (?:0[1-9]|1[0-2]|[2-9][0-9]) [0-9][0-9AB] [0-9]{3} [0-9]{3}"
                rb" ?[0-9]{2}"
            ),
            _anywhere(_is_nir),
            "n13_2",
        ),
        (
            "fr-nir",
            _number(rb"[12][0-9]{2}(?:0[1-9]|1[0-2]|[2-9][0-9])[0-9][0-9AB][0-9]{6} ?[0-9]{2}"),
            _with_label(_NIR, _is_nir),
            "n13_2",
        ),
        (
            "es-dni",
            _number(rb"(?:[0-9]{8}|[XYZ]-?[0-9]{7})-[A-HJ-NP-TV-Z]"),
            _anywhere(_is_dni),
            "n8_letter",
            "x7_letter",
        ),
        (
            "es-dni",
            _number(rb"(?:[0-9]{8}|[XYZ][0-9]{7})[A-HJ-NP-TV-Z]"),
            _with_label(_DNI, _is_dni),
            "n8_letter",
            "x7_letter",
        ),
        # Its letters and digits have places of their own.
        (
            "it-codice-fiscale",
            _number(rb"[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]"),
            _anywhere(_is_codice_fiscale),
            "codice",
        ),
        ("pl-pesel", _number(rb"[0-9]{4}[0-3][0-9]{6}"), _with_label(_PESEL, _is_pesel), "n11"),
        (
            "br-cpf",
            _number(rb"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"),
            _anywhere(_is_cpf),
            "d3_3_3_2",
        ),
        ("br-cpf", _number(rb"[0-9]{11}"), _with_label(_CPF, _is_cpf), "n11"),
        (
            "ca-sin",
            _number(rb"[1-79][0-9]{2}([ -])[0-9]{3}\1[0-9]{3}"),
            _in_groups(_is_sin, _SIN),
            "s3_3_3",
            "n3_3_3",
        ),
        ("ca-sin", _number(rb"[1-79][0-9]{8}"), _with_label(_SIN, _is_sin), "n9"),
        (
            "in-aadhaar",
            _number(rb"[2-9][0-9]{3} [0-9]{4} [0-9]{4}"),
            _in_groups(_is_aadhaar, _AADHAAR),
            "s4_4_4",
        ),
        ("in-aadhaar", _number(rb"[2-9][0-9]{11}"), _with_label(_AADHAAR, _is_aadhaar), "n12"),
    ],
    tail=rb"[0-9A-Z][0-9A-Z .\-]{0,24}",
    reach=26,
    shapes=b"(?x)" + _SHAPES % (WORD_CHARS, NUMBER_END),
)

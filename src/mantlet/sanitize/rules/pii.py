"""Personal data in a recognizable format: payment cards, IBANs, e-mail addresses.

Each is found by a regular expression and confirmed by its check digits, if it has any.
"""

import re
from collections.abc import Iterator
from typing import Final

from mantlet.sanitize.rules.rule import (
    NUMBER_END,
    WORD_CHARS,
    Label,
    PatternDetector,
    digits_of,
    luhn,
)

__all__ = ["CARDS", "EMAIL", "IBAN"]

# -- payment cards --------------------------------------------------------------------------------

#: The prefixes and lengths of card numbers: ISO/IEC 7812, and the ranges of the networks. Numbers
#: of 12 and 13 digits, which Maestro and Visa have issued, are left out: they cannot be told from
#: the bar codes of goods (EAN-13) and other ids.
_NETWORKS: Final = re.compile(
    rb"4(?:[0-9]{15}|[0-9]{18})|3[47][0-9]{13}|5[1-5][0-9]{14}|2[2-7][0-9]{14}"
    rb"|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    rb"|3(?:0[0-5]|[689][0-9])[0-9]{11}|62[0-9]{14,17}|(?:5[06-9]|6[0-9])[0-9]{12,17}"
)
#: Those that are found without separators and without a label: the most common lengths and
#: prefixes. The ids of Twitter and Discord, among others, have the other lengths too.
_COMMON: Final = re.compile(
    rb"(?:4[0-9]{3}|5[1-5][0-9]{2}|2[2-7][0-9]{2}|6011|6[45][0-9]{2}|62[0-9]{2}|35[2-8][0-9])[0-9]{12}"
    rb"|3[47][0-9]{13}"
)
_has_card_label: Final = Label(
    rb"card|\bpan\b|\bccn?\b|cc_?num|credit|debit|diners|unionpay|maestro|visa|karte|carte|tarjeta"
)
_ID_LABEL: Final = re.compile(rb"(?:\b(?:[A-Za-z]{1,16}_)?(?:id|ID)\b|[a-z]Id\b)[^0-9\r\n]{0,24}\Z")
_ID_REACH: Final = 40


def _has_id_label(match: re.Match[bytes]) -> bool:
    before = match.string[max(0, match.start() - _ID_REACH) : match.start()]
    return _ID_LABEL.search(before) is not None


def _is_card(match: re.Match[bytes]) -> bool:
    if not luhn(digits_of(match[0])):
        return False
    number = match[0].translate(None, b" -")
    if not _NETWORKS.fullmatch(number) or len(set(number)) == 1:
        return False
    if len(number) < len(match[0]):
        return True
    is_common = _COMMON.fullmatch(number) is not None
    return (is_common and not _has_id_label(match)) or _has_card_label(match)


#: The first digit stands before what looks back, since a search for it alone is fast.
_GROUPED: Final = (
    rb"[2-6](?<![%s.\-][2-6])(?:[0-9]{3}([ -]?)[0-9]{4}\1[0-9]{4}\1[0-9]{1,7}"
    rb"|(?<=3)[0-9]{3}([ -]?)[0-9]{6}\2[0-9]{4,5}|(?<=[3-6])[0-9]{13,18})" % WORD_CHARS
)
CARDS: Final = PatternDetector(
    [("payment-card", _GROUPED + NUMBER_END, _is_card)],
    tail=rb"[2-6][0-9][0-9 -]{0,21}[0-9]?[.-]?|[2-6]",
    reach=25,
)


# -- IBAN -----------------------------------------------------------------------------------------

#: The lengths of the SWIFT registry of IBANs (release 99).
_IBAN_LENGTHS: Final = {
    code[:2]: int(code[2:])
    for code in (
        b"AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 "
        b"CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 "
        b"GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 "
        b"KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 "
        b"MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 "
        b"RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 "
        b"UA29 VA22 VG24 XK20 YE30 "
    ).split()
}


#: What stands for each character in the number whose remainder is checked.
_IBAN_DIGITS: Final = {
    code: str(int(chr(code), 36)) for code in b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
}


def _is_iban(match: re.Match[bytes]) -> bool:
    """Check an IBAN (ISO 13616): the remainder modulo 97 is 1, letters counting as 10 to 35."""
    text = match[0].translate(None, b" ")
    if len(text) != _IBAN_LENGTHS.get(text[:2]):
        return False
    return int("".join(map(_IBAN_DIGITS.__getitem__, text[4:] + text[:4]))) % 97 == 1


_IBAN_FORM: Final = (
    rb"[A-Z](?<![%s].)[A-Z][0-9]{2}"
    rb"(?:[A-Z0-9]{11,29}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)(?![%s])"
    % (WORD_CHARS, WORD_CHARS)
)
IBAN: Final = PatternDetector(
    [("iban", _IBAN_FORM, _is_iban)],
    tail=rb"[A-Z](?:[A-Z](?:[0-9](?:[0-9][A-Z0-9 ]{0,38})?)?)?",
    reach=42,
)


# -- e-mail ---------------------------------------------------------------------------------------

#: The characters of a local part, of which there are 64 at most (RFC 5321, 4.5.3.1). Quoted ones
#: are left out.
_LOCAL: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-"
_MAX_LOCAL: Final = 64
#: The rest of an address, up to 255 bytes.
_DOMAIN: Final = rb"@(?:[A-Za-z0-9\-]{1,63}+\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9\-])"
#: The ends of names of files: ``logo@2x.png``.
_FILES: Final = frozenset(
    b"png jpg jpeg gif svg webp avif ico bmp tif tiff css js mjs cjs ts jsx tsx map json htm html "
    b"xml md txt py woff woff2 ttf pdf mp3 mp4 webm gz tgz".split()
)
#: A version of a package: ``left-pad@1.3.0-beta.rc``.
_VERSION: Final = re.compile(rb"@v?[0-9]++\.[0-9]++\.[0-9]")
#: The users of repositories.
_REPOSITORIES: Final = (b"git", b"hg", b"svn")


def _is_host(domain: re.Match[bytes]) -> bool:
    text = domain[0]
    return text.rpartition(b".")[2].lower() not in _FILES and not _VERSION.match(text)


class _AddressDetector(PatternDetector):
    """E-mail addresses, found by their ``@``."""

    def _matches(self, data: bytes, start: int) -> Iterator[tuple[str, int, int]]:
        if b"@" not in data:
            return
        for id, domain, check in self._patterns:
            until = start
            for match in domain.finditer(data, start):
                at = match.start()
                before = data[max(0, at - _MAX_LOCAL - 1) : at]
                begin = at - len(before) + len(before.rstrip(_LOCAL))
                if not until <= begin < at or at - begin > _MAX_LOCAL:
                    continue
                until = match.end()
                if check(match) and data[begin:at] not in _REPOSITORIES:
                    yield id, begin, until


EMAIL: Final = _AddressDetector(
    [("email-address", _DOMAIN, _is_host)],
    tail=rb"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9._%+\-]{1,64}+(?:@[A-Za-z0-9.\-]{0,255}+)?+",
    reach=320,
)

"""Distinguish real keys from examples, by checksums, decoded contents, and how random they look.

A key with the right checksum is real however it looks. One with a wrong checksum has to look
random: its provider may have changed the checksum, and a truncated or mistyped key discloses nearly
all of a real one.
"""

import hashlib
import json
import math
import re
import zlib
from base64 import urlsafe_b64decode
from binascii import Error
from collections import Counter
from collections.abc import Iterable
from functools import cache, reduce
from operator import xor
from typing import Final

__all__ = [
    "atlassian_checksum",
    "bech32_checksum",
    "decode_base64url",
    "decode_json",
    "github_checksum",
    "gitlab_checksum",
    "grafana_checksum",
    "is_documented",
    "is_random",
    "is_random_hex",
    "is_random_in_both_cases",
    "is_random_mixed",
    "unescape",
]

#: Minimum entropy of random text, in bits per character.
_MIN_ENTROPY: Final = 2.8
#: Maximum length of a text whose entropy is looked at.
_MAX_SAMPLE: Final = 64
#: In text that stands for a key.
_PLACEHOLDER: Final = re.compile(
    rb"xxxx|\*\*\*|\.\.\.|example|your[_-]|_your|placeholder|redacted|changeme|dummy|fake[_-]"
    rb"|insert|replace|(?:token|key|string|secret)here|12345678|abcdefgh|01234567|98765432|00000000|(.)\1{7}",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(rb"[a-z_.~/+=\-]*|[A-Z_.~/+=\-]*")
_BASE62: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE36: Final = b"0123456789abcdefghijklmnopqrstuvwxyz"
_BECH32: Final = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_STEPS: Final = tuple(
    reduce(xor, (part for bit, part in enumerate(_GENERATOR) if top >> bit & 1), 0)
    for top in range(32)
)

#: The beginnings of the SHA-256 digests of keys that providers print in their documentation, or
#: that are the same everywhere, such as the key of Azure's storage emulator.
_DOCUMENTED: Final = frozenset(
    {
        "2cafc0970149a84f",  # Stripe
        "f2d6ca16515033e5",
        "7e8de44ea9ecf6d5",
        "0011cc25eb432071",  # the emulators of Azure's storage and Cosmos DB
        "aa6547439583c3a2",
        "02f7ce3c263f85c0",  # Discord
        "6cd8d2e7332238e2",
        "d79aa390b8f031d2",  # the tutorial of Flask
        "06d7cb927ea9a313",
        "c1b318d59df77a69",  # Django
        "c83adf6f46f66a65",  # PostgreSQL
        "b171a33e8f8a16ec",  # a shared access signature, in the SDKs of AWS
        "d0c01bc88bd8646c",  # passwords in URLs: SQLAlchemy
        "7f812447c022e9ff",
        "0984524042d39608",
        "c82f018ab14078a1",
        "812f30a788a54f99",  # pip
        "51fb552dfad78676",  # dotenv
    }
)


def is_documented(key: bytes) -> bool:
    """Return whether a key is one of the documentation's."""
    return hashlib.sha256(key).hexdigest()[:16] in _DOCUMENTED


def is_random(_literal: bytes, body: bytes) -> bool:
    """Return whether a key looks random, and not like an example or a placeholder."""
    sample = body[:_MAX_SAMPLE]
    if _PLACEHOLDER.search(sample):
        return False
    counts = Counter(sample).values()
    size = len(sample)
    bits = -sum(count / size * math.log2(count / size) for count in counts)
    return bits >= _MIN_ENTROPY


def is_random_mixed(literal: bytes, body: bytes) -> bool:
    """Return whether a key of letters of both cases and digits looks random: it is no words."""
    return not _WORDS.fullmatch(body[:_MAX_SAMPLE]) and is_random(literal, body)


def is_random_in_both_cases(literal: bytes, body: bytes) -> bool:
    """Return whether a key looks random, and has letters of both cases: it is no digest."""
    sample = body[:_MAX_SAMPLE]
    return sample not in (sample.lower(), sample.upper()) and is_random(literal, body)


def is_random_hex(literal: bytes, body: bytes) -> bool:
    """Return whether hexadecimal digits look random: neither all digits nor all letters."""
    return not body.isdigit() and not body.isalpha() and is_random(literal, body)


_ESCAPED: Final = re.compile(
    rb"\\{1,4}/|\\{1,4}u00([0-9A-Fa-f]{2})|%([0-9A-Fa-f]{2})|&#x([0-9A-Fa-f]{2});|&#([0-9]{2});"
)


def _unescape(match: re.Match[bytes]) -> bytes:
    digits = match[1] or match[2] or match[3]
    if digits:
        return bytes([int(digits, 16)])
    return bytes([int(match[4])]) if match[4] else b"/"


def unescape(body: bytes) -> bytes:
    """Return base64 without the escapes of JSON, URLs and HTML in it."""
    if b"\\" in body or b"%" in body or b"&" in body:
        return _ESCAPED.sub(_unescape, body)
    return body


def _in_digits(number: int, digits: bytes, size: int) -> bytes:
    text = bytearray()
    while number:
        number, rest = divmod(number, len(digits))
        text.append(digits[rest])
    return bytes(text[::-1]).rjust(size, b"0")


def github_checksum(literal: bytes, body: bytes) -> bool:
    """Check a token of GitHub or npm: the last six digits are the CRC-32 of the rest in base 62."""
    is_right = _in_digits(zlib.crc32(body[:-6]), _BASE62, 6) == body[-6:]
    return is_right or is_random_mixed(literal, body)


def gitlab_checksum(literal: bytes, body: bytes) -> bool:
    """Check a routable token of GitLab: it ends in seven digits of a CRC-32 in base 36.

    The older tokens have none.
    """
    is_right = _in_digits(zlib.crc32(literal + body[:-7]), _BASE36, 7) == body[-7:]
    return (b"." in body and is_right) or is_random_mixed(literal, body)


def grafana_checksum(literal: bytes, body: bytes) -> bool:
    """Check a token of a Grafana service account: it ends in a CRC-32, the lowest byte first."""
    secret, _, checksum = body.partition(b"_")
    value = zlib.crc32(literal + secret)
    is_right = value.to_bytes(4, "little").hex().encode() == checksum.lower()
    return is_right or is_random_mixed(literal, secret)


def atlassian_checksum(literal: bytes, body: bytes) -> bool:
    """Check a token of Atlassian: it ends in the CRC-32 of the rest."""
    text, _, checksum = unescape(body).rpartition(b"=")
    is_right = b"%08X" % zlib.crc32(literal + text) == checksum.upper()
    return is_right or is_random_mixed(literal, text)


def bech32_checksum(literal: bytes, body: bytes) -> bool:
    """Check an identity of age: Bech32 (BIP 173), whose checksum covers the prefix too."""
    return _is_bech32(literal, body) or is_random(literal, body)


def _is_bech32(literal: bytes, body: bytes) -> bool:
    return _bech32(map(_BECH32.index, body.decode()), _bech32_prefix(literal)) == 1


@cache
def _bech32_prefix(literal: bytes) -> int:
    """Return the checksum of a prefix of a rule, which nearly all of the work would go into."""
    prefix = literal[:-1].decode().lower()
    return _bech32([*(ord(char) >> 5 for char in prefix), 0, *(ord(char) & 31 for char in prefix)])


def _bech32(values: Iterable[int], check: int = 1) -> int:
    for value in values:
        check = (check & 0x1FFFFFF) << 5 ^ value ^ _BECH32_STEPS[check >> 25]
    return check


def decode_base64url(text: bytes) -> bytes:
    """Decode base64 of either alphabet; return nothing if the text is invalid."""
    bare = text.rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_")
    try:
        return urlsafe_b64decode(bare + b"=" * (-len(bare) % 4))
    except (Error, ValueError):  # of another length or alphabet
        return b""


def decode_json(text: bytes) -> dict[str, object]:
    """Decode a JSON object in base64; return an empty one if the text is invalid."""
    data = decode_base64url(text)
    if data.count(b"[") + data.count(b"{") > 20:
        return {}  # nested more deeply than any header
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}

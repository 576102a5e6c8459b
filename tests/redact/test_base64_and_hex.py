"""A secret is found within base64 and hexadecimal digits, and over the lines of a long value."""

import html
import json
import re
from base64 import b64encode, encodebytes, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha384
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.redact.test_encodings import SECRETS, masked, scanner_of

SECRET = "kR7-vT2_qX9.mB4w"
PEM = (
    "-----BEGIN PRIVATE KEY-----\n"
    + "\n".join(b64encode(sha384(b"%d" % line).digest()).decode() for line in range(26))
    + "\n-----END PRIVATE KEY-----\n"
)
SHORT_PEM = (
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIExampleExampleExampleExampleExampleExample\n"
    "-----END PRIVATE KEY-----\n"
)


def stars_of(data: bytes, out: bytes) -> tuple[int, int]:
    """Return where the one masked part of the data begins and ends."""
    assert len(out) == len(data)
    changed = [at for at, (old, new) in enumerate(zip(data, out, strict=True)) if old != new]
    assert changed, data
    start, end = changed[0], changed[-1] + 1
    assert out[start:end].strip(b"*") == b"", out
    return start, end


@given(
    st.sampled_from(SECRETS),
    st.binary(max_size=70),
    st.binary(max_size=20),
    st.lists(st.integers(1, 30), max_size=20),
    st.sampled_from([b64encode, urlsafe_b64encode]),
)
def test_base64_is_masked_at_each_offset(
    secret: str, before: bytes, behind: bytes, sizes: list[int], encode: Callable[[bytes], bytes]
) -> None:
    """Each digit that has bits of the secret alone, in both alphabets."""
    value = secret.encode()
    digits = encode(before + value + behind)
    out = masked(scanner_of(secret), b"x " + digits + b" y", sizes)
    first, end = 2 - (-len(before) * 8 // 6), 2 + (len(before) + len(value)) * 8 // 6
    assert stars_of(b"x " + digits + b" y", out) == (first, end)


def wrap(data: bytes, width: int, end: bytes) -> bytes:
    digits = b64encode(data)
    return b"".join(digits[at : at + width] + end for at in range(0, len(digits), width))


ENDS = [b"\n", b"\r\n", b"\\n", b"\\r\\n", b"\\\\n", b"%0A", b"<br>\n", b"\ndata: ", b'",\n "']


@pytest.mark.parametrize("end", ENDS, ids=range(len(ENDS)))
@pytest.mark.parametrize("width", [64, 76])
def test_base64_with_line_breaks_is_masked(width: int, end: bytes) -> None:
    """Wherever in the value the line ends."""
    scanner = scanner_of(SECRET)
    for size in range(80):
        before = b"k" * size
        data = b"x " + wrap(before + SECRET.encode() + b"behind", width, end) + b" y"
        out = masked(scanner, data)
        start, stop = 2 - (-size * 8 // 6), 2 + (size + len(SECRET)) * 8 // 6
        start += (start - 2) // width * len(end)
        stop += (stop - 3) // width * len(end)
        assert stars_of(data, out) == (start, stop), (size, data, out)


def test_base64_in_lines_is_masked_over_any_cut() -> None:
    """A few digits at most are sent, if a line and a chunk end right after them."""
    scanner = scanner_of(SECRET)
    for size in range(30, 60):
        data = b"x " + encodebytes(b"k" * size + SECRET.encode() + b"behind") + b" y"
        whole = masked(scanner, data)
        for at in range(len(data)):
            out = masked(scanner, data, [at])
            differ = [one for one in range(len(data)) if out[one] != whole[one]]
            assert len(differ) <= 7, (size, at, out)


@given(st.sampled_from(SECRETS), st.binary(max_size=5), st.binary(max_size=5))
def test_base64_twice_is_masked(secret: str, before: bytes, outer: bytes) -> None:
    """At each offset of both."""
    inner = b64encode(before + secret.encode() + b"behind")
    data = b64encode(outer + inner + b"behind")
    out = masked(scanner_of(secret), data)
    first = len(outer) - (-len(before) * 8 // 6)
    end = len(outer) + (len(before) + len(secret.encode())) * 8 // 6
    assert stars_of(data, out) == (-(-first * 8 // 6), end * 8 // 6)


@pytest.mark.parametrize(
    "payload",
    [
        {"sub": "1", "key": SECRET},
        {"key": "p@ss/w\"o<r&d 'x+ý=Z9"},
        {"key": "пароль-секрет"},
    ],
    ids=range(3),
)
def test_json_in_base64_is_masked(payload: dict[str, str]) -> None:
    """As session cookies and tokens have it."""
    data = b"." + urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=") + b".sig"
    out = masked(scanner_of(payload["key"]), data)
    start, end = stars_of(data, out)
    shown = json.dumps(payload["key"])[1:-1]
    assert end - start >= len(shown) * 8 // 6 - 2


@pytest.mark.few_cases(2)
@pytest.mark.parametrize("user", ["", "a", "bo", "eve", "user@example.com"])
def test_basic_credentials_are_masked(user: str) -> None:
    """RFC 7617, 2: of any user, also escaped in JSON and in URLs."""
    for secret in SECRETS:
        digits = b64encode(f"{user}:{secret}".encode()).decode()
        for shown in (
            digits,
            digits.replace("/", "\\/"),
            quote(digits, safe=""),
            html.escape(digits),
        ):
            start, end = stars_of(shown.encode(), masked(scanner_of(secret), shown.encode()))
            assert end - start >= len(secret.encode()) * 8 // 6 - 2


HEX: dict[str, Callable[[bytes], str]] = {
    "plain": bytes.hex,
    "upper": lambda data: data.hex().upper(),
    "mixed": lambda data: "".join(
        one.upper() if at % 3 == 0 else one for at, one in enumerate(data.hex())
    ),
    "colons": lambda data: data.hex(":"),
    "upper colons": lambda data: data.hex(":").upper(),
    "spaces": lambda data: data.hex(" "),
    "dashes": lambda data: data.hex("-"),
    "array": lambda data: ", ".join(f"0x{byte:02x}" for byte in data),
    "tight array": lambda data: ",".join(f"0x{byte:02X}" for byte in data),
    "escapes": lambda data: "".join(f"\\x{byte:02x}" for byte in data),
    "lines": lambda data: ":\n    ".join(
        data[at : at + 8].hex(":") for at in range(0, len(data), 8)
    ),
}


@pytest.mark.parametrize(
    ("name", "secret"),
    # In mixed case, the first digits of text that is not ASCII would take too many literals.
    [(name, one) for name in HEX for one in SECRETS if name != "mixed" or one.isascii()],
)
def test_hexadecimal_digits_are_masked(name: str, secret: str) -> None:
    """With separators and without, in either case."""
    shown = HEX[name](secret.encode()).encode()
    data = b"x " + shown + b" y"
    scanner = scanner_of(secret)
    for sizes in ([], [5] * 100):
        start, end = stars_of(data, masked(scanner, data, sizes))
        assert start <= 4
        assert end == 2 + len(shown)


LINES: dict[str, Callable[[str], str]] = {
    "raw": str,
    "crlf": lambda text: text.replace("\n", "\r\n"),
    "json": lambda text: json.dumps(text.strip()),
    "json in json": lambda text: json.dumps(json.dumps(text.strip())),
    "json list": lambda text: json.dumps(text.splitlines()),
    "indented list": lambda text: json.dumps(text.splitlines(), indent=4),
    "list with ends": lambda text: json.dumps(text.splitlines(keepends=True)),
    "json of a list in json": lambda text: json.dumps({"a": json.dumps(text.splitlines())}),
    "html list": lambda text: html.escape(json.dumps(text.splitlines())),
    "br": lambda text: text.strip().replace("\n", "<br>"),
    "br and line": lambda text: text.strip().replace("\n", "<br />\n"),
    "escaped br": lambda text: html.escape(text.strip().replace("\n", "<br>")),
    "spans": lambda text: "".join(
        f'<span class="line">{line}</span>\n' for line in text.splitlines()
    ),
    "rows": lambda text: "".join(f"<tr><td>{line}</td></tr>" for line in text.splitlines()),
    "event stream": lambda text: "".join(f"data: {line}\n" for line in text.splitlines()),
    "events of json": lambda text: "data: " + json.dumps({"a": text.strip()}) + "\n\n",
    "quoted": quote,
    "quoted crlf": lambda text: quote(text.replace("\n", "\r\n"), safe=""),
    "repr": lambda text: repr(text.strip()),
    "repr of lines": lambda text: repr(text.splitlines()),
    "repr of repr": lambda text: repr(repr(text.strip())),
    "html": html.escape,
    "references": lambda text: text.strip().replace("\n", "&#10;"),
    "joined": lambda text: text.replace("\n", ""),
    "spaces": lambda text: text.strip().replace("\n", " "),
    "indented": lambda text: text.strip().replace("\n", "\n      "),
}


@pytest.mark.few_cases(8)
@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("secret", [PEM, SHORT_PEM], ids=["long", "short"])
def test_the_lines_of_a_key_are_masked(name: str, secret: str) -> None:
    """From its first character to its last one, and nothing else."""
    data = b"left " + LINES[name](secret).encode() + b" right"
    scanner = scanner_of(secret)
    for sizes in ([], [1] * 600, [64] * 600):
        start, end = stars_of(data, masked(scanner, data, sizes))
        assert data[:start].endswith((b"left ", b'"', b"'", b";", b">", b" ")), data[:start]
        assert b"-----END" not in data[end:]
        assert re.fullmatch(
            rb"-?|(?:\\*n|%0[AD]|&quot;|[]\\\"'}\s]|</?[a-z]+>)*(?: right)?", data[end:]
        ), data[end:]


def test_a_key_of_another_text_is_left_alone() -> None:
    """One character makes the difference, wherever it is."""
    scanner = scanner_of(SHORT_PEM)
    for at in range(0, len(SHORT_PEM.strip()), 5):
        other = SHORT_PEM[:at] + "?" + SHORT_PEM[at + 1 :]
        for shown in (other, json.dumps(other), quote(other), b64encode(other.encode()).decode()):
            data = shown.encode()
            if SHORT_PEM[at] != "\n":
                assert masked(scanner, data) == data
                assert masked(scanner, data, [at, 7]) == data

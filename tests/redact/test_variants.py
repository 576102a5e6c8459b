"""The forms that a secret value is searched for in, made by what would make them in an app."""

import html
import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import flask.json
import jinja2
import markupsafe
import pytest
from django.utils.html import escape as django_escape
from hypothesis import given
from hypothesis import strategies as st

from mantlet.redact.strength import weak_reason
from mantlet.redact.variants import encoded_variants

SECRET = "p@ss/w\"o<r&d 'x+ý=Z9"


def is_found(text: str | bytes, value: str = SECRET) -> bool:
    data = text.encode() if isinstance(text, str) else text
    return any(form in data for form in encoded_variants(value.encode()))


@pytest.mark.parametrize(
    "encoded",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(SECRET).replace("/", "\\/"),
        json.dumps(SECRET).replace("\\u00fd", "\\u00FD"),
        flask.json.dumps({"key": SECRET}),
        jinja2.Environment(autoescape=True).from_string("{{ x|tojson }}").render(x=SECRET),
        jinja2.Environment(autoescape=True).from_string("{{ x }}").render(x=SECRET),
        html.escape(SECRET),
        html.escape(SECRET, quote=False),
        str(markupsafe.escape(SECRET)),
        str(django_escape(SECRET)),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="!'()*~"),
        quote(SECRET, safe=";/?:@&=+$,#!'()*~"),
        quote(quote(SECRET, safe=""), safe=""),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
    ],
    ids=range(20),
)
def test_a_value_is_found_as_an_app_would_encode_it(encoded: str) -> None:
    """In JSON, HTML and URLs as the libraries that apps use write it."""
    assert is_found(f"before {encoded} behind")


def test_url_encodings_in_lower_case_are_found() -> None:
    """Also where one of two encodings is in lower case."""
    lower = "p%40ss%2fw%22o%3cr%26d%20%27x%2b%c3%bd%3dZ9"
    assert is_found(lower)
    assert is_found(lower.replace("%", "%25"))
    assert is_found(quote(quote(SECRET, safe=""), safe="").lower().replace("z9", "Z9"))


@given(st.binary(max_size=7), st.binary(max_size=7), st.binary(min_size=8, max_size=40))
def test_base64_is_found_wherever_the_value_stands_in_it(
    before: bytes, behind: bytes, value: bytes
) -> None:
    """At each place in a group of three bytes, in both alphabets, and padded or not."""
    whole = before + value + behind
    for encoded in (b64encode(whole), urlsafe_b64encode(whole), b64encode(whole).rstrip(b"=")):
        assert any(form in encoded for form in encoded_variants(value))


@pytest.mark.parametrize("user", ["", "a", "bo", "eve", "user@example.com"])
def test_basic_credentials_are_found_for_any_user(user: str) -> None:
    """RFC 7617, 2: the value is the password, or the user's name."""
    for pair in (f"{user}:{SECRET}", f"{SECRET}:{user}"):
        assert is_found(b"Basic " + b64encode(pair.encode()))


def test_the_password_in_a_url_is_a_secret_too() -> None:
    """It gets out without the rest of the URL, in the words of a driver, say."""
    url = "postgresql://app:s3cr3t%2FPa55@db.internal/app"
    assert is_found("password authentication failed: s3cr3t/Pa55", url)
    assert not is_found("db.internal/app", url)
    assert not is_found("x", "http://[::1")


def test_bytes_that_are_no_text_have_forms_too() -> None:
    """A key of random bytes."""
    key = bytes(range(0x80, 0xA0))
    assert any(form in key.hex().encode() for form in encoded_variants(key))
    assert any(form in b64encode(b"." + key) for form in encoded_variants(key))


def test_a_value_is_found_in_latin_1() -> None:
    """As header fields have it, and older pages."""
    assert is_found("<b>pässwörd-1</b>".encode("latin-1"), "pässwörd-1")


def test_an_ordinary_key_has_few_forms() -> None:
    """Six patterns for a value that nothing escapes, so that 15 of them are 90."""
    assert len(encoded_variants(b"abcdefgh12345678k")) == 6


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a",
        "s3cr3t!",
        "aaaaaaaaaaaa",
        "abababab",
        "password",
        "production",
        "Changeme",
        "12345678",
    ],
)
def test_a_value_that_responses_contain_by_chance_is_weak(value: str) -> None:
    """Short values, and words."""
    why = weak_reason(value.encode())
    assert why is not None
    assert value == "" or value not in why.split()


@pytest.mark.parametrize(
    "value",
    ["a8Kd02kX", "hunter2-hunter2", "correcthorsebatterystaple", "f" * 2 + "0123456789abcdef"],
)
def test_a_value_that_is_hard_to_guess_is_not_weak(value: str) -> None:
    """From eight random characters on."""
    assert weak_reason(value.encode()) is None

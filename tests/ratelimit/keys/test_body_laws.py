"""Laws of keys in the body: as frameworks read it, whatever a client makes of it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any
from unicodedata import normalize
from urllib.parse import quote_plus

import pytest
from django.core.exceptions import BadRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http.multipartparser import MultiPartParserError
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.wrappers import Request as WerkzeugRequest

from mantlet.http.forms import is_field_name
from mantlet.ratelimit.keys.key import Ambiguous, casefold_key
from tests.drive import Adapter, both_adapters, make_environ
from tests.integrations.django_site import django_site
from tests.ratelimit.keys.asking import read_form, read_json
from tests.ratelimit.keys.test_body_keys import (
    MULTIPART,
    URLENCODED,
    ask_form,
    ask_json,
    multipart,
    part,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

marks = b"\r\n|\r|\n|\"|'|;|=|&|%|\\|*| |\t|\0|\xff|\xc2\xa0|:|--|%75|+|,|{|}|[|]|1|null".split(
    b"|"
)
words = [b"--b", b"--b--", b"username", b'name="username"', b"filename=x", b"charset=utf-16"]
whole = [b"&username=evil", b'"username":1,', part("evil").encode()]
tokens = st.sampled_from(marks + words + whole)
edits = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 5), tokens), max_size=3)


def edited(body: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Return a body with some of its bytes replaced."""
    for start, length, put in changes:
        at = start % (len(body) + 1)
        body = body[:at] + put + body[at + length :]
    return body


@pytest.fixture(scope="module")
def _django() -> Iterator[None]:
    with django_site("wsgi", index=lambda _request: ""):
        yield


class InMemory(WerkzeugRequest):
    """Keeps files without having to close them."""

    def _get_file_stream(self, *_: Any, **__: Any) -> io.BytesIO:
        return io.BytesIO()


def read_by_frameworks(kind: str, body: bytes) -> list[str]:
    """Return all that Werkzeug and Django find for the field."""
    found: list[str] = []
    environ = make_environ("POST", body=body, headers=[("Content-Type", kind)])
    found += InMemory(environ).form.getlist("username")
    environ = make_environ("POST", body=body, headers=[("Content-Type", kind)])
    try:
        found += WSGIRequest(environ).POST.getlist("username")
    except (BadRequest, MultiPartParserError, LookupError, UnicodeError):
        return found
    return found


@pytest.mark.usefixtures("_django")
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (URLENCODED, b"a=b&username=alice&c=d"),
        (MULTIPART, multipart(part("alice"), part("x", 'form-data; name="f"; filename="a"'))),
    ],
    ids=["urlencoded", "multipart"],
)
@given(changes=edits)
@example(changes=[])
def test_no_form_has_frameworks_read_another_account(
    kind: str, body: bytes, changes: list[tuple[int, int, bytes]]
) -> None:
    """What they find is what is found here, or the form has the key of all that is unclear."""
    changed = edited(body, changes)
    try:
        found = read_form(changed, kind)
    except Ambiguous:
        return
    for value in read_by_frameworks(kind, changed):
        assert found is not None
        assert casefold_key(value) == casefold_key(found)
    assert changes or found == "alice"


@given(changes=edits)
def test_no_json_has_the_standard_library_read_another_account(
    changes: list[tuple[int, int, bytes]],
) -> None:
    """What it finds is what is found here, or the body has the key of all that is unclear."""
    changed = edited(b'{"a": [1, {"username": "x"}], "username": "alice", "b": null}', changes)
    try:
        found = read_json(changed, "username")
    except Ambiguous:
        return
    try:
        theirs = json.loads(changed)
    except ValueError:
        return
    value = theirs.get("username") if isinstance(theirs, dict) else None
    assert found == (None if value is None else str(value))


@both_adapters
@given(
    body=st.binary(max_size=60) | edits.map(lambda changes: edited(b"", changes)),
    kind=st.sampled_from([URLENCODED, MULTIPART, "application/json", "", "\xff;;=", 'a;b="'])
    | st.text(st.characters(max_codepoint=0xFF, exclude_characters="\x00\r\n"), max_size=20),
)
def test_no_body_raises_anything(adapter: Adapter, body: bytes, kind: str) -> None:
    """Each key is None or a short text."""
    for found in (ask_form(adapter, body, kind), ask_json(adapter, body)):
        assert found is None or len(found) <= 64


@given(name=st.text(min_size=1, max_size=20), value=st.text(max_size=80))
def test_every_value_is_found_however_it_is_sent(name: str, value: str) -> None:
    """Urlencoded, multipart and as JSON it is the same account."""
    document = json.dumps({"a": 1, name: value}).encode()
    assert read_json(document, name) == value
    if not (name + value).isprintable() or not is_field_name(name):
        return
    form = f"{quote_plus(name)}={quote_plus(value)}".encode()
    assert read_form(form, URLENCODED, name) == value
    body = multipart(part(value, f'form-data; name="{name}"'))
    if "--b" in value or "--b" in name:
        return
    assert read_form(body, MULTIPART, name) == value


@given(st.text())
def test_a_name_is_folded_once_and_for_all(text: str) -> None:
    """White space around it, case and compatibility make no difference."""
    assert casefold_key(f" {text}\t\u3000") == casefold_key(text)
    if text.isascii():
        lower = text.strip().lower()
        assert casefold_key(text.upper()) == casefold_key(normalize("NFKD", text)) == lower


def test_a_very_long_name_takes_little_time() -> None:
    """Normalization of marks takes time by the square of their number."""
    assert casefold_key("\u0300\u0316" * 100_000) == "\u0300\u0316" * 100_000
    assert casefold_key("A\u0300\u0316") == "\xe0\u0316"

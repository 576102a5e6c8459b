"""No form has a framework read another account than the limiter does."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mantlet.ratelimit.keys.key import Ambiguous
from tests.guard.bodies.forms.peers import PEERS
from tests.ratelimit.keys.asking import read_form
from tests.ratelimit.keys.test_body_keys import FIELD, MULTIPART, OTHER, URLENCODED, multipart, part
from tests.ratelimit.keys.test_body_laws import edited

NAME = "username"
FILE = 'form-data; name="f"; filename="a"'

Edits = list[tuple[int, int, bytes]]

_marks = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\r",
            b"\n",
            b" ",
            b"\t",
            b":",
            b" :",
            b";",
            b"=",
            b"&",
            b'"',
            b"'",
            b"%",
            b"+",
        ),
        *(b"/", b"\\", b"*", b"\0", b"\xff", b"\xc3\xa9", b"--", b"--b", b"--b--", b"%22", b"%75"),
        *(b"username", b"&username=evil", part("evil").encode(), b"; filename=x", b"; name=x"),
        *(b"\r\nX-Other: y", b"\r\nContent-Length: 3", b"\r\nContent-Type: text/plain"),
        *(b"; charset=utf-16", b"; charset=us-ascii", b"\r\nContent-Encoding: gzip", b"x"),
    ]
)
_edits = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 5), _marks), min_size=1, max_size=3)

WHOLE = multipart(part("x", OTHER), part("alice"), part("y", FILE, "Content-Type: text/plain"))


def accounts(name: str, body: bytes, kind: str) -> list[str | bytes] | None:
    """Return all that one framework finds for the field, or None where it refuses the form."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            reading = PEERS[name](body, kind)
        except Exception:
            return None
    found: list[str | bytes] = [value for field, value in reading.fields if field == NAME]
    return found + [value for field, value in reading.files if field == NAME]


def check(body: bytes, kind: str) -> str | None:
    """Check that all frameworks read what is read here, if anything is; return it."""
    try:
        found = read_form(body, kind)
    except Ambiguous:
        return None
    for name in PEERS:
        theirs = accounts(name, body, kind)
        assert theirs in (None, [] if found is None else [found]), name
    return found


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (URLENCODED, b"username=alice"),
        (URLENCODED, b"a=b&user%6eame=%61lice&c"),
        (MULTIPART, WHOLE),
        (f"{MULTIPART}; charset=UTF-8", WHOLE),
        (MULTIPART, multipart(part("alice", 'FORM-DATA;NAME="username"'))),
        (MULTIPART, multipart(part("alice", FIELD, "X-Other: y", "x: \xe9"))),
        (MULTIPART, multipart(part("alice", FIELD, "Content-Type: text/plain; charset=us-ascii"))),
        (MULTIPART, multipart(part("alice", FIELD, "Content-Length: 5"))),
        (
            MULTIPART,
            multipart(part("z", "form-data; name=f; filename*=utf-8''a"), part("alice")),
        ),
        (
            MULTIPART,
            multipart(
                part("z", "form-data; name=f; filename=a; filename*=utf-8''a"), part("alice")
            ),
        ),
    ],
    ids=lambda value: repr(value)[-50:],
)
def test_what_has_a_key_is_read_alike(kind: str, body: bytes) -> None:
    """Each of the ways to write a form that has a key of its own is read by all, to the same."""
    assert check(body, kind) == "alice"
    for name in PEERS:
        assert accounts(name, body, kind) == ["alice"], name


@pytest.mark.parametrize("charset", ["utf8", "us-ascii", '"UTF-8"'])
def test_a_charset_by_another_name_is_read_alike_or_refused(charset: str) -> None:
    """Django takes no urlencoded form then (but of ``UTF-8``)."""
    assert check(b"username=alice", f"{URLENCODED}; charset={charset}") == "alice"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param(
            MULTIPART,
            multipart(part("alice")).replace(b"Disposition:", b"Disposition :"),
            id="space before the colon",
        ),
        pytest.param(
            MULTIPART, multipart(part("alice", 'form-data; name="/username"')), id="slash"
        ),
        pytest.param(URLENCODED, b"username=alice\r\n", id="line end behind"),
    ],
)
def test_what_frameworks_read_differently_has_no_key_of_its_own(kind: str, body: bytes) -> None:
    """They do differ, and none of what they read is returned."""
    assert len({str(accounts(name, body, kind)) for name in PEERS}) > 1
    with pytest.raises(Ambiguous):
        read_form(body, kind)


@given(_edits)
@example([(0, 0, b"")])
@settings(max_examples=200)
def test_no_multipart_form_has_a_framework_read_another_account(changes: Edits) -> None:
    """Whatever is changed in it."""
    check(edited(WHOLE, changes), MULTIPART)


@given(_edits)
@settings(max_examples=150)
def test_no_urlencoded_form_has_a_framework_read_another_account(changes: Edits) -> None:
    """Whatever is changed in it."""
    check(edited(b"a=b&username=al%20ice&c=d", changes), URLENCODED)


@given(st.lists(st.tuples(st.text(max_size=6) | st.just(NAME), st.text(max_size=6)), max_size=4))
@settings(max_examples=100)
def test_no_fields_have_a_framework_read_another_account(fields: list[tuple[str, str]]) -> None:
    """Whatever they are called, and whatever is in them."""
    parts = [f'--b\r\nContent-Disposition: form-data; name="{a}"\r\n\r\n{b}\r\n' for a, b in fields]
    check("".join([*parts, "--b--\r\n"]).encode("utf-8", "surrogatepass"), MULTIPART)


@given(
    st.sampled_from([URLENCODED, MULTIPART]),
    st.lists(
        st.tuples(
            st.integers(0, 60),
            st.integers(0, 2),
            st.sampled_from(
                [
                    *(b";", b" ", b"\t", b'"', b"=", b",", b"\\", b"*", b"; charset=", b"utf8"),
                    *(b"us-ascii", b"utf-16", b"boundary=c", b"; ", b"text/plain", b"x"),
                ]
            ),
        ),
        max_size=3,
    ),
)
@settings(max_examples=150)
def test_no_media_type_has_a_framework_read_another_account(kind: str, changes: Edits) -> None:
    """Where a form is read at all here, it is what the frameworks read, if they take it for one."""
    changed = edited(kind.encode(), changes).decode()
    body = b"username=%C3%A9" if kind == URLENCODED else multipart(part("\xe9"))
    try:
        found = read_form(body, changed)
    except Ambiguous:
        return
    for name in PEERS:
        assert found is None or accounts(name, body, changed) in (None, [], [found]), name

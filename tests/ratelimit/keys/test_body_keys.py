"""Keys that are in the body, as the app behind reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import mantlet
from mantlet.ratelimit import keys
from mantlet.ratelimit.keys import hash_if_long
from mantlet.ratelimit.keys.key import AMBIGUOUS, MISSING
from tests.drive import ADAPTERS, Adapter, both_adapters, drive_asgi, drive_wsgi
from tests.ratelimit.keys.asking import Asks, ask

if TYPE_CHECKING:
    from mantlet._internal.asgi_types import Receive, Scope, Send

ASGI, _ = ADAPTERS
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
FIELD = 'form-data; name="username"'
OTHER = 'form-data; name="other"'


def part(value: str, disposition: str = FIELD, *fields: str) -> str:
    """Return a part, with the delimiter before it."""
    head = "\r\n".join((f"Content-Disposition: {disposition}", *fields))
    return f"--b\r\n{head}\r\n\r\n{value}\r\n"


def multipart(*parts: str) -> bytes:
    """Return a form of these parts."""
    return ("".join(parts) + "--b--\r\n").encode()


def ask_form(adapter: Adapter, body: bytes, kind: str = URLENCODED, **options: Any) -> str | None:
    """Return the key of a form's field ``username``."""
    headers = [("Content-Type", kind)] if kind else []
    key = keys.form("username", **options)
    return ask(adapter, key, method="POST", headers=headers, body=body)


def ask_json(
    adapter: Adapter, body: bytes | str, name: str = "username", *, kind: str = "", **options: Any
) -> str | None:
    """Return the key of a member of a JSON body."""
    raw = body.encode() if isinstance(body, str) else body
    headers = [("Content-Type", kind)] if kind else []
    return ask(adapter, keys.json(name, **options), method="POST", headers=headers, body=raw)


# -- forms ----------------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    "kind",
    [
        URLENCODED,
        URLENCODED.upper(),
        f"{URLENCODED}; charset=UTF-8",
        f' {URLENCODED} ;charset="utf8";',
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b"username=alice",
        b"a=b&username=alice&password=s%3Bcret",
        b"username=%20Alice+&x",
        b"user%6eame=%41lice",
        b"username=%EF%BC%A1lice",
    ],
)
def test_a_field_of_an_urlencoded_form_is_the_account(
    adapter: Adapter, kind: str, body: bytes
) -> None:
    """Case, white space around it and compatible letters make no other account."""
    assert ask_form(adapter, body, kind) == "alice"


@both_adapters
@pytest.mark.parametrize(
    "body",
    [
        multipart(part("alice")),
        multipart(part("x", OTHER), part("Alice ")),
        multipart(part("alice", "form-data; name=username")),
        multipart(part("alice", 'FORM-DATA;NAME="username"')),
        multipart(part("alice", FIELD, "Content-Type: text/plain; charset=utf-8")),
        multipart(part("alice", FIELD, "Content-Transfer-Encoding: 8bit", "X-Other: y")),
        multipart(part("alice", FIELD, "Content-Type: text/plain; charset=US-ASCII")),
        multipart(part("alice", FIELD, "Content-Length: 5")),
        multipart(part("alice"), part("\x00\r\n--", 'form-data; name="f"; filename="a;b=c.txt"')),
        multipart(part("alice"), part("", "form-data; name=f; filename*=UTF-8''%e2%82%ac")),
        # .NET's way.
        multipart(part("x", "form-data; name=f; filename=a; filename*=utf-8''a"), part("alice")),
        multipart(part("alice"), part("", 'form-data; name="f"; filename="\u20ac"')),
        b"\r\n" + multipart(part("alice")).rstrip(),
    ],
    ids=lambda body: repr(body)[-60:],
)
def test_a_field_of_a_multipart_form_is_the_account(adapter: Adapter, body: bytes) -> None:
    """As browsers, curl and the clients of several languages send it."""
    for kind in (MULTIPART, 'Multipart/Form-Data; charset=utf-8; Boundary="b"'):
        assert ask_form(adapter, body, kind) == "alice"


@both_adapters
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (URLENCODED, b""),
        (URLENCODED, b"user=alice"),
        (URLENCODED, b"Username=alice&username[]=alice&%20username=x"),
        (MULTIPART, b""),
        (MULTIPART, multipart(part("alice", OTHER))),
        ("", b""),
        ("application/json", b'{"username": "alice"}'),
        ("application/vnd.api+json; version=1", b'{"username": "alice"}'),
        ("application/json", b'{"x": "username=alice"}'),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_form_without_the_field_has_no_key(adapter: Adapter, kind: str, body: bytes) -> None:
    """Nor has JSON, where no parser of forms could find the field."""
    assert ask_form(adapter, body, kind) is None
    assert ask_form(adapter, body, kind, missing="share") == MISSING


@both_adapters
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("", b"username=alice"),
        ("text/plain", b"username=alice"),
        ("text/plain", b"x"),
        ("application/x-unknown", b"username=alice"),
        ("application/octet-stream", b"\x00"),
        # Litestar parses the form that the handler declares, whatever comes.
        ("application/json", b"username=alice"),
        ("application/json", b'{"x":"&user%6Eame=alice&"}'),
        ("application/json; boundary=b", multipart(part("alice"))),
        ("multipart/mixed; boundary=b", multipart(part("alice"))),
        (MULTIPART, multipart(part("&username=alice&", OTHER))),
        # Falcon takes the type that it knows from a list or a range, Django REST framework too.
        (f"{URLENCODED}, text/plain", b"username=alice"),
        (f"text/plain, {URLENCODED}", b"username=alice"),
        (f"{URLENCODED}, {URLENCODED}", b"username=alice"),
        (f"{URLENCODED}; q=0.5", b"username=alice"),
        (f"{URLENCODED}; boundary=b", b"username=alice"),
        ("multipart/*; boundary=b", multipart(part("alice"))),
        ("*/*", b"username=alice"),
        ("application/*", b"username=alice"),
        ("*", b"username=alice"),
        ("form", b"username=alice"),
        (f"{URLENCODED}\x0b", b"username=alice"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_type_that_some_take_for_a_form_has_the_key_of_all_such(
    adapter: Adapter, kind: str, body: bytes
) -> None:
    """It is not without a key, so nobody dodges a rule by it."""
    assert ask_form(adapter, body, kind) == AMBIGUOUS


@both_adapters
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        # Frameworks take the first, or the last.
        (URLENCODED, b"username=alice&username=bob"),
        (URLENCODED, b"username=alice&user%6eame=alice"),
        # Some take a semicolon for an ampersand.
        (URLENCODED, b"a=b;username=alice"),
        (URLENCODED, b"username=alice;a"),
        # Some read bytes as latin-1; some replace what is not UTF-8, some leave it escaped.
        (URLENCODED, b"username=\xc3\xa9"),
        (URLENCODED, b"username=%FF"),
        (URLENCODED, b"a=\xff&username=alice"),
        # aiohttp strips that from the end of a body.
        (URLENCODED, b"username=alice\r\n"),
        (URLENCODED, b"a=b&username=alice "),
        # What no serializer writes, or no database keeps, is not known to be read alike.
        (URLENCODED, b"username=al\x00ice"),
        (URLENCODED, b"username=alice%00"),
        (URLENCODED, b"username=100%"),
        (URLENCODED, b"username=alice&"),
        # Some read only so many.
        (URLENCODED, b"&" * 1000 + b"username=alice"),
        (f"{URLENCODED}; charset=utf-16", b"username=alice"),
        (f"{URLENCODED}; charset=latin-1; charset=utf-8", b"username=alice"),
        (f"{URLENCODED}; x", b"username=alice"),
        (f'{URLENCODED}; x="; charset=utf-16"', b"username=alice"),
        (f"{URLENCODED}; charset=us-ascii", b"username=%C3%A9"),
    ],
    ids=lambda value: repr(value)[-40:],
)
def test_an_urlencoded_form_that_reads_in_two_ways_has_the_key_of_all_such(
    adapter: Adapter, kind: str, body: bytes
) -> None:
    """Nobody gets a bucket of their own by it."""
    assert ask_form(adapter, body, kind) == AMBIGUOUS


@both_adapters
@pytest.mark.parametrize(
    "body",
    [
        multipart(part("alice"), part("bob")),
        multipart(part("alice"), part("alice", 'form-data; name=" username "')),
        multipart(part("alice", 'form-data; name="username"; filename=""')),
        multipart(part("alice", "form-data; name=username; filename*=UTF-8''x")),
        multipart(part("alice", "form-data; name*=utf-8''username")),
        multipart(part("alice", "form-data; name=\"a\"; name*=utf-8''username")),
        multipart(part("alice", 'form-data; name="a"; name="username"')),
        multipart(part("alice", 'form-data; name="a"; name*0="user"; name*1="name"')),
        multipart(part("alice", 'form-data; filename="a\\"; name=\\"username"; name="a"')),
        multipart(part("alice", 'form-data; name="user\\name"')),
        multipart(part("alice", 'form-data; name="a')),
        # Slashes some strip; some cut at a semicolon; some undo percent-encodings.
        multipart(part("alice", 'form-data; name="/username"')),
        multipart(part("alice", 'form-data; name="username;a"')),
        multipart(part("alice", 'form-data; name="user%22name"')),
        multipart(part("utf-16", 'form-data; name="_charset_"'), part("alice")),
        # Django reads no field there.
        multipart(part("alice")).replace(b"Disposition:", b"Disposition :"),
        multipart(part("alice", FIELD, "Content-Type : text/plain")),
        multipart(part("alice", FIELD, "X-A : b")),
        # Litestar refuses a wrong length; a part that says that it is compressed may be.
        multipart(part("alice", FIELD, "Content-Length: 3")),
        multipart(part("alice", FIELD, "Content-Encoding: deflate")),
        # aiohttp leaves JSON as bytes and refuses parts of a part, Werkzeug replaces non-ASCII.
        multipart(part('"alice"', FIELD, "Content-Type: application/json")),
        multipart(part("alice", FIELD, "Content-Type: multipart/mixed; boundary=c")),
        multipart(part("\xe9", FIELD, "Content-Type: text/plain; charset=us-ascii")),
        multipart(part("alice\x00")),
        multipart(part("alice", OTHER, f"Content-Disposition: {FIELD}")),
        multipart(part("alice", 'attachment; name="username"')),
        multipart(part("alice", "form-data")),
        multipart(part("YWxpY2U=", FIELD, "Content-Transfer-Encoding: base64")),
        multipart(part("alice", FIELD, "Content-Type: text/plain; charset=utf-16")),
        multipart(part("alice", FIELD, "Content-Type: text/plain; charset")),
        multipart(part("alice", FIELD, " folded")),
        multipart(part("alice", FIELD, "X-A: b", " folded")),
        multipart(part("alice", FIELD, "nonsense")),
        multipart(part("alice", FIELD, *["X-A: b"] * 10)),
        multipart(part("alice")).replace(b"alice", b"\xff"),
        multipart(part("x", OTHER), part("alice")).replace(b"other", b"\xff"),
        multipart(part("alice")).replace(b"\r\n", b"\n"),
        multipart(part("x", OTHER).replace("x\r\n", "x\n"), part("alice")),
        multipart(part("x", OTHER).replace("x\r\n", "x\r"), part("alice")),
        multipart(part("alice"))[:-6],
        multipart(part("alice"))[:10],
        multipart() + multipart(part("alice")),
        multipart(part("x", OTHER)) + part("alice").encode(),
        multipart(part("x", OTHER)) + part("alice")[5:].encode(),
        f"Content-Disposition: {FIELD}\r\n\r\nalice\r\n".encode() + multipart(part("x", OTHER)),
        multipart(*[part("x", OTHER)] * 1001),
        b"\x00" * 100,
        b"username=alice",
    ],
    ids=lambda body: repr(body)[-90:],
)
def test_a_multipart_form_that_reads_in_two_ways_has_the_key_of_all_such(
    adapter: Adapter, body: bytes
) -> None:
    """Nobody gets a bucket of their own by it."""
    assert ask_form(adapter, body, MULTIPART, limit=100_000) == AMBIGUOUS


@both_adapters
@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=c",
        "multipart/form-data; boundary=b; boundary=c",
        "multipart/form-data; boundary*=utf-8''b",
        "multipart/form-data; boundary=b; charset=cp037",
        "multipart/form-data; boundary=b, text/plain",
        'multipart/form-data; x="; boundary=c; y="; boundary=b',
        "multipart/form-data; boundary=" + "b" * 2000,
        'multipart/form-data; boundary="\xe9"',
        'multipart/form-data; boundary="b',
    ],
    ids=lambda kind: kind[19:60],
)
def test_a_boundary_that_reads_in_two_ways_has_the_key_of_all_such(
    adapter: Adapter, kind: str
) -> None:
    """Whatever the form would be."""
    assert ask_form(adapter, multipart(part("alice")), kind) == AMBIGUOUS


def test_a_boundary_that_is_too_long_is_malformed() -> None:
    """RFC 2046, 5.1.1, allows 70 characters."""
    for length in (70, 71, 2000):
        boundary = "b" * length
        body = multipart(part("alice")).replace(b"--b", f"--{boundary}".encode())
        kind = f"multipart/form-data; boundary={boundary}"
        found = ask_form(ASGI, body, kind)
        assert found == ("alice" if length == 70 else AMBIGUOUS)


def test_two_lines_of_a_media_type_have_the_key_of_all_such() -> None:
    """Starlette takes the first line, Litestar the last."""
    for kinds in (
        (URLENCODED, "text/plain"),
        ("text/plain", URLENCODED),
        (URLENCODED, URLENCODED),
    ):
        headers = [("content-type", kind) for kind in kinds]
        body = b"username=alice"
        found = ask(ASGI, keys.form("username"), method="POST", headers=headers, body=body)
        assert found == AMBIGUOUS


# -- JSON -----------------------------------------------------------------------------------------


@both_adapters
@pytest.mark.parametrize(
    "body",
    [
        '{"username": "alice"}',
        ' \t\r\n{"a": {"username": "x"}, "username": " Alice\\n", "b": [1.5, null, true]}',
        '{"user\\u006eame": "\\u0041lice"}',
        '{"username": "\uff21lice", "n": NaN, "i": -Infinity}',
        '{"username": "alice", "a": 1, "a": 2}',
        '{"username": "alice\t"}',
        '{"username": "alice", "n": ' + "9" * 10_000 + "}",
        '{"username": "alice"}'.encode("utf-16"),
        '{"username": "alice"}'.encode("utf-32-be"),
        b'\xef\xbb\xbf{"username": "alice"}',
    ],
    ids=lambda body: repr(body)[:50],
)
def test_a_member_of_a_json_body_is_the_account(adapter: Adapter, body: bytes | str) -> None:
    """In what encoding it ever comes, and beside what other members."""
    assert ask_json(adapter, body) == "alice"


@both_adapters
@pytest.mark.parametrize(
    ("name", "key"),
    [
        # RFC 6901, 5
        ("/foo/0", "bar"),
        ("/foo/1", "baz"),
        ("/", "0"),
        ("/a~1b", "1"),
        ("/c%d", "2"),
        ("/e^f", "3"),
        ("/g|h", "4"),
        ("/i\\j", "5"),
        ('/k"l', "6"),
        ("/ ", "7"),
        ("/m~0n", "8"),
        ("c%d", "2"),
        # 4: the tilde comes last.
        ("/~01", "9"),
        ("/foo/2", None),
        ("/foo/00", None),
        ("/foo/-", None),
        ("/foo/9999999999", None),
        ("/foo/0/x", None),
        ("/nothing/x", None),
        ("a~1b", None),
    ],
)
def test_a_json_pointer_leads_to_a_member(adapter: Adapter, name: str, key: str | None) -> None:
    """The document of RFC 6901, 5; its integers are keys as well."""
    document = (
        r'{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5,'
        r' "k\"l": 6, " ": 7, "m~n": 8, "~1": 9}'
    )
    assert ask_json(adapter, document, name) == key


@both_adapters
def test_a_pointer_may_begin_in_an_array_and_meet_what_comes_twice(adapter: Adapter) -> None:
    """A repeated name matters only on the path."""
    assert ask_json(adapter, '[{"a": "x"}]', "/0/a") == "x"
    assert ask_json(adapter, '{"u": {"n": "x"}, "u": {"n": "y"}}', "/u/n") == AMBIGUOUS
    assert ask_json(adapter, '{"u": {"n": "x", "n": "x"}}', "/u/n") == AMBIGUOUS
    assert ask_json(adapter, '{"u": {"n": "x", "m": 1, "m": 2}}', "/u/n") == "x"


@both_adapters
@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        '{"Username": "alice"}',
        '{"username": null}',
        '{"a": {"username": "alice"}}',
        '["username", "alice"]',
        '"username"',
        "null",
        "1",
    ],
    ids=ascii,
)
def test_a_body_without_the_member_has_no_key(adapter: Adapter, body: bytes | str) -> None:
    """Nor has one that is no JSON object."""
    assert ask_json(adapter, body) is None
    assert ask_json(adapter, body, missing="share") == MISSING


@both_adapters
def test_a_form_has_no_key_by_a_member(adapter: Adapter) -> None:
    """Unless it is JSON: Starlette and Litestar read that whatever its type says."""
    assert ask_json(adapter, b"username=alice", kind=URLENCODED) is None
    assert ask_json(adapter, multipart(part("alice")), kind=MULTIPART) is None
    assert ask_json(adapter, b'{"username": "alice"}', kind=URLENCODED) == "alice"
    assert ask_json(adapter, b'/**/{"username": "alice"}', kind=URLENCODED) == AMBIGUOUS
    assert ask_json(adapter, b"+AHs-}", kind=f"{URLENCODED}; charset=utf-7") == AMBIGUOUS


@both_adapters
@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("application/json", "alice"),
        ("application/json;", "alice"),
        ("application/json; charset=utf-8", "alice"),
        ('application/json; charset="UTF8"', "alice"),
        ("application/json; charset=us-ascii", "alice"),
        ('application/vnd.api+json; profile="https://example.com/a"', "alice"),
        ("text/plain;charset=UTF-8", "alice"),
        # Django REST framework and aiohttp decode what these say.
        ("application/json; charset=utf-7", AMBIGUOUS),
        ("application/json; charset=utf-16", AMBIGUOUS),
        ("application/json; charset=utf-32", AMBIGUOUS),
        ("application/json; charset=cp037", AMBIGUOUS),
        ("application/json; charset=iso-2022-jp", AMBIGUOUS),
        ("text/plain; charset=utf-7", AMBIGUOUS),
        ("application/json; charset=utf-8; charset=utf-7", AMBIGUOUS),
        ("application/json; charset*=utf-8''utf-7", AMBIGUOUS),
        ("application/json; charset", AMBIGUOUS),
        ('application/json; x="; charset=utf-7"', AMBIGUOUS),
        ("application/json, application/json", AMBIGUOUS),
        ("application/*", AMBIGUOUS),
        ("*/*", AMBIGUOUS),
    ],
)
def test_json_in_another_charset_has_the_key_of_all_such(
    adapter: Adapter, kind: str, key: str
) -> None:
    """The same bytes may be another document to the app."""
    assert ask_json(adapter, '{"username": "alice"}', kind=kind) == key


@both_adapters
def test_json_that_is_not_ascii_is_not_read_as_ascii(adapter: Adapter) -> None:
    """Parsers replace such bytes, or fail."""
    kind = "application/json; charset=us-ascii"
    assert ask_json(adapter, '{"username": "\xe9"}', kind=kind) == AMBIGUOUS


@both_adapters
@pytest.mark.parametrize(
    "body",
    [
        '{"username": "alice", "username": "bob"}',
        '{"username": "alice", "user\\u006eame": "alice"}',
        # A validator may take these for a string or a number.
        '{"username": true}',
        '{"username": 1.0}',
        '{"username": 1e0}',
        '{"username": NaN}',
        '{"username": ["alice"]}',
        '{"username": {}}',
        '{"username": "alice"',
        '{"username": "alice"} x',
        '{"username": "alice",}',
        "{'username': 'alice'}",
        '{"username": "alice" /* x */}',
        '/* x */ {"username": "alice"}',
        '// x\n{"username": "alice"}',
        '# x\n{"username": "alice"}',
        '\xa0{"username": "alice"}',
        '\x0b{"username": "alice"}',
        ')]}\'\n{"username": "alice"}',
        '+AHs-"username": "alice"}',
        "username: alice",
        "username=alice",
        "\x00\x01\x02",
        b"\xff\xfe",
        '{"username": "alice", "a": 01}',
        '{"username": "alice", "a": ' + "[" * 5000 + "]" * 5000 + "}",
        "[" * 60_000,
        '{"a":' * 10_000,
        b'{"username": "\xff"}',
        b'{"username": "alice", "a": "\xe9"}',
        '{"username": "alice"}'.encode("utf-16")[:-1],
    ],
    ids=lambda body: repr(body)[:50],
)
def test_a_json_body_that_reads_in_two_ways_has_the_key_of_all_such(
    adapter: Adapter, body: bytes | str
) -> None:
    """What one parser refuses another may read."""
    assert ask_json(adapter, body) == AMBIGUOUS


@both_adapters
@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("7", "7"),
        ("-7", "-7"),
        ("9" * 5000, hash_if_long("9" * 5000)),
        ('"7"', "7"),
        ('""', ""),
        ('"\\ud800"', hash_if_long("\ud800")),
        ('"#ambiguous"', hash_if_long(AMBIGUOUS)),
        ('"' + "x" * 5000 + '"', hash_if_long("x" * 5000)),
        ('"\\u0000"', hash_if_long("\x00")),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_member_makes_a_short_key(adapter: Adapter, text: str, key: str) -> None:
    """And none that another kind of key has."""
    assert ask_json(adapter, f'{{"username": {text}}}') == key
    assert key != AMBIGUOUS


# -- both -----------------------------------------------------------------------------------------


@both_adapters
def test_another_function_may_normalize_or_none(adapter: Adapter) -> None:
    """What it returns is bounded too."""
    body = b"username=%20Alice"
    assert ask_form(adapter, body, normalize=None) == " Alice"
    assert ask_form(adapter, body, normalize=str.lower) == " alice"
    assert ask_form(adapter, body, normalize=lambda text: text * 100) == hash_if_long(
        " Alice" * 100
    )
    assert ask_json(adapter, '{"username": " Alice"}', normalize=None) == " Alice"


@both_adapters
def test_a_body_that_is_compressed_has_the_key_of_all_such(adapter: Adapter) -> None:
    """The app may decompress it."""
    for encoding, found in (("gzip", AMBIGUOUS), ("identity", "alice"), ("", "alice")):
        headers = [("Content-Encoding", encoding), ("Content-Type", URLENCODED)]
        for key, body in (
            (keys.form("username"), b"username=alice"),
            (keys.json("username"), b'{"username": "alice"}'),
        ):
            assert ask(adapter, key, method="POST", headers=headers, body=body) == found


@both_adapters
@pytest.mark.parametrize("make", [keys.form, keys.json, keys.field])
def test_a_body_above_the_limit_is_refused(adapter: Adapter, make: Any) -> None:
    """With 413, before the app has it."""
    app = adapter.wrap(never, Asks(make("username", 10)))
    answer = adapter.drive(app, "POST", headers=[("Content-Type", URLENCODED)], body=b"x" * 11)
    assert answer.status == 413
    app = adapter.wrap(never, Asks(make("username")))
    answer = adapter.drive(app, "POST", headers=[("Content-Type", URLENCODED)], body=b"x" * 65_537)
    assert answer.status == 413


def never(carrier: Any) -> Any:
    """Fail where the app must not be asked."""
    raise AssertionError("the app is not to be asked")


async def echo_asgi(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the request's body."""
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def echo_wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with the request's body."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (URLENCODED, b"username=alice&a=b"),
        (URLENCODED, b"username=alice;\xff"),
        (MULTIPART, multipart(part("alice"), part("\x00\r\n", OTHER))),
        ("application/json", b'{"username": "alice"}'),
        ("application/json", b'{"username": '),
        ("image/png", b"\x89PNG\r\n"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_the_app_still_gets_the_body(kind: str, body: bytes) -> None:
    """Byte by byte, also after several keys have read it, and when it comes in pieces."""
    both = Asks(keys.json("username") & keys.form("username"))
    headers = [("Content-Type", kind)]
    policies = (both, Asks(keys.form("username")), Asks(keys.json("username")))
    asgi = mantlet.asgi.wrap(echo_asgi, *policies, baseline=False)
    for chunks in (body, [body[:3], b"", body[3:]]):
        assert drive_asgi(asgi, "POST", headers=headers, body=chunks).body == body
    wsgi = mantlet.wsgi.wrap(echo_wsgi, *policies, baseline=False)
    assert drive_wsgi(wsgi, "POST", headers=headers, body=body).body == body
    assert [policy.seen[0] for policy in policies] == [policy.seen[2] for policy in policies]


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [keys.form, keys.json, keys.field])
@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"name": 5}, TypeError, 'name must be text such as "username", not 5'),
        ({"name": ""}, ValueError, "name must be .* not ''"),
        ({"name": "a\n"}, ValueError, r"name must be .* not 'a\\n'"),
        ({"limit": 0}, ValueError, "limit must be from 1 to .*, not 0"),
        ({"limit": True}, TypeError, "limit must be a whole number of bytes, not True"),
        ({"limit": "64k"}, TypeError, "limit must be .* not '64k'"),
        ({"normalize": "lower"}, TypeError, "normalize must be .* not 'lower'"),
        ({"missing": "shared"}, ValueError, "missing must be .* not 'shared'"),
    ],
    ids=str,
)
def test_a_bad_option_is_an_error_that_names_it(
    make: Any, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    """At construction."""
    with pytest.raises(error, match=match):
        make(**({"name": "username"} | options))


@pytest.mark.parametrize("name", ["/a~b", "/~", "/a/~2"])
def test_a_malformed_pointer_is_an_error_that_shows_one(name: str) -> None:
    """RFC 6901, 3: a tilde is followed by 0 or 1."""
    with pytest.raises(ValueError, match="JSON Pointer such as") as refused:
        keys.json(name)
    assert repr(name) in str(refused.value)


@pytest.mark.parametrize("name", ['a"b', "a\\b", " a", "a ", "/a", "a;b", "a%22b", "_charset_"])
def test_a_field_that_no_form_spells_alike_is_an_error(name: str) -> None:
    """Quotes and backslashes are escaped in more than one way, and some are stripped or cut."""
    for make in (keys.form, keys.field):
        with pytest.raises(ValueError, match='such as "username"') as refused:
            make(name)
        assert repr(name) in str(refused.value)

"""Bodies in UTF-16 and UTF-32 are searched and masked like those in UTF-8."""

from __future__ import annotations

import gzip
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mantlet import OutputSanitizer
from mantlet.sanitize import Finding, Leaks
from mantlet.sanitize.wide_text import WideText, wide_encoding
from tests.drive import Adapter, Answer, Said, both_adapters
from tests.sanitize.streams import gunzip, play_asgi, play_wsgi, two_cuts

if TYPE_CHECKING:
    from collections.abc import Callable

    from mantlet import Request

SECRET = "Xk29fjQmZ0-secret"
UNUSUAL = "Überlänge-😀-geheim"
TRACEBACK = 'Traceback (most recent call last):\n  File "/srv/app.py", line 1, in f\nKeyError: 1\n'
ENCODINGS = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
BOM = "\ufeff"

encodings = pytest.mark.parametrize("encoding", ENCODINGS)
adapters = pytest.mark.parametrize("play", [play_asgi, play_wsgi], ids=["asgi", "wsgi"])


@encodings
@adapters
@pytest.mark.parametrize("bom", [BOM, ""], ids=["bom", "no bom"])
@pytest.mark.parametrize(
    "text", [f"a {SECRET}, é", f"a {UNUSUAL} b", f"é\n{TRACEBACK}"], ids=range(3)
)
def test_leaks_are_masked_in_their_encoding(
    play: Callable[..., Any], encoding: str, bom: str, text: str
) -> None:
    """However it is cut; the length stays, and so does all other text."""
    body = (bom + text).encode(encoding)
    charset = "" if bom or text[0] == "a" else f"; charset={encoding}"
    fields = [("content-type", f"text/plain{charset}"), ("content-length", str(len(body)))]
    policy = OutputSanitizer(secrets=[SECRET, UNUSUAL])
    whole = b"".join(play(policy, fields, [body], whole=True)[1])
    assert len(whole) == len(body)
    shown = whole.decode(encoding)
    for leak in (SECRET, UNUSUAL, "app.py"):
        assert leak not in shown
    assert shown.startswith(bom + text[:2])
    assert "*" in shown
    cuts = list(two_cuts(body))[:: max(1, len(body) // 20)]
    for chunks in ([b"", body[:1], b"", body[1:]], *cuts):
        got, sent = play(policy, fields, chunks)
        assert b"".join(sent) == whole
        assert dict(got)["content-length"] == str(len(body))


@adapters
@pytest.mark.parametrize("charset", ["utf-16", "UCS-2", "unicode", "iso-10646-ucs-2"])
def test_any_name_of_a_charset_is_read(play: Callable[..., Any], charset: str) -> None:
    """Also of a whole body in which nothing else shows the encoding."""
    body = f"丑丒专{TRACEBACK}".encode("utf-16-le")
    fields = [("content-type", f"text/plain; charset={charset}")]
    sent = b"".join(play(OutputSanitizer(), fields, [body], whole=True)[1])
    assert "app.py" not in sent.decode("utf-16-le")


@encodings
@both_adapters
@pytest.mark.parametrize("media", ["application/json", None], ids=["json", "no type"])
def test_fields_are_masked_in_their_encoding(
    adapter: Adapter, encoding: str, media: str | None
) -> None:
    """JSON in UTF-16, which some clients read (RFC 4627, 3)."""
    body = '{"a": "é<b>", "password": "hunter2"}'.encode(encoding)
    fields = [("content-length", str(len(body)))] + ([("content-type", media)] if media else [])
    app = adapter.wrap(lambda _: (200, fields, body), OutputSanitizer(mask=["password"]))
    answer = adapter.drive(app)
    assert answer.body.decode(encoding) == '{"a": "é<b>", "password": "***"}'
    assert answer.get("content-length") == str(len(answer.body))


@both_adapters
def test_a_compressed_body_is_decoded_twice(adapter: Adapter) -> None:
    """First its coding, then its charset."""
    body = gzip.compress(f"{BOM}a {SECRET}".encode("utf-16-le"))
    fields = [("content-type", "text/plain"), ("content-encoding", "gzip")]
    app = adapter.wrap(lambda _: (200, fields, body), OutputSanitizer(secrets=[SECRET]))
    answer = adapter.drive(app)
    assert gunzip(answer.body).decode("utf-16-le") == f"{BOM}a {'*' * len(SECRET)}"


@both_adapters
@pytest.mark.parametrize("start", [b"\xff\xfe", b"a\0b\0", b"\xfe\xff", b"\0\0\0a", b"\0"])
@pytest.mark.parametrize("charset", ["", "; charset=utf-16"])
def test_a_beginning_turns_no_search_off(adapter: Adapter, start: bytes, charset: str) -> None:
    """Whoever writes the first bytes of a body can't hide the rest of it."""
    body = start + f"a text with {SECRET}".encode()
    fields = [("content-type", f"text/plain{charset}")]
    app = adapter.wrap(lambda _: (200, fields, body), OutputSanitizer(secrets=[SECRET]))
    answer = adapter.drive(app)
    assert answer.body == body.replace(SECRET.encode(), b"*" * len(SECRET))


@both_adapters
def test_a_leak_in_wide_text_is_blocked_or_reported(adapter: Adapter) -> None:
    """As any other."""
    body = f"{BOM}{TRACEBACK}".encode("utf-16-le")
    findings: list[str] = []

    def note(finding: Finding, _request: Request) -> None:
        findings.append(finding.rule)

    def ask(leaks: Leaks) -> Answer:
        policy = OutputSanitizer(leaks=leaks, on_finding=note)
        app = adapter.wrap(lambda _: (200, [("content-type", "text/plain")], body), policy)
        return adapter.drive(app)

    assert ask(Leaks("block")).status == 500
    assert ask(Leaks("report")).body == body
    assert findings == ["python-traceback"] * 2


def answered(said: Said, _carrier: object) -> Said:
    """Answer every request alike."""
    return said


@both_adapters
@pytest.mark.parametrize("end", [b"\n", b"\0", b"\x00\xd8", b"\x00\xd8\n"])
@pytest.mark.parametrize("mask", [(), ("password",)], ids=["no mask", "mask"])
def test_broken_text_is_filtered_too(adapter: Adapter, end: bytes, mask: Any) -> None:
    """Half a character at the end, or a lone surrogate before the leak."""
    text = '{"a": "é", "password": "%s"}' % (SECRET if not mask else "hunter2 secret")
    policy = OutputSanitizer(secrets=[SECRET], mask=mask)
    half = len(end) // 2 * 2
    fields = [("content-type", "application/json")]
    begun = BOM.encode("utf-16-le") + end[:half]
    for body in (begun + text.encode("utf-16-le"), text.encode("utf-16-le") + end):
        said = 200, fields, body
        answer = adapter.drive(adapter.wrap(partial(answered, said), policy))
        assert SECRET.encode("utf-16-le") not in answer.body
        assert "hunter2".encode("utf-16-le") not in answer.body
        assert "é".encode("utf-16-le") in answer.body
        assert body.endswith(end) is answer.body.endswith(end)


@given(st.binary(max_size=60), st.sampled_from([b"", b"\xff\xfe", b"\0a", b"a\0", b"\0\0\xfe\xff"]),
       st.lists(st.integers(1, 60), max_size=4))  # fmt: skip
def test_no_other_byte_changes(data: bytes, start: bytes, cuts: list[int]) -> None:
    """Text or not, and however it is cut."""
    body = start + data
    encoding = wide_encoding(body[:4]) or "utf-16-le"
    for keeps_length in (True, False):
        wide = WideText(encoding, lambda chunk, _: chunk, keeps_length=keeps_length)
        edges = [0, *sorted({min(cut, len(body)) for cut in cuts})]
        sent = b"".join(wide(body[one:two], True) for one, two in pairwise(edges))
        assert sent + wide(body[edges[-1] :], False) == body


@given(
    st.lists(st.sampled_from(["a", "é", "日", "😀", "*", "\ud800", "x"]), max_size=30).map(
        lambda chars: "".join(chars) + "."  # else a lone surrogate might be half a character
    ),
    st.lists(st.integers(0, 90), max_size=4),
    st.sampled_from(ENCODINGS),
    st.integers(0, 3),
)
def test_masks_keep_the_size_of_each_character(
    text: str, cuts: list[int], encoding: str, held: int
) -> None:
    """Those of one, two, three and four bytes, whatever the filter holds back."""
    leaks = {0xC3, ord("x"), 0x97, 0x80}  # some bytes of each
    waiting = bytearray()

    def mask(chunk: bytes, more: bool) -> bytes:
        waiting.extend(0x2A if byte in leaks else byte for byte in chunk)
        out = bytes(waiting[: max(0, len(waiting) - (held if more else 0))])
        del waiting[: len(out)]
        return out

    body = text.encode(encoding, "surrogatepass")
    wide = WideText(encoding, mask, keeps_length=True)
    edges = [0, *sorted({min(cut, len(body)) for cut in cuts})]
    sent = b"".join(wide(body[one:two], True) for one, two in pairwise(edges))
    sent += wide(body[edges[-1] :], False)
    assert len(sent) == len(body)
    unit = 4 if encoding.startswith("utf-32") else 2
    expected = "".join(
        "*" * (len(char.encode(encoding, "surrogatepass")) // unit)
        if leaks & set(char.encode(errors="surrogatepass"))
        else char
        for char in text
    )
    assert sent.decode(encoding, "surrogatepass") == expected

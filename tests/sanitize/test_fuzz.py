"""Random answers: none raises, none harms a clean body, and the two adapters agree.

Here some thousands of them, which is what a run of all tests has time for.
"""

from __future__ import annotations

import gzip
import json
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mantlet import OutputSanitizer
from mantlet.sanitize import JsonField
from tests.sanitize.flood import flood
from tests.sanitize.streams import play_asgi, play_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

SECRETS = ["Xk29fjQmZ0-secret", 'p"q\\r/s<t>&u é 123']
POLICIES = [
    OutputSanitizer(),
    OutputSanitizer(headers="api", secrets=SECRETS),
    OutputSanitizer(
        headers="web",
        secrets=SECRETS,
        mask=["password", "*_token", JsonField("/a/b", action="drop")],
        json_as_html="fix",
        scan_binary=True,
    ),
]
MEDIA = st.sampled_from([
    "text/plain", "text/html; charset=utf-8", "application/json", "application/problem+json",
    "text/event-stream", "application/x-ndjson", "image/png", "application/octet-stream", "", "/",
    "nonsense", "text/html; charset=utf-16", "multipart/mixed; boundary=x",
])  # fmt: skip
#: What parts of leaks, of JSON and of events are made of.
SCRAPS = st.sampled_from([
    b"Traceback (most recent call last)", b':\n  File "/x', b'.py", line 1\n', b"-----BEGIN ",
    b"PRIVATE KEY-----", b"ghp_", b"A" * 20, b"\\", b'"', b"{", b"}", b"[", b"]", b":", b",", b"\n",
    b"data: ", b"password", b"_token", b'"a"', b'"b"', b"1", b"<", b"&", b"\xe2\x80\xa8", b"\xe2",
    b"\x00", b"\xff\xfe", b"Xk29fjQmZ0", b"-secret", b"[SQL: ", b"SELECT", b"ORA-", b"00942: ",
])  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=60),
    st.lists(SCRAPS, max_size=12).map(b"".join),
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["password", "a", "b", "x_token"]), inner, max_size=3)
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)
ENCODERS: dict[str, Any] = {"gzip": gzip.compress, "deflate": zlib.compress, "lies": bytes}


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[tuple[str, str]], list[bytes], bool]:
    """Draw the fields and the chunks of an answer, and whether it says where it ends."""
    body = draw(BODIES)
    fields = [("content-type", draw(MEDIA))]
    coding = draw(st.sampled_from([None, None, *ENCODERS, "zstd"]))
    if coding is not None:
        body = ENCODERS.get(coding, bytes)(body)
        fields.append(("content-encoding", "gzip" if coding == "lies" else coding))
    if draw(st.booleans()):
        fields.append(("content-length", str(len(body))))
    if draw(st.booleans()):
        fields.append(draw(st.sampled_from([
            ("set-cookie", "session=1"), ("x-bad", "a\r\nb"), ("x bad", "1"), ("server", "x"),
            ("x-key", SECRETS[0]), ("content-type", "text/html"), ("location", "/\x00"),
        ])))  # fmt: skip
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=5)))
    edges = [0, *cuts, len(body)]
    chunks = [body[a:b] for a, b in pairwise(edges)]
    return fields, chunks, draw(st.booleans())


@settings(max_examples=1500, deadline=None)
@given(answers(), st.sampled_from(POLICIES))
def test_no_answer_makes_the_policy_raise(
    answer: tuple[list[tuple[str, str]], list[bytes], bool], policy: OutputSanitizer
) -> None:
    """Nor says the one adapter what the other does not."""
    fields, chunks, whole = answer
    asgi_fields, asgi = play_asgi(policy, fields, chunks, whole=whole)
    wsgi_fields, wsgi = play_wsgi(policy, fields, chunks, whole=whole)
    assert decoded(fields, asgi) == decoded(fields, wsgi)
    ignored = ("content-security-policy", "content-length", "etag")
    kept = [
        sorted((n.lower(), v) for n, v in got if n.lower() not in ignored)
        for got in (asgi_fields, wsgi_fields)
    ]
    assert kept[0] == kept[1]
    sent = b"".join(asgi)
    if not any(name == "content-encoding" for name, _ in fields):
        assert policy is POLICIES[0] or SECRETS[0].encode() not in sent or is_opaque(fields)


def test_both_adapters_know_that_a_list_is_whole() -> None:
    """By which the type of short JSON that is sent as HTML is fixed."""
    policy = OutputSanitizer(json_as_html="fix")
    fields = [("Content-Type", "text/html")]
    for chunks in ([b"", b"[]"], [b"[", b"]"], [b"[]"]):
        types = []
        for play in (play_asgi, play_wsgi):
            got, sent = play(policy, fields, chunks, whole=True)
            assert b"".join(sent) == b"[]"
            types.append({name.lower(): value for name, value in got}["content-type"])
        assert types[0] == types[1]


def decoded(fields: list[tuple[str, str]], chunks: list[bytes]) -> bytes:
    """Return the bytes that a client reads; one adapter may know that a body is whole."""
    body = b"".join(chunks)
    coding = dict(fields).get("content-encoding")
    decoders: dict[str | None, Callable[[bytes], bytes]] = {
        "gzip": gzip.decompress,
        "deflate": zlib.decompress,
    }
    try:
        return decoders.get(coding, bytes)(body)
    except (OSError, EOFError, zlib.error):
        return body


def is_opaque(fields: list[tuple[str, str]]) -> bool:
    return fields[0][1] in ("image/png", "application/octet-stream")


@settings(max_examples=1500, deadline=None)
@given(
    st.lists(st.text("abcdefgh ,.!?xyz\n0123456789", max_size=20), max_size=8),
    st.sampled_from(["text/plain; charset=utf-8", "text/html; charset=utf-8", "application/json"]),
    st.booleans(),
)
def test_a_clean_answer_stays_as_it_is(words: list[str], media: str, whole: bool) -> None:
    """Its bytes, and the fields that it came with."""
    chunks = [word.encode() for word in words]
    fields = [("content-type", media), ("content-length", str(sum(map(len, chunks)))), ("x-a", "1")]
    for play in (play_asgi, play_wsgi):
        got, sent = play(POLICIES[1], fields, chunks, whole=whole and bool(chunks))
        assert b"".join(sent) == b"".join(chunks)
        assert [pair for pair in got if pair[0] in ("content-type", "x-a")] == [
            fields[0],
            fields[2],
        ]


@pytest.mark.exhaustive
def test_a_flood_of_answers_harms_none() -> None:
    """A small one of those that ``python -m tests.sanitize.flood`` sends by the million."""
    flood(20_000, seed=1)

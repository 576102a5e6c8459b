"""URIs of proofs and requests, compared (RFC 9449, 4.3, check 9)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mantlet.authentication.possession.target_uri import TargetUri

ORIGIN = "https://api.example"
URIS = TargetUri(ORIGIN)
#: Characters of paths, and what readers of URIs stumble over.
PARTS = st.lists(
    st.sampled_from(
        [*"aZ09-._~!$&'()*+,;=:@/", "%2F", "%2f", "%41", "%7e", "%", "%zz", "..", ".", "//", "\\"]
    )
    | st.characters(max_codepoint=0x2FF),
    max_size=8,
).map("".join)


def request(raw_path: bytes, protocol: str = "http") -> Any:
    """Return a request with a path as it was sent."""
    return SimpleNamespace(raw_path=raw_path, protocol=protocol)


@given(path=PARTS)
@settings(max_examples=500)
def test_a_uri_as_it_was_sent_matches(path: str) -> None:
    sent = f"/{path}".encode()
    escaped = "".join(
        chr(byte) if 0x20 < byte < 0x7F and chr(byte) not in '"<>\\^`{|}[]?#' else f"%{byte:02X}"
        for byte in sent
    )
    assert URIS.matches(ORIGIN + escaped, request(sent))


@given(htu=st.tuples(st.sampled_from([ORIGIN, "", "https:", "//api.example"]), PARTS).map("".join))
@example("https://api.example@evil.example/")
@example("https://api.example:443@evil.example/")
@example("https://evil.example\\@api.example/")
@settings(max_examples=500)
def test_a_uri_that_matches_is_of_the_origin(htu: str) -> None:
    if URIS.matches(htu, request(b"/")):
        parts = urlsplit(htu)
        assert (parts.scheme, parts.hostname, parts.username) == ("https", "api.example", None)
        assert parts.port in (None, 443)


@given(first=PARTS, second=PARTS)
@settings(max_examples=500)
def test_paths_that_match_are_equal_once_decoded(first: str, second: str) -> None:
    for htu, sent in ((first, second), (first, first + second)):
        if URIS.matches(f"{ORIGIN}/{htu}", request(f"/{sent}".encode())) and "/." not in f"/{htu}":
            claimed = urlsplit(f"{ORIGIN}/{htu}").path
            assert unquote(claimed, "latin-1") == unquote(f"/{sent}".encode(), "latin-1") or (
                unquote(claimed) == unquote(f"/{sent}")
            )


def test_handshakes_may_have_the_schemes_of_websockets() -> None:
    assert URIS.matches("wss://api.example/", request(b"/", "websocket"))
    assert not URIS.matches("ws://api.example/", request(b"/", "websocket"))
    assert not URIS.matches("wss://api.example/", request(b"/"))
    assert TargetUri("http://[::1]:8000").matches("ws://[::1]:8000/", request(b"/", "websocket"))


def test_long_uris_and_paths_never_match() -> None:
    path = "/" + "a" * 5000
    assert not URIS.matches(ORIGIN + path, request(path.encode()))
    assert not URIS.matches(ORIGIN, request(path.encode()))
    assert not URIS.matches(f"{ORIGIN}/?{path}", request(b"/"))
    assert not URIS.matches(ORIGIN, request(b"*"))


def test_a_path_with_a_broken_escape_is_only_matched_by_itself() -> None:
    assert URIS.matches(f"{ORIGIN}/100%", request(b"/100%"))
    assert not URIS.matches(f"{ORIGIN}/100%25", request(b"/100%"))
    assert not URIS.matches(f"{ORIGIN}/%3100%", request(b"/100%"))

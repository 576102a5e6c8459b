"""Random JSON, and what is nearly JSON, for properties of what reads it."""

from __future__ import annotations

from hypothesis import strategies as st

SPACES = st.sampled_from([b"", b"", b"", b" ", b"\n", b"\t \r\n"])
NUMBERS = st.one_of(
    st.sampled_from([
        b"0", b"-0", b"-0.0", b"1E2", b"1e+2", b"1e308", b"1e309", b"-1e309", b"1e400",
        b"1e0000400", b"1e-400", b"1e0000000", b"0e999", b"0.0e+999",
        b"123456789012345678901234567890", b"1.7976931348623157e308", b"1.7976931348623158e308",
        b"1.7976931348623159e308", b"9007199254740993", b"9223372036854775808",
        b"-9223372036854775809", b"5e-324", b"2e-324", b"0.1", b"1" + b"0" * 309,
        b"1" + b"0" * 309 + b".0", b"1" + b"0" * 250 + b"e99", b"0.000001e314", b"1.5e00308",
        b"18446744073709551616",
    ]),
    st.integers().map(lambda number: b"%d" % number),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: repr(number).encode()),
    st.from_regex(rb"\A-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?([eE][-+]?[0-9]{1,4})?\Z"),
)  # fmt: skip
STRINGS = st.lists(
    st.sampled_from([
        b"a", b"a", b"b", b"name", b" ", b"[", b"{", b"]", b"}", b",", b":", b"1e400", b"\\\\",
        b"\\\"", b"\\n", b"\\/", b"\\u0061", b"\\u0000", b"\\ud83d\\ude00", b"\\uD83D", b"\\ude00",
        b"\x7f", "é".encode(), "\U0001f600".encode(), "\u2028".encode(), b"000000", b"e000",
    ]),
    max_size=5,
).map(lambda parts: b'"' + b"".join(parts) + b'"')  # fmt: skip
SCALARS = st.one_of(NUMBERS, STRINGS, st.sampled_from([b"true", b"false", b"null"]))


def _containers(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    arrays = st.lists(st.tuples(SPACES, values, SPACES).map(b"".join), max_size=6)
    members = st.lists(
        st.tuples(SPACES, STRINGS, SPACES, st.just(b":"), SPACES, values).map(b"".join), max_size=6
    )
    return st.one_of(
        arrays.map(lambda items: b"[" + b",".join(items) + b"]"),
        members.map(lambda pairs: b"{" + b",".join(pairs) + b"}"),
    )


#: Well-formed, if for half a surrogate pair: none of its bounds need hold.
TEXTS = st.recursive(SCALARS, _containers, max_leaves=20)

_SCRAPS = st.sampled_from([
    b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"[]", b"{}", b'"":', b"[[[[", b"]]]]", b"1",
    b"-", b"e", b"E+", b".", b"0", b"NaN", b"Infinity", b"-Infinity", b"1e400", b"true", b"nul",
    b" ", b"\0", b"\x1f", b"\xff", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf",
    b"\xf4\x90\x80\x80", b"//", b"/**/", b"'", b"+1", b"01", b"001e400", b"1.", b".5", b"0x1",
    b",]", b"\\u12", b"\\x", b"\x0c", b"\xa0",
])  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a text that is nearly JSON: some bytes of it cut out, put in, or cut off."""
    text = draw(TEXTS)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        gone = draw(st.sampled_from([0, 0, 1, 2, len(text)]))
        text = text[:start] + draw(st.just(b"") | _SCRAPS) + text[start + gone :]
    return text


#: What is JSON by chance only.
SOUP = st.lists(_SCRAPS, max_size=30).map(b"".join)

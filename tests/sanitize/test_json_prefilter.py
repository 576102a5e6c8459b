"""The search for names with their quotes, against a look at every quote."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mantlet.redact import literal_search
from mantlet.sanitize.json_fields import FieldMasker, JsonField, prefilter
from mantlet.sanitize.json_fields.prefilter import Prefilter, search_literals
from tests.sanitize.documents import FIELDS, cut, run
from tests.sanitize.test_json_fields import request

NAMES = ["password", "*_token", "*secret*", "a", 'quo"te', "é"]


@pytest.fixture(params=["few", "hyperscan", "automaton"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let any number of literals be searched for in one way, and each place be looked at."""
    name: str = request.param
    for module in (literal_search, prefilter):
        monkeypatch.setattr(module, "FEW", 10_000 if name == "few" else 0)
    if name == "automaton":
        monkeypatch.setitem(sys.modules, "hyperscan", None)
    monkeypatch.setattr(prefilter, "_DENSE", 1)
    return name


pieces = st.sampled_from(
    [
        *(b'"', b'"', b"\\", b'\\"', b":", b":1,", b" ", b"\n", b'{"', b'":"', b'","', b"x"),
        *(b"password", b"PASSWORD", b"p\\u0061ssword", b"secret", b"_token", b"_tok\\u0065n"),
        *(b'"password"', b'"a"', b'"a":', b"a", b"\\u0061", b"quo\\", b"te", b'"my_token"'),
        *("é".encode(), "É".encode(), b"\\u00e9", b"\x01\x02\x03", b"\\u0", b"3"),
    ]
)
names = st.lists(st.sampled_from([*NAMES, *FIELDS]), min_size=1, max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(pieces, max_size=25).map(b"".join), names, st.booleans(), st.data())
def test_no_name_is_missed(
    engine: str, body: bytes, asked: list[str], drops: bool, data: st.DataObject
) -> None:
    """Nor in invalid JSON, where names overlap and share quotes."""
    masker = FieldMasker([JsonField(name, "drop" if drops else "mask") for name in asked])
    chunks = cut(data.draw, body)
    found = run(masker.filter_for(request()), chunks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Prefilter, "openings", lambda *_: None)
        assert run(masker.filter_for(request()), chunks) == found


@pytest.mark.parametrize(
    "body",
    [
        b'"my_token"password":1',
        b'{"\\"secret\\" secret":1}',
        b'"password"password":1',
        b'{"b\\\\":"","a":1}',
    ],
)
def test_a_name_is_found_beside_quotes(engine: str, body: bytes) -> None:
    """Those that it shares, or has in itself."""
    masked = run(FieldMasker(NAMES).filter_for(request()), [body])
    assert masked == body.replace(b":1", b':"***"')


def searched(*patterns: str) -> Prefilter:
    return Prefilter(literal for pattern in patterns for literal in search_literals(pattern))


@pytest.mark.parametrize(
    "text",
    [
        *("send your password, not a secret_token", "password", '"password": 1', "Grüße\n"),
        *('{"password": "x"}', "a", "_token and", "the token"),
    ],
)
def test_words_in_strings_are_not_looked_at(engine: str, text: str) -> None:
    """But strings that begin or end like names are."""
    body = json.dumps({"note": f"({text})", "notes": [f"-{text} "] * 9}).encode()
    assert searched("password", "access_token", "*_token", "a").openings(body) == []


def test_names_are_looked_at_once(engine: str) -> None:
    """By the quote before them, however long the text before it is."""
    body = b'{"\\"\\"secret secret": 1, "PassWord": "password", "b": "\\u0061", "A_TOKEN" : 2}'
    quotes = [body.index(name) - 1 for name in (b"\\", b"PassWord", b"password", b"\\u", b"A_")]
    assert searched("password", "*secret*", "a", "*_token").openings(body) == quotes


def test_many_names_are_not_looked_at_one_by_one() -> None:
    """All over the data or at its beginning."""
    name, text = b'"password":1,', b'"note":"my password",'
    few = searched("password")
    assert few.openings(name * 8 + text * 100) == [at * len(name) for at in range(8)]
    assert few.openings(name * 100 + text * 1000) is None
    assert few.openings(text * 100 + name * 500 + text * 100) is None
